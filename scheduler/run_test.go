package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sitemon"
	"sitemon/scheduler"
	"sitemon/slot"
)

// script is a prober whose attempts end as told; the last answer is repeated.
type script struct {
	answers []sitemon.Outcome
	took    time.Duration // each; it ends with its context at the latest

	mu     sync.Mutex
	starts []time.Time
}

func (s *script) probe(ctx context.Context, _ *sitemon.Site) sitemon.Report {
	s.mu.Lock()
	n := len(s.starts)
	s.starts = append(s.starts, time.Now())
	s.mu.Unlock()
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
	}
	r := sitemon.Report{Outcome: s.answers[min(n, len(s.answers)-1)], Duration: time.Duration(n + 1), Evidence: fmt.Sprintf(`{"n":%d}`, n)}
	if r.Outcome == sitemon.OutcomeDown {
		r.Reason, r.Error = sitemon.ReasonStatus, fmt.Sprint("attempt ", n)
	}
	return r
}

// offsets are when attempts began, counted from the first.
func (s *script) offsets() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []time.Duration{}
	for _, at := range s.starts {
		out = append(out, at.Sub(s.starts[0]))
	}
	return out
}

// retrying makes a site with n retries.
func retrying(n int, interval time.Duration) func(*sitemon.Site) {
	return func(s *sitemon.Site) { s.Retries, s.RetryInterval = n, interval }
}

const s = time.Second

func TestRetries(t *testing.T) {
	up, down, degraded, unknown := sitemon.OutcomeUp, sitemon.OutcomeDown, sitemon.OutcomeDegraded, sitemon.OutcomeUnknown
	for name, tt := range map[string]struct {
		answers []sitemon.Outcome
		took    time.Duration
		change  func(*sitemon.Site)
		want    []time.Duration // when the attempts of a slot begin
		outcome sitemon.Outcome
	}{
		"up at once":                   {[]sitemon.Outcome{up}, 0, retrying(3, s), []time.Duration{0}, up},
		"degraded is no failure":       {[]sitemon.Outcome{degraded}, 0, retrying(3, s), []time.Duration{0}, degraded},
		"unknown is none":              {[]sitemon.Outcome{unknown}, 0, retrying(3, s), []time.Duration{0}, unknown},
		"no retries":                   {[]sitemon.Outcome{down}, 0, retrying(0, s), []time.Duration{0}, down},
		"the second is good":           {[]sitemon.Outcome{down, up}, s, retrying(3, 2*s), []time.Duration{0, 3 * s}, up},
		"the last is good":             {[]sitemon.Outcome{down, down, down, degraded}, s, retrying(3, 2*s), []time.Duration{0, 3 * s, 6 * s, 9 * s}, degraded},
		"none is good":                 {[]sitemon.Outcome{down}, s, retrying(2, 2*s), []time.Duration{0, 3 * s, 6 * s}, down},
		"unknown ends it":              {[]sitemon.Outcome{down, unknown, up}, 0, retrying(3, s), []time.Duration{0, s}, unknown},
		"without a pause":              {[]sitemon.Outcome{down, down, up}, s, retrying(3, 0), []time.Duration{0, s, 2 * s}, up},
		"the slot is over":             {[]sitemon.Outcome{down}, 10 * s, retrying(9, 5*s), []time.Duration{0, 15 * s, 30 * s, 45 * s}, down},
		"half a time-out is left":      {[]sitemon.Outcome{down}, s, retrying(9, 53*s), []time.Duration{0, 54 * s}, down},
		"less than half of it is left": {[]sitemon.Outcome{down}, s, retrying(9, 54*s), []time.Duration{0}, down},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{answers: tt.answers, took: tt.took}
				f := start(t, p.probe)
				due := slot.NewGrid("a", time.Minute).After(time.Now())
				f.restart(site("a", time.Minute, tt.change))
				time.Sleep(time.Until(due.Add(time.Minute - 10*time.Millisecond)))
				if got := p.offsets(); !slices.Equal(got, tt.want) {
					t.Errorf("attempts at %v, want %v", got, tt.want)
				}
				rs := f.sink.of("a")
				if len(rs) != 1 {
					t.Fatalf("reports %+v, want one", rs)
				}
				r, attempts := rs[0], len(tt.want)
				if attempts == 1 {
					attempts = 0 // said only where more than one was made
				}
				if r.Outcome != tt.outcome || r.Attempts != attempts || r.Duration != time.Duration(len(tt.want)) {
					t.Errorf("report %+v, want %s of the last of %d attempts", r, tt.outcome, len(tt.want))
				}
				if !r.Slot.Equal(due) || r.StartedAt.Sub(due) > 5*time.Millisecond {
					t.Errorf("slot %s, started %s: want those of the first attempt, %s", r.Slot, r.StartedAt, due)
				}
				if (r.Evidence == "") != (tt.outcome == unknown) {
					t.Errorf("evidence %q of %s", r.Evidence, r.Outcome)
				}
			})
		})
	}
}

// resting starts a scheduler with a failing site, and returns a second after its
// first attempt began, when it waits for the next or still runs.
func resting(t *testing.T, p *script, interval time.Duration, change ...func(*scheduler.Options)) (f *fixture, due time.Time) {
	p.answers = append(p.answers, sitemon.OutcomeDown)
	f = start(t, p.probe, change...)
	due = slot.NewGrid("a", time.Minute).After(time.Now())
	f.restart(site("a", time.Minute, retrying(3, interval)))
	time.Sleep(time.Until(due.Add(time.Second)))
	if len(f.sink.of("a")) != 0 {
		t.Fatal("reported before its last attempt")
	}
	return f, due
}

// TestWhatEndsTheWaiting: the slot is reported as it was found last, at once.
func TestWhatEndsTheWaiting(t *testing.T) {
	for name, tt := range map[string]struct {
		end      func(f *fixture)
		attempts int // of the slot, and of what comes after it within half a minute
	}{
		"a stop":           {func(f *fixture) { _ = f.stop() }, 1},
		"removal":          {func(f *fixture) { f.apply() }, 1},
		"another interval": {func(f *fixture) { f.apply(site("a", time.Hour, retrying(0, 0))) }, 2},
		"another URL":      {func(f *fixture) { f.apply(site("a", time.Minute, func(s *sitemon.Site) { s.URL = "http://b/" })) }, 2},
		"no location of it": {func(f *fixture) {
			f.apply(site("a", time.Minute, func(s *sitemon.Site) { s.Locations = []string{"there"} }))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{}
				f, due := resting(t, p, 10*s)
				before := time.Now()
				tt.end(f)
				if took := time.Since(before); took > 0 {
					t.Errorf("waited %s", took)
				}
				synctest.Wait()
				time.Sleep(time.Millisecond) // an extra slot comes within the first
				rs := f.sink.of("a")
				slices.SortFunc(rs, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) }) // the extra slot may be reported first
				if len(rs) == 0 || !rs[0].Slot.Equal(due) || rs[0].Outcome != sitemon.OutcomeDown || rs[0].Attempts != 0 {
					t.Fatalf("reports %+v, want the one of the slot %s at once", rs, due)
				}
				time.Sleep(30 * time.Second)
				if got := len(p.offsets()); got != tt.attempts {
					t.Errorf("%d attempts, want %d", got, tt.attempts)
				}
			})
		})
	}
}

// TestAStopWaitsForTheAttemptInFlight: it is the last one then.
func TestAStopWaitsForTheAttemptInFlight(t *testing.T) {
	for name, interval := range map[string]time.Duration{"with a pause": 10 * s, "without a pause": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{took: 3 * time.Second}
				f, _ := resting(t, p, interval)
				if err := f.stop(); err != nil {
					t.Error(err)
				}
				if rs := f.sink.of("a"); len(rs) != 1 || rs[0].Outcome != sitemon.OutcomeDown || len(p.offsets()) != 1 {
					t.Errorf("reports %+v after %v", rs, p.offsets())
				}
			})
		})
	}
}

// TestWaitingHoldsNoPlace: with one place for all, others are probed meanwhile. A
// site whose turn comes too late is reported as it was found first.
func TestWaitingHoldsNoPlace(t *testing.T) {
	for name, tt := range map[string]struct {
		other    time.Duration // how long the other's probe takes
		attempts int
	}{
		"a short one":          {time.Second, 4},
		"one until the end":    {58 * time.Second, 0},
		"one beyond its slot":  {70 * time.Second, 0},
		"one until the middle": {30 * time.Second, 4},
		"one for long":         {50 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{}
				f, due := resting(t, p, 10*s, func(o *scheduler.Options) {
					o.Concurrency = 1
					failing := o.Prober
					o.Prober = probeFunc(func(ctx context.Context, s *sitemon.Site) sitemon.Report {
						if s.Name == "a" {
							return failing.Probe(ctx, s)
						}
						return after(ctx, tt.other)
					})
				})
				other := site("other", time.Hour, func(s *sitemon.Site) { s.Timeout = time.Hour })
				before := time.Now()
				f.apply(site("a", time.Minute, retrying(3, 10*s)), other)
				time.Sleep(tt.other + time.Millisecond)
				if rs := f.sink.of("other"); len(rs) != 1 || rs[0].Outcome != sitemon.OutcomeUp || rs[0].StartedAt.Sub(before) > time.Millisecond {
					t.Errorf("the other site's reports %+v, want one that began at once", rs)
				}
				time.Sleep(time.Until(due.Add(75 * time.Second)))
				rs := f.sink.of("a")
				slices.SortFunc(rs, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) }) // the extra slot may be reported first
				if len(rs) == 0 || !rs[0].Slot.Equal(due) || rs[0].Attempts != tt.attempts || rs[0].Outcome != sitemon.OutcomeDown {
					t.Errorf("reports %+v, want %d attempts first", rs, tt.attempts)
				}
				if n := len(slices.DeleteFunc(slots(rs), func(at time.Time) bool { return !at.Equal(due) })); n != 1 {
					t.Errorf("%d reports of one slot", n)
				}
			})
		})
	}
}

func TestRetriesCountAsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		p := &script{answers: []sitemon.Outcome{sitemon.OutcomeDown, sitemon.OutcomeDown, sitemon.OutcomeUp}}
		f := start(t, p.probe, func(o *scheduler.Options) { o.Registerer = reg })
		f.restart(site("a", time.Minute, retrying(5, s)))
		time.Sleep(time.Until(slot.NewGrid("a", time.Minute).After(time.Now()).Add(10 * s)))
		want := `
			# HELP sitemon_probes_total Probes made, repeated ones too, by outcome; a missed slot is unknown.
			# TYPE sitemon_probes_total counter
			sitemon_probes_total{outcome="degraded"} 0
			sitemon_probes_total{outcome="down"} 2
			sitemon_probes_total{outcome="unknown"} 0
			sitemon_probes_total{outcome="up"} 1
		`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sitemon_probes_total"); err != nil {
			t.Error(err)
		}
	})
}

func TestLocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(names ...string) func(*sitemon.Site) { return func(s *sitemon.Site) { s.Locations = names } }
		f := start(t, up) // which stands "here"
		f.apply(site("all", time.Minute), site("ours", time.Minute, at("there", "here")), site("theirs", time.Minute, at("there")))
		if n := f.Sites(); n != 2 {
			t.Errorf("%d sites, want the two that are probed here", n)
		}
		time.Sleep(2 * time.Minute)
		for name, want := range map[string]bool{"all": true, "ours": true, "theirs": false} {
			if got := len(f.sink.of(name)) > 0; got != want {
				t.Errorf("site %s: probed %t, want %t", name, got, want)
			}
		}
		f.apply(site("all", time.Minute), site("ours", time.Minute, at("there")), site("theirs", time.Minute, at("here")))
		changed := time.Now()
		time.Sleep(2 * time.Minute)
		if rs := f.sink.of("ours"); rs[len(rs)-1].StartedAt.After(changed) || len(f.sink.of("theirs")) < 2 {
			t.Errorf("after their locations were changed: %v, %v", slots(rs), slots(f.sink.of("theirs")))
		}
	})
}
