package shards

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what a member shows of itself.
type metrics struct {
	owned, of prometheus.Gauge
	joined    prometheus.Gauge
	divisions prometheus.Counter
	evictions prometheus.Counter
}

// newMetrics registers the metrics; reg may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		owned: f.NewGauge(prometheus.GaugeOpts{
			Name: "sitemon_shards_owned", Help: "Shards of the sites that this monitor probes.",
		}),
		of: f.NewGauge(prometheus.GaugeOpts{
			Name: "sitemon_shards", Help: "Shards that the sites are divided into.",
		}),
		joined: f.NewGauge(prometheus.GaugeOpts{
			Name: "sitemon_shards_joined", Help: "1 while the monitor is a member of its location's group, 0 while it goes on with the share it had.",
		}),
		divisions: f.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_shards_divisions_total", Help: "How often the shards were divided among the monitors of the location.",
		}),
		evictions: f.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_shards_evictions_total", Help: "How often the group has thrown this monitor out because it stood still.",
		}),
	}
}

// own shows the share that is probed.
func (m *metrics) own(s Share) {
	owned, of := s.Count()
	m.owned.Set(float64(owned))
	m.of.Set(float64(of))
}
