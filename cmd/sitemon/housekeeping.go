package main

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

const (
	heartbeatEvery = 10 * time.Second
	tidyEvery      = time.Minute
	// stuckAfter is how long reports may wait before the process says that it is
	// not ready.
	stuckAfter = 10 * time.Second
)

// keepHouse does the small things that the store needs from time to time: each
// second it looks for sites that fell silent, now and then it says that this
// process lives.
func (d *daemon) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var beat time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			d.keep(ctx, "look for silent sites", func() error {
				changes, err := d.db.Tick(ctx, now)
				d.changed(changes)
				return err
			})
			if now.Sub(beat) >= heartbeatEvery {
				beat = now
				d.keep(ctx, "say that this process lives", func() error { return d.heartbeat(ctx, now) })
			}
		}
	}
}

// tidy does what may take seconds in a large store: it sums finished hours up
// and deletes what is too old.
func (d *daemon) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			d.keep(ctx, "sum up finished hours and delete what is too old", func() error { return d.db.Retain(ctx, now) })
		}
	}
}

// keep runs one piece of housekeeping; the next turn tries again what failed.
func (d *daemon) keep(ctx context.Context, what string, do func() error) {
	if err := do(); err != nil && ctx.Err() == nil {
		d.log.Error("housekeeping failed and is tried again", "task", what, "err", err)
	}
}

func (d *daemon) heartbeat(ctx context.Context, now time.Time) error {
	m := sitemon.Monitor{
		ID: d.settings.Instance, Role: d.settings.Role.String(), Location: d.settings.Location,
		Version: version().Version, LastSeen: now.UTC(), Sites: d.scheduler.Sites(),
	}
	m.LatenessP50, m.LatenessP99 = d.scheduler.Lateness()
	m.Spool, _ = d.sink.Waiting()
	return d.db.Heartbeat(ctx, m)
}

// ready lists what keeps this process from its work.
func (d *daemon) ready(ctx context.Context) []string {
	missing := []string{}
	if gen, _ := d.reloader.Running(); gen.LoadedAt.IsZero() {
		missing = append(missing, "no sites file has been applied yet")
	}
	if n, oldest := d.sink.Waiting(); oldest > stuckAfter {
		missing = append(missing, fmt.Sprintf("%d reports wait to be recorded, the oldest for %s", n, oldest.Round(time.Second)))
	}
	if _, err := d.db.Reloads(ctx, 1); err != nil {
		missing = append(missing, "the store does not answer: "+err.Error())
	}
	return missing
}
