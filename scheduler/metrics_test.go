package scheduler_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sitemon"
	"sitemon/scheduler"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		expiry := time.Unix(2000000000, 0)
		f := start(t, func(context.Context, *sitemon.Site) sitemon.Report {
			time.Sleep(200 * time.Millisecond)
			return sitemon.Report{
				Outcome: sitemon.OutcomeDegraded, StatusCode: 200, Duration: 200 * time.Millisecond,
				Phases: sitemon.Phases{Connect: 50 * time.Millisecond, Processing: 150 * time.Millisecond}, CertificateExpiresAt: expiry,
			}
		}, func(o *scheduler.Options) { o.Registerer, o.SiteMetrics = reg, true })
		f.restart(site("a", time.Minute, func(s *sitemon.Site) { s.Group = "g" }))
		time.Sleep(10 * time.Minute)
		want := `
# HELP probe_duration_seconds How long the newest probe took.
# TYPE probe_duration_seconds gauge
probe_duration_seconds{group="g",location="here",site="a"} 0.2
# HELP probe_http_duration_seconds Duration of the newest HTTP probe by phase.
# TYPE probe_http_duration_seconds gauge
probe_http_duration_seconds{group="g",location="here",phase="connect",site="a"} 0.05
probe_http_duration_seconds{group="g",location="here",phase="processing",site="a"} 0.15
probe_http_duration_seconds{group="g",location="here",phase="resolve",site="a"} 0
probe_http_duration_seconds{group="g",location="here",phase="tls",site="a"} 0
probe_http_duration_seconds{group="g",location="here",phase="transfer",site="a"} 0
# HELP probe_http_status_code Status code of the newest HTTP response.
# TYPE probe_http_status_code gauge
probe_http_status_code{group="g",location="here",site="a"} 200
# HELP probe_ssl_earliest_cert_expiry Unix time at which the first certificate of the chain expires.
# TYPE probe_ssl_earliest_cert_expiry gauge
probe_ssl_earliest_cert_expiry{group="g",location="here",site="a"} 2e+09
# HELP probe_success Whether the newest probe found the site up or degraded.
# TYPE probe_success gauge
probe_success{group="g",location="here",site="a"} 1
# HELP sitemon_probes_total Probes made, repeated ones too, by outcome; a missed slot is unknown.
# TYPE sitemon_probes_total counter
sitemon_probes_total{outcome="degraded"} 10
sitemon_probes_total{outcome="down"} 0
sitemon_probes_total{outcome="unknown"} 0
sitemon_probes_total{outcome="up"} 0
# HELP sitemon_sites Sites that are being probed.
# TYPE sitemon_sites gauge
sitemon_sites 1
# HELP sitemon_slots_missed_total Slots at which a site could not be probed, because the monitor was overloaded.
# TYPE sitemon_slots_missed_total counter
sitemon_slots_missed_total 0
`
		names := []string{
			"probe_success", "probe_duration_seconds", "probe_http_duration_seconds", "probe_http_status_code",
			"probe_ssl_earliest_cert_expiry", "sitemon_probes_total", "sitemon_sites", "sitemon_slots_missed_total",
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
		if p50, p99 := f.Lateness(); p50 > time.Millisecond || p99 > time.Millisecond {
			t.Errorf("lateness p50 %s, p99 %s, want none in fake time", p50, p99)
		}
	})
}

func TestLatenessIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report { return after(ctx, 800*time.Millisecond) },
			func(o *scheduler.Options) { o.Concurrency = 1 })
		f.restart(site("a", 3*time.Second), site("b", 3*time.Second), site("c", 3*time.Second))
		time.Sleep(5 * time.Minute)
		if _, p99 := f.Lateness(); p99 < 100*time.Millisecond || p99 > 3*time.Second {
			t.Errorf("lateness p99 %s, want that of waiting for the only place", p99)
		}
	})
}
