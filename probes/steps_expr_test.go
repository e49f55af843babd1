package probes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// TestConditionOfNoJSON says what a condition lacks that reads JSON.
func TestConditionOfNoJSON(t *testing.T) {
	url := queueServer(t, `{"v":[1,2,3]}`)
	reads := expects(func(e *sitemon.Expect) { e.Expr = []sitemon.Condition{{Expr: "json.v[0] == 2"}} })
	for _, c := range []struct {
		limit int64
		want  string
	}{
		{0, "json.v[0] == 2 does not hold: json.v[0] is 1"},
		{5, "json.v[0] == 2 does not hold: the body goes on after 5 bytes (body_size_limit), and is no JSON so"},
	} {
		r := probe(t, probes.Options{}, newSite(t, url, reads, func(s *sitemon.Site) { s.Request.BodySizeLimit = c.limit }))
		wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonJSON, c.want)
	}
	r := probe(t, probes.Options{}, newSite(t, queueServer(t, "<html>"), reads))
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonJSON, "json.v[0] == 2 does not hold: the body is no JSON")
	r = probe(t, probes.Options{}, newSite(t, queueServer(t, "null\n"), reads)) // as libraries write it
	if wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonJSON, ""); strings.Contains(r.Error, "no JSON") {
		t.Errorf("error %q", r.Error)
	}
}

// TestStepConditions: conditions of a step are about its own answer and time.
func TestStepConditions(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(50 * time.Millisecond)
		}
		_, _ = fmt.Fprintf(w, `{"path":%q,"token":"hunter22","users":41}`, r.URL.Path)
	}))
	defer server.Close()
	on := func(exprs ...string) *sitemon.Expect {
		e := &sitemon.Expect{}
		for _, text := range exprs {
			text, degrades := strings.CutPrefix(text, "degrades: ")
			e.Expr = append(e.Expr, sitemon.Condition{Expr: text, Degrades: degrades})
		}
		return e
	}
	users := &sitemon.Expect{BodyMatch: []sitemon.Pattern{pattern(t, `"users":(?P<users>\d+)`)}}
	for _, c := range []struct {
		name          string
		first, second *sitemon.Expect
		site          string // the site's own condition
		want          sitemon.Outcome
		reason        sitemon.Reason
		text          string
	}{
		{"hold", on(`json.path == "/slow"`, `status == 200`), on(`json.path == "/b"`), "", sitemon.OutcomeUp, "", ""},
		{"of the first", on(`json.path == "/b"`), nil, "", sitemon.OutcomeDown, sitemon.ReasonJSON, `step 1 (first): json.path == "/b" does not hold: json.path is "/slow"`},
		{"degrades", on(`degrades: json.path == "/b"`), nil, "", sitemon.OutcomeDegraded, sitemon.ReasonJSON, `step 1 (first): json.path == "/b" does not hold`},
		{"what makes it down goes first", on(`degrades: status == 201`), on("status == 201"), "", sitemon.OutcomeDown, sitemon.ReasonStatus, "step 2 (second): status == 201 does not hold"},
		{"before the site's", nil, on(`json.path == "/b"`), "status == 201", sitemon.OutcomeUp, "", ""},
		{"the site's", on("status == 200"), nil, `json.path == "/slow"`, sitemon.OutcomeDown, sitemon.ReasonJSON, `step 2 (second): json.path == "/slow" does not hold`},
		{"its own time", on(`latency >= duration("50ms")`, `phases.processing >= duration("50ms")`), on(`latency >= phases.processing`, `phases.connect == duration("0s")`), "", sitemon.OutcomeUp, "", ""},
		{"the time of all", nil, nil, `latency >= duration("50ms") && phases.processing >= duration("50ms") && phases.connect > duration("0s")`, sitemon.OutcomeUp, "", ""},
		{"values so far", users, on(`values.users == 42`), "", sitemon.OutcomeDown, sitemon.ReasonBody, "values.users is 41"},
		{"what is captured later", on(`degrades: json.token == "x"`), nil, "", sitemon.OutcomeDegraded, sitemon.ReasonJSON, `json.token is "<redacted>"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			site := newSite(t, server.URL, steps(
				sitemon.Step{Name: "first", URL: "/slow", Expect: c.first},
				sitemon.Step{Name: "second", URL: "/b", Expect: c.second, Capture: []sitemon.Capture{{Name: "v", JSON: "token"}}},
			))
			if c.site != "" {
				site.Expect.Expr = []sitemon.Condition{{Expr: c.site}}
			}
			r := probe(t, probes.Options{}, site)
			wantReport(t, r, c.want, c.reason, c.text)
			if c.name == "what is captured later" && strings.Contains(r.Error+r.Evidence, "hunter22") {
				t.Errorf("shown: %s %s", r.Error, r.Evidence)
			}
		})
	}
}
