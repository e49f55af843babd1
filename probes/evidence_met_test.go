package probes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/probes"
)

// TestEvidenceOfWhatWasMet: where an expectation was not met, the evidence says what
// was seen of the others too.
func TestEvidenceOfWhatWasMet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Region", "east")
		w.Header().Set("X-Api-Key", "top-secret")
		_, _ = io.WriteString(w, `{"state":"ok","queue":{"depth":12},"token":"hunter22"}`)
	}))
	defer server.Close()
	all := expects(func(e *sitemon.Expect) {
		e.HTTPVersions = []string{"HTTP/1.1"}
		e.Latency = time.Hour
		e.BodyMatch = []sitemon.Pattern{pattern(t, `"depth":(?P<depth>\d+)`)}
		e.Headers = []sitemon.HeaderPattern{{Name: "X-Region", Pattern: pattern(t, "east")}, {Name: "X-Api-Key", Pattern: pattern(t, "top")}}
		e.Expr = []sitemon.Condition{{Expr: "json.queue.depth < 100 and values.depth > 1"}, {Expr: `json.token == "hunter22"`}}
	})
	failing := expects(func(e *sitemon.Expect) { e.Status = []sitemon.StatusRange{{From: 201, To: 201}} })
	want := []sitemon.EvidenceExpectation{
		{Name: "http_version", Expected: "HTTP/1.1", Seen: "HTTP/1.1"},
		{Name: "header X-Region", Expected: `to match "east"`, Seen: `"east"`},
		{Name: "header X-Api-Key", Expected: `to match "top"`, Seen: sitemon.Redacted},
		{Name: "expr", Expected: "json.queue.depth < 100 and values.depth > 1", Seen: "json.queue.depth is 12, values.depth is 12"},
		{Name: "expr", Expected: `json.token == "` + sitemon.Redacted + `"`, Seen: `json.token is "` + sitemon.Redacted + `"`},
	}
	secret := func(s *sitemon.Site) {
		s.References = true
		s.Request.Headers = []sitemon.Header{{Name: "X-Token", Value: "${TOKEN}"}}
	}
	opts := probes.Options{Expander: fakeExpander{"TOKEN": "hunter22"}}
	r := probe(t, opts, newSite(t, server.URL, all, failing, secret))
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, "status 200, expected 201")
	e := evidence(t, r)
	if diff := cmp.Diff(want, e.Met); diff != "" {
		t.Errorf("met (-want +got):\n%s", diff)
	}
	if len(e.Expectations) != 1 || string(r.Values) != `{"depth":12}` || strings.Contains(r.Evidence, "hunter22") {
		t.Errorf("values %s, evidence %s", r.Values, r.Evidence)
	}

	r = probe(t, opts, newSite(t, server.URL, all, failing, expects(func(e *sitemon.Expect) {
		for range 12 {
			e.Expr = append(e.Expr, sitemon.Condition{Expr: `"` + strings.Repeat("long ", 100) + `" != body`})
		}
	})))
	if e := evidence(t, r); len(e.Met) == 0 || len(e.Met) > 10 || strings.Join(e.Cut, " ") != "met" {
		t.Errorf("%d met, cut %v", len(e.Met), e.Cut)
	}
	r = probe(t, opts, newSite(t, server.URL, failing)) // of what most sites expect, reports say it anyway
	if e := evidence(t, r); len(e.Met) != 0 {
		t.Errorf("met: %v", e.Met)
	}
	r = probe(t, opts, newSite(t, server.URL, all, secret))
	if wantReport(t, r, sitemon.OutcomeUp, "", ""); r.Evidence != "" {
		t.Errorf("evidence %s", r.Evidence)
	}
	r = probe(t, opts, newSite(t, server.URL, all, failing, secret, steps(sitemon.Step{Name: "a", Expect: &sitemon.Expect{HTTPVersions: []string{"HTTP/1.1"}}}, sitemon.Step{Name: "b"})))
	e = evidence(t, r)
	for i := range want {
		want[i].Name = "b: " + want[i].Name
	}
	if diff := cmp.Diff(want, e.Met); diff != "" {
		t.Errorf("met by a step (-want +got):\n%s", diff)
	}
}
