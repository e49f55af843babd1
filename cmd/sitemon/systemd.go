package main

import (
	"context"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd of a change of state, where it wants to know (Type=notify).
// Without systemd it does nothing.
func (d *daemon) notify(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		d.log.Warn("systemd could not be told", "state", state, "err", err)
	}
}

const (
	// moreTime asks systemd for two more minutes of the start, see TimeoutStartSec=.
	moreTime = "EXTEND_TIMEOUT_USEC=120000000"
	// moreTimeEvery is how often that is asked for.
	moreTimeEvery = 30 * time.Second
)

// patiently runs a step of the start that takes as long as there is to do: to end it
// would mean to begin it again, for ever.
func (d *daemon) patiently(step func() error) error {
	done, asked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(asked)
		tick := time.NewTicker(moreTimeEvery)
		defer tick.Stop()
		for {
			d.notify(moreTime)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	defer func() { close(done); <-asked }()
	return step()
}

// feedWatchdog tells systemd's watchdog that the process works, for as long as
// slots that are due are really probed. Without a watchdog it does nothing.
func (d *daemon) feedWatchdog(ctx context.Context) error {
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil || limit <= 0 {
		<-ctx.Done()
		return err
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	hungry := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if d.monitor != nil && d.monitor.scheduler.Overdue(limit) {
			if !hungry {
				d.log.Error("slots that were due are not probed: the watchdog is not fed any more", "limit", limit)
			}
			hungry = true
			continue
		}
		hungry = false
		d.notify(systemd.SdNotifyWatchdog)
	}
}
