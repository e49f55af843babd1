package scheduler

import "time"

// Overdue reports whether slots do not run any more: one that was due more than
// limit ago has not been taken up, or a probe is not over that long after its
// site's next slot. It never is in a process that works, however loaded: what it
// can't do in time it reports as missed.
func (s *Scheduler) Overdue(limit time.Duration) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	for _, e := range s.entries {
		if e.overdue(now, limit) {
			return true
		}
	}
	return false
}

func (e *entry) overdue(now time.Time, limit time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.retired {
		return false
	}
	if e.grid.AtOrBefore(now.Add(-limit)).After(e.last) {
		return true
	}
	return e.state == running && now.Sub(e.at) > e.grid.Interval+limit
}
