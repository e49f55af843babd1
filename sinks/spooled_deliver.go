package sinks

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// deliverLoop hands on what is written, in order.
func (s *Spooled) deliverLoop(ctx context.Context) {
	wait := retryMin
	for ctx.Err() == nil {
		b, err := s.peek()
		switch {
		case err != nil: // no more files may be opened, say
			if wait == retryMin {
				s.log.Error("the spool cannot be read: reports wait", "err", err)
			}
			pause(ctx, wait)
			wait = min(2*wait, retryMax)
			continue
		case b != nil:
			_ = s.deliver(ctx, b) // logged there; only the end of ctx ends it
		default:
			select {
			case <-ctx.Done():
			case <-s.ready:
			}
		}
		wait = retryMin
	}
}

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// deliver hands a batch on, trying until it is taken or ctx ends.
func (s *Spooled) deliver(ctx context.Context, b *batch) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := s.opts.Deliverer.Deliver(ctx, b.messages)
		if err == nil {
			s.ack(b)
			if s.away {
				s.away = false
				s.log.Info("reports are delivered again")
			}
			return nil
		}
		b.tried = true
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		s.metrics.errors.Inc()
		if !s.away { // said once, then counted
			s.away = true
			s.log.Error("reports could not be delivered: they wait in the spool and are tried again", "reports", len(b.messages), "err", err)
		}
		if pause(ctx, wait); ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Flush writes all that is in memory and delivers what waits until ctx ends. It
// must be called after Run has returned. An error says how many reports are left
// and whether they are on disk, where the next start finds them.
func (s *Spooled) Flush(ctx context.Context) error {
	var err error
	for err == nil && ctx.Err() == nil {
		_ = s.persist() // judged below
		var b *batch
		if b, err = s.peek(); b == nil && err == nil {
			return nil
		}
		if err == nil {
			err = s.deliver(ctx, b)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	n, _ := s.Waiting()
	if lost := s.persist(); lost != nil {
		return fmt.Errorf("deliver %d reports: %w: %w", n, err, lost)
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("deliver reports: %d wait in the spool for the next start: %w", n, err)
}

// peek returns the oldest reports that are not delivered; nil if there are none.
// They stay the same until they are acknowledged.
func (s *Spooled) peek() (*batch, error) {
	s.files.Lock()
	defer s.files.Unlock()
	if s.flying != nil {
		return s.flying, nil
	}
	b := s.spare
	if s.spare = nil; b == nil {
		b = &batch{marked: map[string]uint64{}}
	}
	lost, err := s.spool.read(b)
	if err != nil {
		s.spare = b
		return nil, err
	}
	if len(b.messages) == 0 && s.broken != nil {
		s.readMemory(b)
	}
	if lost > 0 {
		s.log.Error("reports are missing in the spool", "reports", lost)
	}
	s.mu.Lock()
	s.lose(int(lost))
	if len(b.messages) > 0 {
		s.oldest = b.since
	}
	s.mu.Unlock()
	if len(b.messages) == 0 {
		s.spare = b
		return nil, nil
	}
	s.mark(b)
	s.flying = b
	return b, nil
}

// readMemory fills b with the oldest reports in memory, and takes them out. The
// caller holds files, and has read all that is on disk.
func (s *Spooled) readMemory(b *batch) {
	c := s.take()
	if c == nil {
		return
	}
	s.spool.seal() // if the disk works again, b comes before what is written then
	number(c.buf, c.first)
	b.raw, c.buf = c.buf, b.raw
	b.parse(c.first, c.reports)
	b.onDisk = false
	s.spool.at.number = b.end
	s.mu.Lock()
	s.mem.release(c)
	s.mu.Unlock()
}

// mark writes into the first report of each site that lost some why it did.
func (s *Spooled) mark(b *batch) {
	s.mu.Lock()
	var which []int
	if len(s.marks) > 0 {
		for i, m := range b.messages {
			from, ok := s.marks[string(m.Key)]
			if _, done := b.marked[string(m.Key)]; ok && !done && from <= b.first+uint64(i) {
				b.marked[string(m.Key)] = b.first + uint64(i)
				which = append(which, i)
			}
		}
	}
	s.mu.Unlock()
	for _, i := range which {
		var r sitemon.Report
		if r.UnmarshalJSON(b.messages[i].Value) != nil {
			continue // the writer's dead letter
		}
		r.Gap = sitemon.GapSpoolFull
		if value, err := r.MarshalJSON(); err == nil {
			b.messages[i].Value = value
		}
	}
}

// ack removes a batch that is elsewhere.
func (s *Spooled) ack(b *batch) {
	s.files.Lock()
	defer s.files.Unlock()
	s.spool.ack(b.end)
	s.flying = nil
	s.mu.Lock()
	if s.waiting -= len(b.messages); s.waiting <= 0 {
		s.overfull = false
	}
	for site, number := range b.marked {
		if s.marks[site] <= number {
			delete(s.marks, site)
		}
	}
	unmarked := len(s.marks) == 0
	s.mu.Unlock()
	if unmarked {
		s.removeMarks()
	}
	if b.tried {
		return // somebody may still hold its memory
	}
	clear(b.marked)
	*b = batch{messages: b.messages[:0], raw: b.raw[:0], marked: b.marked}
	s.spare = b
}
