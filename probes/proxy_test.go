package probes_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// proxyServer is an HTTP proxy that wants the credentials joe:secret.
func proxyServer(c net.Conn) {
	br := bufio.NewReader(c)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	if r.Header.Get("Proxy-Authorization") != "Basic am9lOnNlY3JldA==" {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if r.Method != http.MethodConnect {
		r.RequestURI = ""
		r.Header.Set("X-One", "proxied")
		if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = resp.Write(c)
			resp.Body.Close()
		}
		return
	}
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	join(c, to)
}

// socksServer is a SOCKS5 proxy (RFC 1928) for names and IPv4 addresses.
func socksServer(c net.Conn) {
	b := make([]byte, 512)
	_, _ = io.ReadFull(c, b[:2])
	_, _ = io.ReadFull(c, b[:b[1]])
	_, _ = c.Write([]byte{5, 0})
	_, _ = io.ReadFull(c, b[:4])
	host := ""
	if b[3] == 3 {
		_, _ = io.ReadFull(c, b[:1])
		n := b[0]
		_, _ = io.ReadFull(c, b[:n])
		host = string(b[:n])
	} else {
		_, _ = io.ReadFull(c, b[:4])
		host = netip.AddrFrom4([4]byte(b[:4])).String()
	}
	_, _ = io.ReadFull(c, b[:2])
	to, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(b)))))
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	join(c, to)
}

func join(a, b net.Conn) {
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(a, b); a.Close() })
	_, _ = io.Copy(b, a)
	b.Close()
	wg.Wait()
}

func TestProxies(t *testing.T) {
	ca := newAuthority(t)
	plain := httptest.NewServer(http.HandlerFunc(echo))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	secure.TLS, secure.EnableHTTP2 = serverTLS(ca.server(t, nil)), true
	secure.StartTLS()
	defer secure.Close()
	cert := ca.server(t, nil)
	httpProxy, socks := listen(t, proxyServer), listen(t, socksServer)
	tlsProxy := listen(t, func(c net.Conn) { proxyServer(tls.Server(c, serverTLS(cert))) })
	tests := []struct {
		name, url, proxy string
		outcome          sitemon.Outcome
		reason           sitemon.Reason
		want             string // the error, or of the body
	}{
		{"http by http", plain.URL, "http://joe:secret@" + httpProxy, "up", "", "X-One=proxied"},
		{"https by http", secure.URL, "http://joe:secret@" + httpProxy, "up", "", "GET /"},
		{"http by https", plain.URL, "https://joe:secret@" + tlsProxy, "up", "", "X-One=proxied"},
		{"https by https", secure.URL, "https://joe:secret@" + tlsProxy, "up", "", "GET /"},
		{"http by socks5", plain.URL, "socks5://" + socks, "up", "", "GET /"},
		{"https by socks5", secure.URL, "socks5://" + socks, "up", "", "GET /"},
		{"wrong credentials", secure.URL, "http://joe:wrong@" + httpProxy, "down", "connect_error", `refused to connect: "407 Proxy Authentication Required"`},
		{"wrong credentials by https", secure.URL, "https://joe:wrong@" + tlsProxy, "down", "connect_error", `refused to connect: "407 Proxy Authentication Required"`},
		{"a target that refuses", "https://127.0.0.1:9", "http://joe:secret@" + httpProxy, "down", "connect_error", `refused to connect: "502 Bad Gateway"`},
		{"a target that refuses, by socks5", "https://127.0.0.1:9", "socks5://" + socks, "down", "connect_error", "did not connect"},
		{"a proxy that refuses", plain.URL, "http://127.0.0.1:9", "down", "connect_refused", "connection refused by 127.0.0.1:9"},
		{"a proxy that is denied", plain.URL, "http://127.6.6.6:80", "unknown", "blocked", "address 127.6.6.6"},
		{"a proxy that is silent", secure.URL, "http://" + listen(t, silent), "down", "connect_timeout", "waiting for it to connect"},
		{"a socks5 proxy that is silent", plain.URL, "socks5://" + listen(t, silent), "down", "connect_timeout", "waiting for it to connect"},
		{"a proxy that talks nonsense", secure.URL, "http://" + listen(t, answer("nonsense\r\n\r\n", nil)), "down", "connect_error", "did not connect"},
		{"a proxy of endless headers", secure.URL, "http://" + listen(t, answer(okHead, endless("X: y\r\n"))), "down", "connect_error", "larger than 128 KiB"},
	}
	set := newSet(t, probes.Options{Roots: ca.pool(), Deny: prefixes("127.6.6.0/24")})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, tt.url)
			site.Request.ProxyURL = tt.proxy
			if tt.outcome == sitemon.OutcomeUp {
				site.Expect.BodyMatch = []sitemon.Pattern{pattern(t, tt.want)}
				tt.want = ""
			}
			timeout := ampleTimeout
			if tt.reason == sitemon.ReasonConnectTimeout {
				timeout = hostileTimeout
			}
			r := set.Probe(deadline(t, timeout), site)
			wantReport(t, r, tt.outcome, tt.reason, tt.want)
			if strings.Contains(r.Error, "secret") {
				t.Errorf("shows the password: %s", r.Error)
			}
			if got := !r.CertificateExpiresAt.IsZero(); got != (tt.url == secure.URL && tt.outcome == sitemon.OutcomeUp) {
				t.Errorf("a certificate was recorded: %v", got)
			}
		})
	}
}

// The environment's proxy is for what SiteMon sends, not for what it watches.
func TestTheEnvironmentsProxyIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	site := newSite(t, "http://"+listen(t, answer(okHead+"Content-Length: 2\r\n\r\nok", nil)))
	wantReport(t, probe(t, probes.Options{}, site), sitemon.OutcomeUp, "", "")
}
