package sinks_test

import (
	"fmt"
	"log/slog"
	"testing"

	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/sinks"
)

// BenchmarkKafkaDeliver publishes batches of the size that a spool makes of few
// and of many reports a second.
func BenchmarkKafkaDeliver(b *testing.B) {
	br, err := broker.New(broker.Options{Addresses: []string{testkit.Kafka(b)}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(br.Close)
	topic := testkit.Unique("bench")
	if err := br.EnsureTopics(b.Context(), broker.Topic{Name: topic, Partitions: 12}); err != nil {
		b.Fatal(err)
	}
	k := sinks.NewKafka(sinks.KafkaOptions{Broker: br, Topic: topic, Logger: slog.New(slog.DiscardHandler)})
	for _, n := range []int{1, 10, 600, 2000} {
		var ms []sinks.Message
		for i := range n {
			ms = append(ms, sinks.Message{Key: fmt.Append(nil, "site-", i), Value: []byte(fmt.Sprintf(`{"version":1,"site":"site-%d","location":"default","monitor":"host-12ab","slot":"2026-11-25T12:00:00.123Z","started_at":"2026-11-25T12:00:00.124Z","interval_ms":60000,"outcome":"up","duration_ms":%d.5,"phases":{"resolve":1.2,"connect":10.%d,"tls":20.1,"processing":33.4,"transfer":1.0},"status_code":200,"bytes":12345,"generation":17}`, i, i, i))})
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := k.Deliver(b.Context(), ms); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
