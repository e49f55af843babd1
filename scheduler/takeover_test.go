package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/slot"
)

// share makes sites those of this monitor, as a hand-over among monitors does.
func (f *fixture) share(sites ...sitemon.Site) {
	f.Apply(sitemon.Generation{Number: 7, LoadedAt: time.Now().Add(-time.Hour)}, sitemon.Plan{}, sites)
	f.sum = sites
}

func TestTakenOverSiteGoesOnAtItsNextSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, up)
		f.share(site("own", time.Minute))
		middle := slot.NewGrid("taken", time.Minute).After(time.Now().Add(5 * time.Minute)).Add(20 * time.Second)
		time.Sleep(time.Until(middle))
		taken := time.Now()
		f.share(site("own", time.Minute), site("taken", time.Minute))
		time.Sleep(5 * time.Minute)
		end := time.Now()
		time.Sleep(time.Second)
		got := f.sink.of("taken")
		if want := gridSlots("taken", time.Minute, taken, end); !slices.Equal(slots(got), want) {
			t.Fatalf("slots %v, want %v", slots(got), want)
		}
		for i, r := range got {
			want := ""
			if i == 0 {
				want = sitemon.GapMonitorStopped
			}
			if r.Gap != want {
				t.Errorf("report %d has gap %q, want %q", i, r.Gap, want)
			}
		}
		for _, r := range f.sink.of("own")[1:] {
			if r.Gap != "" {
				t.Errorf("a site that was here all the time has gap %q at %s", r.Gap, r.Slot)
			}
		}
	})
}

func TestSiteThatIsHandedAwayAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, 3*time.Second) })
		f.share(site("a", time.Minute))
		grid := slot.NewGrid("a", time.Minute)
		first := grid.After(time.Now())
		time.Sleep(time.Until(first.Add(time.Second))) // a second into its probe
		f.share()
		time.Sleep(time.Second)
		f.share(site("a", time.Minute)) // back, while that probe still runs
		time.Sleep(time.Until(first.Add(90 * time.Second)))
		f.share()
		time.Sleep(3 * time.Minute) // two slots are another monitor's
		f.share(site("a", time.Minute))
		time.Sleep(time.Minute)

		got := f.sink.of("a")
		want := []time.Time{first, first.Add(time.Minute), first.Add(5 * time.Minute)}
		if !slices.Equal(slots(got), want) {
			t.Fatalf("slots %v, want %v", slots(got), want)
		}
		for _, r := range got {
			if r.Outcome != sitemon.OutcomeUp || r.Gap != sitemon.GapMonitorStopped {
				t.Errorf("report %+v, want up, and the mark of a site that comes from elsewhere", r)
			}
		}
	})
}

// What the plan names is new or enabled again: nothing was planned before it.
func TestSiteOfThePlanComesFromNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		paused := func(s *sitemon.Site) { s.Enabled = false }
		f := start(t, up)
		f.restart(site("own", time.Minute), site("paused", time.Minute, paused), site("faster", time.Minute))
		time.Sleep(5 * time.Minute)
		f.apply(site("own", time.Minute), site("paused", time.Minute), site("faster", 30*time.Second), site("new", time.Minute))
		edited := time.Now()
		time.Sleep(5 * time.Minute)
		for _, name := range []string{"own", "paused", "faster", "new"} {
			for _, r := range f.sink.of(name) {
				if r.Gap != "" && r.Slot.After(edited) {
					t.Errorf("site %s has gap %q at %s", name, r.Gap, r.Slot)
				}
			}
		}
	})
}
