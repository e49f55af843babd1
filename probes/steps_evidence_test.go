package probes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// TestStepsEvidenceFits makes evidence of many steps with long names and addresses:
// it stays within its limit, keeps the step that failed, and says what was cut.
func TestStepsEvidenceFits(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/last") {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, strings.Repeat("\x01<é>", 5000))
	}))
	defer server.Close()
	for _, name := range []string{"short", strings.Repeat("long ", 39), strings.Repeat("\u202e", 199), strings.Repeat("😀", 199)} {
		var all []sitemon.Step
		for i := range 20 {
			all = append(all, sitemon.Step{Name: fmt.Sprint(i, name), URL: fmt.Sprintf("/%d/%s", i, strings.Repeat("path/", 100))})
		}
		all[19].URL = "/last/" + strings.Repeat("é", 500)
		r := probe(t, probes.Options{}, newSite(t, server.URL, steps(all...)))
		wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, "step 20 (19")
		if len(r.Evidence) > sitemon.MaxEvidence || len(r.Error) > 2100 {
			t.Errorf("%d bytes of evidence, %d of error", len(r.Evidence), len(r.Error))
		}
		var e sitemon.ProbeEvidence
		if err := json.Unmarshal([]byte(r.Evidence), &e); err != nil {
			t.Fatalf("%v in %s", err, r.Evidence)
		}
		if !slices.Contains(e.Cut, "steps") || len(e.Steps) == 0 {
			t.Errorf("evidence %s", r.Evidence)
		}
		if name == "short" && (len(e.Steps) != 20 || e.Steps[19].Reason != sitemon.ReasonStatus) {
			t.Errorf("steps %+v", e.Steps)
		}
	}
}

// FuzzCaptured puts whatever a server says into address, header and body of the next
// request: nothing gets out of its place.
func FuzzCaptured(f *testing.F) {
	for _, seed := range []string{"plain", "a b", "../..?x#y", "%zz", "a\r\nX: y", "\u2028", "é", `"}`, "${A}", "{{v}}", "\xff", "//evil.test/", ".", ".."} {
		f.Add(seed)
	}
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Clone(r.Context()) }))
	f.Cleanup(server.Close)
	first := ""
	teller := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"v": first})
	}))
	f.Cleanup(teller.Close)
	set := newSet(f, probes.Options{Expander: fakeExpander{}})
	f.Fuzz(func(t *testing.T, value string) {
		first, got = value, nil
		site := newSite(t, teller.URL, steps(
			sitemon.Step{Name: "a", Capture: captureV},
			sitemon.Step{Name: "b", URL: server.URL + "/p/{{v}}/end?q={{v}}&z=1", Headers: []sitemon.Header{{Name: "X-V", Value: "<{{v}}>"}}},
		))
		r := set.Probe(t.Context(), site)
		if r.Outcome != sitemon.OutcomeUp {
			if got != nil || r.Outcome != sitemon.OutcomeDown {
				t.Errorf("%s/%s %q of %q", r.Outcome, r.Reason, r.Error, value)
			}
			return
		}
		path := strings.Split(strings.TrimPrefix(got.URL.EscapedPath(), "/"), "/")
		q := got.URL.Query()
		if len(path) != 3 || path[2] != "end" || len(q) != 2 || q.Get("z") != "1" || len(got.Header) != 2 || got.Host != strings.TrimPrefix(server.URL, "http://") {
			t.Errorf("%q led to %s %v", value, got.URL, got.Header)
		}
		if h := got.Header.Get("X-V"); h != "<"+q.Get("q")+">" {
			t.Errorf("header %q, query %q", h, q.Get("q"))
		}
	})
}
