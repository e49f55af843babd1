package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"sitemon"
	"sitemon/scheduler"
)

// nothing is a Sink and a Prober that costs nothing.
type nothing struct{ done chan struct{} }

func (n nothing) Write(context.Context, sitemon.Report) error { return nil }

func (n nothing) Probe(context.Context, *sitemon.Site) sitemon.Report {
	select {
	case n.done <- struct{}{}:
	default: // nobody counts, or not fast enough
	}
	return sitemon.Report{Outcome: sitemon.OutcomeUp}
}

func fleetOf(n int, interval time.Duration) []sitemon.Site {
	sites := make([]sitemon.Site, n)
	for i := range sites {
		sites[i] = site(fmt.Sprint("site-", i), interval)
	}
	return sites
}

func newBench(b *testing.B, n nothing) *scheduler.Scheduler {
	b.Helper()
	s, err := scheduler.New(scheduler.Options{
		Location: "here", Monitor: "m", Prober: n, Sink: n, Logger: slog.New(slog.DiscardHandler), Concurrency: 2000, PerHost: 50,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// BenchmarkApply makes 10,000 sites the running set: all of them new, and with
// one of them edited.
func BenchmarkApply(b *testing.B) {
	const n = 10_000
	sites := fleetOf(n, time.Hour)
	b.Run("all new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s := newBench(b, nothing{})
			b.StartTimer()
			s.Apply(sitemon.Generation{Number: 1}, sitemon.Plan{}, sites)
		}
	})
	b.Run("one edited", func(b *testing.B) {
		s := newBench(b, nothing{})
		s.Apply(sitemon.Generation{Number: 1}, sitemon.Plan{}, sites)
		edited := append([]sitemon.Site(nil), sites...)
		for i := 0; b.Loop(); i++ {
			edited[n/2] = site(sites[n/2].Name, time.Hour, func(s *sitemon.Site) { s.URL = fmt.Sprint("http://example.org/", i) })
			s.Apply(sitemon.Generation{Number: int64(i)}, sitemon.Plan{}, edited)
		}
	})
	b.Run("difference to plan", func(b *testing.B) {
		edited := append([]sitemon.Site(nil), sites...)
		edited[n/2] = site(sites[n/2].Name, 2*time.Hour)
		for b.Loop() {
			if p := sitemon.Diff(sites, edited); len(p.Changed) != 1 {
				b.Fatalf("plan %+v", p)
			}
		}
	})
}

// BenchmarkSlots runs real slots, 10,000 a second, of probes that do nothing:
// what is left is the scheduling of one. It takes as long as its slots do.
func BenchmarkSlots(b *testing.B) {
	n := nothing{make(chan struct{}, 1000)}
	s := newBench(b, n)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go func() { _ = s.Run(ctx) }()
	s.Apply(sitemon.Generation{Number: 1, LoadedAt: time.Now().Add(-time.Hour)}, sitemon.Plan{}, fleetOf(10_000, time.Second))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for range b.N {
		<-n.done
	}
	b.StopTimer()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N), "B/slot")
}
