package writer_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

// null is a Store that counts.
type null struct{ n atomic.Int64 }

func (s *null) Record(_ context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	s.n.Add(int64(len(reports)))
	return sitemon.Recorded{}, nil
}
func (*null) ReadTo(context.Context, string, int, map[int]time.Time) error { return nil }
func (*null) SeedSite(context.Context, int64) (string, time.Duration, error) {
	return "", 0, sitemon.ErrNotFound
}

// BenchmarkCatchUp works off b.N reports that wait in Kafka, with a store that
// costs nothing: what is left is reading, decoding and committing.
func BenchmarkCatchUp(b *testing.B) {
	k := newKit(b, testkit.Kafka(b), 12)
	for from := 0; from < b.N; from += 20_000 {
		var messages []kafka.Message
		for i := from; i < min(from+20_000, b.N); i++ {
			r := report(fmt.Sprintf("site-%d", i%1000), i/1000)
			r.StartedAt = r.Slot.Add(time.Millisecond)
			r.Phases = sitemon.Phases{Resolve: 301e3, Connect: 240e3, TLS: 1911e3, Processing: 15414e3, Transfer: 345e3}
			r.BodyBytes, r.RemoteAddr, r.CertificateExpiresAt, r.Generation = 512, "192.0.2.7:443", firstSlot.AddDate(0, 1, 0), 17
			messages = append(messages, message(r))
		}
		k.publish(messages...)
	}
	store := &null{}
	cpu := processorTime()
	b.ResetTimer()
	_, stop := k.start(store, func(o *writer.Options) { o.Logger = slog.New(slog.DiscardHandler) })
	for store.n.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
	b.ReportMetric(float64((processorTime()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/report")
	stop()
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
