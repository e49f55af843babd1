package sinks

import (
	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

// localMetrics counts what [Local] and its recorder did.
type localMetrics struct {
	recordedTotal, duplicate, expired prometheus.Counter
	lost                              prometheus.Counter
	errors                            prometheus.Counter
}

func newLocalMetrics(reg prometheus.Registerer, l *Local) *localMetrics {
	reports := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_writer_reports_total", Help: "Reports that the writer dealt with, by result.",
	}, []string{"result"})
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_sink_errors_total", Help: "Batches that a sink could not hand on, each tried again.",
	}, []string{"sink"})
	m := &localMetrics{
		recordedTotal: reports.WithLabelValues("recorded"),
		duplicate:     reports.WithLabelValues("duplicate"),
		expired:       reports.WithLabelValues("expired"),
		errors:        errs.WithLabelValues("local"),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_spool_dropped_reports_total", Help: "Reports lost because too many were waiting.",
		}),
	}
	reports.WithLabelValues("dead")
	if reg == nil {
		return m
	}
	reg.MustRegister(reports, errs, m.lost,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sitemon_spool_reports", Help: "Reports that wait to be recorded.",
		}, func() float64 { n, _ := l.Waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sitemon_writer_lag", Help: "Reports that the writer has yet to record: inside one process those of the spool.",
		}, func() float64 { n, _ := l.Waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sitemon_spool_oldest_seconds", Help: "How long the oldest waiting report has waited.",
		}, func() float64 { _, d := l.Waiting(); return d.Seconds() }))
	return m
}

func (m *localMetrics) recorded(r sitemon.Recorded) {
	m.recordedTotal.Add(float64(len(r.New)))
	m.duplicate.Add(float64(r.Duplicates))
	m.expired.Add(float64(r.Expired))
}
