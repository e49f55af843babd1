package probes_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// seenHeaders remembers what a server was sent.
type seenHeaders struct {
	mu  sync.Mutex
	all []string
}

func (s *seenHeaders) handler(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.all = append(s.all, fmt.Sprintf("%s %s %v %s", r.Method, r.RequestURI, r.Header, body))
		s.mu.Unlock()
		w.WriteHeader(status)
	}
}

func (s *seenHeaders) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.all, "\n")
}

// giving answers each path with a value as JSON, and what it says in headers.
func giving(t *testing.T, value string, header http.Header) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		_, _ = fmt.Fprintf(w, `{"v":%q}`, value)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

var captureV = []sitemon.Capture{{Name: "v", JSON: "v"}}

// TestStepsLedAstray follows what hostile servers give to be captured.
func TestStepsLedAstray(t *testing.T) {
	var away seenHeaders
	other := httptest.NewServer(away.handler(http.StatusOK))
	defer other.Close()
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	step := func(s sitemon.Step) option {
		return func(site *sitemon.Site) {
			s.Name = "second"
			site.Steps = []sitemon.Step{{Name: "first", Capture: captureV}, s}
			site.References = true
			site.Request.Authorization = &sitemon.Authorization{Credentials: "site-credential"}
			site.Request.Headers = []sitemon.Header{{Name: "X-Api-Key", Value: "site-api-key"}, {Name: "X-Plain", Value: "plain"}}
		}
	}
	key := []sitemon.Header{{Name: "X-Token", Value: "step-credential"}, {Name: "X-Step", Value: "{{v}}"}}
	tests := []struct {
		name   string
		value  string
		change option
		opts   probes.Options
		want   sitemon.Outcome
		reason sitemon.Reason
		text   string
		sent   []string // to the other server
		kept   []string // from it
	}{
		{"another host", elsewhere + "/x", step(sitemon.Step{URL: "{{v}}", Headers: key}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"GET /x", "plain", "X-Step"}, []string{"site-credential", "site-api-key", "step-credential"}},
		{"another host that was written", "x", step(sitemon.Step{URL: elsewhere + "/{{v}}", Headers: key}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"step-credential", "plain"}, []string{"site-credential", "site-api-key"}},
		{"a host in the middle", strings.TrimPrefix(elsewhere, "http://"), step(sitemon.Step{URL: "http://{{v}}/x", Headers: key}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"GET /x"}, []string{"credential", "api-key"}},
		{"a user before the host", "user:pass@" + strings.TrimPrefix(elsewhere, "http://"), step(sitemon.Step{URL: "//{{v}}/x", Headers: key}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"GET /x"}, []string{"credential", "api-key"}},
		{"a denied address", "http://169.254.169.254/latest/meta-data", step(sitemon.Step{URL: "{{v}}"}), probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")}}, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "step 2 (second): address 169.254.169.254 is not allowed", nil, nil},
		{"a denied address, mapped", "http://[::ffff:169.254.169.254]/", step(sitemon.Step{URL: "{{v}}"}), probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")}}, sitemon.OutcomeUnknown, sitemon.ReasonBlocked, "not allowed", nil, nil},
		{"another scheme", "file:///etc/passwd", step(sitemon.Step{URL: "{{v}}"}), probes.Options{}, sitemon.OutcomeDown, sitemon.ReasonRedirect, "a captured value leads to \"<redacted>\", which is neither http nor https", nil, nil},
		{"no address", "http://[", step(sitemon.Step{URL: "{{v}}"}), probes.Options{}, sitemon.OutcomeDown, sitemon.ReasonRedirect, "step 2 (second)", nil, nil},
		{"a path that climbs", "../../admin?x=1#y", step(sitemon.Step{URL: elsewhere + "/a/b/{{v}}/c"}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"GET /a/b/..%2F..%2Fadmin%3Fx=1%23y/c"}, nil},
		{"a query that goes on", "1&admin=true", step(sitemon.Step{URL: elsewhere + "/?id={{v}}"}), probes.Options{}, sitemon.OutcomeUp, "", "", []string{"GET /?id=1%26admin%3Dtrue"}, nil},
		{"a reference", "${PASSWORD} {{v}} {{{{v}}", step(sitemon.Step{URL: elsewhere, Method: "POST", Body: "<{{v}}>"}), shopOptions, sitemon.OutcomeUp, "", "", []string{"<${PASSWORD} {{v}} {{{{v}}>"}, []string{"hunter22"}},
		{"a line break", "a\r\nX-Evil: 1", step(sitemon.Step{URL: elsewhere, Headers: []sitemon.Header{{Name: "X-V", Value: "{{v}}"}}}), probes.Options{}, sitemon.OutcomeDown, sitemon.ReasonJSON, "control characters", nil, []string{"Evil"}},
		{"a line break of another kind", "a\u0085X-Evil: 1", step(sitemon.Step{URL: elsewhere, Headers: []sitemon.Header{{Name: "X-V", Value: "{{v}}"}}}), probes.Options{}, sitemon.OutcomeDown, sitemon.ReasonJSON, "control characters", nil, []string{"Evil"}},
		{"a great deal", strings.Repeat("x", 10<<20), step(sitemon.Step{URL: elsewhere}), probes.Options{}, sitemon.OutcomeDown, sitemon.ReasonJSON, "absent in the first 1048576 bytes", nil, []string{"GET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			away.all = nil
			tt.opts.Expander = shopOptions.Expander
			r := probe(t, tt.opts, newSite(t, giving(t, tt.value, nil), tt.change))
			wantReport(t, r, tt.want, tt.reason, tt.text)
			got := away.String()
			for _, want := range tt.sent {
				if !strings.Contains(got, want) {
					t.Errorf("the other server was not sent %q: %s", want, got)
				}
			}
			for _, secret := range tt.kept {
				if strings.Contains(got, secret) {
					t.Errorf("the other server was sent %q: %s", secret, got)
				}
			}
			if len(tt.value) < 1000 && strings.Contains(r.Error+r.Evidence, tt.value) {
				t.Errorf("what was captured is in %s %s", r.Error, r.Evidence)
			}
		})
	}
}

// TestStepsCookies shows which cookies go along.
func TestStepsCookies(t *testing.T) {
	var seen seenHeaders
	other := httptest.NewServer(seen.handler(http.StatusOK))
	defer other.Close()
	first := giving(t, "x", http.Header{"Set-Cookie": {"here=1; Path=/", "foreign=2; Domain=example.com", "suffix=3; Domain=com"}})
	site := newSite(t, first, steps(
		sitemon.Step{Name: "first", URL: first},
		sitemon.Step{Name: "same host", URL: other.URL},
		sitemon.Step{Name: "another host", URL: strings.Replace(other.URL, "127.0.0.1", "localhost", 1)},
	))
	set := newSet(t, probes.Options{})
	for range 2 { // the second probe begins without any
		wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
	}
	if got := seen.String(); strings.Count(got, "Cookie:[here=1]") != 2 || strings.Contains(got, "foreign") || strings.Contains(got, "suffix") {
		t.Errorf("sent %s", got)
	}
}

// TestHostileSteps lets the second step meet every peer of HTTP: the report is
// that of the peer, in time, with nothing left over.
func TestHostileSteps(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		good := listen(t, func(c net.Conn) {
			for {
				readRequest(c)
				if _, err := io.WriteString(c, okHead+"Content-Length: 9\r\n\r\n{\"v\":\"x\"}"); err != nil {
					return
				}
			}
		})
		set := newSet(t, probes.Options{})
		for _, p := range append(httpPeers, peer{"closes kept connections", closing, "", ""}) {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "http://"+good, steps(
					sitemon.Step{Name: "good", Capture: captureV},
					sitemon.Step{Name: "hostile", URL: "http://" + listen(t, p.handle) + "/{{v}}"},
				))
				r := meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
				if p.want != "" && !strings.HasPrefix(r.Error, "step 2 (hostile): ") {
					t.Errorf("error %q", r.Error)
				}
			})
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}

// closing answers one request and closes, without having said so.
func closing(c net.Conn) {
	readRequest(c)
	_, _ = io.WriteString(c, okHead+"Content-Length: 2\r\n\r\nok")
}

// TestStepsOnKeptConnections meets servers that close between two steps, and those
// of other versions of HTTP.
func TestStepsOnKeptConnections(t *testing.T) {
	var conns atomic.Int32
	ca := newAuthority(t)
	count := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto+r.Method) }
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(count))
	h2.EnableHTTP2, h2.TLS = true, serverTLS(ca.server(t, nil))
	h2.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	h2.StartTLS()
	defer h2.Close()
	h3 := serveHTTP3(t, ca.server(t, nil), count)
	tests := []struct {
		name, target string
		change       option
		proto        string
	}{
		{"closed by the server", "http://" + listen(t, closing), nil, "ok"},
		{"HTTP/2", h2.URL, nil, "HTTP/2.0"},
		{"HTTP/3", "https://" + h3, http3Site, "HTTP/3.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, tt.target, steps(sitemon.Step{Name: "a"}, sitemon.Step{Name: "b", Method: "POST"}, sitemon.Step{Name: "c"}))
			if tt.change != nil {
				tt.change(site)
			}
			site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, tt.proto)}
			r := probe(t, probes.Options{Roots: ca.pool()}, site)
			wantReport(t, r, sitemon.OutcomeUp, "", "")
		})
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections by HTTP/2, want 1", n)
	}
}

// TestStepsRedirectLoop leads a step in circles.
func TestStepsRedirectLoop(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	defer server.Close()
	r := probe(t, probes.Options{}, newSite(t, giving(t, "x", nil), steps(sitemon.Step{Name: "a", Capture: captureV}, sitemon.Step{Name: "b", URL: server.URL + "/{{v}}"})))
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonRedirect, "step 2 (b): more than 10 redirects")
	if !strings.Contains(r.Evidence, `"redirects":[`) || strings.Count(r.Evidence, `"status_code":302`) != 11 {
		t.Errorf("evidence %s", r.Evidence)
	}
}
