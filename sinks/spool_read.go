package sinks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const (
	batchMessages = 2000
	batchBytes    = 1 << 20
)

// cursor is where the next record is read.
type cursor struct {
	number  uint64 // of that record
	segment *segment
	offset  int64
	r       *os.File // the segment's
}

// leave closes the segment.
func (c *cursor) leave() {
	if c.r != nil {
		c.r.Close()
	}
	c.segment, c.r, c.offset = nil, nil, 0
}

// batch is a row of records on its way to the deliverer.
type batch struct {
	messages   []Message // in raw, unless marked
	raw        []byte    // the records
	first, end uint64    // numbers of the first record, and of the one after the last
	since      time.Time // when the first record came
	marked     map[string]uint64
	onDisk     bool
	tried      bool // a deliverer failed on it, and may still hold its memory
}

// parse makes messages of the records in b.raw from the given number on, as long
// as they follow each other, and says where the next one begins and what it is.
func (b *batch) parse(from uint64, most int) (used int, next record, size int, v verdict) {
	b.first, b.end = from, from
	for used < len(b.raw) && len(b.messages) < most {
		r, size, v := decode(b.raw[used:])
		if v != whole || r.number > b.end {
			return used, r, size, v
		}
		used += size
		if r.number < b.end {
			continue // delivered before, or written twice
		}
		if len(b.messages) == 0 {
			b.since = r.written
		}
		b.messages = append(b.messages, Message{Key: r.key, Value: r.value})
		b.end++
	}
	return used, record{}, 0, whole
}

// read fills b, which is empty, with the next records; with none if there are
// none. It returns how many records that should have come were not there.
func (s *spool) read(b *batch) (lost uint64, err error) {
	b.onDisk = true
	want := int64(batchBytes)
	for {
		missing, ok, err := s.position()
		lost += missing
		if err != nil || !ok {
			return lost, err
		}
		c := &s.at
		n := min(c.segment.size-c.offset, want)
		b.raw = append(b.raw[:0], make([]byte, n)...)
		if _, err := c.r.ReadAt(b.raw, c.offset); err != nil {
			s.log.Error("the spool is damaged: the rest of a segment cannot be read", "file", c.segment.path, "offset", c.offset, "err", err)
			c.offset = c.segment.size
			continue
		}
		used, next, size, v := b.parse(c.number, batchMessages)
		c.offset += int64(used)
		switch {
		case len(b.messages) > 0:
			c.number = b.end
			b.raw = b.raw[:used]
			return lost, nil
		case used > 0: // all delivered before
		case v == whole: // later than expected
			lost += next.number - c.number
			c.number = next.number
		case v == short && c.offset+max(int64(size), headSize) <= c.segment.size:
			want = int64(size)
		default:
			s.skipDamage()
		}
	}
}

// position makes the cursor stand at a record, if there is one.
func (s *spool) position() (lost uint64, ok bool, err error) {
	c := &s.at
	for {
		if seg := c.segment; seg != nil {
			if c.offset < seg.size {
				return lost, true, nil
			}
			if c.number < seg.end {
				lost += seg.end - c.number
				c.number = seg.end
			}
			if seg == s.active {
				return lost, false, nil
			}
			c.leave()
		}
		for _, seg := range s.segments {
			if seg.end > c.number {
				c.segment = seg
				break
			}
		}
		if c.segment == nil {
			return lost, false, nil
		}
		if c.r, err = os.Open(c.segment.path); err != nil {
			c.r = nil
			if errors.Is(err, fs.ErrNotExist) {
				s.log.Error("the spool is damaged: a segment is gone", "file", c.segment.path)
				c.offset = c.segment.size
				continue
			}
			c.segment = nil
			return lost, false, fmt.Errorf("read the spool: %w", err)
		}
	}
}

// skipDamage moves the cursor to the next whole record of its segment, or to the
// segment's end.
func (s *spool) skipDamage() {
	c := &s.at
	rest := make([]byte, c.segment.size-c.offset)
	n, err := c.r.ReadAt(rest, c.offset)
	skip := int64(1) + int64(find(rest[1:max(n, 1)], c.number))
	if err != nil || skip >= int64(n) {
		skip = int64(len(rest))
	}
	s.log.Error("the spool is damaged: a part of it is skipped", "file", c.segment.path, "offset", c.offset, "bytes", skip)
	c.offset += skip
}
