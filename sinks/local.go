// Package sinks carries reports from the scheduler to where they are recorded.
//
// [Local] is the way inside one process: it gathers reports for a moment and
// gives them to a [Recorder] in batches. [Spooled] is the way out of the process:
// reports are on disk within a moment and leave it when a [Deliverer] has taken
// them, however long that is away and however often the process is killed.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/internal/metrics"
)

const (
	// gather is how long the first report of a batch waits for others. With the
	// batch's transaction it stays below the 200 ms that a kill may cost.
	gather = 100 * time.Millisecond
	// maxBatch bounds one transaction while a backlog is worked off.
	maxBatch = 2000
	// maxWaiting bounds the memory: about 40 MB of reports, and as much of evidence.
	maxWaiting = 100_000
	// maxEvident is how many may wait before further ones lose their evidence.
	maxEvident = 10_000

	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Recorder puts reports into a store. A report that is there already must change
// nothing, so that a batch may be given again after an error.
type Recorder interface {
	Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error)
}

// LocalOptions is what a [Local] is made of. Registerer and Recorded may be nil.
type LocalOptions struct {
	Recorder   Recorder
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Recorded is called after each batch, from one goroutine.
	Recorded func(sitemon.Recorded)
}

// Local records reports inside this process. While the recorder fails, reports
// wait in memory and are tried again; of more than fit, the oldest go, and the
// site's next report says so ([sitemon.GapSpoolFull]).
type Local struct {
	opts    LocalOptions
	log     *slog.Logger
	metrics *spoolMetrics
	reports *metrics.Reports
	wake    chan struct{} // holds one token while reports wait

	mu      sync.Mutex
	waiting []sitemon.Report
	spare   []sitemon.Report // the last batch's memory
	since   time.Time        // when the first of waiting came
	dropped map[string]bool  // sites that lost a report
}

// NewLocal returns a Local; [Local.Run] makes it work.
func NewLocal(opts LocalOptions) *Local {
	l := &Local{
		opts: opts, log: opts.Logger.With("component", "sink"),
		wake: make(chan struct{}, 1), dropped: map[string]bool{},
	}
	l.metrics = newSpoolMetrics(opts.Registerer, "local", l.Waiting)
	l.reports = metrics.NewReports(opts.Registerer)
	metrics.NewLag(opts.Registerer, func() float64 { n, _ := l.Waiting(); return float64(n) })
	return l
}

// Write takes a report. It never waits and never fails.
func (l *Local) Write(_ context.Context, r sitemon.Report) error {
	l.mu.Lock()
	if len(l.waiting) == 0 {
		l.since = time.Now()
	}
	if len(l.waiting) >= maxEvident {
		r.Evidence = ""
	}
	l.waiting = append(l.waiting, r)
	if len(l.waiting) > maxWaiting {
		l.dropOldest(maxWaiting / 100)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// dropOldest makes room and remembers whose reports are lost.
func (l *Local) dropOldest(n int) {
	for _, r := range l.waiting[:n] {
		l.dropped[r.Site] = true
	}
	l.waiting = append(l.waiting[:0], l.waiting[n:]...)
	l.metrics.lost.Add(float64(n))
}

// Run records what is written until ctx ends and returns nil. What waits then is
// for [Local.Flush].
func (l *Local) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(gather):
		}
		if err := l.Flush(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// Flush records all that waits, trying again until ctx ends. It must not be
// called while Run runs.
func (l *Local) Flush(ctx context.Context) error {
	for {
		batch := l.take()
		if len(batch) == 0 {
			return nil
		}
		if err := l.record(ctx, batch); err != nil {
			l.putBack(batch)
			return fmt.Errorf("record %d reports: %w", len(batch), err)
		}
		l.release(batch)
	}
}

// record gives a batch to the recorder until it takes it or ctx ends.
func (l *Local) record(ctx context.Context, batch []sitemon.Report) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		done, err := l.opts.Recorder.Record(ctx, batch)
		if err == nil {
			if wait > retryMin {
				l.log.Info("reports are recorded again")
			}
			l.reports.Recorded(done)
			if l.opts.Recorded != nil {
				l.opts.Recorded(done)
			}
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		l.metrics.errors.Inc()
		if wait == retryMin { // said once, then counted
			l.log.Error("reports could not be recorded: they wait in memory and are tried again", "reports", len(batch), "err", err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

// take returns the oldest waiting reports, marked where earlier ones of their
// site were dropped.
func (l *Local) take() []sitemon.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.waiting), maxBatch)
	var batch []sitemon.Report
	if n == len(l.waiting) {
		batch, l.waiting, l.spare = l.waiting, l.spare[:0], nil
	} else {
		batch = append(l.spare[:0], l.waiting[:n]...)
		l.waiting, l.spare = append(l.waiting[:0], l.waiting[n:]...), nil
	}
	if len(l.dropped) > 0 {
		for i := range batch {
			if l.dropped[batch[i].Site] {
				batch[i].Gap = sitemon.GapSpoolFull
				delete(l.dropped, batch[i].Site)
			}
		}
	}
	return batch
}

// putBack returns a batch that was not recorded to the front.
func (l *Local) putBack(batch []sitemon.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(batch, l.waiting...)
}

// release keeps the memory of a recorded batch for a later one.
func (l *Local) release(batch []sitemon.Report) {
	clear(batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare == nil && cap(batch) <= 2*maxBatch {
		l.spare = batch[:0]
	}
}

// Waiting returns how many reports are not recorded yet, and for how long the
// oldest of them has waited.
func (l *Local) Waiting() (reports int, oldest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return 0, 0
	}
	return len(l.waiting), time.Since(l.since)
}
