package probes_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/probes"
)

// evidence reads what a report carries, and holds it to what is promised of all.
func evidence(t *testing.T, r sitemon.Report) sitemon.ProbeEvidence {
	t.Helper()
	if len(r.Evidence) > sitemon.MaxEvidence {
		t.Errorf("%d bytes of evidence", len(r.Evidence))
	}
	r.Location = "here"
	message, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var back sitemon.Report
	if err := json.Unmarshal(message, &back); err != nil || back.Evidence != r.Evidence {
		t.Errorf("the message does not carry it as it is: %v\n got %q\nwant %q", err, back.Evidence, r.Evidence)
	}
	var e sitemon.ProbeEvidence
	if err := json.Unmarshal([]byte(r.Evidence), &e); err != nil {
		t.Fatalf("%v: %q", err, r.Evidence)
	}
	if e.Reason != r.Reason || e.Error == "" {
		t.Errorf("%s %q, want what the report says: %s", e.Reason, e.Error, r.Reason)
	}
	return e
}

// TestEvidence follows a redirect to a page that is not as it should be.
func TestEvidence(t *testing.T) {
	ca := newAuthority(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/from" {
			http.SetCookie(w, &http.Cookie{Name: "id", Value: "cookie-1234"})
			http.Redirect(w, r, "/to?token=short&lang=en", http.StatusFound)
			return
		}
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Link", `<https://me:pass@cdn.example/?x=1>; rel=a, <https://cdn.example/?a=b&sig=abc>`)
		w.Header().Set("Set-Cookie", "id=cookie-5678")
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "your cookie is %s\r\n<b>not&nbsp;ready</b>\t\x1b", r.Header.Get("Cookie"))
	})
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(handler)
			server.TLS = serverTLS(ca.server(t, func(c *x509.Certificate) { c.NotAfter = time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC) }))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			addr := server.Listener.Addr().String()
			site := newSite(t, "https://"+addr+"/from")
			site.Request.Headers = []sitemon.Header{{Name: "X-Api-Key", Value: "key-1234"}, {Name: "Accept", Value: "text/*"}}
			site.Request.Authorization = &sitemon.Authorization{Credentials: "credential-1"}
			site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "ready now")}
			r := probe(t, probes.Options{Roots: ca.pool(), UserAgent: "tester"}, site)
			wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonStatus, `body "your cookie is id=<redacted>`)
			got := evidence(t, r)
			want := sitemon.ProbeEvidence{
				Reason: sitemon.ReasonStatus, Error: r.Error,
				Request: &sitemon.EvidenceRequest{
					Method: "GET", URL: "https://" + addr + "/to?token=<redacted>&lang=en",
					Headers: map[string]string{
						"Accept": "text/*", "Host": addr, "User-Agent": "tester", "Authorization": "<redacted>", "Cookie": "<redacted>",
						"X-Api-Key": "<redacted>",
					},
				},
				Redirects: []sitemon.EvidenceRedirect{{
					URL: "https://" + addr + "/from", StatusCode: 302, Location: "/to?token=<redacted>&lang=en",
				}},
				Response: &sitemon.EvidenceResponse{
					Protocol: name, Status: "503 Service Unavailable",
					Headers: map[string]string{
						"Content-Type": "text/plain", "Set-Cookie": "<redacted>", "Www-Authenticate": `Basic realm="here"`,
						"Link": `<https://me:<redacted>@cdn.example/?x=1>; rel=a, <https://cdn.example/?a=b&sig=<redacted>>`,
					},
					Body: "your cookie is id=<redacted>\n<b>not&nbsp;ready</b>\t\\x1b",
				},
				Expectations: []sitemon.EvidenceExpectation{
					{Name: "status", Expected: "200-399", Seen: "503"},
					{Name: "body", Expected: `a match of "ready now"`, Seen: `"your cookie is id=<redacted>\r\n<b>not&nbsp;ready</b>\t\x1b"`},
				},
				Addresses: []string{addr},
				TLS: &sitemon.EvidenceTLS{
					Version: "TLS 1.3", CipherSuite: got.TLS.CipherSuite,
					Certificates: []sitemon.EvidenceCertificate{{
						Subject: "CN=server", Issuer: "CN=Test Authority",
						NotAfter: time.Date(2050, 1, 2, 3, 4, 5, 0, time.UTC), Names: []string{"localhost", "127.0.0.1"},
					}},
				},
			}
			want.Response.Headers["Content-Length"] = got.Response.Headers["Content-Length"]
			if !http2 {
				want.Request.Headers["Connection"] = "close"
			}
			for _, phase := range []string{"connect", "tls", "processing", "transfer"} {
				if got.PhasesUS[phase] <= 0 {
					t.Errorf("phase %s took %d µs", phase, got.PhasesUS[phase])
				}
			}
			if want.PhasesUS = got.PhasesUS; len(got.PhasesUS) != 4 {
				t.Errorf("phases %v", got.PhasesUS)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestEvidenceOfWhatDidNotCome: a probe that failed early has less to show.
func TestEvidenceOfWhatDidNotCome(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := refusing.Addr().String()
	refusing.Close()
	untrusted := listenTLS(t, other.server(t, nil), nil, silent)
	cut := listen(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe first", nil))
	loop := listen(t, answer("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", nil))
	no := func(parts ...string) []string { return parts }
	for name, tt := range map[string]struct {
		url    string
		reason sitemon.Reason
		absent []string
		check  func(sitemon.ProbeEvidence) bool
	}{
		"refused": {
			"http://localhost:" + portOf(refused), sitemon.ReasonConnectRefused, no("response", "redirects", "tls", "expectations"),
			func(e sitemon.ProbeEvidence) bool {
				return slices.Equal(e.Addresses, []string{refused, "[::1]:" + portOf(refused)}) && e.Request.Method == "GET"
			},
		},
		"refused by TCP": {
			"tcp://" + refused, sitemon.ReasonConnectRefused, no("request", "response", "tls"),
			func(e sitemon.ProbeEvidence) bool { return slices.Equal(e.Addresses, []string{refused}) },
		},
		"untrusted": {
			"https://" + untrusted, sitemon.ReasonTLSUntrusted, no("response", "expectations"),
			func(e sitemon.ProbeEvidence) bool {
				return e.TLS.Certificates[0].Issuer == "CN=Test Authority" && e.PhasesUS["tls"] > 0 && e.PhasesUS["processing"] == 0
			},
		},
		"cut off": {
			"http://" + cut, sitemon.ReasonTransferError, no("tls", "expectations", "cut"),
			func(e sitemon.ProbeEvidence) bool { return e.Response.Body == "the first" },
		},
		"a loop": {
			"http://" + loop, sitemon.ReasonRedirect, no("tls", "expectations"),
			func(e sitemon.ProbeEvidence) bool {
				return len(e.Redirects) == 10 && slices.Equal(e.Cut, []string{"redirects"}) && e.Response.Headers["Location"] == "/again"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, tt.url)
			site.Request.MaxRedirects = 12
			r := probe(t, probes.Options{Roots: ca.pool()}, site)
			wantReport(t, r, sitemon.OutcomeDown, tt.reason, "")
			e := evidence(t, r)
			for _, part := range tt.absent {
				if strings.Contains(r.Evidence, `"`+part+`":`) {
					t.Errorf("has %s: %s", part, r.Evidence)
				}
			}
			if !tt.check(e) {
				t.Errorf("got %s", r.Evidence)
			}
		})
	}
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func TestWhoHasEvidence(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }))
	defer server.Close()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, tt := range map[string]struct {
		opts    probes.Options
		change  option
		outcome sitemon.Outcome
		want    bool
	}{
		"up":                      {outcome: sitemon.OutcomeUp},
		"degraded":                {change: func(s *sitemon.Site) { s.Expect.Latency = time.Nanosecond }, outcome: sitemon.OutcomeDegraded, want: true},
		"down":                    {change: func(s *sitemon.Site) { s.Expect.Status = []sitemon.StatusRange{{From: 201, To: 201}} }, outcome: sitemon.OutcomeDown, want: true},
		"not allowed":             {opts: probes.Options{Deny: loopback}, outcome: sitemon.OutcomeUnknown},
		"the monitor's own fault": {change: func(s *sitemon.Site) { s.Kind = "smoke" }, outcome: sitemon.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, server.URL)
			if tt.change != nil {
				tt.change(site)
			}
			r := probe(t, tt.opts, site)
			if r.Outcome != tt.outcome || (r.Evidence != "") != tt.want {
				t.Errorf("%s %s with evidence %q", r.Outcome, r.Error, r.Evidence)
			}
			if tt.want {
				evidence(t, r)
			}
		})
	}
}
