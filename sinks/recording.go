package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/internal/metrics"
)

// RecordingOptions is what a [Recording] is made of. Registerer, Recorded and
// Waiting may be nil.
type RecordingOptions struct {
	Recorder   Recorder
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Recorded is called after each batch, from one goroutine.
	Recorded func(sitemon.Recorded)
	// Waiting is the [Spooled.Waiting] of the spool before it, shown as the
	// writer's lag.
	Waiting func() (reports int, oldest time.Duration)
}

// Recording is a [Deliverer] that records the reports in a store that may be
// away, without a broker between. A report that can never be recorded is logged
// and left out, so that it does not hold up those after it.
type Recording struct {
	opts   RecordingOptions
	log    *slog.Logger
	counts *metrics.Reports
	// dead are the messages left out of the present batch, which may come again.
	dead map[string]bool
}

// NewRecording returns a Recording.
func NewRecording(opts RecordingOptions) *Recording {
	r := &Recording{opts: opts, log: opts.Logger.With("component", "recording"), dead: map[string]bool{}}
	r.counts = metrics.NewReports(opts.Registerer)
	if opts.Waiting != nil {
		metrics.NewLag(opts.Registerer, func() float64 { n, _ := opts.Waiting(); return float64(n) })
	}
	return r
}

// Deliver records the reports in the messages, and fails when the recorder does.
// It is for one goroutine at a time.
func (r *Recording) Deliver(ctx context.Context, messages []Message) error {
	reports := make([]sitemon.Report, 0, len(messages))
	kept := make([]Message, 0, len(messages))
	for _, m := range messages {
		if len(r.dead) > 0 && r.dead[string(m.Value)] {
			continue
		}
		var report sitemon.Report
		if err := report.UnmarshalJSON(m.Value); err != nil {
			r.leaveOut(m, sitemon.Report{Site: string(m.Key)}, err)
			continue
		}
		reports, kept = append(reports, report), append(kept, m)
	}
	if err := r.record(ctx, reports, kept); err != nil {
		return fmt.Errorf("record %d reports: %w", len(reports), err)
	}
	clear(r.dead)
	return nil
}

// record gives reports to the recorder. Of those that it refuses for good it
// finds the bad ones by halves, and leaves them out.
func (r *Recording) record(ctx context.Context, reports []sitemon.Report, messages []Message) error {
	if len(reports) == 0 {
		return nil
	}
	done, err := r.opts.Recorder.Record(ctx, reports)
	switch {
	case err == nil:
		r.counts.Recorded(done)
		if r.opts.Recorded != nil {
			r.opts.Recorded(done)
		}
		return nil
	case !errors.Is(err, sitemon.ErrInvalid):
		return err
	case len(reports) == 1:
		r.leaveOut(messages[0], reports[0], err)
		return nil
	}
	half := len(reports) / 2
	if err := r.record(ctx, reports[:half], messages[:half]); err != nil {
		return err
	}
	return r.record(ctx, reports[half:], messages[half:])
}

// leaveOut drops a report, once.
func (r *Recording) leaveOut(m Message, report sitemon.Report, err error) {
	r.dead[string(m.Value)] = true
	r.counts.Dead(1)
	r.log.Error("a report that cannot be recorded is left out", "site", report.Site, "location", report.Location, "slot", report.Slot, "err", err)
}
