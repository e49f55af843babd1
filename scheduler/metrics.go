package scheduler

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

// metrics are what the scheduler exports: its own counters, and per site what
// the newest report said, under blackbox_exporter's names.
type metrics struct {
	probes   map[sitemon.Outcome]prometheus.Counter
	lateness prometheus.Histogram
	missed   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Scheduler) *metrics {
	probes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sitemon_probes_total", Help: "Probes made, repeated ones too, by outcome; a missed slot is unknown.",
	}, []string{"outcome"})
	m := &metrics{
		probes: map[sitemon.Outcome]prometheus.Counter{},
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sitemon_schedule_lateness_seconds",
			Help:    "How long after its slot a probe started.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_slots_missed_total",
			Help: "Slots at which a site could not be probed, because the monitor was overloaded.",
		}),
	}
	for _, o := range sitemon.Outcomes {
		m.probes[o] = probes.WithLabelValues(string(o))
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(probes, m.lateness, m.missed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sitemon_sites", Help: "Sites that are being probed.",
	}, func() float64 { return float64(s.Sites()) }))
	if s.opts.SiteMetrics {
		reg.MustRegister(siteCollector{s})
	}
	return m
}

func (m *metrics) count(o sitemon.Outcome) { m.probes[o].Inc() }

var (
	siteLabels    = []string{"site", "group", "location"}
	descSuccess   = siteDesc("probe_success", "Whether the newest probe found the site up or degraded.")
	descDuration  = siteDesc("probe_duration_seconds", "How long the newest probe took.")
	descStatus    = siteDesc("probe_http_status_code", "Status code of the newest HTTP response.")
	descExpiry    = siteDesc("probe_ssl_earliest_cert_expiry", "Unix time at which the first certificate of the chain expires.")
	descHTTPPhase = prometheus.NewDesc("probe_http_duration_seconds", "Duration of the newest HTTP probe by phase.",
		append([]string{"phase"}, siteLabels...), nil)
)

func siteDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, siteLabels, nil)
}

// siteCollector makes the series of all sites when they are asked for, so that
// they cost nothing between two scrapes.
type siteCollector struct{ s *Scheduler }

// Describe implements [prometheus.Collector].
func (c siteCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSuccess, descDuration, descStatus, descExpiry, descHTTPPhase} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c siteCollector) Collect(ch chan<- prometheus.Metric) {
	c.s.mu.Lock()
	entries := make([]*entry, 0, len(c.s.entries))
	for _, e := range c.s.entries {
		entries = append(entries, e)
	}
	c.s.mu.Unlock()
	for _, e := range entries {
		if m := e.sample.Load(); m != nil && m.known {
			m.collect(ch, e.target.Load().site, c.s.opts.Location)
		}
	}
}

// sample is what the metrics keep of a report: a fifth of its memory.
type sample struct {
	known, good bool
	status      int
	duration    time.Duration
	phases      [5]time.Duration
	expires     int64 // Unix time of the certificate's end; 0: there is none
}

func newSample(r *sitemon.Report) *sample {
	m := &sample{
		known: r.Outcome != sitemon.OutcomeUnknown, good: r.Outcome.Good(),
		status: r.StatusCode, duration: r.Duration, phases: r.Phases.All(),
	}
	if !r.CertificateExpiresAt.IsZero() {
		m.expires = r.CertificateExpiresAt.Unix()
	}
	return m
}

// collect sends the series of one site.
func (m *sample) collect(ch chan<- prometheus.Metric, site *sitemon.Site, location string) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(labels, site.Name, site.Group, location)...)
	}
	success := 0.0
	if m.good {
		success = 1
	}
	gauge(descSuccess, success)
	gauge(descDuration, m.duration.Seconds())
	if m.expires != 0 {
		gauge(descExpiry, float64(m.expires))
	}
	if site.Kind != sitemon.KindHTTP {
		return
	}
	gauge(descStatus, float64(m.status))
	for i, d := range m.phases {
		gauge(descHTTPPhase, d.Seconds(), sitemon.PhaseNames[i])
	}
}
