package probes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

func pattern(t testing.TB, expr string) sitemon.Pattern {
	t.Helper()
	p, err := sitemon.CompilePattern(expr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJudging(t *testing.T) {
	type expect = sitemon.Expect
	match := func(exprs ...string) (ps []sitemon.Pattern) {
		for _, e := range exprs {
			ps = append(ps, pattern(t, e))
		}
		return ps
	}
	header := func(name, expr string) []sitemon.HeaderPattern {
		return []sitemon.HeaderPattern{{Name: name, Pattern: pattern(t, expr)}}
	}
	tests := []struct {
		name   string
		status int
		header string // one line
		body   string
		expect expect
		reason sitemon.Reason // "" is up
		want   string         // the whole error
	}{
		{name: "200 by default", status: 200},
		{name: "399 by default", status: 399},
		{name: "400 by default", status: 400, reason: "status", want: "status 400, expected 200-399"},
		{name: "503", status: 503, expect: expect{Status: []sitemon.StatusRange{{From: 200, To: 299}, {From: 304, To: 304}}}, reason: "status", want: "status 503, expected 200-299, 304"},
		{name: "404 is wanted", status: 404, expect: expect{Status: []sitemon.StatusRange{{From: 404, To: 404}}}},
		{name: "body matches", status: 200, body: "Welcome home", expect: expect{BodyMatch: match("(?i)welcome", "home$")}},
		{name: "body does not match", status: 200, body: "Go away\x00\n", expect: expect{BodyMatch: match("(?i)welcome")}, reason: "body", want: `body "Go away\x00\n", expected a match of "(?i)welcome"`},
		{name: "body matches what it must not", status: 200, body: "a fatal error", expect: expect{BodyNotMatch: match("fatal", "panic")}, reason: "body", want: `body "a fatal error", expected no match of "fatal"`},
		{name: "long body", status: 200, body: strings.Repeat("x", 300), expect: expect{BodyMatch: match("y")}, reason: "body", want: `body "` + strings.Repeat("x", 200) + `…", expected a match of "y"`},
		{name: "no UTF-8", status: 200, body: "\xff\xfe", expect: expect{BodyMatch: match("y")}, reason: "body", want: `body "\xff\xfe", expected a match of "y"`},
		{name: "header matches", status: 200, header: "X-Kind: b", expect: expect{Headers: header("x-kind", "^b$")}},
		{name: "header does not match", status: 200, header: "X-Kind: b", expect: expect{Headers: header("x-kind", "^c$")}, reason: "header", want: `header x-kind: "b", expected to match "^c$"`},
		{name: "header is absent", status: 200, expect: expect{Headers: header("X-None", "")}, reason: "header", want: `header X-None: absent, expected to match ""`},
		{name: "header is a secret", status: 200, header: "Set-Cookie: id=abc", expect: expect{Headers: header("Set-Cookie", "^x")}, reason: "header", want: `header Set-Cookie: <redacted>, expected to match "^x"`},
		{name: "slow", status: 200, expect: expect{Latency: time.Nanosecond}, reason: "latency", want: "took "},
		{name: "several", status: 500, body: "oops", expect: expect{BodyMatch: match("ok"), Latency: time.Nanosecond}, reason: "status", want: `status 500, expected 200-399; body "oops", expected a match of "ok"; took `},
		{name: "down goes before degraded", status: 200, body: "oops", expect: expect{BodyMatch: match("ok"), Latency: time.Nanosecond}, reason: "body", want: `body "oops", expected a match of "ok"; took `},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if name, value, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			site := newSite(t, server.URL)
			site.Expect = &tt.expect
			r := probe(t, probes.Options{}, site)
			outcome := sitemon.OutcomeDown
			switch tt.reason {
			case "":
				outcome = sitemon.OutcomeUp
			case sitemon.ReasonLatency:
				outcome = sitemon.OutcomeDegraded
			}
			wantReport(t, r, outcome, tt.reason, tt.want)
			if r.StatusCode != tt.status || r.BodyBytes != int64(len(tt.body)) {
				t.Errorf("status %d, %d bytes", r.StatusCode, r.BodyBytes)
			}
		})
	}
}

func TestJSONExpectations(t *testing.T) {
	const body = `{"status":"ok","count":12,"half":0.5,"on":true,"none":null,"tags":["a","b"],"deep":{"x":{"y":1}},"users":[{"name":"ann","age":30},{"name":"bob","age":20}]}`
	tests := []struct {
		name, path string
		op         sitemon.JSONOperator
		value      string
		body       string // body unless set
		want       string // the error; "" is up
	}{
		{"a string", "status", sitemon.JSONEquals, `"ok"`, "", ""},
		{"another string", "status", sitemon.JSONEquals, `"bad"`, "", `json status: "ok", expected "bad"`},
		{"a number", "count", sitemon.JSONEquals, `12`, "", ""},
		{"a number written otherwise", "count", sitemon.JSONEquals, `12.0`, "", ""},
		{"a number is no string", "count", sitemon.JSONEquals, `"12"`, "", `json count: 12, expected "12"`},
		{"true", "on", sitemon.JSONEquals, `true`, "", ""},
		{"true is not false", "on", sitemon.JSONEquals, `false`, "", `json on: true, expected false`},
		{"null", "none", sitemon.JSONEquals, `null`, "", ""},
		{"absent is not null", "nothing", sitemon.JSONEquals, `null`, "", `json nothing: absent, expected null`},
		{"an array", "tags", sitemon.JSONEquals, `[ "a", "b" ]`, "", ""},
		{"an array in another order", "tags", sitemon.JSONEquals, `["b","a"]`, "", `json tags: ["a","b"], expected ["b","a"]`},
		{"an object", "deep", sitemon.JSONEquals, `{"x": {"y": 1.0}}`, "", ""},
		{"a path into an array", "users.1.name", sitemon.JSONEquals, `"bob"`, "", ""},
		{"a query", `users.#(age>25).name`, sitemon.JSONEquals, `"ann"`, "", ""},
		{"a length", "users.#", sitemon.JSONEquals, `2`, "", ""},
		{"not equal", "status", sitemon.JSONNotEquals, `"bad"`, "", ""},
		{"not equal, but it is", "status", sitemon.JSONNotEquals, `"ok"`, "", `json status: "ok", expected not "ok"`},
		{"not equal and absent", "nothing", sitemon.JSONNotEquals, `1`, "", ""},
		{"matches", "status", sitemon.JSONMatches, `"^o"`, "", ""},
		{"a number matches by its text", "count", sitemon.JSONMatches, `"^1"`, "", ""},
		{"does not match", "status", sitemon.JSONMatches, `"^x"`, "", `json status: "ok", expected to match "^x"`},
		{"exists", "none", sitemon.JSONExists, `true`, "", ""},
		{"exists, but does not", "nothing", sitemon.JSONExists, `true`, "", `json nothing: absent, expected to exist`},
		{"is absent", "nothing", sitemon.JSONExists, `false`, "", ""},
		{"is absent, but exists", "on", sitemon.JSONExists, `false`, "", `json on: true, expected to be absent`},
		{"less", "half", sitemon.JSONLessThan, `1`, "", ""},
		{"not less", "count", sitemon.JSONLessThan, `12`, "", `json count: 12, expected less than 12`},
		{"greater", "count", sitemon.JSONGreaterThan, `11.5`, "", ""},
		{"a string is never greater", "status", sitemon.JSONGreaterThan, `0`, "", `json status: "ok", expected greater than 0`},
		{"no JSON", "status", sitemon.JSONEquals, `"ok"`, "<html>", `body "<html>", expected JSON`},
		{"nothing", "status", sitemon.JSONEquals, `"ok"`, " ", `body " ", expected JSON`},
		{"too deep", "status", sitemon.JSONEquals, `"ok"`, strings.Repeat("[", 500_000), `expected JSON`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sent := tt.body
			if sent == "" {
				sent = body
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, sent) }))
			defer server.Close()
			site := newSite(t, server.URL)
			site.Expect.JSON = []sitemon.JSONExpectation{jsonExpectation(t, tt.path, tt.op, tt.value)}
			outcome, reason := sitemon.OutcomeUp, sitemon.Reason("")
			if tt.want != "" {
				outcome, reason = sitemon.OutcomeDown, sitemon.ReasonJSON
			}
			wantReport(t, probe(t, probes.Options{}, site), outcome, reason, tt.want)
		})
	}
}

// jsonExpectation is one as package config makes it.
func jsonExpectation(t *testing.T, path string, op sitemon.JSONOperator, value string) sitemon.JSONExpectation {
	e := sitemon.JSONExpectation{Path: path, Operator: op, Value: json.RawMessage(value)}
	switch op {
	case sitemon.JSONMatches:
		var expr string
		if err := json.Unmarshal(e.Value, &expr); err != nil {
			t.Fatal(err)
		}
		e.Pattern = pattern(t, expr)
	case sitemon.JSONLessThan, sitemon.JSONGreaterThan:
		if err := json.Unmarshal(e.Value, &e.Number); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestBodyLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":1,"rest":"`+strings.Repeat("x", 100)+`needle"}`)
	}))
	defer server.Close()
	for limit, truncated := range map[int64]bool{124: false, 123: true, 1: true, 1 << 20: false} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			site := newSite(t, server.URL)
			site.Request.BodySizeLimit = limit
			r := probe(t, probes.Options{}, site)
			wantReport(t, r, sitemon.OutcomeUp, "", "")
			if r.BodyTruncated != truncated || r.BodyBytes != min(limit, 124) {
				t.Errorf("truncated %v, %d bytes", r.BodyTruncated, r.BodyBytes)
			}
		})
	}
	t.Run("the first part is judged", func(t *testing.T) {
		site := newSite(t, server.URL)
		site.Request.BodySizeLimit = 50
		site.Expect.JSON = []sitemon.JSONExpectation{jsonExpectation(t, "ok", sitemon.JSONEquals, "1")}
		site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "needle")}
		wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeDown, sitemon.ReasonBody, `expected a match of "needle" in the first 50 bytes`)
	})
}

func TestExplainListsEveryExpectation(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":1}`) }))
	defer server.Close()
	site := newSite(t, server.URL)
	site.Expect = &sitemon.Expect{
		BodyMatch: []sitemon.Pattern{pattern(t, "a")}, BodyNotMatch: []sitemon.Pattern{pattern(t, "1")},
		Headers: []sitemon.HeaderPattern{{Name: "Content-Length", Pattern: pattern(t, "^7$")}},
		JSON:    []sitemon.JSONExpectation{jsonExpectation(t, "a", sitemon.JSONEquals, "1")},
		Latency: time.Hour,
	}
	r, d := newSet(t, probes.Options{}).Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonBody, `expected no match of "1"`)
	var got []string
	for _, c := range d.Checks {
		got = append(got, fmt.Sprintf("%s %v", c.Name, c.OK))
	}
	want := "status true, header Content-Length true, body true, body false, json a true, latency true"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s,\nwant %s", s, want)
	}
}

// An expression that takes for ever on what a server sends ends with the probe.
func TestSlowExpression(t *testing.T) {
	body := strings.Repeat("ab", 1<<19)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer server.Close()
	site := newSite(t, server.URL)
	site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, `a.{0,900}a.{0,900}z`)}
	start := time.Now()
	r := newSet(t, probes.Options{}).Probe(deadline(t, hostileTimeout), site)
	wantReport(t, r, sitemon.OutcomeUnknown, sitemon.ReasonMonitorOverloaded, "could not be matched in time against 1048576 bytes")
	if took := time.Since(start); took > hostileTimeout+30*overrun {
		t.Errorf("took %s", took)
	}
	// Nothing of this slows a plain expression down.
	site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "abab"), pattern(t, "b$")}
	wantReport(t, newSet(t, probes.Options{}).Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
}
