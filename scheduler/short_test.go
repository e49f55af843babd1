package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/scheduler"
	"sitemon/slot"
)

// A site is changed just before a slot of its grid, so that there is little time for
// the extra one: what that finds out counts, and what it could not find out is not said.
func TestExtraSlotWithLittleTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		room  time.Duration // until the slot of the grid
		took  time.Duration
		extra bool
		grid  sitemon.Outcome
	}{
		{"enough", 300 * time.Millisecond, 100 * time.Millisecond, true, sitemon.OutcomeUp},
		{"too little", 300 * time.Millisecond, 500 * time.Millisecond, false, sitemon.OutcomeUp},
		{"hardly any", 21 * time.Millisecond, 500 * time.Millisecond, false, sitemon.OutcomeUp},
		{"less than three quarters of the time-out", 7 * time.Second, 8 * time.Second, false, sitemon.OutcomeUp},
		{"without an answer", 15 * time.Second, time.Hour, true, sitemon.OutcomeDown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, tt.took) })
				due := slot.NewGrid("a", time.Minute).After(time.Now().Add(time.Minute))
				time.Sleep(time.Until(due.Add(-tt.room)))
				f.apply(site("a", time.Minute))
				time.Sleep(time.Until(due.Add(30 * time.Second)))
				_ = f.stop()
				rs := f.sink.of("a")
				want := 1
				if tt.extra {
					want = 2
				}
				if len(rs) != want || !rs[want-1].Slot.Equal(due) || count(rs, tt.grid) != want {
					t.Errorf("reports %+v, want %d that are %s", rs, want, tt.grid)
				}
			})
		})
	}
}

// A heartbeat that has not come is missing, also where the monitor looks late.
func TestOverloadHidesNoHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonProcessingTimeout}
		f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
			if s.Kind == sitemon.KindHeartbeat {
				return missing
			}
			return after(ctx, 8*time.Second)
		}, func(o *scheduler.Options) { o.Concurrency = 1 })
		beats := func(s *sitemon.Site) { s.Kind = sitemon.KindHeartbeat }
		f.restart(site("beats", 10*time.Second, beats), site("slow", 10*time.Second))
		time.Sleep(10 * time.Minute)
		_ = f.stop()
		rs := f.sink.of("beats")
		late := slices.ContainsFunc(rs, func(r sitemon.Report) bool { return r.StartedAt.Sub(r.Slot) > 2500*time.Millisecond })
		if down := count(rs, sitemon.OutcomeDown); down < len(rs)*3/4 || !late {
			t.Errorf("%d of %d reports are down, one was late: %v", down, len(rs), late)
		}
	})
}
