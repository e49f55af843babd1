package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"sitemon/web"
)

func TestHostNames(t *testing.T) {
	own := func(o *web.Options) { o.Hosts = []string{"status.example.org"} }
	anyHost := func(o *web.Options) { o.AnyHost = true }
	for _, c := range []struct {
		host, path string
		edit       func(*web.Options)
		want       int
	}{
		{"localhost", "/api/v1/sites", own, 200},
		{"LOCALHOST:9999", "/api/v1/sites", own, 200},
		{"127.0.0.1:8080", "/api/v1/sites", own, 200},
		{"[::1]:8080", "/api/v1/sites", own, 200},
		{"[::1]", "/api/v1/sites", own, 200},
		{"status.example.org", "/api/v1/sites", own, 200},
		{"Status.Example.org:8080", "/api/v1/sites", own, 200},
		{"evil.example.org", "/api/v1/sites", own, 403},
		{"localhost.evil.example.org", "/api/v1/sites", own, 403},
		{"127.0.0.1.evil.example.org:8080", "/api/v1/sites", own, 403},
		{"192.0.2.1", "/api/v1/sites", own, 403},
		{"0.0.0.0:8080", "/api/v1/sites", own, 403},
		{"", "/api/v1/sites", own, 403},
		{"evil.example.org", "/badge/docs/status.svg", own, 403},
		{"evil.example.org", "/healthz", own, 200},
		{"10.1.2.3:8080", "/readyz", own, 200},
		{"evil.example.org", "/api/v1/sites", anyHost, 200},
	} {
		t.Run(c.host+c.path, func(t *testing.T) {
			w := ask(newServer(t, newAPIStore(), c.edit), "GET", c.path, "Host: "+c.host)
			wantStatus(t, w, c.want)
			if c.want == 403 {
				wantProblem(t, w.Header().Get("Content-Type"), w.Body.Bytes(), 403)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, c := range []struct {
		name    string
		headers []string
		want    int
	}{
		{"none: a script", nil, 200},
		{"own", []string{"Origin: http://localhost:8080"}, 200},
		{"own behind a proxy that ends TLS", []string{"Host: localhost", "Origin: https://localhost"}, 200},
		{"own, default port", []string{"Host: localhost:80", "Origin: http://localhost"}, 200},
		{"own, says the browser", []string{"Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"}, 200},
		{"foreign", []string{"Origin: https://evil.example.org"}, 403},
		{"another port", []string{"Origin: http://localhost:3000"}, 403},
		{"another name of this machine", []string{"Origin: http://127.0.0.1:8080"}, 403},
		{"null", []string{"Origin: null"}, 403},
		{"null, though the browser says own", []string{"Origin: null", "Sec-Fetch-Site: same-origin"}, 403},
		{"empty", []string{"Origin: "}, 403},
		{"two", []string{"Origin: http://localhost:8080", "Origin: https://evil.example.org"}, 403},
		{"none, but the browser says foreign", []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"none, but the browser says a sibling", []string{"Sec-Fetch-Site: same-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := append([]string{"Host: localhost:8080"}, c.headers...)
			w := ask(s, "POST", "/api/v1/config/reload", headers...)
			wantStatus(t, w, c.want)
			// Reading is not what Origin is about.
			wantStatus(t, ask(s, "GET", "/api/v1/sites", headers...), 200)
		})
	}
}

func TestBodiesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int
		size  int64 // as the request says
		want  int
	}{
		{"none", 0, 0, 200},
		{"as long as may be", 1 << 20, 1 << 20, 200},
		{"a byte longer", 1<<20 + 1, 1<<20 + 1, 413},
		{"longer, in chunks", 3 << 20, -1, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newAPIStore()
			r := httptest.NewRequest("POST", "http://localhost:8080/api/v1/config/reload", strings.NewReader(strings.Repeat("x", c.bytes)))
			r.ContentLength = c.size
			w := httptest.NewRecorder()
			newServer(t, f).Handler().ServeHTTP(w, r)
			wantStatus(t, w, c.want)
			if c.want != 200 {
				wantProblem(t, w.Header().Get("Content-Type"), w.Body.Bytes(), c.want)
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, target := range []string{"/api/v1/sites", "/api/v1/nothing", "/healthz", "/badge/docs/status.svg"} {
		h := ask(newServer(t, newAPIStore()), "GET", target).Header()
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: %q is not in the policy %q", target, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: unsafe policy %q", target, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: got %s %q, want %q", target, name, got, want)
			}
		}
	}
}
