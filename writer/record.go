package writer

import (
	"context"
	"errors"
	"time"

	"sitemon"
)

const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
	// attemptTimeout bounds one call of the store, which may hang on a connection
	// that nobody answers. One that is only slow gets twice the time at each further
	// attempt, up to patientTimeout.
	attemptTimeout = 30 * time.Second
	patientTimeout = 8 * time.Minute
)

// batch records a batch and writes its dead letters. It waits for what is away
// until ctx ends; what has begun by then may take until late ends.
func (g *generation) batch(ctx, late context.Context, b *batch) error {
	err := b.name(func(id int64) (site seedSite, err error) {
		err = g.w.insist(ctx, late, g.w.store, "store", func(ctx context.Context) error {
			site, err = g.w.sites.find(ctx, id)
			return err
		})
		return site, err
	})
	if err != nil {
		return err
	}
	if err := g.recordRange(ctx, late, b, 0, len(b.reports)); err != nil {
		return err
	}
	return g.bury(ctx, late, b.letters)
}

// recordRange records some reports of a batch. If one of them can't be recorded,
// halving them finds it; it becomes a dead letter.
func (g *generation) recordRange(ctx, late context.Context, b *batch, from, to int) error {
	if from == to {
		return nil
	}
	var done sitemon.Recorded
	err := g.w.insist(ctx, late, g.w.store, "store", func(ctx context.Context) (err error) {
		done, err = g.w.opts.Store.Record(ctx, b.reports[from:to])
		return err
	})
	switch {
	case err == nil:
		g.w.metrics.reports.Recorded(done)
		if g.w.opts.Recorded != nil {
			g.w.opts.Recorded(done)
		}
		return nil
	case !errors.Is(err, sitemon.ErrInvalid):
		return err
	case to-from == 1:
		b.letters = append(b.letters, letter{b.messages[from], err.Error()})
		return nil
	}
	middle := from + (to-from)/2
	if err := g.recordRange(ctx, late, b, from, middle); err != nil {
		return err
	}
	return g.recordRange(ctx, late, b, middle, to)
}

// bury writes dead letters. They are there before the batch is committed.
func (g *generation) bury(ctx, late context.Context, letters []letter) error {
	if len(letters) == 0 {
		return nil
	}
	all := letters
	err := g.w.insist(ctx, late, g.w.dead, "dead_letters", func(ctx context.Context) (err error) {
		letters, err = g.w.letters.write(ctx, letters)
		return err
	})
	if err == nil {
		g.w.buried.say(len(all), all[0].why)
		g.w.metrics.reports.Dead(len(all))
	}
	return err
}

// insist tries something that is sometimes away until it succeeds, ctx ends, or
// the error says that trying again is of no use.
func (w *Writer) insist(ctx, late context.Context, away *outage, at string, try func(context.Context) error) error {
	limit := attemptTimeout
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		attempt, cancel := context.WithTimeout(late, limit)
		err := try(attempt)
		if attempt.Err() != nil {
			limit = min(2*limit, patientTimeout)
		}
		cancel()
		if err == nil || errors.Is(err, sitemon.ErrInvalid) {
			away.end()
			return err
		}
		if ctx.Err() != nil {
			return err
		}
		w.metrics.retries.WithLabelValues(at).Inc()
		away.begin(err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}
