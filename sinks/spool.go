package sinks

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".spool"
	ackName       = "acknowledged"
)

// disk is the part of the file system that may be full.
type disk interface {
	create(path string) (*os.File, error)
	write(f *os.File, b []byte) (int, error)
}

// systemDisk is the real one.
type systemDisk struct{}

func (systemDisk) create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (systemDisk) write(f *os.File, b []byte) (int, error) { return f.Write(b) }

// segment is a file of records, named by the number of its first.
type segment struct {
	path       string
	first, end uint64 // numbers of its first record, and of the one after its last
	size       int64
	w          *os.File // while it is written to, and until it is synced after that
	dirty      bool     // written to since the last sync
}

// spool is a queue of records in segment files. It is not safe for concurrent
// use. Records are numbered; a file of its own holds the number up to which all
// are elsewhere, so an old one costs duplicates and never a loss.
type spool struct {
	dir          string
	segmentBytes int64
	disk         disk
	log          *slog.Logger

	segments []*segment // oldest first
	active   *segment   // the last of segments while records are appended to it, else nil
	bytes    int64      // of all segments
	created  bool       // segments, since the last sync of the folder

	acked   uint64 // all records below are elsewhere
	ackFile *os.File
	ackErr  error // why the last acknowledgement is not on disk
	at      cursor
}

// openSpool finds what an earlier process left. A torn end is cut off.
func openSpool(dir string, segmentBytes int64, d disk, log *slog.Logger) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool's folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the spool's folder: %w", err)
	}
	s := &spool{dir: dir, segmentBytes: segmentBytes, disk: d, log: log}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		first, err := strconv.ParseUint(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("read the spool's folder: %w", err)
		}
		s.segments = append(s.segments, &segment{path: filepath.Join(dir, e.Name()), first: first, size: info.Size()})
		s.bytes += info.Size()
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	for i := range len(s.segments) - 1 {
		s.segments[i].end = s.segments[i+1].first
	}
	if n := len(s.segments); n > 0 {
		s.recoverLast(s.segments[n-1])
	}
	s.openAck()
	s.at.number = s.acked
	if s.removeAcked(); len(s.segments) > 0 {
		s.at.number = max(s.acked, s.segments[0].first)
	}
	return s, nil
}

// recoverLast finds the end of the segment that was written last, and cuts off
// what is not a whole record there.
func (s *spool) recoverLast(seg *segment) {
	data, err := os.ReadFile(seg.path)
	if err != nil {
		// Its numbers must not be used again: it holds fewer than this.
		seg.end = seg.first + uint64(seg.size)/headSize + 1
		s.log.Error("a part of the spool cannot be read", "file", seg.path, "err", err)
		return
	}
	seg.end = seg.first
	end := int64(records(data, seg.first, func(r record) { seg.end = r.number + 1 }))
	if end == int64(len(data)) && end > 0 {
		return
	}
	s.log.Warn("the end of the spool is torn, as after a crash: it is cut off", "file", seg.path, "bytes", int64(len(data))-end)
	if err := os.Truncate(seg.path, end); err != nil {
		s.log.Error("the torn end of the spool could not be cut off", "file", seg.path, "err", err)
	}
	s.bytes -= seg.size - end
	seg.size = end
	if end == 0 { // its name is the next one's
		if err := os.Remove(seg.path); err != nil {
			s.log.Error("an empty part of the spool could not be removed", "file", seg.path, "err", err)
		}
		s.segments = s.segments[:len(s.segments)-1]
	}
}

// openAck reads up to where the records are elsewhere. What cannot be read is
// taken as "none are".
func (s *spool) openAck() {
	s.acked = 1
	if s.ackFile, s.ackErr = os.OpenFile(filepath.Join(s.dir, ackName), os.O_CREATE|os.O_RDWR, 0o600); s.ackErr != nil {
		s.log.Error("the spool's position cannot be written: after a restart reports are delivered again", "err", s.ackErr)
		b, err := os.ReadFile(filepath.Join(s.dir, ackName))
		if err == nil {
			s.readAck(b)
		}
		return
	}
	b := make([]byte, 12)
	if n, _ := s.ackFile.ReadAt(b, 0); n > 0 {
		s.readAck(b[:n])
	}
}

func (s *spool) readAck(b []byte) {
	if len(b) < 12 || crc32.Checksum(b[:8], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		s.log.Warn("the spool's position is damaged: its reports are delivered from the oldest on, some of them again")
		return
	}
	s.acked = max(1, binary.LittleEndian.Uint64(b))
}

// next is the number of the next record to be appended.
func (s *spool) next() uint64 {
	if n := len(s.segments); n > 0 {
		return max(s.acked, s.at.number, s.segments[n-1].end)
	}
	return max(s.acked, s.at.number)
}

// waiting counts the records that are not elsewhere yet.
func (s *spool) waiting() (n int) {
	for _, seg := range s.segments {
		n += int(seg.end - min(seg.end, max(seg.first, s.acked)))
	}
	return n
}

// append adds n records, numbered from first on: all or none.
func (s *spool) append(b []byte, first, n uint64) error {
	if s.active == nil || s.active.size >= s.segmentBytes {
		path := filepath.Join(s.dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
		w, err := s.disk.create(path)
		if err != nil {
			return fmt.Errorf("begin a segment of the spool: %w", err)
		}
		s.active = &segment{path: path, first: first, end: first, w: w}
		s.segments = append(s.segments, s.active)
		s.created = true
	}
	a := s.active
	if _, err := s.disk.write(a.w, b); err != nil {
		if cut := a.w.Truncate(a.size); cut != nil {
			s.seal() // what was written of b is never read
			err = errors.Join(err, cut)
		}
		return fmt.Errorf("write to the spool: %w", err)
	}
	a.size += int64(len(b))
	a.end = first + n
	a.dirty = true
	s.bytes += int64(len(b))
	return nil
}

// insert writes records that come before those of later segments, and syncs them.
func (s *spool) insert(b []byte, first, end uint64) error {
	seg := &segment{path: filepath.Join(s.dir, fmt.Sprintf("%020d%s", first, segmentSuffix)), first: first, end: end, size: int64(len(b))}
	w, err := s.disk.create(seg.path)
	if err != nil {
		return fmt.Errorf("begin a segment of the spool: %w", err)
	}
	_, err = s.disk.write(w, b)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return fmt.Errorf("write to the spool: %w", errors.Join(err, os.Remove(seg.path)))
	}
	i, _ := slices.BinarySearchFunc(s.segments, first, func(seg *segment, first uint64) int { return cmp.Compare(seg.first, first) })
	s.segments = slices.Insert(s.segments, i, seg)
	s.bytes += seg.size
	s.created = true
	return nil
}

// seal makes the next append begin a segment.
func (s *spool) seal() { s.active = nil }

// ack notes that all records below end are elsewhere, and removes the segments
// that hold no others.
func (s *spool) ack(end uint64) {
	if end <= s.acked {
		return
	}
	s.acked = end
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 12), end)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if s.ackFile != nil {
		_, err := s.ackFile.WriteAt(b, 0)
		if err != nil && s.ackErr == nil {
			s.log.Error("the spool's position cannot be written: after a restart reports are delivered again", "err", err)
		}
		s.ackErr = err
	}
	s.removeAcked()
}

func (s *spool) removeAcked() {
	for len(s.segments) > 0 && s.segments[0].end <= s.acked && s.segments[0] != s.active {
		s.removeFirst()
	}
}

func (s *spool) removeFirst() {
	seg := s.segments[0]
	if s.at.segment == seg {
		s.at.leave()
	}
	if seg.w != nil {
		seg.w.Close()
	}
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("a part of the spool that is not needed any more could not be removed", "file", seg.path, "err", err)
	}
	s.bytes -= seg.size
	s.segments = slices.Delete(s.segments, 0, 1)
}

// dropOldest removes the oldest segment that is not written to any more,
// delivered or not. It calls lost with the key of each record in it that was not
// read yet, returns how many those are, and the number up to which there are none
// left. Zero: there is no such segment.
func (s *spool) dropOldest(lost func(key []byte)) (n, upTo uint64) {
	if len(s.segments) == 0 || s.segments[0] == s.active {
		return 0, 0
	}
	seg := s.segments[0]
	if from := max(seg.first, s.at.number); from < seg.end {
		n = seg.end - from
		data, err := os.ReadFile(seg.path)
		if err != nil {
			s.log.Error("a part of the spool that is dropped cannot be read", "file", seg.path, "err", err)
		}
		records(data[:min(seg.size, int64(len(data)))], from, func(r record) { lost(r.key) })
	}
	s.removeFirst()
	s.at.number = max(s.at.number, seg.end)
	return n, seg.end
}

// unsynced returns the files with content that may not be on the medium yet. The
// caller closes those that are sealed, after it synced them.
func (s *spool) unsynced() (active *os.File, sealed []*os.File) {
	for _, seg := range s.segments {
		switch {
		case seg.w == nil:
		case seg != s.active:
			sealed = append(sealed, seg.w)
			seg.w = nil
		case seg.dirty:
			active = seg.w
		}
		seg.dirty = false
	}
	return active, sealed
}

// close gives the files back.
func (s *spool) close() {
	for _, seg := range s.segments {
		if seg.w != nil {
			seg.w.Close()
			seg.w = nil
		}
	}
	s.seal()
	s.at.leave()
	if s.ackFile != nil {
		s.ackFile.Close()
		s.ackFile = nil
	}
}
