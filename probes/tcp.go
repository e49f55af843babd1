package probes

import (
	"errors"
	"net"
	"net/url"

	"sitemon"
)

// probeTCP connects, and says what there is to say.
func probeTCP(a *attempt) error {
	conn, host, err := a.openTarget()
	if err != nil {
		return err
	}
	if a.site.Request.QueryResponse == nil {
		conn.Close()
		return a.judge(nil)
	}
	defer conn.Close()
	defer a.onCancel(conn)()
	return a.converse(conn, host, "TCP")
}

// openTarget connects to the host and port that the site's URL names.
func (a *attempt) openTarget() (conn net.Conn, host string, err error) {
	host, port, err := a.hostPort()
	if err != nil {
		return nil, "", err
	}
	conn, err = a.open(host, port)
	return conn, host, err
}

// probeTLS connects, shakes hands and looks at the certificate.
func probeTLS(a *attempt) error {
	conn, host, err := a.openTarget()
	if err != nil {
		return err
	}
	defer conn.Close()
	defer a.onCancel(conn)()
	tc, err := a.handshake(conn, host, nil)
	if err != nil {
		return err
	}
	if a.site.Request.QueryResponse != nil {
		err = a.converse(tc, host, "TLS")
	} else {
		err = a.judge(nil)
	}
	if err == nil {
		_ = tc.Close() // says good-bye, for which it takes seconds beyond the deadline where nobody reads
	}
	return err
}

// hostPort reads the target of a site whose URL is scheme://host:port.
func (a *attempt) hostPort() (host string, port uint16, err error) {
	u, err := a.target()
	if err != nil {
		return "", 0, err
	}
	if u.Port() == "" {
		return "", 0, failf(sitemon.ReasonInternal, nil, "the URL has no port: %s://host:port is expected", u.Scheme)
	}
	if port, err = portNumber(u.Port(), 0); err != nil {
		return "", 0, err
	}
	host, err = asciiHost(u.Hostname())
	return host, port, err
}

// target is the site's URL with its references expanded.
func (a *attempt) target() (*url.URL, error) {
	raw, err := a.expand(a.site.URL)
	if err != nil {
		return nil, err
	}
	u, err := parseURL(raw)
	if err != nil {
		return nil, err
	}
	a.hideQuery(u)
	return u, nil
}

// parseURL reads a URL. Its error does not repeat it: it may hold credentials.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return nil, failf(sitemon.ReasonInternal, nil, "the URL can't be read: %v", err)
	}
	if u.Hostname() == "" {
		return nil, failf(sitemon.ReasonInternal, nil, "the URL names no host")
	}
	return u, nil
}
