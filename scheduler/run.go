package scheduler

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// run is one slot that is being probed, with one attempt or several. All of them
// are of the site as it was when the first began, and end before the next slot.
type run struct {
	at         time.Time // the slot
	target     *target
	generation int64
	limit      time.Time     // when it has to be over
	full       time.Duration // how long an attempt may take that begins in time
	started    time.Time     // when the first attempt began
	attempts   int
	void       bool           // it was off the grid, and one of the grid came too soon after it
	report     sitemon.Report // of the last attempt
	next       *time.Timer    // that begins the next one; nil unless it is waited for
}

// run probes the site for one slot and hands the report on, unless it is down and
// to be tried again: then it returns how long to wait before.
func (e *entry) run(r *run) (pause time.Duration) {
	if r.attempts == 0 && !e.prepare(r) {
		return 0
	}
	for r.attempts == 0 || e.roomFor(r, 0) {
		if !e.attempt(r) {
			return 0 // cut off by Stop: not the site's fault, and no report
		}
		interval := r.target.site.RetryInterval
		if r.report.Outcome != sitemon.OutcomeDown || r.attempts > r.target.site.Retries || !e.roomFor(r, interval) {
			break
		}
		if interval > 0 {
			return interval
		}
	}
	e.conclude(r)
	return 0
}

// prepare makes the run of a slot; false where it is too late for it.
func (e *entry) prepare(r *run) bool {
	s := e.s
	r.target, r.limit = e.target.Load(), e.grid.After(r.at).Add(-guardTime)
	if now := s.now(); now.After(r.at) && !e.grid.Has(r.at) { // an extra slot may come late
		r.limit = e.grid.After(now).Add(-guardTime)
	}
	r.full = min(r.target.site.Timeout, e.grid.Interval-guardTime)
	now := s.now()
	if rest := r.limit.Sub(now); rest < e.need(min(r.full, r.limit.Sub(r.at))) {
		e.missed(r.at, fmt.Sprintf("its turn came %s after the slot, too late for this probe", now.Sub(r.at).Round(time.Millisecond)))
		return false
	}
	r.generation, r.started = s.generation.Load(), now
	return true
}

// need is how much of its time has to be left for a probe to be begun. One that could
// not end would take a place from another and find out nothing; the site is the first
// in the queue at its next slot.
func (e *entry) need(full time.Duration) time.Duration {
	if e.probed.IsZero() {
		return full / 2
	}
	return min(max(2*e.took, leastRest), enough(full))
}

// enough is the least share of its time after which a probe without an answer says
// that the site has none, rather than that the monitor was late.
func enough(full time.Duration) time.Duration { return full * 3 / 4 }

// roomFor reports whether another attempt after a pause makes sense: with less than
// half of its time-out it would say little, and what is about to end or waits for
// its own slot is not held up.
func (e *entry) roomFor(r *run, pause time.Duration) bool {
	if r.limit.Sub(e.s.now().Add(pause)) < r.target.site.Timeout/2 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.retired && e.waiting.IsZero()
}

// attempt probes once; false where the probe was cut off.
func (e *entry) attempt(r *run) bool {
	s, site := e.s, r.target.site
	start := s.now()
	if r.attempts == 0 {
		start, e.probed = r.started, r.started
	} else {
		s.metrics.count(r.report.Outcome) // which is not going to be sent
	}
	budget := min(site.Timeout, r.limit.Sub(start))
	ctx, cancel := context.WithTimeout(s.probeCtx, budget)
	report := e.probe(ctx, site)
	cancel()
	if s.probeCtx.Err() != nil {
		return false
	}
	e.took = s.now().Sub(start)
	if r.attempts == 0 && report.Outcome == sitemon.OutcomeDown && budget < enough(r.full) && timedOut(site.Kind, report.Reason) {
		report.Outcome, report.Reason = sitemon.OutcomeUnknown, sitemon.ReasonMonitorOverloaded
		report.Error = fmt.Sprintf("started %s late with %s left of its time-out %s; %s",
			start.Sub(r.at).Round(time.Millisecond), budget.Round(time.Millisecond), site.Timeout, report.Error)
		r.void = !e.grid.Has(r.at)
	}
	s.guard.judge(s.probeCtx, r.target, &report)
	if report.Outcome == sitemon.OutcomeUnknown {
		report.Evidence = "" // it says nothing about the site
	}
	r.report = report
	if r.attempts++; r.attempts == 1 {
		late := max(start.Sub(r.at), 0)
		s.late.observe(start, late)
		s.metrics.lateness.Observe(late.Seconds())
	}
	return true
}

// conclude hands the report of the last attempt on as that of the slot.
func (e *entry) conclude(r *run) {
	if r.void {
		e.s.metrics.count(r.report.Outcome)
		return
	}
	report := r.report
	report.StartedAt, report.Generation = r.started, r.generation
	if r.attempts > 1 {
		report.Attempts = r.attempts
	}
	e.send(r.at, report)
}

// rest gives up the place of a run until its next attempt. The caller holds mu.
func (e *entry) rest(r run, pause time.Duration) {
	e.state, e.again = resting, &r
	r.next = time.AfterFunc(pause, func() { e.resume(&r) })
}

// resume has a run probed once more, when its turn comes.
func (e *entry) resume(r *run) {
	e.mu.Lock()
	due := e.state == resting && e.again == r
	if due {
		e.state = queued
	}
	e.mu.Unlock()
	if due {
		e.queue()
	}
}

// forget returns the run that is to be tried again, and keeps it from that; nil
// where there is none. The caller holds mu.
func (e *entry) forget() *run {
	r := e.again
	if r != nil {
		r.next.Stop()
		e.again = nil
	}
	return r
}
