package sinks_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sitemon"
	"sitemon/sinks"
)

// sewer is a Deliverer that takes everything.
type sewer struct{ messages int }

func (s *sewer) Deliver(_ context.Context, messages []sinks.Message) error {
	s.messages += len(messages)
	return nil
}

func benchmarked(b *testing.B, to sinks.Deliverer) *sinks.Spooled {
	b.Helper()
	s, err := sinks.NewSpooled(sinks.SpooledOptions{Dir: b.TempDir(), Deliverer: to, Logger: slog.New(slog.DiscardHandler), Sink: "kafka"})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

var benchmarkReport = sitemon.Report{
	Site: "docs of the example", Location: "default", Interval: time.Minute, Outcome: sitemon.OutcomeUp, StatusCode: 200,
	Duration: 123456 * time.Microsecond, BodyBytes: 12345, RemoteAddr: "192.0.2.17:443", Monitor: "host-1a2b3c", Generation: 17,
	Slot: time.UnixMilli(1_764_000_000_000), StartedAt: time.UnixMilli(1_764_000_000_001), CertificateExpiresAt: time.Unix(1_790_000_000, 0),
	Phases: sitemon.Phases{Resolve: time.Millisecond, Connect: 10 * time.Millisecond, TLS: 20 * time.Millisecond, Processing: 80 * time.Millisecond, Transfer: time.Millisecond},
}

// BenchmarkSpooled is the whole way of a report: JSON, memory, disk, deliverer.
func BenchmarkSpooled(b *testing.B) {
	to := &sewer{}
	s := benchmarked(b, to)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n%10_000 == 0 { // not faster than it is taken: this is no test of the overflow
			for waiting, _ := s.Waiting(); waiting > 50_000; waiting, _ = s.Waiting() {
				time.Sleep(time.Millisecond)
			}
		}
		_ = s.Write(ctx, benchmarkReport)
		n++
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if err := s.Flush(context.Background()); err != nil || to.messages != n {
		b.Fatalf("%d of %d delivered: %v", to.messages, n, err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "reports/s")
}

// BenchmarkSpooledBacklog is the delivery of reports that wait on disk.
func BenchmarkSpooledBacklog(b *testing.B) {
	to := &sewer{}
	s := benchmarked(b, to)
	const backlog = 50_000
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for range backlog {
			_ = s.Write(context.Background(), benchmarkReport)
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Flush(ended) // writes only
		b.StartTimer()
		if err := s.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		n += backlog
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "reports/s")
}
