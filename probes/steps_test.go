package probes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// shop is a server that wants to be used in the right order.
type shop struct {
	mu    sync.Mutex
	conns map[string]bool
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.conns == nil {
		s.conns = map[string]bool{}
	}
	s.conns[r.RemoteAddr] = true
	s.mu.Unlock()
	switch r.URL.Path {
	case "/start":
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "cookie-of-this-probe", Path: "/"})
		_, _ = io.WriteString(w, `<input name="csrf" value="csrf-12345">`)
	case "/login":
		c, err := r.Cookie("session")
		body, _ := io.ReadAll(r.Body)
		if err != nil || c.Value != "cookie-of-this-probe" || r.Header.Get("X-Csrf") != "csrf-12345" || string(body) != `{"password":"hunter22"}` {
			http.Error(w, "who are you", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Next", "/basket")
		_, _ = io.WriteString(w, `{"access_token":"token/abc def","id":17,"items":[{"a":1}],"none":null,"empty":"","lines":"a\r\nX-Evil: 1","big":"`+strings.Repeat("x", 9000)+`"}`)
	default:
		if r.Header.Get("Authorization") != "Bearer token/abc def" {
			http.Error(w, "no token", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
	}
}

// shopSteps are the steps to a basket.
func shopSteps(t testing.TB) []sitemon.Step {
	csrf := pattern(t, `name="csrf" value="([^"]+)"`)
	return []sitemon.Step{
		{Name: "start", URL: "/start", Capture: []sitemon.Capture{{Name: "csrf", Regex: &csrf}}},
		{
			Name: "sign in", URL: "/login", Method: "POST", Body: `{"password":"${PASSWORD}"}`, Headers: []sitemon.Header{{Name: "X-Csrf", Value: "{{ csrf }}"}},
			Capture: []sitemon.Capture{{Name: "token", JSON: "access_token"}, {Name: "id", JSON: "id"}, {Name: "next", Header: "X-Next"}},
		},
		{Name: "basket", URL: "{{next}}/{{id}}/{{token}}?t={{token}}", Headers: []sitemon.Header{{Name: "Authorization", Value: "Bearer {{token}}"}}},
	}
}

func steps(s ...sitemon.Step) option {
	return func(site *sitemon.Site) { site.Steps = s }
}

var shopOptions = probes.Options{Expander: fakeExpander{"PASSWORD": "hunter22"}}

func TestSteps(t *testing.T) {
	shop := &shop{}
	server := httptest.NewServer(shop)
	defer server.Close()
	site := newSite(t, server.URL, steps(shopSteps(t)...), func(s *sitemon.Site) {
		s.References = true
		s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, `^GET /b.sket/17/token.2Fabc.20def\?t=token.2Fabc\+def$`)}
	})
	r, d := newSet(t, shopOptions).Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeUp, "", "")
	if r.StatusCode != 200 || r.Phases.Processing <= 0 || r.Duration < r.Phases.Processing {
		t.Errorf("report %+v", r)
	}
	// The POST goes by a connection of its own; what follows goes by that.
	if len(shop.conns) != 2 {
		t.Errorf("%d connections, want 2", len(shop.conns))
	}
	if len(d.Steps) != 3 || d.Steps[1].Name != "sign in" || d.Steps[1].StatusCode != 200 || strings.Join(d.Steps[1].Captured, " ") != "token id next" || len(d.Hops) != 3 {
		t.Errorf("details %+v", d)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"token/abc", "token%2Fabc", "csrf-12345", "hunter22", "cookie-of", "/basket"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the details hold %q: %s", secret, text)
		}
	}
}

// TestStepsFail breaks each part of a way through steps.
func TestStepsFail(t *testing.T) {
	server := httptest.NewServer(&shop{})
	defer server.Close()
	last := func(change func(*sitemon.Step)) option {
		return func(s *sitemon.Site) {
			s.Steps, s.References = shopSteps(t), true
			change(&s.Steps[2])
		}
	}
	second := func(c sitemon.Capture) option {
		return func(s *sitemon.Site) {
			s.Steps, s.References = shopSteps(t), true
			s.Steps[1].Capture = append([]sitemon.Capture{c}, s.Steps[1].Capture...)
		}
	}
	never := pattern(t, "never")
	tests := []struct {
		name   string
		change option
		want   sitemon.Outcome
		reason sitemon.Reason
		text   string
	}{
		{"a status", last(func(s *sitemon.Step) { s.Headers = nil }), sitemon.OutcomeDown, sitemon.ReasonStatus, "step 3 (basket): status 401, expected 200-399"},
		{"a status that is expected", last(func(s *sitemon.Step) {
			s.Headers, s.Expect = nil, &sitemon.Expect{Status: []sitemon.StatusRange{{From: 401, To: 401}}}
		}), sitemon.OutcomeUp, "", ""},
		{"the site's expectation of the last", func(s *sitemon.Site) {
			s.Steps, s.References, s.Expect.BodyMatch = shopSteps(t), true, []sitemon.Pattern{never}
		}, sitemon.OutcomeDown, sitemon.ReasonBody, `step 3 (basket): body "GET <redacted>/<redacted>/<redacted>?t=<redacted>", expected`},
		{"the step's before the site's", last(func(s *sitemon.Step) { s.Expect = &sitemon.Expect{BodyMatch: []sitemon.Pattern{pattern(t, "GET")}} }), sitemon.OutcomeUp, "", ""},
		{"slow as a whole", func(s *sitemon.Site) { s.Steps, s.References, s.Expect.Latency = shopSteps(t), true, 1 }, sitemon.OutcomeDegraded, sitemon.ReasonLatency, "took"},
		{"a status of what would have been captured", func(s *sitemon.Site) {
			s.Steps, s.References = shopSteps(t), true
			s.Steps[1].Expect = &sitemon.Expect{Status: []sitemon.StatusRange{{From: 201, To: 201}}}
		}, sitemon.OutcomeDown, sitemon.ReasonStatus, "step 2 (sign in): status 200, expected 201"},
		{"a step that is slow", func(s *sitemon.Site) {
			s.Steps, s.References = shopSteps(t), true
			s.Steps[0].Expect, s.Steps[1].Expect = &sitemon.Expect{Latency: 1}, &sitemon.Expect{Latency: time.Hour}
		}, sitemon.OutcomeDegraded, sitemon.ReasonLatency, "step 1 (start): took"},
		{"a step that is slow, and one that fails", func(s *sitemon.Site) {
			s.Steps, s.References = shopSteps(t), true
			s.Steps[0].Expect, s.Steps[2].Headers = &sitemon.Expect{Latency: 1}, nil
		}, sitemon.OutcomeDown, sitemon.ReasonStatus, "step 3 (basket): status 401"},
		{"json absent", second(sitemon.Capture{Name: "x", JSON: "nowhere"}), sitemon.OutcomeDown, sitemon.ReasonJSON, "step 2 (sign in): nothing to capture for x from json nowhere: absent"},
		{"json null", second(sitemon.Capture{Name: "x", JSON: "none"}), sitemon.OutcomeDown, sitemon.ReasonJSON, "null"},
		{"json empty", second(sitemon.Capture{Name: "x", JSON: "empty"}), sitemon.OutcomeDown, sitemon.ReasonJSON, "an empty value"},
		{"too long", second(sitemon.Capture{Name: "x", JSON: "big"}), sitemon.OutcomeDown, sitemon.ReasonJSON, "9000 bytes, at most 8192 are captured"},
		{"line breaks", second(sitemon.Capture{Name: "x", JSON: "lines"}), sitemon.OutcomeDown, sitemon.ReasonJSON, "a value with control characters"},
		{"header absent", second(sitemon.Capture{Name: "x", Header: "X-Nowhere"}), sitemon.OutcomeDown, sitemon.ReasonHeader, "absent"},
		{"no match", second(sitemon.Capture{Name: "x", Regex: &never}), sitemon.OutcomeDown, sitemon.ReasonBody, "no match"},
		{"a variable that is missing", last(func(s *sitemon.Step) { s.Body = "${NOWHERE}" }), sitemon.OutcomeUnknown, sitemon.ReasonInternal, "step 3 (basket): the variable NOWHERE is not set"},
		{"nothing captured", last(func(s *sitemon.Step) { s.URL = "/{{other}}" }), sitemon.OutcomeUnknown, sitemon.ReasonInternal, "no step has captured {{other}}"},
		{"refused", last(func(s *sitemon.Step) { s.URL = "http://127.0.0.1:1/" }), sitemon.OutcomeDown, sitemon.ReasonConnectRefused, "step 3 (basket): connection refused by 127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, shopOptions, newSite(t, server.URL, tt.change))
			wantReport(t, r, tt.want, tt.reason, tt.text)
			if tt.want != sitemon.OutcomeDown {
				return
			}
			var e sitemon.ProbeEvidence
			if err := json.Unmarshal([]byte(r.Evidence), &e); err != nil {
				t.Fatal(err)
			}
			if len(e.Steps) != 3 || e.Steps[0].StatusCode != 200 || e.Steps[0].URL != server.URL+"/start" {
				t.Fatalf("evidence %s", r.Evidence)
			}
			failed := 2
			if strings.HasPrefix(r.Error, "step 2") {
				failed = 1
			}
			for i, s := range e.Steps {
				if (s.Reason == tt.reason) != (i == failed) || s.Reason != "" && i != failed && i != 0 || (s.DurationUS > 0) != (i <= failed) {
					t.Errorf("step %d: %+v", i+1, s)
				}
			}
			for _, secret := range []string{"token/abc", "token%2Fabc", "csrf-12345", "hunter22", "cookie-of"} {
				if strings.Contains(r.Evidence+r.Error, secret) {
					t.Errorf("%q in %s %s", secret, r.Error, r.Evidence)
				}
			}
		})
	}
}
