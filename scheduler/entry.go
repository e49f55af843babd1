package scheduler

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"sitemon"
	"sitemon/slot"
)

const (
	// guardTime is how long before the next slot a probe has to end.
	guardTime = 20 * time.Millisecond
	// clockTolerance is how far the wall clock may be from the timers' before all
	// jobs are planned anew. A job's timer may so fire that much before its slot.
	clockTolerance = 50 * time.Millisecond
	// maxMissed is how many skipped slots are each reported as missed. More at
	// once means that the whole process stood still, which is a gap; so are fewer
	// while it is known to have done that, see [pulse].
	maxMissed = 5
)

// entry is one site that is being probed.
type entry struct {
	s      *Scheduler
	name   string
	grid   slot.Grid
	target atomic.Pointer[target]
	job    uuid.UUID   // guarded by Scheduler.mu
	extra  *time.Timer // guarded by Scheduler.mu; nil: none was ever planned

	mu      sync.Mutex
	state   state
	host    string    // where it has a place or a turn; set when it leaves idle
	at      time.Time // the slot to be probed when its turn comes
	waiting time.Time // the slot to be probed as soon as the running one ends
	retired bool
	last    time.Time // the newest slot of the grid that was due
	gap     string    // why the slots before the next report are missing

	sample atomic.Pointer[sample] // of the newest report, for the metrics
}

// state is what an entry is about.
type state int

const (
	idle    state = iota
	queued        // it waits for a place
	running       // its probe runs
)

// target is what an entry probes: a site, and the host that its probes count
// against.
type target struct {
	site *sitemon.Site
	host string
}

func newTarget(site *sitemon.Site) *target {
	u, err := url.Parse(site.URL)
	if err != nil { // a reference where none can be parsed: it stands for itself
		return &target{site, site.URL}
	}
	return &target{site, u.Hostname()}
}

// jump takes note that the wall clock was set to now: slots count from there on.
func (e *entry) jump(now time.Time, forward bool) {
	e.mu.Lock()
	e.last = e.grid.AtOrBefore(now)
	if forward {
		e.gap = sitemon.GapClock
	}
	e.mu.Unlock()
}

// retire keeps the entry from starting anything more.
func (e *entry) retire() {
	e.mu.Lock()
	e.retired, e.waiting = true, time.Time{}
	e.mu.Unlock()
	if e.extra != nil {
		e.extra.Stop()
	}
}

// fired is what the gocron job runs. It returns at once, as gocron's goroutines
// are for handing over only.
func (e *entry) fired() {
	e.s.clock.handedOver()
	e.due()
}

// due takes note that a slot of the grid has come. Which one it is follows from
// the clock alone, so a late or repeated call does no harm.
func (e *entry) due() {
	at := e.grid.AtOrBefore(e.s.now().Add(clockTolerance))
	e.mu.Lock()
	if !at.After(e.last) {
		e.mu.Unlock()
		return
	}
	var missed []time.Time
	if skipped := e.grid.Count(e.last.Add(1), at); skipped > maxMissed {
		e.gap = sitemon.GapMonitorStopped
	} else {
		for t := e.grid.After(e.last); t.Before(at); t = e.grid.After(t) {
			if e.s.pulse.stood(t) {
				e.gap = sitemon.GapMonitorStopped
			} else {
				missed = append(missed, t)
			}
		}
	}
	e.last = at
	e.mu.Unlock()
	for _, t := range missed {
		e.missed(t, "the monitor was too busy to start this probe")
	}
	e.offer(at)
}

// offer has the probe of a slot run now, when its turn comes, or right after the
// one that is running.
func (e *entry) offer(at time.Time) {
	e.mu.Lock()
	if e.retired {
		e.mu.Unlock()
		return
	}
	var displaced time.Time
	var why string
	switch e.state {
	case idle:
		e.state, e.at, e.host = queued, at, e.target.Load().host
		e.s.probes.Add(1) // before the lock is left: Stop retires entries, then waits
		e.mu.Unlock()
		if e.s.places.take(e) {
			e.begin()
			go e.s.work(e)
		}
		return
	case queued:
		displaced, e.at, why = e.at, at, "no place for this probe became free before its next slot"
	case running:
		displaced, e.waiting, why = e.waiting, at, "the probe before it was still running"
	}
	e.mu.Unlock()
	if !displaced.IsZero() {
		e.missed(displaced, why)
	}
}

// begin takes note that the entry has a place: a further slot comes after this
// one, not instead of it.
func (e *entry) begin() {
	e.mu.Lock()
	e.state = running
	e.mu.Unlock()
}

// work probes an entry that has a place, and then those that its place is handed
// on to.
func (s *Scheduler) work(e *entry) {
	for {
		if e = s.places.next(e.serve()); e == nil {
			return
		}
		e.begin()
	}
}

// serve probes the slot of an entry that has a place, and the slot that may have
// come meanwhile. It returns the host whose place is free then.
func (e *entry) serve() (host string) {
	defer e.s.probes.Done()
	e.mu.Lock()
	at := e.at
	host = e.host
	if e.retired { // while it waited
		at = time.Time{}
	}
	for !at.IsZero() {
		e.mu.Unlock()
		e.run(at)
		e.mu.Lock()
		at, e.waiting = e.waiting, time.Time{}
	}
	e.state = idle
	e.mu.Unlock()
	return host
}

// run probes the site for one slot and hands the report on.
func (e *entry) run(at time.Time) {
	s, t := e.s, e.target.Load()
	site := t.site
	limit := e.grid.After(at).Add(-guardTime)
	if now := s.now(); now.After(at) && !e.grid.Has(at) { // an extra slot may come late
		limit = e.grid.After(now).Add(-guardTime)
	}
	if !limit.After(s.now()) {
		e.missed(at, "no place for this probe became free before its next slot")
		return
	}
	generation := s.generation.Load()
	start := s.now()
	budget := min(site.Timeout, limit.Sub(start))
	ctx, cancel := context.WithTimeout(s.probeCtx, budget)
	r := e.probe(ctx, site)
	cancel()
	if s.probeCtx.Err() != nil {
		return // cut off by Stop: not the site's fault, and no report
	}
	if r.Outcome == sitemon.OutcomeDown && budget < site.Timeout/2 && timedOut(r.Reason) {
		r.Outcome, r.Reason = sitemon.OutcomeUnknown, sitemon.ReasonMonitorOverloaded
		r.Error = fmt.Sprintf("started %s late with %s left of its time-out %s; %s",
			start.Sub(at).Round(time.Millisecond), budget.Round(time.Millisecond), site.Timeout, r.Error)
	}
	s.guard.judge(s.probeCtx, t, &r)
	r.StartedAt, r.Generation = start, generation
	late := max(start.Sub(at), 0)
	s.late.observe(start, late)
	s.metrics.lateness.Observe(late.Seconds())
	e.send(at, r)
}

// probe keeps a panic of a prober inside: it is the monitor's own failing.
func (e *entry) probe(ctx context.Context, site *sitemon.Site) (r sitemon.Report) {
	defer func() {
		if p := recover(); p != nil {
			e.s.log.Error("a probe panicked", "site", e.name, "panic", p)
			r = sitemon.Report{
				Outcome: sitemon.OutcomeUnknown, Reason: sitemon.ReasonInternal,
				Error: fmt.Sprintf("internal error in the probe: %v", p),
			}
		}
	}()
	return e.s.opts.Prober.Probe(ctx, site)
}

// missed reports a slot at which the site could not be probed. A slot off the
// grid is left out: it was not planned.
func (e *entry) missed(at time.Time, why string) {
	if e.s.probeCtx.Err() != nil || !e.grid.Has(at) {
		return // being stopped is a gap, not a missed slot
	}
	e.s.metrics.missed.Inc()
	e.send(at, sitemon.Report{
		Outcome: sitemon.OutcomeUnknown, Reason: sitemon.ReasonMonitorOverloaded, Error: why,
		StartedAt: e.s.now(), Generation: e.s.generation.Load(),
	})
}

// send completes a report with its identity and gives it to the sink.
func (e *entry) send(at time.Time, r sitemon.Report) {
	s := e.s
	r.Site, r.Location, r.Slot, r.Interval, r.Monitor = e.name, s.opts.Location, at, e.grid.Interval, s.opts.Monitor
	e.mu.Lock()
	r.Gap, e.gap = e.gap, ""
	e.mu.Unlock()
	s.metrics.count(r.Outcome)
	if s.opts.SiteMetrics {
		e.sample.Store(newSample(&r))
	}
	if err := s.opts.Sink.Write(s.probeCtx, r); err != nil && s.probeCtx.Err() == nil {
		s.log.Error("a report could not be handed on", "site", e.name, "slot", at, "err", err)
	}
}

// timedOut reports whether a reason can come from too little time.
func timedOut(r sitemon.Reason) bool {
	switch r {
	case sitemon.ReasonDNSTimeout, sitemon.ReasonConnectTimeout, sitemon.ReasonTLSTimeout,
		sitemon.ReasonProcessingTimeout, sitemon.ReasonTransferTimeout, sitemon.ReasonSendError:
		return true
	}
	return false
}
