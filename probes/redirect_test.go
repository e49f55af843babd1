package probes_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"sitemon"
	"sitemon/probes"
)

func TestRedirects(t *testing.T) {
	final := httptest.NewServer(http.HandlerFunc(echo))
	defer final.Close()
	// The same server under another host name is another host.
	other := strings.Replace(final.URL, "127.0.0.1", "localhost", 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", echo)
	for _, code := range []string{"301", "302", "303", "307", "308"} {
		status := map[string]int{"301": 301, "302": 302, "303": 303, "307": 307, "308": 308}[code]
		mux.HandleFunc("/same/"+code, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/echo?from="+code)
			w.WriteHeader(status)
		})
	}
	mux.Handle("/away", http.RedirectHandler(other+"/away", http.StatusFound))
	mux.HandleFunc("/nowhere", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
	mux.HandleFunc("/cookie", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("seen"); err == nil {
			echo(w, r)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
		http.Redirect(w, r, "/cookie", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	post := func(r *sitemon.Request) {
		r.Method, r.Body = "POST", "hello"
		r.Headers = []sitemon.Header{{Name: "Content-Type", Value: "text/x"}, {Name: "X-One", Value: "1"}, {Name: "X-Api-Key", Value: "k"}, {Name: "Cookie", Value: "a=b"}, {Name: "Host", Value: "own.example"}}
		r.Authorization = &sitemon.Authorization{Credentials: "token-12345"}
	}
	tests := []struct {
		name    string
		path    string
		request func(*sitemon.Request)
		want    []string
		absent  []string
	}{
		{"301 makes a GET", "/same/301", post, []string{"GET /echo?from=301", "host=own.example", "Authorization=", "X-One=1", "length=0"}, []string{"hello", "Content-Type"}},
		{"302 makes a GET", "/same/302", post, []string{"GET /echo?from=302", "length=0"}, []string{"hello"}},
		{"303 makes a GET", "/same/303", post, []string{"GET /echo?from=303", "length=0"}, []string{"hello"}},
		{"307 keeps method and body", "/same/307", post, []string{"POST /echo?from=307", "Content-Type=text/x", "length=5 body=hello"}, nil},
		{"308 keeps method and body", "/same/308", post, []string{"POST /echo?from=308", "length=5 body=hello"}, nil},
		{"credentials stay behind", "/away", post, []string{"host=localhost", "X-One=1"}, []string{"Authorization", "Cookie", "own.example"}},
		{"cookies are kept", "/cookie", nil, []string{"Cookie=seen=yes"}, nil},
		{"a kept connection", "/same/302", func(r *sitemon.Request) { r.KeepAlive = true }, []string{"GET /echo?from=302"}, nil},
	}
	set := newSet(t, probes.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, server.URL+tt.path)
			if tt.request != nil {
				tt.request(site.Request)
			}
			got := seen(t, set, site)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s,\nwant %s in it", got, want)
				}
			}
			for _, not := range tt.absent {
				if strings.Contains(got, not) {
					t.Errorf("got %s,\nwant no %s in it", got, not)
				}
			}
		})
	}
	t.Run("not followed", func(t *testing.T) {
		site := newSite(t, server.URL+"/same/302")
		site.Request.FollowRedirects = false
		site.Expect.Status = []sitemon.StatusRange{{From: 302, To: 302}}
		wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeUp, "", "")
	})
	t.Run("no location", func(t *testing.T) {
		r := probe(t, probes.Options{}, newSite(t, server.URL+"/nowhere"))
		wantReport(t, r, sitemon.OutcomeUp, "", "")
		if r.StatusCode != http.StatusFound {
			t.Errorf("status %d", r.StatusCode)
		}
	})
	t.Run("one too many", func(t *testing.T) {
		site := newSite(t, server.URL+"/same/302")
		site.Request.MaxRedirects = 0
		wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeDown, sitemon.ReasonRedirect, `more than 0 redirects, the last one to "/echo?from=302"`)
	})
	t.Run("to a denied address", func(t *testing.T) {
		opts := probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")}}
		meta := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data", http.StatusFound))
		defer meta.Close()
		r := probe(t, opts, newSite(t, meta.URL))
		wantReport(t, r, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "address 169.254.169.254 is not allowed by the address policy")
	})
}

func TestRedirectsAreTraced(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Session-Token", "abcdef")
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/next?user=joe", http.StatusFound)
		}
	}))
	defer server.Close()
	set := newSet(t, probes.Options{})
	_, d := set.Explain(t.Context(), newSite(t, strings.Replace(server.URL, "://", "://joe:secret@", 1)))
	if len(d.Hops) != 2 {
		t.Fatalf("hops %+v", d.Hops)
	}
	if u := d.Hops[0].URL; strings.Contains(u, "secret") {
		t.Errorf("shows the password: %s", u)
	}
	if d.Hops[0].StatusCode != 302 || d.Hops[0].Headers.Get("Location") != "/next?user=joe" || d.Hops[1].StatusCode != 200 {
		t.Errorf("hops %+v", d.Hops)
	}
	if got := d.Hops[1].Headers.Get("X-Session-Token"); got != sitemon.Redacted {
		t.Errorf("shows the token: %s", got)
	}
}
