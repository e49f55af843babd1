package probes_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// serveHTTP3 serves HTTP/3 until the test ends.
func serveHTTP3(t testing.TB, cert tls.Certificate, h http.HandlerFunc) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(serverTLS(cert))}
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Serve(pc) })
	t.Cleanup(func() {
		_ = s.Close()
		_ = pc.Close()
		wg.Wait()
	})
	return pc.LocalAddr().String()
}

func http3Site(s *sitemon.Site) { s.Request.EnableHTTP3 = true }

// TestHTTP3 makes requests by QUIC, and shows what becomes of the answers.
func TestHTTP3(t *testing.T) {
	ca := newAuthority(t)
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/from":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes"})
			http.Redirect(w, r, "/to", http.StatusFound)
		case "/to":
			c, _ := r.Cookie("seen")
			_, _ = io.WriteString(w, c.String())
		case "/echo":
			_, _ = io.Copy(w, r.Body)
		default:
			_, _ = io.WriteString(w, r.Proto+" "+r.Method+" "+r.Header.Get("X-Test")+" "+r.Host+" "+r.UserAgent())
		}
	}
	addr := serveHTTP3(t, ca.server(t, nil), answer)
	plain := listen(t, func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://"+addr+"/\r\n\r\n")
	})
	tests := []struct {
		name   string
		target string
		change option
		want   sitemon.Outcome
		reason sitemon.Reason
		text   string
	}{
		{"up", "https://" + addr, func(s *sitemon.Site) {
			s.Request.Headers = []sitemon.Header{{Name: "X-Test", Value: "here"}}
			s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "^HTTP/3.0 GET here "+addr+" SiteMon$")}
			s.Expect.HTTPVersions = []string{"HTTP/3.0"}
		}, sitemon.OutcomeUp, "", ""},
		{"a body", "https://" + addr + "/echo", func(s *sitemon.Site) {
			s.Request.Method, s.Request.Body, s.Expect.BodyMatch = "POST", strings.Repeat("x", 1<<20), []sitemon.Pattern{pattern(t, "^x+$")}
		}, sitemon.OutcomeUp, "", ""},
		{"a redirect with a cookie", "https://" + addr + "/from", func(s *sitemon.Site) { s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "seen=yes")} }, sitemon.OutcomeUp, "", ""},
		{"a redirect from TCP", "http://" + plain, func(s *sitemon.Site) { s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "^HTTP/3.0")} }, sitemon.OutcomeUp, "", ""},
		{"down", "https://" + addr + "/gone", func(*sitemon.Site) {}, sitemon.OutcomeDown, sitemon.ReasonStatus, "status 410"},
		{"degraded", "https://" + addr, func(s *sitemon.Site) { s.Expect.Latency = time.Nanosecond }, sitemon.OutcomeDegraded, sitemon.ReasonLatency, "took"},
		{"certificate soon over", "https://" + addr, func(s *sitemon.Site) { s.Expect.CertificateValidFor = 10000 * time.Hour }, sitemon.OutcomeDegraded, sitemon.ReasonCertificate, "certificate valid for"},
		{"another version", "https://" + addr, func(s *sitemon.Site) { s.Expect.HTTPVersions = []string{"HTTP/1.1", "HTTP/2.0"} }, sitemon.OutcomeDown, sitemon.ReasonProtocol, "HTTP/3.0, expected HTTP/1.1, HTTP/2.0"},
		{"another name", "https://" + addr, func(s *sitemon.Site) { s.Request.TLS = &sitemon.TLSConfig{ServerName: "other.test"} }, sitemon.OutcomeDown, sitemon.ReasonTLSHostname, "the certificate is not for other.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := probe(t, probes.Options{Roots: ca.pool()}, newSite(t, tt.target, http3Site, tt.change))
			wantReport(t, r, tt.want, tt.reason, tt.text)
			if r.RemoteAddr != addr {
				t.Errorf("remote address %q, want %q", r.RemoteAddr, addr)
			}
			p := r.Phases
			if p.Connect <= 0 || p.TLS <= 0 || tt.reason != sitemon.ReasonTLSHostname && (p.Processing <= 0 || p.Transfer <= 0) {
				t.Errorf("phases %+v", p)
			}
			if r.CertificateExpiresAt.IsZero() {
				t.Error("the certificate's end is not known")
			}
			if tt.want == sitemon.OutcomeDown && !strings.Contains(r.Evidence, `"version":"TLS 1.3"`) {
				t.Errorf("evidence %s", r.Evidence)
			}
		})
	}
}

// TestHTTP3Refused meets servers that can't be reached.
func TestHTTP3Refused(t *testing.T) {
	ca := newAuthority(t)
	expired := ca.server(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	never := func(http.ResponseWriter, *http.Request) {}
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	tests := []struct {
		name, addr string
		opts       probes.Options
		want       sitemon.Reason
		text       string
	}{
		{"nobody listens", closed.LocalAddr().String(), probes.Options{}, sitemon.ReasonConnectRefused, "connection refused by 127.0.0.1:"},
		{"expired", serveHTTP3(t, expired, never), probes.Options{Roots: ca.pool()}, sitemon.ReasonTLSExpired, "expired at"},
		{"untrusted", serveHTTP3(t, ca.server(t, nil), never), probes.Options{Roots: newAuthority(t).pool()}, sitemon.ReasonTLSUntrusted, "Test Authority"},
		{"denied", serveHTTP3(t, ca.server(t, nil), never), probes.Options{Roots: ca.pool(), Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, sitemon.ReasonBlocked, "address 127.0.0.1 is not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantHostile(t, probe(t, tt.opts, newSite(t, "https://"+tt.addr, http3Site)), tt.want, tt.text)
		})
	}
}

// TestHTTP3SecondAddress reaches a name whose first address does not answer.
func TestHTTP3SecondAddress(t *testing.T) {
	ca := newAuthority(t)
	addr := serveHTTP3(t, ca.server(t, nil), func(http.ResponseWriter, *http.Request) {})
	port := netip.MustParseAddrPort(addr).Port()
	silent := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port)
	pc, err := net.ListenPacket("udp", silent.String())
	if err != nil {
		testkit.Missing(t, "a second loopback address: "+err.Error())
	}
	defer func() { _ = pc.Close() }()
	set := newSet(t, probes.Options{Roots: ca.pool()})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err := set.RaceQUIC(ctx, newSite(t, "https://"+addr, http3Site), []netip.Addr{silent.Addr(), netip.MustParseAddr("127.0.0.1")}, port)
	if err != nil || got != addr {
		t.Errorf("connected to %q (%v), want %q", got, err, addr)
	}
}

// quicPeers misbehave where HTTP/3 is expected.
func quicPeers(t *testing.T, cert tls.Certificate) map[string]struct {
	addr string
	want []sitemon.Reason
} {
	type peer = struct {
		addr string
		want []sitemon.Reason
	}
	datagrams := func(reply func(p []byte) []byte) string {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			buf := make([]byte, 2048)
			for {
				n, from, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				if out := reply(buf[:n]); out != nil {
					for range 20 {
						_, _ = pc.WriteTo(out, from)
					}
				}
			}
		})
		t.Cleanup(func() { _ = pc.Close(); wg.Wait() })
		return pc.LocalAddr().String()
	}
	serve := func(conn func(*quic.Conn)) string { return listenQUIC(t, cert, conn) }
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	return map[string]peer{
		"silent":                  {datagrams(func([]byte) []byte { return nil }), []sitemon.Reason{sitemon.ReasonConnectTimeout}},
		"garbage":                 {datagrams(func([]byte) []byte { return []byte(strings.Repeat("garbage", 100)) }), []sitemon.Reason{sitemon.ReasonTLSTimeout}},
		"echoes":                  {datagrams(func(p []byte) []byte { return p }), []sitemon.Reason{sitemon.ReasonTLSTimeout, sitemon.ReasonTLSError, sitemon.ReasonProtocol}},
		"another version of QUIC": {datagrams(versionNegotiation), []sitemon.Reason{sitemon.ReasonProtocol}},
		"never answers":           {serveHTTP3(t, cert, hang), []sitemon.Reason{sitemon.ReasonProcessingTimeout}},
		"closes at once":          {serve(func(c *quic.Conn) { _ = c.CloseWithError(0x102, "no") }), []sitemon.Reason{sitemon.ReasonTransferError, sitemon.ReasonProtocol}},
		"resets the request": {serve(func(c *quic.Conn) {
			if s, err := c.AcceptStream(c.Context()); err == nil {
				s.CancelRead(0x102)
				s.CancelWrite(0x102)
			}
			<-c.Context().Done()
		}), []sitemon.Reason{sitemon.ReasonTransferError}},
		"content before headers": {serve(func(c *quic.Conn) {
			if s, err := c.AcceptStream(c.Context()); err == nil {
				_, _ = s.Write([]byte("\x00\x02hi"))
				_ = s.Close()
			}
			<-c.Context().Done()
		}), []sitemon.Reason{sitemon.ReasonProtocol}},
		"endless headers": {serveHTTP3(t, cert, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}), []sitemon.Reason{sitemon.ReasonProtocol}},
		"a body without end": {serveHTTP3(t, cert, func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}), []sitemon.Reason{""}},
		"a body that stops": {serveHTTP3(t, cert, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("begin"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), []sitemon.Reason{sitemon.ReasonTransferTimeout}},
		"a body that is reset": {serveHTTP3(t, cert, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("begin"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), []sitemon.Reason{sitemon.ReasonTransferError}},
	}
}

// versionNegotiation answers an Initial packet with a version that nobody speaks
// (RFC 9000 section 17.2.1).
func versionNegotiation(p []byte) []byte {
	if len(p) < 7 || p[0]&0x80 == 0 {
		return nil
	}
	dst := p[6 : 6+int(p[5])]
	rest := p[6+len(dst):]
	src := rest[1 : 1+int(rest[0])]
	out := append([]byte{0x80, 0, 0, 0, 0, byte(len(src))}, src...)
	out = append(append(out, byte(len(dst))), dst...)
	return append(out, 0x0a, 0x1a, 0x2a, 0x3a)
}

// listenQUIC serves each connection by QUIC with handle until the test ends.
func listenQUIC(t testing.TB, cert tls.Certificate, handle func(*quic.Conn)) (addr string) {
	t.Helper()
	cfg := serverTLS(cert)
	cfg.NextProtos = []string{"h3"}
	l, err := quic.ListenAddr("127.0.0.1:0", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			wg.Go(func() {
				handle(c)
				_ = c.CloseWithError(0, "")
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}
