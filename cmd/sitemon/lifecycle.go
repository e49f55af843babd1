package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// lifecycle runs the long parts of the daemon and stops them in an order: the
// one started last first, each within a budget.
type lifecycle struct {
	log    *slog.Logger
	failed chan error // the first part that ended by itself
	steps  []step
}

// step is how one part is stopped.
type step struct {
	name   string
	budget time.Duration
	stop   func(ctx context.Context) error
}

func newLifecycle(log *slog.Logger) *lifecycle {
	return &lifecycle{log: log, failed: make(chan error, 1)}
}

// onStop adds a step for something that needs no goroutine.
func (l *lifecycle) onStop(name string, budget time.Duration, stop func(ctx context.Context) error) {
	l.steps = append(l.steps, step{name, budget, stop})
}

// start runs a part until its stop, which cancels its context and waits for it, as
// long as its budget is; one that takes longer is cut off by the end of the process.
// A part that ends earlier ends the daemon.
func (l *lifecycle) start(name string, budget time.Duration, run func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("it ended by itself")
			}
			select {
			case l.failed <- fmt.Errorf("%s: %w", name, err):
			default: // another part was first
			}
		}
		done <- err
	}()
	l.onStop(name, budget, func(stopCtx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-stopCtx.Done():
			// Nothing is lost by it: what was not finished is done again at the next start.
			l.log.Warn("a part did not end in time and is cut off", "part", name, "after", budget)
			return nil
		}
	})
}

// wait returns when ctx ends (nil) or a part failed.
func (l *lifecycle) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-l.failed:
		return err
	}
}

// stop ends all parts, the last started first. It goes on after an error.
func (l *lifecycle) stop() error {
	var errs []error
	for _, s := range slices.Backward(l.steps) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), s.budget)
		if err := s.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.name, err))
		}
		cancel()
		l.log.Debug("stopped", "part", s.name, "duration", time.Since(began).Round(time.Millisecond))
	}
	l.steps = nil
	return errors.Join(errs...)
}
