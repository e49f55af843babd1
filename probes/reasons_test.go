package probes_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sitemon"
	"sitemon/probes"
)

// reasonCase is a site that ends with a reason.
type reasonCase struct {
	outcome sitemon.Outcome
	opts    probes.Options
	site    *sitemon.Site
}

// TestEveryReason probes one site for each reason of the closed list. It reads the
// list from where it is declared: a new reason needs a case here.
func TestEveryReason(t *testing.T) {
	cases := map[sitemon.Reason]reasonCase{}
	for _, some := range []func(*testing.T) map[sitemon.Reason]reasonCase{namedReasons, secureReasons, exchangeReasons, judgedReasons, ownReasons} {
		maps.Copy(cases, some(t))
	}
	declared := declaredReasons(t)
	for _, reason := range declared {
		c, ok := cases[reason]
		if !ok {
			t.Errorf("no case ends with the reason %q", reason)
			continue
		}
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			r := newSet(t, c.opts).Probe(deadline(t, c.site.Timeout), c.site)
			wantReport(t, r, c.outcome, reason, "")
			if r.Error == "" {
				t.Error("a report that is not up does not say why")
			}
		})
	}
	for reason := range cases {
		if !slices.Contains(declared, reason) {
			t.Errorf("the reason %q of a case is not in the list", reason)
		}
	}
}

// declaredReasons reads the constants of type Reason of package sitemon.
func declaredReasons(t *testing.T) []sitemon.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []sitemon.Reason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
			return true
		}
		for _, v := range spec.Values {
			if text, err := strconv.Unquote(v.(*ast.BasicLit).Value); err == nil {
				reasons = append(reasons, sitemon.Reason(text))
			}
		}
		return true
	})
	if len(reasons) < 20 {
		t.Fatalf("only %d reasons were found where they are declared", len(reasons))
	}
	return reasons
}

// namedReasons are those of looking up and connecting.
func namedReasons(t *testing.T) map[sitemon.Reason]reasonCase {
	named := func(code dnsmessage.RCode) probes.Options {
		return probes.Options{Resolver: nameServer(t, func(_ dnsmessage.Question, m *dnsmessage.Message) []byte {
			m.RCode = code
			out, _ := m.Pack()
			return out
		})}
	}
	dumb := probes.Options{Resolver: nameServer(t, func(dnsmessage.Question, *dnsmessage.Message) []byte { return nil })}
	const url = "http://site.example.org/"
	return map[sitemon.Reason]reasonCase{
		sitemon.ReasonDNSNotFound:    {"down", named(dnsmessage.RCodeNameError), newSite(t, url)},
		sitemon.ReasonDNSTimeout:     {"down", dumb, newSite(t, url, within(hostileTimeout))},
		sitemon.ReasonDNSError:       {"down", named(dnsmessage.RCodeServerFailure), newSite(t, url)},
		sitemon.ReasonConnectRefused: {"down", probes.Options{}, newSite(t, "tcp://"+closedPort(t))},
		sitemon.ReasonConnectTimeout: {"down", probes.Options{}, newSite(t, "tcp://"+fullBacklog(t), within(hostileTimeout))},
		sitemon.ReasonConnectError:   {"down", probes.Options{}, newSite(t, "tcp://255.255.255.255:9")}, // TCP has no broadcast: nothing is sent
		sitemon.ReasonBlocked:        {"unknown", probes.Options{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, newSite(t, "tcp://127.0.0.1:9")},
	}
}

// secureReasons are those of the TLS handshake and of the certificate.
func secureReasons(t *testing.T) map[sitemon.Reason]reasonCase {
	ca, stranger := newAuthority(t), newAuthority(t)
	trusted := probes.Options{Roots: ca.pool()}
	shows := func(by *authority, change func(*x509.Certificate)) string {
		return "tls://" + listenTLS(t, by.server(t, change), nil, silent)
	}
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-10*day), time.Now().Add(-time.Hour)
	}
	another := func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"a.example"}, nil }
	soon := expects(func(e *sitemon.Expect) { e.CertificateValidFor = 101 * day })
	return map[sitemon.Reason]reasonCase{
		sitemon.ReasonTLSExpired:   {"down", trusted, newSite(t, shows(ca, expired))},
		sitemon.ReasonTLSHostname:  {"down", trusted, newSite(t, shows(ca, another))},
		sitemon.ReasonTLSUntrusted: {"down", trusted, newSite(t, shows(stranger, nil))},
		sitemon.ReasonTLSTimeout:   {"down", trusted, newSite(t, "tls://"+listen(t, silent), within(hostileTimeout))},
		sitemon.ReasonTLSError:     {"down", trusted, newSite(t, "tls://"+listen(t, writes("HTTP/1.1 400 Bad Request\r\n\r\n", silent)))},
		sitemon.ReasonCertificate:  {"degraded", trusted, newSite(t, shows(ca, nil), soon)},
	}
}

// exchangeReasons are those of the request and its answer.
func exchangeReasons(t *testing.T) map[sitemon.Reason]reasonCase {
	peer := func(handle func(net.Conn), options ...option) *sitemon.Site {
		return newSite(t, "http://"+listen(t, handle), options...)
	}
	deniesToken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(deniesToken.Close)
	withToken := func(s *sitemon.Site) {
		s.Request.OAuth2 = &sitemon.OAuth2{ClientID: "a", ClientSecret: "b", TokenURL: deniesToken.URL}
	}
	none := probes.Options{}
	return map[sitemon.Reason]reasonCase{
		sitemon.ReasonSendError:         {"down", none, peer(silent, withToken)},
		sitemon.ReasonProcessingTimeout: {"down", none, peer(silent, within(hostileTimeout))},
		sitemon.ReasonTransferTimeout:   {"down", none, peer(answer(okHead, silent), within(hostileTimeout))},
		sitemon.ReasonTransferError:     {"down", none, peer(answer(okHead, nil))},
		sitemon.ReasonRedirect:          {"down", none, peer(answer("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", nil))},
		sitemon.ReasonProtocol:          {"down", none, peer(answer("SSH-2.0-OpenSSH_9.9\r\n", nil))},
	}
}

// judgedReasons are those of expectations.
func judgedReasons(t *testing.T) map[sitemon.Reason]reasonCase {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"bad"}`) }))
	t.Cleanup(server.Close)
	judged := func(outcome sitemon.Outcome, change func(*sitemon.Expect)) reasonCase {
		return reasonCase{outcome, probes.Options{}, newSite(t, server.URL, expects(change))}
	}
	return map[sitemon.Reason]reasonCase{
		sitemon.ReasonStatus: judged("down", func(e *sitemon.Expect) { e.Status = []sitemon.StatusRange{{From: 201, To: 201}} }),
		sitemon.ReasonHeader: judged("down", func(e *sitemon.Expect) {
			e.Headers = []sitemon.HeaderPattern{{Name: "Content-Type", Pattern: pattern(t, "html")}}
		}),
		sitemon.ReasonBody: judged("down", func(e *sitemon.Expect) { e.BodyMatch = []sitemon.Pattern{pattern(t, "good")} }),
		sitemon.ReasonJSON: judged("down", func(e *sitemon.Expect) {
			e.JSON = []sitemon.JSONExpectation{{Path: "status", Operator: sitemon.JSONEquals, Value: []byte(`"good"`)}}
		}),
		sitemon.ReasonLatency: judged("degraded", func(e *sitemon.Expect) { e.Latency = time.Nanosecond }),
	}
}

// ownReasons are those that say nothing about the site. A monitor without any network
// and one that has too much to do make the same reasons in package scheduler.
func ownReasons(t *testing.T) map[sitemon.Reason]reasonCase {
	starved := probes.Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("socket: too many open files")
	}}}
	beats := func(store probes.Heartbeats) reasonCase {
		site := newSite(t, "heartbeat://x", func(s *sitemon.Site) {
			s.Request.Heartbeat = &sitemon.HeartbeatRequest{Every: time.Hour, Grace: time.Minute}
		})
		return reasonCase{"unknown", probes.Options{Heartbeats: store}, site}
	}
	return map[sitemon.Reason]reasonCase{
		sitemon.ReasonMonitorOverloaded: {"unknown", starved, newSite(t, "http://site.example.org/")},
		sitemon.ReasonMonitorOffline:    beats(recorded{err: errors.New("no connection to the database")}),
		sitemon.ReasonMonitorStopped:    beats(recorded{state: sitemon.HeartbeatState{Since: time.Now()}}),
		sitemon.ReasonInternal:          {"unknown", probes.Options{Expander: fakeExpander{}}, newSite(t, "http://${NOWHERE}/")},
	}
}
