package probes_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"sitemon"
	"sitemon/probes"
)

// What a server sends back of a secret is seen nowhere, in whatever form.
func TestSecretsAreRedacted(t *testing.T) {
	const secret = `p4ss"wörd/+&`
	inJSON, _ := json.Marshal(secret)
	tests := []struct{ name, body string }{
		{"as it is", "you sent " + secret},
		{"in a URL's query", "you sent " + url.QueryEscape(secret)},
		{"in a URL's path", "you sent " + url.PathEscape(secret)},
		{"in JSON", "you sent " + string(inJSON)},
		{"across the end of what is shown", strings.Repeat("x", 195) + secret},
		{"twice", secret + secret},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Back", url.QueryEscape(r.Header.Get("X-One")))
				_, _ = io.WriteString(w, tt.body)
			}))
			defer server.Close()
			site := newSite(t, server.URL)
			site.References = true
			site.Request.Headers = []sitemon.Header{{Name: "X-One", Value: "${SECRET}"}}
			site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
			site.Expect.Headers = []sitemon.HeaderPattern{{Name: "X-Back", Pattern: pattern(t, "never")}}
			set := newSet(t, probes.Options{Expander: fakeExpander{"SECRET": secret}})
			r, d := set.Explain(t.Context(), site)
			shown, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{r.Error, string(shown)} {
				for _, part := range []string{"p4ss", "wörd", "w%C3%B6rd"} {
					if strings.Contains(text, part) {
						t.Errorf("shows %q: %s", part, text)
					}
				}
			}
			if !strings.Contains(r.Error, sitemon.Redacted[:3]) {
				t.Errorf("nothing is redacted: %s", r.Error)
			}
		})
	}
}

// A secret of one or two characters is redacted where it stands alone, and does
// not take the rest of the text along.
func TestShortSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pin=7, not 77 or a7") }))
	defer server.Close()
	site := newSite(t, server.URL+"/?pin=${PIN}")
	site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
	r := probe(t, probes.Options{Expander: fakeExpander{"PIN": "7"}}, site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonBody, `"pin=<redacted>, not 77 or a7"`)
}

// A credential that stands in the query of a URL is seen nowhere, and a short one
// takes no other text along.
func TestCredentialsInQueries(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			http.Redirect(w, r, "/to?code=abc&session=fresh-session", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "you sent long-token and "+r.URL.RawQuery)
	}))
	defer server.Close()
	site := newSite(t, server.URL+"/from?token=long-token&key=503&lang=english")
	site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
	site.Request.MaxRedirects = 1
	r, d := newSet(t, probes.Options{}).Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, `status 503, expected 200-399; body "you sent <redacted> and `)
	shown, err := json.Marshal(d.Hops)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"long-token", "key=503", "code=abc", "fresh-session"} {
		if strings.Contains(string(shown), secret) {
			t.Errorf("shows %q: %s", secret, shown)
		}
	}
	if !strings.Contains(string(shown), "lang=english") {
		t.Errorf("what is harmless is hidden: %s", shown)
	}
	site.Request.MaxRedirects = 0
	r = newSet(t, probes.Options{}).Probe(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonRedirect, `the last one to "/to?code=<redacted>&session=<redacted>"`)
}

// FuzzSeen: whatever a server sends, the report can be stored and shown.
func FuzzSeen(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\n\r\nbody")
	f.Add("HTTP/1.1 302 Found\r\nLocation: \x01\xff\r\n\r\n")
	f.Add("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x1f\x8b")
	f.Fuzz(func(t *testing.T, sent string) {
		addr := listen(t, answer(sent, nil))
		site := newSite(t, "http://"+addr)
		site.Request.MaxRedirects, site.Request.Authorization = 0, &sitemon.Authorization{Credentials: "secret-1234"}
		site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "never")}
		r := newSet(t, probes.Options{}).Probe(deadline(t, ampleTimeout), site)
		if r.Outcome != sitemon.OutcomeDown || r.Reason == "" || r.Error == "" {
			t.Errorf("got %s/%s %q", r.Outcome, r.Reason, r.Error)
		}
		if !utf8.ValidString(r.Error) || strings.ContainsFunc(r.Error, func(c rune) bool { return c < ' ' }) || len(r.Error) > 2100 {
			t.Errorf("unfit to be stored: %q", r.Error)
		}
		if evidence(t, r); strings.Contains(r.Error+r.Evidence, "secret-1234") {
			t.Errorf("shows the secret: %q, %s", r.Error, r.Evidence)
		}
	})
}
