package main

import (
	"context"
	"fmt"
	"time"
)

// clockTolerance is how far the clock of a machine that probes may be off the
// store's. Slots are clock times: monitors whose clocks differ disagree on which
// slot it is.
const clockTolerance = time.Minute

// compareClocks notes how far this machine's clock is ahead of that of a store
// elsewhere.
func (d *daemon) compareClocks(ctx context.Context) error {
	if d.shared == nil || d.monitor == nil {
		return nil
	}
	before := time.Now()
	theirs, err := d.shared.Now(ctx)
	if err != nil {
		return err
	}
	half := time.Since(before) / 2
	// As walls have it: a clock that was set shows in no other way.
	d.skew.Store(int64(before.Round(0).Add(half).Sub(theirs)))
	return nil
}

// clockTrouble says what is wrong with a clock that is so far ahead; "" nothing.
func clockTrouble(ahead time.Duration) string {
	if ahead.Abs() <= clockTolerance {
		return ""
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	return fmt.Sprintf("the clock of this machine is %s %s the store's", ahead.Abs().Round(time.Second), direction)
}
