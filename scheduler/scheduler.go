// Package scheduler starts every site's probe at its slots: one gocron job per
// site, on the grid that package slot computes from the site's name.
//
// [Scheduler.Apply] takes a whole set of sites and applies only the differences:
// an unchanged site keeps its timer and the probe in flight, a changed one
// finishes its probe under the old definition. A slot that could not be probed is
// reported as unknown with its reason, and never as down.
package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/slot"
)

// Prober makes one attempt to reach a site. It must return soon after ctx ends,
// whatever the peer does.
type Prober interface {
	Probe(ctx context.Context, s *sitemon.Site) sitemon.Report
}

// Sink takes reports on their way to the store. Write may wait for room, until
// ctx ends.
type Sink interface {
	Write(ctx context.Context, r sitemon.Report) error
}

// Options is what a [Scheduler] is made of. Prober, Sink and Logger are required.
type Options struct {
	Location string
	Monitor  string // the instance, written into each report

	Prober Prober
	Sink   Sink
	Logger *slog.Logger
	// Registerer takes the scheduler's metrics; nil: none.
	Registerer prometheus.Registerer
	// SiteMetrics exports one set of probe_… series per site.
	SiteMetrics bool

	// Concurrency bounds the probes that run at the same time, PerHost those
	// against one host.
	Concurrency int
	PerHost     int
	// Canaries are URLs of which one must answer for this monitor to count as
	// online. Without any, see [guard].
	Canaries []sitemon.Site

	// Now is the wall clock; nil: time.Now. Timers run on the monotonic clock, so
	// a test can step the one against the other.
	Now func() time.Time
}

// Scheduler probes a changing set of sites. Create one with [New], start it with
// [Scheduler.Run], give it sites with [Scheduler.Apply].
type Scheduler struct {
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	cron    gocron.Scheduler
	clock   *clock
	places  *places
	guard   *guard
	metrics *metrics
	late    lateness
	pulse   pulse

	generation atomic.Int64
	probes     sync.WaitGroup // runs in flight
	probeCtx   context.Context
	cancel     context.CancelFunc

	mu      sync.Mutex
	entries map[string]*entry
	applied bool // Apply has been called
	stopped bool
}

// New returns a scheduler without sites.
func New(opts Options) (*Scheduler, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Scheduler{
		opts: opts, now: opts.Now, entries: map[string]*entry{},
		log:    opts.Logger.With("component", "scheduler"),
		places: newPlaces(opts.Concurrency, opts.PerHost), clock: newClock(opts.Now),
	}
	cron, err := gocron.NewScheduler(
		gocron.WithLogger(cronLogger{s.log}),
		gocron.WithLocation(time.UTC),
		gocron.WithClock(s.clock))
	if err != nil {
		return nil, fmt.Errorf("make the job scheduler: %w", err)
	}
	s.cron = cron
	s.guard = newGuard(opts.Prober, opts.Canaries, opts.Now)
	s.metrics = newMetrics(opts.Registerer, s)
	s.probeCtx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Run starts probing and watches the clock until ctx ends. It stops nothing:
// that is [Scheduler.Stop].
func (s *Scheduler) Run(ctx context.Context) error {
	var timers sync.WaitGroup
	defer timers.Wait()
	timers.Go(func() { s.clock.run(ctx) })
	s.cron.Start()
	watch := clockWatch{wall: s.now, mono: time.Now}
	watch.start()
	s.pulse.beat()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-second.C:
			s.pulse.beat()
			if step, ok := watch.step(); ok {
				s.log.Warn("the clock was stepped, planning all slots anew", "step", step)
				s.replan(step)
			}
		}
	}
}

// Apply makes sites the running set. Only differences to the set before are
// applied, so it may be called with all sites at every reload. plan says which
// of them the generation brought in or changed: they are due at once, at one
// extra slot each. A site that is new here and that the plan does not name comes
// from another monitor: it is due at its next slot, and its first report says
// why slots before it may be missing. Apply cannot fail: a site whose job can't
// be made is logged and reported as unknown. Sites that name other locations than
// this one are for other monitors.
func (s *Scheduler) Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.generation.Store(gen.Number)
	due := dueAtOnce(plan)
	seen := make(map[string]bool, len(sites))
	for i := range sites {
		site := &sites[i]
		if !site.Enabled || !site.ProbedAt(s.opts.Location) {
			continue
		}
		seen[site.Name] = true
		e, running := s.entries[site.Name]
		fresh := !running || e.grid.Interval != site.Interval
		switch {
		case fresh && running:
			s.remove(e)
			e = s.add(site, "")
		case fresh:
			e = s.add(site, s.before(due[site.Name]))
		case !bytes.Equal(e.target.Load().site.Definition, site.Definition):
			e.target.Store(newTarget(site))
		}
		if due[site.Name] {
			s.addExtra(e, gen.LoadedAt, max(len(due), plan.Together), fresh)
		}
	}
	for name, e := range s.entries {
		if !seen[name] {
			s.remove(e)
		}
	}
	s.applied = true
}

// dueAtOnce names the sites that a plan makes due at an extra slot.
func dueAtOnce(p sitemon.Plan) map[string]bool {
	due := make(map[string]bool, len(p.Added)+len(p.Changed))
	for _, name := range p.Added {
		due[name] = true
	}
	for _, c := range p.Changed {
		if c.Rescheduled {
			due[c.Name] = true
		}
	}
	return due
}

// before says why slots before the first report of a site may be missing. The
// first sites of a process were not probed because it did not run; later ones
// that no plan made due come from another monitor, which may have died.
func (s *Scheduler) before(due bool) string {
	if s.applied && due {
		return ""
	}
	return sitemon.GapMonitorStopped
}

// add makes the job of a site. gap is why slots before it may be missing.
func (s *Scheduler) add(site *sitemon.Site, gap string) *entry {
	e := &entry{s: s, name: site.Name, grid: slot.NewGrid(site.Name, site.Interval), gap: gap}
	e.target.Store(newTarget(site))
	s.entries[site.Name] = e
	now := s.now()
	e.last = e.grid.AtOrBefore(now)
	s.schedule(e, now)
	return e
}

// schedule gives an entry its gocron job, from its first slot after now on.
func (s *Scheduler) schedule(e *entry, now time.Time) {
	job, err := s.cron.NewJob(
		gocron.DurationJob(e.grid.Interval),
		gocron.NewTask(e.fired),
		gocron.WithStartAt(gocron.WithStartDateTimePast(e.grid.After(now))))
	if err != nil {
		s.log.Error("no job for a site: it is not probed until the next reload", "site", e.name, "err", err)
		return
	}
	e.job = job.ID()
}

// addExtra makes an entry due at its slot off the grid, unless a slot of the grid
// comes first or the moment is more than a time-out ago. A fresh entry has a job
// from now on: a slot of the grid that has come since the generation was loaded
// is made up for here, after the extra one.
func (s *Scheduler) addExtra(e *entry, loadedAt time.Time, n int, fresh bool) {
	now := s.now()
	var due []time.Time
	if at, ok := slot.Extra(e.name, e.grid, loadedAt, n); ok {
		due = append(due, at)
	}
	if passed := e.grid.AtOrBefore(now); fresh && passed.After(loadedAt) {
		due = append(due, passed)
	}
	due = slices.DeleteFunc(due, func(at time.Time) bool { return now.Sub(at) > e.target.Load().site.Timeout })
	if len(due) == 0 {
		return
	}
	if e.extra != nil {
		e.extra.Stop()
	}
	e.extra = time.AfterFunc(due[0].Sub(now), func() {
		for _, at := range due {
			e.offer(at)
		}
	})
}

// remove ends the job of an entry. A probe in flight is finished and reported.
func (s *Scheduler) remove(e *entry) {
	delete(s.entries, e.name)
	e.retire()
	if err := s.cron.RemoveJob(e.job); err != nil && !errors.Is(err, gocron.ErrJobNotFound) {
		s.log.Error("remove the job of a site", "site", e.name, "err", err)
	}
}

// replan gives every site a new job after the wall clock was stepped: pending
// timers are off by the step. A small step, as a slewed clock adds up to, loses
// no slot and repeats none; the slots that a large one jumped over are a gap.
func (s *Scheduler) replan(step time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	now := s.now()
	for _, e := range s.entries {
		if err := s.cron.RemoveJob(e.job); err != nil {
			s.log.Error("remove the job of a site", "site", e.name, "err", err)
		}
		if step.Abs() > time.Second {
			e.jump(now, step > 0)
		} else {
			e.extra = time.AfterFunc(0, e.due) // its slot may just have been passed over
		}
		s.schedule(e, now)
	}
}

// Stop ends all jobs, lets the probes in flight finish until ctx ends, and then
// cancels them: a probe that was cancelled is no report.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	for _, e := range s.entries {
		e.retire()
	}
	s.mu.Unlock()

	drained := make(chan struct{})
	go func() { s.probes.Wait(); close(drained) }()
	var cut error
	select {
	case <-drained:
	case <-ctx.Done():
		cut = fmt.Errorf("probes in flight were cut off: %w", ctx.Err())
	}
	s.cancel()
	<-drained
	if err := s.cron.Shutdown(); err != nil {
		return errors.Join(cut, fmt.Errorf("shut the job scheduler down: %w", err))
	}
	return cut
}

// Sites returns how many sites are being probed.
func (s *Scheduler) Sites() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// Lateness returns quantiles of how late probes started against their slots,
// over the last one to two minutes.
func (s *Scheduler) Lateness() (p50, p99 time.Duration) {
	return s.late.quantile(0.50), s.late.quantile(0.99)
}
