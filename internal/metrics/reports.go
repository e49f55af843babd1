// Package metrics defines the metrics that more than one part of the program
// keeps, so that they have one name and one help text.
package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

// Reports counts the reports that a process dealt with to record them, by result.
// Only one part of a process may register it.
type Reports struct {
	byResult *prometheus.CounterVec
	dead     atomic.Int64
}

// NewReports returns a counter for which reg answers; reg may be nil.
func NewReports(reg prometheus.Registerer) *Reports {
	r := &Reports{byResult: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_writer_reports_total", Help: "Reports that the writer dealt with, by result.",
	}, []string{"result"})}
	for _, result := range []string{"recorded", "duplicate", "expired", "dead"} {
		r.byResult.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(r.byResult)
	}
	return r
}

// Recorded counts what became of a batch.
func (r *Reports) Recorded(done sitemon.Recorded) {
	r.byResult.WithLabelValues("recorded").Add(float64(len(done.New)))
	r.byResult.WithLabelValues("duplicate").Add(float64(done.Duplicates))
	r.byResult.WithLabelValues("expired").Add(float64(done.Expired))
}

// Dead counts messages that could not be used.
func (r *Reports) Dead(n int) {
	r.dead.Add(int64(n))
	r.byResult.WithLabelValues("dead").Add(float64(n))
}

// CountDead returns how many messages could not be used so far.
func (r *Reports) CountDead() int64 { return r.dead.Load() }

// NewLag registers the gauge of reports that are not recorded yet. Only one part
// of a process may do so; reg may be nil.
func NewLag(reg prometheus.Registerer, lag func() float64) {
	if reg == nil {
		return
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sitemon_writer_lag",
		Help: "Reports that the writer has yet to record: of its partitions, or inside one process those that wait before it.",
	}, lag))
}
