package scheduler

import (
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
		Name: "sitemon_probes_total", Help: "Reports made, by outcome.",
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
		if r := e.report.Load(); r != nil && r.Outcome != sitemon.OutcomeUnknown {
			collectReport(ch, e.target.Load().site, r)
		}
	}
}

// collectReport sends the series of one report.
func collectReport(ch chan<- prometheus.Metric, site *sitemon.Site, r *sitemon.Report) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(labels, r.Site, site.Group, r.Location)...)
	}
	success := 0.0
	if r.Outcome.Good() {
		success = 1
	}
	gauge(descSuccess, success)
	gauge(descDuration, r.Duration.Seconds())
	if !r.CertificateExpiresAt.IsZero() {
		gauge(descExpiry, float64(r.CertificateExpiresAt.Unix()))
	}
	if site.Kind != sitemon.KindHTTP {
		return
	}
	gauge(descStatus, float64(r.StatusCode))
	for i, d := range r.Phases.All() {
		gauge(descHTTPPhase, d.Seconds(), sitemon.PhaseNames[i])
	}
}
