package probes_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

const queueBody = `{"status":"ok","queue":{"depth":1200,"names":["a","b"]},"load":0.5}` + "\nusers: 41 pin: 123456789\n"

// queueServer answers with JSON and a header, or with what is given.
func queueServer(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Region", "east")
		w.Header().Set("X-Api-Key", "top-secret-of-theirs")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestConditions(t *testing.T) {
	body, _, _ := strings.Cut(queueBody, "\n")
	url := queueServer(t, body)
	for _, c := range []struct {
		expr    string
		outcome sitemon.Outcome // "": up
		reason  sitemon.Reason
		want    string // in the error
	}{
		{`status == 200 && json.status == "ok"`, "", "", ""},
		{`json.queue.depth < 1000`, "down", "json", `json.queue.depth < 1000 does not hold: json.queue.depth is 1200`},
		{`degrades: json.queue.depth < 1000`, "degraded", "json", "json.queue.depth is 1200"},
		{`len(json.queue.names) == 3`, "down", "json", "len(json.queue.names) is 2"},
		{`headers["x-region"] == "west"`, "down", "header", `is "east"`},
		{`headers["x-api-key"] == "mine"`, "down", "header", sitemon.Redacted},
		{`status in [201, 202]`, "down", "status", "status is 200"},
		{`body contains "nothing"`, "down", "body", "does not hold"},
		{`body matches "ok.*depth"`, "", "", ""},
		{`latency < duration("1ns")`, "down", "latency", "latency is "},
		{`phases.processing > duration("1h")`, "down", "latency", "phases.processing is "},
		{`proto == "HTTP/2.0"`, "down", "protocol", `proto is "HTTP/1.1"`},
		{`ip == "127.0.0.1" && remote_addr startsWith "127."`, "", "", ""},
		{`body_bytes > 10 && !body_truncated`, "", "", ""},
		{`json.nothing.there > 1`, "down", "json", ""},
		{`certificate.valid_for > duration("1d")`, "down", "certificate", "certificate.valid_for is 0s"},
	} {
		t.Run(c.expr, func(t *testing.T) {
			text, degrades := strings.CutPrefix(c.expr, "degrades: ")
			site := newSite(t, url, expects(func(e *sitemon.Expect) { e.Expr = []sitemon.Condition{{Expr: text, Degrades: degrades}} }))
			outcome := c.outcome
			if outcome == "" {
				outcome = sitemon.OutcomeUp
			}
			r := probe(t, probes.Options{}, site)
			wantReport(t, r, outcome, c.reason, c.want)
			if strings.Contains(r.Error+string(r.Evidence), "top-secret") {
				t.Errorf("the report shows what another expectation hides: %s %s", r.Error, r.Evidence)
			}
		})
	}
}

// What degrades does not hide what is down, wherever it stands.
func TestConditionsInOrder(t *testing.T) {
	url := queueServer(t, `{"a":1}`)
	site := newSite(t, url, expects(func(e *sitemon.Expect) {
		e.Expr = []sitemon.Condition{{Expr: "json.a > 5", Degrades: true}, {Expr: "status == 201"}}
	}))
	set := newSet(t, probes.Options{})
	r, d := set.Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, "status == 201 does not hold")
	if !strings.Contains(r.Error, "json.a > 5 does not hold") {
		t.Errorf("the error says %q, not all that does not hold", r.Error)
	}
	var names []string
	for _, c := range d.Checks {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "status expr expr" {
		t.Errorf("checks: %s", got)
	}
}

// A hostile answer makes a condition neither run for ever nor fail inside.
func TestHostileConditions(t *testing.T) {
	big := `{"a":[` + strings.Repeat(`{"b":"xxxxxxxxxx"},`, 30_000) + `{}]}`
	for _, c := range []struct {
		name, body, expr string
	}{
		{"loops in loops", big, `all(json.a, {let x = #; all(json.a, {# == x})})`},
		{"deep", strings.Repeat("[", 100_000), `json[0] == 1`},
		{"types that are others", `{"a":"x"}`, `json.a > 1`},
		{"no JSON", "<html>", `json.a.b == 1`},
		{"a text that takes long to match", strings.Repeat("a", 900_000), `body matches "(a*)*(a*)*(a*)*b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := newSite(t, queueServer(t, c.body), expects(func(e *sitemon.Expect) { e.Expr = []sitemon.Condition{{Expr: c.expr}} }))
			site.Timeout = 2 * time.Second
			r := probe(t, probes.Options{}, site)
			if r.Outcome == sitemon.OutcomeUp || r.Reason == sitemon.ReasonInternal {
				t.Errorf("%s %s: %s", r.Outcome, r.Reason, r.Error)
			}
		})
	}
}

func TestValues(t *testing.T) {
	url := queueServer(t, queueBody)
	site := newSite(t, url, expects(func(e *sitemon.Expect) {
		e.BodyMatch = []sitemon.Pattern{pattern(t, `users: (?P<users>\d+) pin: (?P<pin>\d+)`), pattern(t, `"status":"(?P<word>\w+)"`)}
		e.Values = []sitemon.ValueExpr{{Name: "twice", Expr: "values.users * 2"}, {Name: "none", Expr: "json.nothing"}, {Name: "ms", Expr: "latency"}}
		e.Expr = []sitemon.Condition{{Expr: "values.twice == 82"}}
	}))
	r := probe(t, probes.Options{}, site)
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if n, ok := r.Values.Get("users"); !ok || n != 41 {
		t.Errorf("users: %v, %t of %s", n, ok, r.Values)
	}
	if n, _ := r.Values.Get("ms"); n != r.Duration.Seconds() {
		t.Errorf("latency: %v, want %v", n, r.Duration.Seconds())
	}
	for _, name := range []string{"word", "none"} { // no numbers
		if n, ok := r.Values.Get(name); ok {
			t.Errorf("%s: %v", name, n)
		}
	}
}

// A number that is a secret of the site is no value.
func TestSecretIsNoValue(t *testing.T) {
	url := queueServer(t, queueBody)
	site := newSite(t, url, expects(func(e *sitemon.Expect) {
		e.BodyMatch = []sitemon.Pattern{pattern(t, `users: (?P<users>\d+) pin: (?P<pin>\d+)`)}
	}))
	site.Request.Headers = []sitemon.Header{{Name: "X-Pin", Value: "${PIN}"}}
	site.References = true
	r := probe(t, probes.Options{Expander: fakeExpander{"PIN": "123456789"}}, site)
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if strings.Contains(string(r.Values), "123456789") || !strings.Contains(string(r.Values), "users") {
		t.Errorf("values %s", r.Values)
	}
}

func TestBodyHash(t *testing.T) {
	var body atomic.Value
	var status atomic.Int64
	status.Store(200)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, body.Load().(string))
	}))
	defer server.Close()
	set := newSet(t, probes.Options{})
	site := newSite(t, server.URL, expects(func(e *sitemon.Expect) { e.BodyHash = "stable" }))
	for i, step := range []struct {
		body   string
		status int
		reason sitemon.Reason
	}{
		{"one", 200, ""},
		{"one", 200, ""},
		{"two", 200, sitemon.ReasonBody}, // once
		{"two", 200, ""},
		{"gone", 503, sitemon.ReasonStatus},
		{"two", 200, ""},
	} {
		body.Store(step.body)
		status.Store(int64(step.status))
		if step.status == 200 { // whoever looks changes nothing
			set.Explain(t.Context(), site)
		}
		r := set.Probe(t.Context(), site)
		if r.Reason != step.reason || step.reason == sitemon.ReasonBody && r.Outcome != sitemon.OutcomeDegraded {
			t.Errorf("%d, %s: %s %q %s", i, step.body, r.Outcome, r.Reason, r.Error)
		}
	}
	sum := sha256.Sum256([]byte("two"))
	fixed := newSite(t, server.URL, expects(func(e *sitemon.Expect) { e.BodyHash = "sha256:" + hex.EncodeToString(sum[:]) }))
	wantReport(t, set.Probe(t.Context(), fixed), sitemon.OutcomeUp, "", "")
	body.Store("three")
	wantReport(t, set.Probe(t.Context(), fixed), sitemon.OutcomeDown, sitemon.ReasonBody, "body_hash: sha256:")
}

func TestTLSExpectations(t *testing.T) {
	ca := newAuthority(t)
	addr := listenTLS(t, ca.server(t, nil), nil, func(net.Conn) {})
	plain := queueServer(t, "")
	for _, c := range []struct {
		name   string
		target string
		expect func(*sitemon.Expect)
		reason sitemon.Reason
		want   string
	}{
		{"all kept", "tls://" + addr, func(e *sitemon.Expect) {
			e.TLSMinVersion, e.TLSNames = tls.VersionTLS12, []string{"127.0.0.1"}
			p := pattern(t, ".")
			e.TLSIssuer = &p
		}, "", ""},
		{"another issuer", "tls://" + addr, func(e *sitemon.Expect) { p := pattern(t, "CN=Nobody"); e.TLSIssuer = &p }, sitemon.ReasonCertificate, "tls issuer: "},
		{"another name", "tls://" + addr, func(e *sitemon.Expect) { e.TLSNames = []string{"www.example.org"} }, sitemon.ReasonCertificate, "tls names: "},
		{"no TLS", plain, func(e *sitemon.Expect) { e.TLSMinVersion = tls.VersionTLS13 }, sitemon.ReasonTLSError, "tls min_version: no TLS, expected at least TLS 1.3"},
		{"a condition", "tls://" + addr, func(e *sitemon.Expect) {
			e.Expr = []sitemon.Condition{{Expr: `tls.version == "TLS 1.3" && "127.0.0.1" in certificate.names && certificate.valid_for > duration("1h")`}}
		}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			outcome := sitemon.OutcomeDown
			if c.reason == "" {
				outcome = sitemon.OutcomeUp
			}
			r := probe(t, probes.Options{Roots: ca.pool()}, newSite(t, c.target, expects(c.expect)))
			wantReport(t, r, outcome, c.reason, c.want)
		})
	}
}
