package web_test

import (
	"compress/gzip"
	"context"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

func TestCompression(t *testing.T) {
	for _, c := range []struct {
		name, target, accept string
		want                 bool
	}{
		{"a long answer", "/api/v1/sites", "gzip", true},
		{"among others", "/api/v1/sites", "br;q=1.0, GZIP;q=0.5, *;q=0", true},
		{"not accepted", "/api/v1/sites", "", false},
		{"refused", "/api/v1/sites", "gzip;q=0", false},
		{"another", "/api/v1/sites", "br", false},
		{"a short answer", "/healthz", "gzip", false},
		{"a short problem", "/api/v1/nothing", "gzip", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, newAPIStore())
			plain := body(ask(s, "GET", c.target))
			w := ask(s, "GET", c.target, "Accept-Encoding: "+c.accept)
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != c.want {
				t.Fatalf("compressed: %v, want %v", got, c.want)
			}
			if !c.want {
				if got := body(w); got != plain {
					t.Errorf("got %s", got)
				}
				return
			}
			if w.Header().Get("Content-Length") != "" || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("headers %v", w.Header())
			}
			zr, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(zr)
			if err != nil || strings.TrimSpace(string(b)) != plain {
				t.Errorf("unpacked: %v\n%s", err, b)
			}
		})
	}
}

func TestBadges(t *testing.T) {
	for _, c := range []struct{ target, text, color string }{
		{"/badge/docs/status.svg", "status: up", "#2f8132"},
		{"/badge/shop%2Fcheckout/status.svg", "status: down", "#c93434"},
		{"/badge/new/status.svg", "status: unknown", "#667085"},
		{"/badge/docs/uptime.svg", "uptime 30d: 99.98%", "#2f8132"},
		{"/badge/new/uptime.svg", "uptime 30d: unknown", "#667085"},
		{"/badge/docs/latency.svg", "latency 24h: 20 ms", "#3b6fb6"},
	} {
		t.Run(c.target, func(t *testing.T) {
			w := ask(newServer(t, newAPIStore()), "GET", c.target)
			wantStatus(t, w, 200)
			if got := w.Header().Get("Content-Type"); got != "image/svg+xml" {
				t.Errorf("type %q", got)
			}
			raw := body(w)
			var svg struct {
				Title string `xml:"title"`
			}
			if err := xml.Unmarshal([]byte(raw), &svg); err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			if svg.Title != c.text || !strings.Contains(raw, c.color) {
				t.Errorf("got %q, want %q in %s: %s", svg.Title, c.text, c.color, raw)
			}
		})
	}
}

// figuresOf is a history in which every availability is the same.
type figuresOf struct {
	*apiStore
	ratio float64
	mean  time.Duration
}

func TestBadgeValues(t *testing.T) {
	for _, c := range []struct {
		ratio float64
		want  string
		color string
	}{
		{1, "100%", "#2f8132"},
		{0.99999, "99.99%", "#2f8132"},
		{0.999, "99.9%", "#2f8132"},
		{0.9989, "99.89%", "#a86500"},
		{0.99, "99%", "#a86500"},
		{0.5, "50%", "#c93434"},
		{497.0 / 875, "56.8%", "#c93434"},
		{0, "0%", "#c93434"},
	} {
		t.Run(c.want, func(t *testing.T) {
			h := figuresOf{newAPIStore(), c.ratio, 0}
			raw := body(ask(newServer(t, h.apiStore, func(o *web.Options) { o.History = h }), "GET", "/badge/docs/uptime.svg"))
			if !strings.Contains(raw, ">"+c.want+"<") || !strings.Contains(raw, c.color) {
				t.Errorf("%v: want %q in %s: %s", c.ratio, c.want, c.color, raw)
			}
		})
	}
	for mean, want := range map[time.Duration]string{850 * time.Microsecond: "0.8 ms", 9949 * time.Microsecond: "9.9 ms", 1500 * time.Millisecond: "1500 ms"} {
		h := figuresOf{newAPIStore(), 1, mean}
		raw := body(ask(newServer(t, h.apiStore, func(o *web.Options) { o.History = h }), "GET", "/badge/docs/latency.svg"))
		if !strings.Contains(raw, ">"+want+"<") {
			t.Errorf("%v: want %q: %s", mean, want, raw)
		}
	}
}

// The sums that are kept of old reports have a mean, but no percentiles.
func TestPercentilesThatNobodyKnows(t *testing.T) {
	h := figuresOf{newAPIStore(), 1, 20 * time.Millisecond}
	raw := body(ask(newServer(t, h.apiStore, func(o *web.Options) { o.History = h }), "GET", "/api/v1/sites/docs/availability"))
	if want := `"latency_us":{"mean":20000,"p50":null,"p95":null,"p99":null,`; !strings.Contains(raw, want) {
		t.Errorf("%s is not in %s", want, raw)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newServer(t, newAPIStore(), func(o *web.Options) { o.Gatherer, o.Registerer = reg, reg })
	ask(s, "GET", "/api/v1/sites")
	ask(s, "GET", "/api/v1/nothing")
	w := ask(s, "GET", "/metrics")
	wantStatus(t, w, 200)
	got := body(w) + "\n"
	for _, line := range []string{
		`sitemon_http_request_duration_seconds_count{class="api",code="2xx"} 1`,
		`sitemon_http_request_duration_seconds_count{class="api",code="4xx"} 1`,
		`sitemon_event_streams 0`,
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is missing in:\n%s", line, got)
		}
	}
}

// No answer may hold a credential of a site's URL.
func TestNoSecrets(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newServer(t, newAPIStore(), func(o *web.Options) { o.Gatherer, o.Registerer = reg, reg })
	for _, target := range []string{
		"/", "/sites/shop%2Fcheckout", "/config", "/monitors", "/metrics", "/healthz", "/readyz", "/badge/shop%2Fcheckout/status.svg",
		"/api/v1/sites", "/api/v1/sites/shop%2Fcheckout", "/api/v1/sites/shop%2Fcheckout/reports", "/api/v1/sites/shop%2Fcheckout/definition",
		"/api/v1/sites/shop%2Fcheckout/availability", "/api/v1/config", "/api/v1/monitors",
	} {
		for _, secret := range []string{"hunter2", "k3y"} {
			if got := body(ask(s, "GET", target)); strings.Contains(got, secret) {
				t.Errorf("%s holds %q: %s", target, secret, got)
			}
		}
	}
}

func TestBadgeEscapes(t *testing.T) {
	store := newAPIStore()
	store.sites[0].Status = sitemon.Status(`<script>"&`)
	raw := body(ask(newServer(t, store), "GET", "/badge/docs/status.svg"))
	if strings.Contains(raw, "<script>") || xml.Unmarshal([]byte(raw), new(struct{})) != nil {
		t.Errorf("not escaped: %s", raw)
	}
}

func (f figuresOf) Availabilities(_ context.Context, names []string, _ time.Time, windows []time.Duration) (map[string][]availability.Figure, error) {
	all := map[string][]availability.Figure{}
	for _, n := range names {
		for range windows {
			all[n] = append(all[n], availability.Figure{Availability: &f.ratio, Coverage: 1})
		}
	}
	return all, nil
}

func (f figuresOf) Availability(context.Context, availability.Query) (availability.Result, error) {
	return availability.Result{Buckets: []availability.Bucket{
		{Reports: 3, Latency: &availability.Latency{Mean: f.mean}}, {Reports: 1}, {Reports: 1, Latency: &availability.Latency{Mean: f.mean}},
	}}, nil
}
