package probes

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/net/proxy"

	"sitemon"
)

// openProxy opens c to the site's proxy, and through it to host and port where
// the proxy is to pass bytes rather than requests. The address policy judges the
// proxy; it alone reaches the target. On an error nothing is left open.
func (a *attempt) openProxy(c *httpConn, host string, port uint16, tunnel bool) error {
	raw, err := a.expand(a.site.Request.ProxyURL)
	if err != nil {
		return err
	}
	u, err := parseURL(raw)
	if err != nil {
		return err
	}
	services := map[string]uint16{"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
	service, ok := services[u.Scheme]
	if !ok {
		return failf(sitemon.ReasonInternal, nil, "proxy_url: the scheme %q is none of http, https, socks5", u.Scheme)
	}
	proxyPort, err := portNumber(u.Port(), service)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	a.hide(password)
	if c.Conn, err = a.open(u.Hostname(), proxyPort); err != nil {
		return err
	}
	c.stop = a.onCancel(c.Conn)
	if err := a.throughProxy(c, u, host, port, tunnel); err != nil {
		c.close()
		return err
	}
	return nil
}

// throughProxy makes c, which is open to the proxy, fit to reach host and port.
func (a *attempt) throughProxy(c *httpConn, u *url.URL, host string, port uint16, tunnel bool) error {
	target := net.JoinHostPort(host, strconv.Itoa(int(port)))
	if u.Scheme == "socks5" || u.Scheme == "socks5h" {
		return a.socks(c, u, target)
	}
	if u.Scheme == "https" {
		tc, err := a.handshake(c.Conn, u.Hostname(), alpnHTTP1)
		if err != nil {
			return err
		}
		c.Conn, a.report.CertificateExpiresAt = tc, time.Time{} // the proxy's, not the site's
		a.trail().tls = tls.ConnectionState{}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		c.proxyAuth = a.basic(u.User.Username(), password)
	}
	if !tunnel {
		c.absolute = true
		return nil
	}
	return a.tunnel(c, target)
}

// tunnel asks an HTTP proxy for a connection to the target.
func (a *attempt) tunnel(c *httpConn, target string) error {
	start := time.Now()
	defer phase(&a.report.Phases.Connect, start)
	out := append([]byte(nil), "CONNECT "+target+" HTTP/1.1\r\n"...)
	out = appendField(out, "Host", target)
	out = appendField(out, "User-Agent", a.set.userAgent)
	if c.proxyAuth != "" {
		out = appendField(out, "Proxy-Authorization", c.proxyAuth)
	}
	c.proxyAuth = ""
	_, err := c.Write(append(out, "\r\n"...))
	var resp *http.Response
	if err == nil {
		// What a server behind the proxy says waits for us to speak TLS first, so
		// nothing of it is lost in this reader.
		w := &wire{conn: c.Conn, left: maxHeader}
		resp, err = http.ReadResponse(bufio.NewReaderSize(w, 1024), &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // CONNECT has none.
		if err != nil {
			err = w.cause(err)
		}
	}
	if err != nil {
		return a.proxyFailure(err)
	}
	if resp.StatusCode != http.StatusOK {
		return failf(sitemon.ReasonConnectError, nil, "the proxy %s refused to connect: %s", a.report.RemoteAddr, a.seen([]byte(resp.Status)))
	}
	return nil
}

// socks asks a SOCKS5 proxy for a connection to the target.
func (a *attempt) socks(c *httpConn, u *url.URL, target string) error {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	start := time.Now()
	defer phase(&a.report.Phases.Connect, start)
	dialer, err := proxy.SOCKS5("tcp", u.Host, auth, openedDialer{c.Conn})
	if err == nil {
		_, err = dialer.Dial("tcp", target) // on c.Conn, whose deadline ends it
	}
	if err != nil {
		return a.proxyFailure(err)
	}
	return nil
}

// openedDialer hands out a connection that is already open.
type openedDialer struct{ conn net.Conn }

func (d openedDialer) Dial(_, _ string) (net.Conn, error) { return keepOpen{d.conn}, nil }

func (d openedDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	return keepOpen{d.conn}, nil
}

// keepOpen leaves closing to the connection's owner.
type keepOpen struct{ net.Conn }

func (keepOpen) Close() error { return nil }

func (a *attempt) proxyFailure(err error) *failure {
	proxyAddr := a.report.RemoteAddr
	if _, parseErr := netip.ParseAddrPort(proxyAddr); parseErr != nil {
		proxyAddr = "the proxy"
	}
	if timedOut(err) || a.ctx.Err() != nil {
		return a.noAnswer(sitemon.ReasonConnectTimeout, err, "connected to the proxy "+proxyAddr+", waiting for it to connect")
	}
	return failf(sitemon.ReasonConnectError, err, "the proxy %s did not connect: %s", proxyAddr, words(err))
}
