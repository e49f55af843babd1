package probes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sitemon"
	"sitemon/probes"
)

func TestOAuth2(t *testing.T) {
	var fetched atomic.Int64
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if r.FormValue("grant_type") != "client_credentials" || id != "me" || secret != "pass-word" || r.FormValue("scope") != "a b" || r.FormValue("audience") != "x" {
			http.Error(w, `{"error":"invalid_client","secret":"pass-word"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":3600}`, fetched.Add(1))
	}))
	defer tokens.Close()
	var refuse atomic.Bool
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token-") || refuse.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer site.Close()
	set := newSet(t, probes.Options{Deny: prefixes("127.6.6.0/24")})
	probe := func(t *testing.T, change func(*sitemon.OAuth2)) sitemon.Report {
		s := newSite(t, site.URL)
		s.Request.OAuth2 = &sitemon.OAuth2{
			ClientID: "me", ClientSecret: "pass-word", TokenURL: tokens.URL, Scopes: []string{"a", "b"},
			EndpointParams: []sitemon.Header{{Name: "audience", Value: "x"}},
		}
		if change != nil {
			change(s.Request.OAuth2)
		}
		return set.Probe(deadline(t, ampleTimeout), s)
	}
	t.Run("one token for all", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { wantReport(t, probe(t, nil), sitemon.OutcomeUp, "", "") })
		}
		wg.Wait()
		if n := fetched.Load(); n != 1 {
			t.Errorf("fetched %d tokens", n)
		}
	})
	t.Run("a refused token is not used again", func(t *testing.T) {
		refuse.Store(true)
		wantReport(t, probe(t, nil), sitemon.OutcomeDown, sitemon.ReasonStatus, "status 401")
		refuse.Store(false)
		wantReport(t, probe(t, nil), sitemon.OutcomeUp, "", "")
		if n := fetched.Load(); n != 2 {
			t.Errorf("fetched %d tokens", n)
		}
	})
	failures := []struct {
		name    string
		change  func(*sitemon.OAuth2)
		outcome sitemon.Outcome
		reason  sitemon.Reason
		want    string
	}{
		{"wrong secret", func(o *sitemon.OAuth2) { o.ClientSecret = "wrong" }, "down", "send_error", "fetching an OAuth 2 token: the token server answered with status 401 and no token"},
		{"refused", func(o *sitemon.OAuth2) { o.TokenURL = "http://127.0.0.1:9" }, "down", "connect_refused", "fetching an OAuth 2 token: connection refused"},
		{"denied", func(o *sitemon.OAuth2) { o.TokenURL = "http://127.6.6.6" }, "unknown", "blocked", "fetching an OAuth 2 token: address 127.6.6.6"},
		{"no token", func(o *sitemon.OAuth2) { o.TokenURL = site.URL }, "down", "send_error", "no token"},
		{"no URL", func(o *sitemon.OAuth2) { o.TokenURL = "ftp://x" }, "unknown", "internal", "oauth2.token_url"},
		{"no file", func(o *sitemon.OAuth2) { o.ClientSecretFile = "/does/not/exist" }, "unknown", "internal", "oauth2.client_secret_file"},
	}
	for _, tt := range failures {
		t.Run(tt.name, func(t *testing.T) {
			r := probe(t, tt.change)
			wantReport(t, r, tt.outcome, tt.reason, tt.want)
			if strings.Contains(r.Error, "pass-word") {
				t.Errorf("shows the secret: %s", r.Error)
			}
		})
	}
	t.Run("a silent token server", func(t *testing.T) {
		s := newSite(t, site.URL)
		s.Request.OAuth2 = &sitemon.OAuth2{ClientID: "me", ClientSecret: "x", TokenURL: "http://" + listen(t, silent)}
		s.Timeout = hostileTimeout
		r := set.Probe(deadline(t, hostileTimeout), s)
		wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "fetching an OAuth 2 token: no answer within 400ms")
		if r.Duration < hostileTimeout/2 {
			t.Errorf("it took %s, all of which was waiting for the token", r.Duration)
		}
	})
}
