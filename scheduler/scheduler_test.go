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
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }() // it has no error but nil
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
		for _, r := range append(f.sink.of("a"), f.sink.of("b")...) {
			if late := r.StartedAt.Sub(r.Slot); late < 0 || late > 5*time.Millisecond {
				t.Errorf("started %s after its slot %s, want at most one tick of the timers", late, r.Slot)
			}
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

// Storing a large document takes a while. A slot that comes meanwhile is probed
// when the sites are there, by those that are new or have another interval.
func TestSlotWhileAGenerationIsStored(t *testing.T) {
	for name, before := range map[string][]sitemon.Site{
		"new":              {},
		"another interval": {site("a", time.Hour)},
		"enabled again":    {site("a", time.Minute, func(s *sitemon.Site) { s.Enabled = false })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, up)
				f.restart(before...)
				due := slot.NewGrid("a", time.Minute).After(time.Now().Add(time.Minute))
				loaded := due.Add(-20 * time.Millisecond)
				time.Sleep(time.Until(due.Add(300 * time.Millisecond)))
				after := []sitemon.Site{site("a", time.Minute)}
				// 1,000 sites in all: the extra slot of this one comes after that of the grid.
				plan := sitemon.Diff(before, after)
				for i := range 999 {
					plan.Added = append(plan.Added, fmt.Sprint("other", i))
				}
				if _, ok := slot.Extra("a", slot.NewGrid("a", time.Minute), loaded, 1000); ok {
					t.Fatal("the extra slot comes first")
				}
				f.Apply(sitemon.Generation{Number: 8, LoadedAt: loaded}, plan, after)
				time.Sleep(time.Minute)
				if got, want := slots(f.sink.of("a")), []time.Time{due, due.Add(time.Minute)}; !slices.Equal(got, want) {
					t.Errorf("slots %v, want %v", got, want)
				}
			})
		})
	}
}

// The same where the extra slot comes before that of the grid.
func TestExtraSlotThatIsLate(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before sitemon.Site
		room   time.Duration // from the extra slot to that of the grid
		apply  time.Duration // from the extra slot to the application
		extra  bool
	}{
		{"another interval", site("a", time.Hour), 20 * time.Millisecond, 300 * time.Millisecond, true},
		{"another URL", site("a", time.Minute, func(s *sitemon.Site) { s.URL = "http://old.example/" }), 20 * time.Millisecond, 300 * time.Millisecond, true},
		{"no room before the grid's", site("a", time.Hour), 20 * time.Millisecond, 10 * time.Millisecond, false},
		{"room before the grid's", site("a", time.Hour), 200 * time.Millisecond, 10 * time.Millisecond, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t, up)
				f.restart(tc.before)
				due := slot.NewGrid("a", time.Minute).After(time.Now().Add(time.Minute))
				extra := due.Add(-tc.room)
				time.Sleep(time.Until(extra.Add(tc.apply)))
				after := []sitemon.Site{site("a", time.Minute)}
				f.Apply(sitemon.Generation{Number: 8, LoadedAt: extra}, sitemon.Diff([]sitemon.Site{tc.before}, after), after)
				time.Sleep(time.Until(due.Add(time.Minute + time.Second)))
				got := f.sink.of("a")
				want := []time.Time{due, due.Add(time.Minute)}
				if tc.extra {
					want = append(want, extra)
				}
				late := slices.DeleteFunc(slots(got), func(at time.Time) bool { return at.Before(extra) })
				slices.SortFunc(late, time.Time.Compare)
				slices.SortFunc(want, time.Time.Compare)
				if !slices.Equal(late, want) {
					t.Errorf("slots %v, want %v", late, want)
				}
				for _, r := range got {
					if r.Outcome != sitemon.OutcomeUp {
						t.Errorf("report %+v of a monitor that had time", r)
					}
				}
			})
		})
	}
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
