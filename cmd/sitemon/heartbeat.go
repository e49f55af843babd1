package main

import (
	"context"
	"time"

	"sitemon"
	"sitemon/config"
)

// heartbeat says that this process lives, and how it does.
func (d *daemon) heartbeat(ctx context.Context, now time.Time) error {
	return d.store.Heartbeat(ctx, d.self(now))
}

// signOff says that this process stops, so that nobody misses it. A store that does
// not answer lets it be missed.
func (d *daemon) signOff(ctx context.Context) error {
	if d.shared != nil {
		select {
		case <-d.shared.Prepared():
		default:
			return nil
		}
	}
	me := d.self(time.Now())
	me.Stopped, me.Problems = true, nil
	if err := d.store.Heartbeat(ctx, me); err != nil {
		d.log.Info("the other processes could not be told that this one stops", "err", err)
	}
	return nil
}

// self is what this process says of itself.
func (d *daemon) self(now time.Time) sitemon.Monitor {
	me := sitemon.Monitor{
		ID: d.settings.Instance, Role: d.settings.Role.String(), Location: d.settings.Location,
		Version: version().Version, StartedAt: d.started.UTC(), LastSeen: now.UTC(), Problems: d.trouble(),
	}
	if m := d.monitor; m != nil {
		me.Sites = m.scheduler.Sites()
		me.LatenessP50, me.LatenessP99 = m.scheduler.Lateness()
		me.Spool, me.SpoolOldest = m.sink.Waiting()
		me.ClockAhead = time.Duration(d.skew.Load())
		if m.sharer != nil {
			me.Shards, me.ShardsOf = m.sharer.Share().Count()
		}
	}
	if d.settings.Role.Has(config.RoleWriter) {
		me.Results = sitemon.Results{Recorded: d.results.recorded.Load(), Duplicate: d.results.duplicate.Load(), Expired: d.results.expired.Load()}
	}
	if d.writer != nil {
		me.Lag, me.Results.Dead = d.writer.Lag(), d.writer.Dead()
	}
	return me
}
