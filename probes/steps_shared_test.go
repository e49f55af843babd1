package probes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// TestStepsTokenTakesNoTime: a token that a later step fetches takes nothing off
// the time of the steps before.
func TestStepsTokenTakesNoTime(t *testing.T) {
	tokens := giveToken(t)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) }))
	defer slow.Close()
	home := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer home.Close()
	site := newSite(t, home.URL, steps(
		sitemon.Step{Name: "elsewhere", URL: strings.Replace(slow.URL, "127.0.0.1", "localhost", 1)},
		sitemon.Step{Name: "home", Expect: &sitemon.Expect{Latency: time.Hour}},
	))
	site.Request.OAuth2 = &sitemon.OAuth2{ClientID: "me", ClientSecret: "secret", TokenURL: tokens}
	r := probe(t, probes.Options{}, site)
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if r.Duration < r.Phases.Processing {
		t.Errorf("it took %s, of which waiting was %s", r.Duration, r.Phases.Processing)
	}
}

func giveToken(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"token-1","expires_in":3600}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestStepsHideWhereTheyWereLed: an address out of an answer may hold anything, and
// is written another way than it was captured.
func TestStepsHideWhereTheyWereLed(t *testing.T) {
	var next atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = fmt.Fprintf(w, `{"v":%q}`, next.Load())
			return
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "you asked for "+r.RequestURI)
	}))
	defer server.Close()
	for name, v := range map[string]string{
		"relative":             "./reset/hunter22",
		"climbing":             "../reset/hunter22",
		"to be encoded":        "/a b/hunter22/é",
		"in capital letters":   strings.Replace(server.URL, "http", "HTTP", 1) + "/hunter22",
		"with a query":         "./x?a=hunter22",
		"with a fragment":      "./hunter22#hunter22",
		"with a user":          strings.Replace(server.URL, "://", "://hunter22:hunter22@", 1) + "/./x",
		"with an escaped text": "./%68unter22",
		"with a credential":    server.URL + "/hunter22?token=something",
		"written as it is":     "/reset/hunter22?a=hunter22",
	} {
		t.Run(name, func(t *testing.T) {
			next.Store(v)
			set := newSet(t, probes.Options{})
			r, d := set.Explain(t.Context(), newSite(t, server.URL, steps(sitemon.Step{Name: "a", Capture: captureV}, sitemon.Step{Name: "b", URL: "{{v}}"})))
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, "status 418")
			if all := r.Error + r.Evidence + string(text); strings.Contains(all, "unter22") {
				t.Errorf("shown: %s", all)
			}
		})
	}
}

// TestStepsHideWhatCameBefore: what a step shows may be what a later one captures.
func TestStepsHideWhatCameBefore(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Seen", "hunter22")
		_, _ = io.WriteString(w, `{"v":"hunter22"}`)
	}))
	defer server.Close()
	site := newSite(t, server.URL, steps(
		sitemon.Step{Name: "a", Expect: &sitemon.Expect{Headers: []sitemon.HeaderPattern{{Name: "X-Seen", Pattern: pattern(t, "hunter")}}}},
		sitemon.Step{Name: "b", Capture: captureV},
	))
	_, d := newSet(t, probes.Options{}).Explain(t.Context(), site)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter22") {
		t.Errorf("shown: %s", text)
	}
}

// TestSecretNumberIsNoValue: an expression does not bring a secret into reports.
func TestSecretNumberIsNoValue(t *testing.T) {
	url := giving(t, "", nil)
	site := newSite(t, url, steps(sitemon.Step{Name: "a", Capture: []sitemon.Capture{{Name: "v", Header: "X-Pin"}}}, sitemon.Step{Name: "b"}))
	site.URL = queueServerWith(t, `{"pin":4711,"mine":123456789,"port":80,"n":4712}`)
	site.References = true
	site.Request.Headers = []sitemon.Header{{Name: "X-Pin", Value: "${PIN}"}, {Name: "X-Port", Value: "${PORT}"}}
	for name, text := range map[string]string{"captured": "json.pin", "expanded": "json.mine", "sum": "json.mine + 0", "common": "json.port", "another": "json.n"} {
		site.Expect.Values = append(site.Expect.Values, sitemon.ValueExpr{Name: name, Expr: text})
	}
	r := probe(t, probes.Options{Expander: fakeExpander{"PIN": "123456789", "PORT": "80"}}, site)
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if string(r.Values) != `{"another":4712,"common":80}` {
		t.Errorf("values %s", r.Values)
	}
}

func queueServerWith(t *testing.T, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Pin", "4711")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestBodyOfAFailedReportIsNotKept: the body is compared with that of the good
// report before, also where what fails comes after it.
func TestBodyOfAFailedReportIsNotKept(t *testing.T) {
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body.Load().(string)) }))
	defer server.Close()
	set := newSet(t, probes.Options{})
	site := newSite(t, server.URL, steps(sitemon.Step{Name: "a", Capture: captureV}))
	site.Expect.BodyHash = "stable"
	for _, s := range []struct {
		body string
		want sitemon.Outcome
	}{
		{`{"v":"x"}`, sitemon.OutcomeUp},
		{`{"w":"x"}`, sitemon.OutcomeDown},
		{`{"v":"x"}`, sitemon.OutcomeUp},
		{`{"v":"y"}`, sitemon.OutcomeDegraded},
		{`{"v":"y"}`, sitemon.OutcomeUp},
	} {
		body.Store(s.body)
		if r := set.Probe(t.Context(), site); r.Outcome != s.want {
			t.Errorf("%s: %s %s", s.body, r.Outcome, r.Error)
		}
	}
}

// TestManyCookies: a server that hands out cookies without end gets few of them back,
// and costs no time.
func TestManyCookies(t *testing.T) {
	var most atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), int64(len(r.Header.Get("Cookie")))))
		for i := range 1800 {
			w.Header().Add("Set-Cookie", fmt.Sprintf("c%d-%d=value-%d", time.Now().UnixNano(), i, i))
		}
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	var all []sitemon.Step
	for i := range 20 {
		all = append(all, sitemon.Step{Name: fmt.Sprint(i), Expect: &sitemon.Expect{}})
		if i < 19 {
			no := false
			all[i].FollowRedirects = &no
		}
	}
	r := probe(t, probes.Options{}, newSite(t, server.URL, steps(all...), func(s *sitemon.Site) { s.Timeout = 10 * time.Second }))
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonRedirect, "more than 10 redirects")
	if n := most.Load(); n == 0 || n > 64<<10 {
		t.Errorf("sent %d bytes of cookies", n)
	}
}
