package scheduler_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
)

func TestOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		var hang atomic.Bool
		f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
			if hang.Load() {
				<-block // whatever its deadline
			}
			return up(ctx, s)
		})
		f.Apply(sitemon.Generation{Number: 1, LoadedAt: time.Now()}, sitemon.Plan{}, []sitemon.Site{site("a", 10*time.Second)})
		time.Sleep(5 * time.Minute)
		if f.Overdue(30 * time.Second) {
			t.Error("a site that is probed in time is overdue")
		}
		hang.Store(true)
		time.Sleep(5 * time.Minute)
		if !f.Overdue(30 * time.Second) {
			t.Error("a probe that never ends is not overdue")
		}
		hang.Store(false)
		close(block)
		synctest.Wait()
		time.Sleep(time.Minute)
		if f.Overdue(30 * time.Second) {
			t.Error("it is overdue after it has gone on")
		}
	})
}
