package sinks

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// storeLoop writes what comes, a moment after it came.
func (s *Spooled) storeLoop(ctx context.Context) {
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry:
		case <-s.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(writeDelay):
			}
		}
		retry = nil
		if s.store(false) != nil {
			retry = time.After(diskRetry)
		}
	}
}

// store writes all that is in memory. While the disk fails it tries once a
// second, unless it is made to.
func (s *Spooled) store(now bool) error {
	s.files.Lock()
	defer s.files.Unlock()
	defer signal(s.ready) // from memory too
	if s.broken != nil && !now && time.Now().Before(s.retryAt) {
		return s.broken
	}
	// With room for a batch on its way to the deliverer, when its segment is dropped.
	limit := s.opts.MaxBytes - min(batchBytes, s.opts.MaxBytes/4)
	for c := s.take(); c != nil; c = s.take() {
		for s.spool.bytes+int64(len(c.buf)) > limit && s.dropOldest() {
		}
		number(c.buf, c.first)
		err := s.spool.append(c.buf, c.first, uint64(c.reports))
		if err != nil && full(err) {
			s.makeRoom() // once: where removing files makes no room, it must not cost all of them
			err = s.spool.append(c.buf, c.first, uint64(c.reports))
		}
		if err != nil {
			s.mu.Lock()
			s.mem.giveBack(c)
			s.mu.Unlock()
			s.breaks(err)
			return err
		}
		s.mu.Lock()
		s.mem.release(c)
		s.crowded = s.spool.bytes > s.opts.MaxBytes/2
		s.mu.Unlock()
		s.mends()
		signal(s.dirty)
	}
	s.saveMarks()
	return nil
}

func (s *Spooled) take() *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.takeFirst()
}

// full reports whether an error is about room.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// breaks notes that the disk cannot be written. The caller holds files.
func (s *Spooled) breaks(err error) {
	if s.broken == nil {
		s.log.Error("the spool cannot be written: reports wait in memory and are delivered from there", "err", err)
	}
	s.broken, s.retryAt = err, time.Now().Add(diskRetry)
}

// mends notes that the disk was written. The caller holds files.
func (s *Spooled) mends() {
	if s.broken == nil {
		return
	}
	s.broken = nil
	s.log.Info("the spool is written again")
	if b := s.flying; b != nil && !b.onDisk {
		if err := s.save(b); err != nil {
			s.log.Error("reports that are being delivered could not be written to the spool", "reports", len(b.messages), "err", err)
		}
	}
}

// save writes a batch that is only in memory.
func (s *Spooled) save(b *batch) error {
	if err := s.spool.insert(b.raw, b.first, b.end); err != nil {
		return err
	}
	b.onDisk = true
	return nil
}

// makeRoom removes what is not needed any more, or else the oldest reports. The
// caller holds files.
func (s *Spooled) makeRoom() {
	if a := s.spool.active; a != nil && a.size > 0 && a.end <= s.spool.acked {
		s.spool.seal()
		s.spool.removeAcked()
		return
	}
	s.dropOldest()
}

// dropOldest removes the oldest segment; the next report of each site that loses
// one by that is marked. The caller holds files.
func (s *Spooled) dropOldest() bool {
	sites := marks{}
	n, upTo := s.spool.dropOldest(func(key []byte) { sites.add(key, 0) })
	if upTo == 0 {
		return false
	}
	if b := s.flying; b != nil && b.onDisk && b.first < upTo {
		b.onDisk = false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for site := range sites {
		s.marks[site] = upTo
		s.unsaved = true
	}
	if s.lose(int(n)); n > 0 {
		s.overflows()
	}
	return true
}

// syncLoop puts on the medium what was written, each second while there is
// something.
func (s *Spooled) syncLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.dirty:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(syncEvery):
		}
		s.sync()
	}
}

// sync puts on the medium what was written. Reports are written meanwhile.
func (s *Spooled) sync() {
	s.files.Lock()
	active, sealed := s.spool.unsynced()
	created := s.spool.created
	s.spool.created = false
	s.files.Unlock()
	var errs []error
	for _, f := range sealed {
		errs = append(errs, f.Sync())
		f.Close()
	}
	if active != nil {
		if err := active.Sync(); !errors.Is(err, os.ErrClosed) { // dropped or delivered meanwhile
			errs = append(errs, err)
		}
	}
	if created {
		if dir, err := os.Open(s.opts.Dir); err == nil {
			_ = dir.Sync() // not every system can
			dir.Close()
		}
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Error("the spool could not be synced: a power cut may cost reports", "err", err)
	}
}
