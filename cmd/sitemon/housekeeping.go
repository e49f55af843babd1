package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sitemon"
	"sitemon/config"
)

const (
	heartbeatEvery = 10 * time.Second
	tidyEvery      = time.Minute
	eventsEvery    = time.Second
	// stuckAfter is how long reports may wait before the process says that it is
	// not ready.
	stuckAfter = 10 * time.Second
	// newReloads is how many reloads may come between two looks at the history.
	newReloads = 20
)

// keepHouse does the small things that the store needs from time to time: each
// second a writer looks for sites that fell silent, now and then every process
// says that it lives.
func (d *daemon) keepHouse(ctx context.Context) error {
	if !d.awaitPrepared(ctx) {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var beat time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if d.settings.Role.Has(config.RoleWriter) {
				d.keep(ctx, "record maintenance", func() error { return d.store.Maintain(ctx, now) })
				d.keep(ctx, "look for silent sites", func() error { return d.tick(ctx, now) })
			}
			if now.Sub(beat) >= heartbeatEvery {
				beat = now
				d.keep(ctx, "say that this process lives", func() error { return d.heartbeat(ctx, now) })
				d.keep(ctx, "compare the clock with the store's", func() error { return d.compareClocks(ctx) })
			}
		}
	}
}

// tick looks for sites that fell silent and derives incidents, at the time up to which
// reports are known to have come: a backlog is no silence.
func (d *daemon) tick(ctx context.Context, now time.Time) error {
	judged, ok, err := d.judged(ctx, now)
	if err != nil || !ok {
		return err
	}
	changes, err := d.store.Tick(ctx, judged)
	d.changed(changes)
	if err != nil {
		return err
	}
	incidents, err := d.store.DeriveIncidents(ctx, judged)
	d.incidents(incidents)
	return err
}

// incidents tells of incidents that began or ended.
func (d *daemon) incidents(changes []sitemon.IncidentChange) {
	for i := range changes {
		c := &changes[i]
		if d.shared == nil { // else everybody follows the store
			d.hub.Incident(c.Incident)
		}
		args := []any{"site", c.Site, "incident", c.ID, "reason", c.Reason}
		switch {
		case c.Withdrawn:
			d.log.Info("incident withdrawn, as late reports have shown", args...)
		case c.Ended:
			d.log.Info("incident ended", append(args, "duration", c.EndedAt.Sub(c.StartedAt), "end", c.End)...)
		case c.Began:
			d.log.Warn("incident began", append(args, "error", c.Error)...)
		}
	}
}

// judged returns the time up to which reports are known to have come, now at most.
// It is false while nobody knows.
func (d *daemon) judged(ctx context.Context, now time.Time) (at time.Time, ok bool, err error) {
	switch {
	case d.writer != nil:
		return d.shared.Judged(ctx, d.settings.Kafka.Topic, now)
	case d.monitor != nil && d.shared != nil:
		_, oldest := d.monitor.sink.Waiting()
		return now.Add(-oldest), true, nil
	}
	return now, true, nil
}

// tidy does what may take seconds in a large store: it sums up what is over and
// deletes what is too old. It goes by the time up to which reports have come: a
// backlog would be late, and be summed up again each minute.
func (d *daemon) tidy(ctx context.Context) error {
	if !d.awaitPrepared(ctx) {
		return nil
	}
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			d.keep(ctx, "sum up what is over and delete what is too old", func() error { return d.retain(ctx, now) })
		}
	}
}

func (d *daemon) retain(ctx context.Context, now time.Time) error {
	judged, ok, err := d.judged(ctx, now)
	if err != nil || !ok {
		return err
	}
	return d.store.Retain(ctx, judged)
}

// awaitPrepared waits until the store can be asked; false: ctx ended first.
func (d *daemon) awaitPrepared(ctx context.Context) bool {
	if d.shared == nil {
		return true
	}
	select {
	case <-d.shared.Prepared():
		return true
	case <-ctx.Done():
		return false
	}
}

// followEvents tells the pages what all processes that share the store have
// changed in it.
func (d *daemon) followEvents(ctx context.Context) error {
	if !d.awaitPrepared(ctx) {
		return nil
	}
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	seq, newest := int64(-1), time.Time{}
	incidents := newIncidentFollower(time.Now())
	for {
		d.keep(ctx, "follow the events of other processes", func() (err error) {
			if seq, err = d.followStatus(ctx, seq); err != nil {
				return err
			}
			if newest, err = d.followReloads(ctx, newest); err != nil {
				return err
			}
			return incidents.follow(ctx, d)
		})
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// followStatus publishes the changes of status after seq.
func (d *daemon) followStatus(ctx context.Context, seq int64) (int64, error) {
	changes, next, err := d.shared.Changes(ctx, seq)
	if err != nil {
		return seq, err
	}
	for _, c := range changes {
		d.hub.Status(c)
	}
	return next, nil
}

// followReloads publishes the reloads after a moment, and remembers the newest
// generation.
func (d *daemon) followReloads(ctx context.Context, after time.Time) (time.Time, error) {
	gen, err := d.shared.Newest(ctx)
	if err != nil {
		return after, err
	}
	d.newest.Store(&gen)
	list, err := d.shared.Reloads(ctx, newReloads)
	if err != nil || len(list) == 0 {
		return after, err
	}
	for _, r := range slices.Backward(list) {
		if !after.IsZero() && r.At.After(after) {
			d.hub.Config(r)
		}
	}
	return list[0].At, nil
}

// keep runs one piece of housekeeping; the next turn tries again what failed.
func (d *daemon) keep(ctx context.Context, what string, do func() error) {
	err := do()
	if ctx.Err() != nil {
		return
	}
	d.failingMu.Lock()
	failing := d.failing[what]
	d.failing[what] = err != nil
	d.failingMu.Unlock()
	switch {
	case err != nil && !failing: // said once
		d.log.Error("housekeeping failed and is tried again", "task", what, "err", err)
	case err == nil && failing:
		d.log.Info("housekeeping goes on", "task", what)
	}
}

// ready lists what keeps this process from its work.
func (d *daemon) ready(ctx context.Context) []string {
	missing := d.trouble()
	// A monitor with Kafka does its work without the database.
	if d.broker == nil || d.settings.Role.Page() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if _, err := d.store.Reloads(ctx, 1); err != nil {
			missing = append(missing, "the store does not answer: "+err.Error())
		}
	}
	return missing
}

// trouble lists what keeps this process from its work, the store left aside.
func (d *daemon) trouble() []string {
	missing := []string{}
	if m := d.monitor; m != nil {
		if d.running().LoadedAt.IsZero() {
			missing = append(missing, "no sites are known yet")
		}
		if n, oldest := m.sink.Waiting(); oldest > stuckAfter {
			missing = append(missing, fmt.Sprintf("%d reports wait to be recorded, the oldest for %s", n, oldest.Round(time.Second)))
		}
		if wrong := clockTrouble(time.Duration(d.skew.Load())); wrong != "" {
			missing = append(missing, wrong)
		}
	}
	if d.writer != nil {
		missing = append(missing, d.writer.Ready()...)
	}
	if d.alerting != nil {
		missing = append(missing, d.alerting.trouble()...)
	}
	if d.receiver != nil {
		missing = append(missing, d.receiver.trouble()...)
	}
	return missing
}
