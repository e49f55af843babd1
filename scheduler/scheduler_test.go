package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/scheduler"
	"sitemon/slot"
)

// probeFunc is a Prober made of a function.
type probeFunc func(ctx context.Context, s *sitemon.Site) sitemon.Report

func (f probeFunc) Probe(ctx context.Context, s *sitemon.Site) sitemon.Report { return f(ctx, s) }

// up takes 50 ms and finds every site up.
func up(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, 50*time.Millisecond) }

// after finds a site up, or down where its time ends before d has passed.
func after(ctx context.Context, d time.Duration) sitemon.Report {
	select {
	case <-time.After(d):
		return sitemon.Report{Outcome: sitemon.OutcomeUp, Duration: d}
	case <-ctx.Done():
		return sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonProcessingTimeout, Error: "no answer"}
	}
}

// memory is a Sink that keeps the reports.
type memory struct {
	mu      sync.Mutex
	reports []sitemon.Report
}

func (m *memory) Write(_ context.Context, r sitemon.Report) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports = append(m.reports, r)
	return nil
}

// of returns the reports of one site.
func (m *memory) of(site string) []sitemon.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.reports), func(r sitemon.Report) bool { return r.Site != site })
}

// fixture is a running scheduler in a bubble of fake time.
type fixture struct {
	*scheduler.Scheduler
	t    *testing.T
	sink *memory
	stop func() error
	sum  []sitemon.Site
	gen  int64
}

func start(t *testing.T, probe probeFunc, change ...func(*scheduler.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, sink: &memory{}}
	opts := scheduler.Options{
		Location: "here", Monitor: "m1", Prober: probe, Sink: f.sink,
		Logger: slog.New(slog.DiscardHandler), Concurrency: 100, PerHost: 100,
	}
	for _, c := range change {
		c(&opts)
	}
	s, err := scheduler.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	f.Scheduler = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	f.stop = sync.OnceValue(func() error {
		cancel()
		<-done
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return s.Stop(drain)
	})
	t.Cleanup(func() { _ = f.stop() })
	return f
}

// apply makes sites the running set, as a reload at this moment does.
func (f *fixture) apply(sites ...sitemon.Site) sitemon.Plan {
	f.gen++
	plan := sitemon.Diff(f.sum, sites)
	f.Apply(sitemon.Generation{Number: f.gen, LoadedAt: time.Now()}, plan, sites)
	f.sum = sites
	return plan
}

// restart makes sites the running set as a process does that finds them
// unchanged in the store.
func (f *fixture) restart(sites ...sitemon.Site) {
	f.Apply(sitemon.Generation{Number: 7, LoadedAt: time.Now().Add(-time.Hour)}, sitemon.Plan{}, sites)
	f.sum = sites
}

func site(name string, interval time.Duration, change ...func(*sitemon.Site)) sitemon.Site {
	s := sitemon.Site{
		Name: name, URL: "http://" + name + ".example:80/", Kind: sitemon.KindHTTP, Enabled: true,
		Interval: interval, Timeout: min(interval, 10*time.Second),
	}
	for _, c := range change {
		c(&s)
	}
	s.Definition, _ = json.Marshal(map[string]any{"url": s.URL, "interval": s.Interval.String(), "group": s.Group, "enabled": s.Enabled})
	return s
}

// gridSlots lists the slots of a site in (from, to].
func gridSlots(name string, interval time.Duration, from, to time.Time) []time.Time {
	g, out := slot.NewGrid(name, interval), []time.Time{}
	for t := g.After(from); !t.After(to); t = g.After(t) {
		out = append(out, t)
	}
	return out
}

func slots(rs []sitemon.Report) []time.Time {
	out := []time.Time{}
	for _, r := range rs {
		out = append(out, r.Slot)
	}
	return out
}

func TestEverySlotOfTheGridIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, up)
		began := time.Now()
		f.restart(site("a", time.Minute), site("b", 7*time.Second))
		time.Sleep(20 * time.Minute)
		end := time.Now()
		time.Sleep(time.Second)
		for name, interval := range map[string]time.Duration{"a": time.Minute, "b": 7 * time.Second} {
			got := slices.DeleteFunc(slots(f.sink.of(name)), func(s time.Time) bool { return s.After(end) })
			if want := gridSlots(name, interval, began, end); !slices.Equal(got, want) {
				t.Errorf("site %s: slots %v, want %v", name, got, want)
			}
		}
		r := f.sink.of("a")[0]
		if r.Location != "here" || r.Monitor != "m1" || r.Interval != time.Minute || r.Generation != 7 || r.Outcome != sitemon.OutcomeUp {
			t.Errorf("report is not complete: %+v", r)
		}
		if !r.StartedAt.Equal(r.Slot) {
			t.Errorf("started at %s, want at its slot %s", r.StartedAt, r.Slot)
		}
		if r.Gap != sitemon.GapMonitorStopped || f.sink.of("a")[1].Gap != "" {
			t.Errorf("gaps %q, %q: want the first report of a process alone to say that it was stopped", r.Gap, f.sink.of("a")[1].Gap)
		}
	})
}

func TestNewSiteIsDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, up)
		loaded := time.Now()
		f.apply(site("a", time.Hour), site("b", time.Hour))
		time.Sleep(time.Second)
		for _, name := range []string{"a", "b"} {
			want, _ := slot.Extra(name, slot.NewGrid(name, time.Hour), loaded, 2)
			if got := slots(f.sink.of(name)); !slices.Equal(got, []time.Time{want}) {
				t.Errorf("site %s: slots %v, want the extra slot %v", name, got, want)
			}
		}
	})
}

func TestReloadAppliesOnlyDifferences(t *testing.T) {
	minute := func(name string, change ...func(*sitemon.Site)) sitemon.Site {
		return site(name, time.Minute, change...)
	}
	tests := map[string]struct {
		edit  func(*sitemon.Site)
		extra int // slots off the grid after the edit
	}{
		"another URL is due at once":    {func(s *sitemon.Site) { s.URL = "http://other.example/" }, 1},
		"another group changes no slot": {func(s *sitemon.Site) { s.Group = "g" }, 0},
		"no change":                     {func(*sitemon.Site) {}, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, up)
				began := time.Now()
				f.restart(minute("edited"), minute("other"))
				time.Sleep(slot.NewGrid("edited", time.Minute).After(began.Add(5*time.Minute)).Sub(began) + time.Second)
				f.apply(minute("edited", tc.edit), minute("other"))
				time.Sleep(5 * time.Minute)
				f.apply(minute("edited", tc.edit), minute("other"))
				time.Sleep(5 * time.Minute)
				end := time.Now()
				time.Sleep(time.Second)
				for _, name := range []string{"edited", "other"} {
					want := len(gridSlots(name, time.Minute, began, end))
					if name == "edited" {
						want += tc.extra
					}
					got := slices.DeleteFunc(slots(f.sink.of(name)), func(s time.Time) bool { return s.After(end) })
					if len(got) != want {
						t.Errorf("site %s: %d slots, want %d: %v", name, len(got), want, got)
					}
				}
			})
		})
	}
}

func TestChangedIntervalAndRemovedSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, up)
		f.restart(site("a", time.Minute), site("gone", time.Second), site("paused", time.Second))
		time.Sleep(10 * time.Second)
		f.apply(site("a", 5*time.Second), site("paused", time.Second, func(s *sitemon.Site) { s.Enabled = false }))
		edited := time.Now()
		time.Sleep(time.Minute)
		end := time.Now()
		time.Sleep(time.Second)
		for _, name := range []string{"gone", "paused"} {
			for _, s := range slots(f.sink.of(name)) {
				if s.After(edited) {
					t.Errorf("site %s: probed at %s, after it left", name, s)
				}
			}
		}
		got := slots(f.sink.of("a"))
		for _, want := range gridSlots("a", 5*time.Second, edited, end) {
			if !slices.Contains(got, want) {
				t.Errorf("slot %s of the new interval is missing in %v", want, got)
			}
		}
	})
}

func TestProbeInFlightFinishesUnderTheOldDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
			r := after(ctx, 3*time.Second)
			r.Error = s.URL
			return r
		})
		f.restart(site("a", time.Minute))
		now := time.Now()
		time.Sleep(slot.NewGrid("a", time.Minute).After(now).Sub(now) + time.Second) // a second into the probe
		f.apply()
		time.Sleep(10 * time.Second)
		if rs := f.sink.of("a"); len(rs) != 1 || rs[0].Outcome != sitemon.OutcomeUp {
			t.Errorf("reports %+v, want the one that was in flight when its site was removed", rs)
		}
	})
}

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

func TestEditedSiteIsProbedAsItNowIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(_ context.Context, s *sitemon.Site) sitemon.Report {
			return sitemon.Report{Outcome: sitemon.OutcomeDown, Error: s.URL}
		})
		f.restart(site("a", time.Minute))
		time.Sleep(2 * time.Minute)
		f.apply(site("a", time.Minute, func(s *sitemon.Site) { s.URL = "http://edited.example/" }), site("new", time.Minute))
		time.Sleep(2 * time.Minute)
		rs := f.sink.of("a")
		if r := rs[len(rs)-1]; r.Error != "http://edited.example/" || r.Generation != 1 {
			t.Errorf("newest report %+v, want one of the edited URL in generation 1", r)
		}
		for _, r := range f.sink.of("new") {
			if r.Gap != "" {
				t.Errorf("a site that came later has gap %q before it", r.Gap)
			}
		}
	})
}

func TestProbeThatHangsCostsOnlyItsOwnSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report {
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

func TestRemovedSiteIsNotProbedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(context.Context, *sitemon.Site) sitemon.Report {
			time.Sleep(1500 * time.Millisecond) // so that the next slot waits
			return sitemon.Report{Outcome: sitemon.OutcomeUp}
		})
		f.restart(site("a", time.Second))
		time.Sleep(10*time.Second + 300*time.Millisecond)
		f.apply()
		removed := time.Now()
		time.Sleep(time.Minute)
		for _, r := range f.sink.of("a") {
			if r.StartedAt.After(removed) {
				t.Errorf("probed at %s, removed at %s", r.StartedAt, removed)
			}
		}
	})
}
