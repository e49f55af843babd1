package web

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// contentSecurityPolicy lets a page load nothing but what this server serves,
// and lets no other page frame it.
const contentSecurityPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard is in front of every route: it sets the security headers, and refuses
// requests that a foreign web page made a browser send.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: browsers would send "Origin: null" with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}

		switch {
		case !utf8.ValidString(r.URL.Path) || strings.ContainsRune(r.URL.Path, 0):
			s.answerProblem(w, r, classAPI, errNoRoute) // no name has these, and no database takes them
		case !s.hostAllowed(r):
			p := problemf(http.StatusForbidden, "this server is not served under the host name %q; add it to web.hosts", hostname(r.Host))
			s.answerProblem(w, r, classAPI, p)
		case changes(r.Method) && foreign(r):
			s.answerProblem(w, r, classAPI, problemf(http.StatusForbidden, "the request comes from a page of another origin"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// hostAllowed protects against DNS rebinding: a foreign page whose name has been
// pointed at this address reaches the server, but under its own name. The health
// routes tell nothing and are asked by orchestrators under all sorts of names.
func (s *Server) hostAllowed(r *http.Request) bool {
	if s.AnyHost || s.Auth != nil || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return true
	}
	host := hostname(r.Host)
	return slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) ||
		slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// hostname is a Host header's name in lower case, without port and brackets.
func hostname(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

// changes reports whether requests of the method change anything.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// foreign reports whether a browser says that a page of another origin made the
// request. One without Origin, from a script, is not foreign.
func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return true
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	if len(origins) > 1 || err != nil || u.Host == "" {
		return true // also "null"
	}
	// The scheme is not compared: behind a proxy that ends TLS it differs.
	return !strings.EqualFold(withoutDefaultPort(u.Host), withoutDefaultPort(r.Host))
}

func withoutDefaultPort(hostport string) string {
	return strings.TrimSuffix(strings.TrimSuffix(hostport, ":80"), ":443")
}
