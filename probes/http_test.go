package probes_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s host=%s agent=%s\n", r.Method, r.URL.RequestURI(), r.Host, r.UserAgent())
	for _, name := range []string{"Authorization", "X-One", "Cookie", "Content-Type", "Connection", "Content-Length"} {
		if v := r.Header.Values(name); len(v) > 0 {
			fmt.Fprintf(w, "%s=%s\n", name, strings.Join(v, "|"))
		}
	}
	fmt.Fprintf(w, "length=%d body=%s\n", r.ContentLength, body)
}

// seen probes an echo and returns what it was asked, by expecting the impossible
// and reading the check of the body.
func seen(t *testing.T, set *probes.Set, site *sitemon.Site) string {
	t.Helper()
	never, _ := sitemon.CompilePattern("never so")
	site.Expect = &sitemon.Expect{BodyMatch: []sitemon.Pattern{never}}
	r, d := set.Explain(t.Context(), site)
	if len(d.Checks) < 2 {
		t.Fatalf("no answer: %s/%s %s", r.Outcome, r.Reason, r.Error)
	}
	return d.Checks[1].Seen
}

func TestRequestOptions(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	secrets := t.TempDir()
	file := filepath.Join(secrets, "password")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		path    string
		request func(*sitemon.Request)
		want    []string
	}{
		{"the plainest", "", nil, []string{"GET / host=" + host + " agent=SiteMon", "Connection=close", "length=0 body="}},
		{"a query", "/a%20b?c=d&e", nil, []string{"GET /a%20b?c=d&e "}},
		{"a method with a body", "/", func(r *sitemon.Request) { r.Method, r.Body = "POST", "a=b" }, []string{"POST / ", "length=3 body=a=b"}},
		{"a method without its body", "/", func(r *sitemon.Request) { r.Method = "POST" }, []string{"POST / ", "length=0 body="}},
		{"headers", "/", func(r *sitemon.Request) {
			r.Headers = []sitemon.Header{{Name: "x-one", Value: "1"}, {Name: "X-One", Value: "2"}, {Name: "host", Value: "other.example"}, {Name: "User-Agent", Value: "me"}, {Name: "Content-Length", Value: "99"}}
		}, []string{"host=other.example agent=me", "X-One=1|2", "length=0"}},
		{"basic auth", "/", func(r *sitemon.Request) {
			r.BasicAuth = &sitemon.BasicAuth{Username: "joe", Password: "secret"}
		}, []string{"Authorization=Basic <redacted>"}},
		{"credentials of a type", "/", func(r *sitemon.Request) {
			r.Authorization = &sitemon.Authorization{Type: "Token", Credentials: "abcdef"}
		}, []string{"Authorization=Token <redacted>"}},
		{"credentials of a file", "/", func(r *sitemon.Request) {
			r.Authorization = &sitemon.Authorization{CredentialsFile: file}
		}, []string{"Authorization=Bearer <redacted>"}},
		{"keep alive", "/", func(r *sitemon.Request) { r.KeepAlive = true }, []string{"length=0"}},
	}
	set := newSet(t, probes.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, server.URL+tt.path)
			if tt.request != nil {
				tt.request(site.Request)
			}
			got := strings.ReplaceAll(seen(t, set, site), `\n`, "\n")
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s,\nwant %s in it", got, want)
				}
			}
		})
	}
}

func TestCredentialsReachTheServer(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer server.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name    string
		url     string
		request func(*sitemon.Request)
		want    string
	}{
		{"basic auth", server.URL, func(r *sitemon.Request) {
			r.BasicAuth = &sitemon.BasicAuth{Username: "joe", Password: "secret"}
		}, "Basic am9lOnNlY3JldA=="},
		{"basic auth of files", server.URL, func(r *sitemon.Request) {
			r.BasicAuth = &sitemon.BasicAuth{UsernameFile: write("user", "joe\n"), PasswordFile: write("password", "secret\r\n")}
		}, "Basic am9lOnNlY3JldA=="},
		{"in the URL", strings.Replace(server.URL, "://", "://joe:secret@", 1), nil, "Basic am9lOnNlY3JldA=="},
		{"a header", server.URL, func(r *sitemon.Request) {
			r.Headers = []sitemon.Header{{Name: "Authorization", Value: "Own x"}}
		}, "Own x"},
		{"bearer", server.URL, func(r *sitemon.Request) {
			r.Authorization = &sitemon.Authorization{CredentialsFile: write("token", "abc")}
		}, "Bearer abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, tt.url)
			if tt.request != nil {
				tt.request(site.Request)
			}
			wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeUp, "", "")
			if v := <-got; v != tt.want {
				t.Errorf("got %q, want %q", v, tt.want)
			}
		})
	}
}

// What can't be sent is the monitor's own failing, and names no secret.
func TestUnsendable(t *testing.T) {
	tests := []struct {
		name string
		url  string
		opts probes.Options
		set  func(*sitemon.Request)
		want string
	}{
		{"a line break in a header", "http://127.0.0.1:9/", probes.Options{}, func(r *sitemon.Request) {
			r.Headers = []sitemon.Header{{Name: "X-A", Value: "a\r\nX-B: b"}}
		}, "the header X-A holds characters"},
		{"a line break in credentials", "http://127.0.0.1:9/", probes.Options{}, func(r *sitemon.Request) {
			r.Authorization = &sitemon.Authorization{Credentials: "a\nb"}
		}, "the credentials hold characters"},
		{"a file that is missing", "http://127.0.0.1:9/", probes.Options{}, func(r *sitemon.Request) {
			r.BasicAuth = &sitemon.BasicAuth{PasswordFile: "/does/not/exist"}
		}, "basic_auth.password_file: open /does/not/exist: no such file"},
		{"a reference that is not set", "http://${NOPE}/", probes.Options{Expander: fakeExpander{}}, nil, "the variable NOPE is not set"},
		{"references and no expander", "http://${NOPE}/", probes.Options{}, nil, "which are not expanded here"},
		{"a URL that is none once expanded", "${URL}", probes.Options{Expander: fakeExpander{"URL": "http://user:secret@[::1"}}, nil, "the URL can't be read"},
		{"another scheme once expanded", "${URL}", probes.Options{Expander: fakeExpander{"URL": "ftp://a"}}, nil, `scheme "ftp"`},
		{"no host", "http:///path", probes.Options{}, nil, "the URL names no host"},
		{"a port too large", "http://127.0.0.1:99999/", probes.Options{}, nil, `the port "99999" is not a number from 1 to 65535`},
		{"a kind nobody knows", "gopher://127.0.0.1/", probes.Options{}, nil, `no probe of the kind "gopher"`},
		{"no port for tcp", "tcp://127.0.0.1", probes.Options{}, nil, "tcp://host:port is expected"},
		{"a proxy of another kind", "https://127.0.0.1:9", probes.Options{}, func(r *sitemon.Request) { r.ProxyURL = "ftp://proxy" }, `the scheme "ftp" is none of`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, tt.url)
			if site.Kind == "" {
				site.Kind = sitemon.KindHTTP
			}
			if tt.set != nil {
				tt.set(site.Request)
			}
			r := probe(t, tt.opts, site)
			wantReport(t, r, sitemon.OutcomeUnknown, sitemon.ReasonInternal, tt.want)
			if strings.Contains(r.Error, "secret") {
				t.Errorf("shows the secret: %s", r.Error)
			}
		})
	}
}

func TestPhasesAndFacts(t *testing.T) {
	ca := newAuthority(t)
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(w, "second")
	})
	cert := ca.server(t, nil)
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			server := httptest.NewUnstartedServer(slow)
			server.TLS, server.EnableHTTP2 = serverTLS(cert), http2
			server.StartTLS()
			defer server.Close()
			set := newSet(t, probes.Options{Roots: ca.pool()})
			r, d := set.Explain(t.Context(), newSite(t, server.URL))
			wantReport(t, r, sitemon.OutcomeUp, "", "")
			p := r.Phases
			if p.Connect <= 0 || p.TLS <= 0 || p.Processing < 20*time.Millisecond || p.Transfer < 15*time.Millisecond {
				t.Errorf("phases %+v", p)
			}
			if sum := p.Connect + p.TLS + p.Processing + p.Transfer; sum > r.Duration {
				t.Errorf("phases add up to %s, the probe took %s", sum, r.Duration)
			}
			if r.StatusCode != 200 || r.BodyBytes != 11 || r.BodyTruncated || r.RemoteAddr != server.Listener.Addr().String() {
				t.Errorf("report %+v", r)
			}
			if left := time.Until(r.CertificateExpiresAt); left < 99*24*time.Hour || left > 101*24*time.Hour {
				t.Errorf("certificate expires in %s", left)
			}
			want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]
			if len(d.Hops) != 1 || d.Hops[0].Protocol != want || d.TLS == nil || len(d.TLS.Certificates) != 1 {
				t.Errorf("detail %+v", d)
			}
		})
	}
}

func TestEnableHTTP2(t *testing.T) {
	ca := newAuthority(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.TLS, server.EnableHTTP2 = serverTLS(ca.server(t, nil)), true
	server.StartTLS()
	defer server.Close()
	set := newSet(t, probes.Options{Roots: ca.pool()})
	for enabled, want := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		site := newSite(t, server.URL)
		site.Request.EnableHTTP2 = enabled
		site.Request.Method, site.Request.Body = "POST", "hello"
		site.Request.Headers = []sitemon.Header{{Name: "X-One", Value: "1"}}
		pattern, _ := sitemon.CompilePattern(`(?s)^POST / .*agent=SiteMon.*X-One=1.*length=5 body=hello`)
		site.Expect.BodyMatch = []sitemon.Pattern{pattern}
		r, d := set.Explain(t.Context(), site)
		wantReport(t, r, sitemon.OutcomeUp, "", "")
		if d.Hops[0].Protocol != want {
			t.Errorf("enable_http2 %v: got %s, want %s", enabled, d.Hops[0].Protocol, want)
		}
	}
}
