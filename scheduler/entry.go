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
	// leastRest is how much time is left at least where a probe is begun late.
	leastRest = 50 * time.Millisecond
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
	again   *run      // the slot to be probed once more when its turn comes, before all others
	waiting time.Time // the slot to be probed as soon as the running one ends
	retired bool
	last    time.Time // the newest slot of the grid that was due
	gap     string    // why the slots before the next report are missing

	// The next three are read and written by who has the entry's place, or gives it one.
	probed time.Time     // when its last probe began; zero: none did
	took   time.Duration // how long that took
	turn   uint64        // in a queue, see [places]

	sample atomic.Pointer[sample] // of the newest report, for the metrics
}

// state is what an entry is about.
type state int

const (
	idle    state = iota
	queued        // it waits for a place
	running       // its probe runs
	resting       // it waits for the next attempt, without a place
)

// target is what an entry probes: a site, and the host that its probes count
// against.
type target struct {
	site *sitemon.Site
	host string
}

// newTarget finds out whom a site's probes count against. Echo requests count apart: a
// probe of them waits most of its time, and a host has no work with it. A heartbeat
// asks nobody, so each site of that kind is a host of its own; what asks the system's
// name servers counts against those.
func newTarget(site *sitemon.Site) *target {
	u, err := url.Parse(site.URL)
	switch {
	case err != nil: // a reference where none can be parsed: it stands for itself
		return &target{site, site.URL}
	case site.Kind == sitemon.KindHeartbeat:
		return &target{site, "heartbeat " + site.Name}
	case site.Kind == sitemon.KindICMP:
		return &target{site, "icmp " + u.Hostname()}
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

// retire keeps the entry from starting anything more. What it waits to try again
// is reported as it was found last.
func (e *entry) retire() {
	e.mu.Lock()
	e.retired, e.waiting = true, time.Time{}
	var r *run
	if e.state == resting {
		e.state, r = idle, e.forget()
	}
	e.mu.Unlock()
	if e.extra != nil {
		e.extra.Stop()
	}
	if r != nil {
		go func() { // a sink may make it wait
			defer e.s.probes.Done()
			e.conclude(r)
		}()
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
	var given *run // up, for this slot
	queue := false
	switch e.state {
	case idle:
		e.state, e.at, e.host = queued, at, e.target.Load().host
		e.s.probes.Add(1) // before the lock is left: Stop retires entries, then waits
		queue = true
	case resting:
		given = e.forget()
		e.state, e.at, e.host = queued, at, e.target.Load().host
		queue = true
	case queued:
		if given = e.forget(); given == nil {
			displaced, why = e.at, "no place for this probe became free before its next slot"
		}
		e.at = at
	case running:
		displaced, e.waiting, why = e.waiting, at, "the probe before it was still running"
	}
	e.mu.Unlock()
	if given != nil {
		e.conclude(given)
	}
	if queue {
		e.queue()
	}
	if !displaced.IsZero() {
		e.missed(displaced, why)
	}
}

// queue gives the entry a place, or a turn.
func (e *entry) queue() {
	if e.s.places.take(e) {
		e.begin()
		go e.s.work(e)
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
	var r run
	e.mu.Lock()
	host = e.host
	if again := e.forget(); again != nil {
		r = *again
	} else if !e.retired { // while it waited
		r.at = e.at
	}
	for !r.at.IsZero() {
		e.mu.Unlock()
		pause := e.run(&r)
		e.mu.Lock()
		switch {
		case pause == 0:
		case e.retired || !e.waiting.IsZero(): // meanwhile
			e.mu.Unlock()
			e.conclude(&r)
			e.mu.Lock()
		default:
			e.rest(r, pause)
			e.mu.Unlock()
			return host
		}
		r = run{at: e.waiting}
		e.waiting = time.Time{}
	}
	e.state = idle
	e.mu.Unlock()
	e.s.probes.Done()
	return host
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

// timedOut reports whether a reason can come from too little time. A heartbeat that
// has not come was not waited for.
func timedOut(kind sitemon.Kind, r sitemon.Reason) bool {
	if kind == sitemon.KindHeartbeat {
		return false
	}
	switch r {
	case sitemon.ReasonDNSTimeout, sitemon.ReasonConnectTimeout, sitemon.ReasonTLSTimeout,
		sitemon.ReasonProcessingTimeout, sitemon.ReasonTransferTimeout, sitemon.ReasonSendError:
		return true
	}
	return false
}
