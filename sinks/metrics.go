package sinks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// spoolMetrics counts what a sink could not hand on, and shows what waits in it.
type spoolMetrics struct {
	lost, errors prometheus.Counter
}

func newSpoolMetrics(reg prometheus.Registerer, sink string, waiting func() (int, time.Duration)) *spoolMetrics {
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_sink_errors_total", Help: "Batches that a sink could not hand on, each tried again.",
	}, []string{"sink"})
	m := &spoolMetrics{
		errors: errs.WithLabelValues(sink),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_spool_dropped_reports_total", Help: "Reports lost because too many were waiting, or with a damaged part of the spool.",
		}),
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(errs, m.lost,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sitemon_spool_reports", Help: "Reports that wait to be handed on.",
		}, func() float64 { n, _ := waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sitemon_spool_oldest_seconds", Help: "How long the oldest waiting report has waited.",
		}, func() float64 { _, d := waiting(); return d.Seconds() }))
	return m
}
