package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/scheduler"
)

func TestSlowProbesNeverOverlapAndMissNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most int
		var mu sync.Mutex
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-ctx.Done()
			time.Sleep(60 * time.Millisecond) // overruns into the next slot
			mu.Lock()
			running--
			mu.Unlock()
			return sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonProcessingTimeout}
		})
		began := time.Now()
		f.restart(site("a", time.Second))
		time.Sleep(time.Minute)
		end := time.Now().Add(-2 * time.Second)
		_ = f.stop()
		got := slices.DeleteFunc(slots(f.sink.of("a")), func(s time.Time) bool { return s.After(end) })
		if want := gridSlots("a", time.Second, began, end); !slices.Equal(got, want) {
			t.Errorf("%d slots, want %d", len(got), len(want))
		}
		if most != 1 {
			t.Errorf("%d probes of one site at the same time", most)
		}
	})
}

func TestOverloadIsUnknownAndNeverDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, 900*time.Millisecond) },
			func(o *scheduler.Options) { o.Concurrency = 1 })
		var sites []sitemon.Site
		for i := range 4 {
			sites = append(sites, site(fmt.Sprint("s", i), 2*time.Second))
		}
		f.restart(sites...)
		began := time.Now()
		time.Sleep(time.Minute)
		end := time.Now().Add(-5 * time.Second)
		overloaded := 0
		for _, s := range sites {
			rs := f.sink.of(s.Name)
			for _, want := range gridSlots(s.Name, 2*time.Second, began, end) {
				if n := len(slices.DeleteFunc(slots(rs), func(at time.Time) bool { return !at.Equal(want) })); n != 1 {
					t.Errorf("site %s, slot %s: %d reports, want 1", s.Name, want, n)
				}
			}
			for _, r := range rs {
				switch {
				case r.Outcome == sitemon.OutcomeDown:
					t.Errorf("site %s is down for want of time: %+v", s.Name, r)
				case r.Reason == sitemon.ReasonMonitorOverloaded:
					overloaded++
				}
			}
		}
		if overloaded == 0 {
			t.Error("no report says that the monitor was overloaded")
		}
	})
}

func TestPerHostBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := map[string]int{}, map[string]int{}
		f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
			mu.Lock()
			now[s.Group]++
			most[s.Group] = max(most[s.Group], now[s.Group])
			mu.Unlock()
			defer func() { mu.Lock(); now[s.Group]--; mu.Unlock() }()
			return after(ctx, 2*time.Second)
		}, func(o *scheduler.Options) { o.PerHost = 3 })
		var sites []sitemon.Site
		for i := range 40 {
			host := []string{"one.example", "two.example"}[i%2]
			sites = append(sites, site(fmt.Sprint("s", i), 20*time.Second, func(s *sitemon.Site) { s.URL, s.Group = "http://"+host+"/", host }))
		}
		f.restart(sites...)
		time.Sleep(time.Minute)
		_ = f.stop()
		if most["one.example"] != 3 || most["two.example"] != 3 {
			t.Errorf("at most %v probes at once, want 3 per host", most)
		}
	})
}

func TestPanickingProbeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(context.Context, *sitemon.Site) sitemon.Report { panic("no good") })
		f.restart(site("a", time.Second))
		time.Sleep(5 * time.Second)
		rs := f.sink.of("a")
		if len(rs) < 4 || rs[0].Outcome != sitemon.OutcomeUnknown || rs[0].Reason != sitemon.ReasonInternal {
			t.Errorf("reports %+v, want unknown/internal at every slot", rs)
		}
	})
}

func TestStop(t *testing.T) {
	t.Run("waits for the probe in flight", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, 5*time.Second) })
			f.apply(site("a", time.Minute))
			time.Sleep(time.Second)
			if err := f.stop(); err != nil {
				t.Error(err)
			}
			if rs := f.sink.of("a"); len(rs) != 1 || rs[0].Outcome != sitemon.OutcomeUp {
				t.Errorf("reports %+v, want the one in flight", rs)
			}
		})
	})
	t.Run("a probe that is cut off is no report", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, time.Hour) })
			f.apply(site("a", 24*time.Hour, func(s *sitemon.Site) { s.Timeout = time.Hour }))
			time.Sleep(time.Second)
			if err := f.stop(); err == nil {
				t.Error("Stop does not say that a probe was cut off")
			}
			if rs := f.sink.of("a"); len(rs) != 0 {
				t.Errorf("reports %+v, want none", rs)
			}
		})
	})
}

func TestClockStep(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"an hour forward": time.Hour,
		"an hour back":    -time.Hour,
		"80 ms forward":   80 * time.Millisecond,
		"80 ms back":      -80 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var offset time.Duration
				wall := func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(offset) }
				f := start(t, up, func(o *scheduler.Options) { o.Now = wall })
				began := wall()
				f.restart(site("a", 10*time.Second))
				time.Sleep(5*time.Minute + 3*time.Second)
				before := wall()
				mu.Lock()
				offset = step
				mu.Unlock()
				after := wall()
				time.Sleep(5 * time.Minute)
				end := wall().Add(-time.Second)

				got := slots(f.sink.of("a"))
				want := append(gridSlots("a", 10*time.Second, began, before), gridSlots("a", 10*time.Second, after.Add(2*time.Second), end)...)
				for _, s := range want {
					if !slices.Contains(got, s) {
						t.Errorf("slot %s was not probed", s)
					}
				}
				if len(got) > len(want)+2 {
					t.Errorf("%d slots, want %d: a burst", len(got), len(want))
				}
				if step.Abs() < time.Second && len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("a slot was probed twice: %v", got)
				}
				gap := slices.ContainsFunc(f.sink.of("a"), func(r sitemon.Report) bool { return r.Gap == sitemon.GapClock })
				if wantGap := step > time.Second; gap != wantGap {
					t.Errorf("gap by the clock %v, want %v", gap, wantGap)
				}
			})
		})
	}
}

func TestProbeThatHangsCostsOnlyItsOwnSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(context.Context, *sitemon.Site) sitemon.Report {
			time.Sleep(3500 * time.Millisecond) // a prober that does not keep its promise
			return sitemon.Report{Outcome: sitemon.OutcomeUp}
		})
		began := time.Now()
		f.restart(site("a", time.Second))
		time.Sleep(time.Minute)
		end := time.Now().Add(-5 * time.Second)
		rs := f.sink.of("a")
		for _, want := range gridSlots("a", time.Second, began, end) {
			if n := len(slices.DeleteFunc(slots(rs), func(s time.Time) bool { return !s.Equal(want) })); n != 1 {
				t.Errorf("slot %s: %d reports, want 1", want, n)
			}
		}
		if !slices.ContainsFunc(rs, func(r sitemon.Report) bool { return r.Reason == sitemon.ReasonMonitorOverloaded }) {
			t.Error("no slot was reported as missed")
		}
	})
}
