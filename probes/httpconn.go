package probes

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"sitemon"
)

// httpConn is a connection to a web server, or to a proxy on the way to it.
type httpConn struct {
	net.Conn
	h2      *http.ClientConn
	h3      *quicConn // HTTP/3; Conn is nil then. Neither: HTTP/1.1
	remote  string
	origin  string
	expires time.Time // of the certificate
	// absolute: requests name the whole URL, as a proxy wants it, and carry
	// proxyAuth.
	absolute  bool
	proxyAuth string
	kept      bool // it has served a probe before
	stale     bool // it was kept, and was closed by the other side meanwhile
	stop      func() bool
}

// The protocols offered.
var (
	alpnHTTP2 = []string{"h2", "http/1.1"}
	alpnHTTP1 = []string{"http/1.1"}
	alpnGRPC  = []string{"h2"}
)

// alpn are the protocols that the site's probe can speak.
func (a *attempt) alpn() []string {
	switch {
	case a.site.Kind == sitemon.KindGRPC:
		return alpnGRPC
	case a.site.Kind == sitemon.KindWS, !a.site.Request.EnableHTTP2:
		return alpnHTTP1
	}
	return alpnHTTP2
}

// connect opens the connection that r needs: dialled, through the proxy, TLS.
func (a *attempt) connect(r *request) (*httpConn, error) {
	secure := r.url.Scheme == "https"
	host, err := asciiHost(r.url.Hostname())
	if err != nil {
		return nil, err
	}
	service := uint16(80)
	if secure {
		service = 443
	}
	port, err := portNumber(r.url.Port(), service)
	if err != nil {
		return nil, err
	}
	c := &httpConn{origin: r.origin()}
	if secure && a.site.Request.EnableHTTP3 {
		if err := a.connectHTTP3(c, host, port); err != nil {
			return nil, err
		}
		c.remote = a.report.RemoteAddr
		return c, nil
	}
	if a.site.Request.ProxyURL != "" {
		err = a.openProxy(c, host, port, secure || a.site.Kind == sitemon.KindWS)
	} else if c.Conn, err = a.open(host, port); err == nil {
		c.stop = a.onCancel(c.Conn)
	}
	if err != nil {
		return nil, err
	}
	c.remote = a.report.RemoteAddr
	if secure {
		if err := a.secure(c, host); err != nil {
			c.close()
			return nil, err
		}
	} else if (a.site.Request.EnableH2C || a.site.Kind == sitemon.KindGRPC) && !c.absolute {
		if err := a.speakH2C(c); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// secure speaks TLS on c, and HTTP/2 where the server chooses it.
func (a *attempt) secure(c *httpConn, host string) error {
	tc, err := a.handshake(c.Conn, host, a.alpn())
	if err != nil {
		return err
	}
	c.Conn, c.expires = tc, a.report.CertificateExpiresAt
	if tc.ConnectionState().NegotiatedProtocol != "h2" {
		return nil
	}
	c.h2, err = a.startHTTP2("https", tc)
	return err
}

// multiplexed reports whether requests are streams on c, and have no Connection
// header.
func (c *httpConn) multiplexed() bool { return c.h2 != nil || c.h3 != nil }

// arm gives a kept connection the deadline of the probe that uses it now.
func (c *httpConn) arm(a *attempt) error {
	if !c.kept || c.h3 != nil {
		return nil // it has it, or each request does
	}
	if err := c.SetDeadline(a.deadline); err != nil {
		c.stale = true // HTTP/2 closes a connection by itself
		return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	c.stop = a.onCancel(c.Conn)
	return nil
}

// idle makes c ready to wait for the next probe; false where it can't be used
// again.
func (c *httpConn) idle(b *buffers) bool {
	if c.h3 != nil {
		return c.h3.usable()
	}
	if !c.stop() || c.SetDeadline(time.Time{}) != nil {
		return false // the probe's context has just ended
	}
	c.stop = nil // which holds on to the probe's context
	if c.h2 != nil {
		return c.h2.Err() == nil && c.h2.Available() > 0
	}
	return b.br.Buffered() == 0 // the server must not speak unasked
}

// end closes c after a good answer, and says good-bye where TLS has a word for it.
func (c *httpConn) end() {
	switch {
	case c.h3 != nil:
		_ = c.h3.Close()
	case c.h2 != nil:
		_ = c.h2.Close()
	default:
		_ = c.Conn.Close()
	}
	if c.stop != nil {
		c.stop()
	}
}

// close ends c at once. Saying good-bye could wait for a peer that does not read.
func (c *httpConn) close() {
	if c.stop != nil {
		c.stop()
	}
	if c.h3 != nil {
		_ = c.h3.Close()
		return
	}
	if tc, ok := c.Conn.(*tls.Conn); ok {
		_ = tc.NetConn().Close()
	} else {
		_ = c.Conn.Close()
	}
	if c.h2 != nil {
		_ = c.h2.Close()
	}
}
