package writer

import (
	"github.com/prometheus/client_golang/prometheus"

	common "sitemon/internal/metrics"
)

// metrics counts what a [Writer] did.
type metrics struct {
	reports *common.Reports
	skipped prometheus.Counter
	batches prometheus.Histogram
	retries *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, w *Writer) *metrics {
	m := &metrics{
		reports: common.NewReports(reg),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_writer_skipped_messages_total", Help: "Messages that Kafka dropped before they were read.",
		}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sitemon_writer_batch_duration_seconds", Help: "How long it took to record a batch, waiting for the store included.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sitemon_writer_retries_total", Help: "Attempts that failed and were repeated, by what was away.",
		}, []string{"at"}),
	}
	m.retries.WithLabelValues("store")
	m.retries.WithLabelValues("dead_letters")
	common.NewLag(reg, func() float64 { return float64(w.Lag()) })
	if reg != nil {
		reg.MustRegister(m.skipped, m.batches, m.retries)
	}
	return m
}
