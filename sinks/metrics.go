package sinks

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

// writerMetrics counts what became of the reports that a recorder was given.
type writerMetrics struct {
	recordedTotal, duplicate, expired, dead prometheus.Counter
}

func newWriterMetrics(reg prometheus.Registerer) *writerMetrics {
	reports := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_writer_reports_total", Help: "Reports that the writer dealt with, by result.",
	}, []string{"result"})
	if reg != nil {
		reg.MustRegister(reports)
	}
	return &writerMetrics{
		recordedTotal: reports.WithLabelValues("recorded"),
		duplicate:     reports.WithLabelValues("duplicate"),
		expired:       reports.WithLabelValues("expired"),
		dead:          reports.WithLabelValues("dead"),
	}
}

func (m *writerMetrics) recorded(r sitemon.Recorded) {
	m.recordedTotal.Add(float64(len(r.New)))
	m.duplicate.Add(float64(r.Duplicates))
	m.expired.Add(float64(r.Expired))
}

// registerLag shows the reports that wait on their way to a recorder in this
// process.
func registerLag(reg prometheus.Registerer, waiting func() (int, time.Duration)) {
	if reg == nil {
		return
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sitemon_writer_lag", Help: "Reports that the writer has yet to record: inside one process those of the spool.",
	}, func() float64 { n, _ := waiting(); return float64(n) }))
}

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
