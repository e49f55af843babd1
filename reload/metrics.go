package reload

import (
	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

type metrics struct{ successful, at prometheus.Gauge }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sitemon_config_last_reload_successful", Help: "Whether the newest sites file was applied.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sitemon_config_last_reload_success_timestamp_seconds", Help: "When a sites file was last applied.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.successful, m.at)
	}
	return m
}

func (m *metrics) reloaded(r sitemon.Reload) {
	if len(r.Errors) > 0 {
		m.successful.Set(0)
	} else {
		m.successful.Set(1)
	}
	if r.Applied {
		m.at.Set(float64(r.At.UnixMilli()) / 1000)
	}
}
