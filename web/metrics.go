package web

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are web's own.
type metrics struct {
	requests *prometheus.HistogramVec
}

// newMetrics registers the metrics with reg; nil registers nothing.
func newMetrics(reg prometheus.Registerer, hub *Hub) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sitemon_event_streams",
		Help: "Clients that listen to server-sent events.",
	}, func() float64 { return float64(hub.Listeners()) })
	return &metrics{requests: f.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "sitemon_http_request_duration_seconds",
		Help:    "Time to answer HTTP requests, by class of route and of status code; event streams are not counted.",
		Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10},
	}, []string{"class", "code"})}
}

// observe counts one answer.
func (m *metrics) observe(class routeClass, code int, d time.Duration) {
	if class == classEvents {
		return
	}
	m.requests.WithLabelValues(string(class), strconv.Itoa(code/100)+"xx").Observe(d.Seconds())
}
