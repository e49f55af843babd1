package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"sitemon"
)

// alpnHTTP3 is the protocol offered over QUIC, which always has TLS 1.3 in it.
var alpnHTTP3 = []string{http3.NextProtoH3}

// noError is what HTTP/3 closes a connection with that has served (RFC 9114
// section 8.1).
const noError = quic.ApplicationErrorCode(http3.ErrCodeNoError)

// quicConn is a connection by QUIC on which HTTP/3 is spoken.
type quicConn struct {
	conn      *quic.Conn
	transport *quic.Transport
	socket    *quicSocket
	client    *http3.ClientConn
	state     tls.ConnectionState
}

// Close says good-bye, which takes no waiting, and ends all that reads and writes
// for the connection.
func (q *quicConn) Close() error {
	err := q.conn.CloseWithError(noError, "")
	return errors.Join(err, q.transport.Close(), q.socket.Close())
}

// usable reports whether a further request can be sent.
func (q *quicConn) usable() bool { return q.conn.Context().Err() == nil }

// newQUICConfig bounds what a server may make a probe hold. The probe's own
// deadline ends the handshake and all waiting.
func newQUICConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout: time.Hour, MaxIdleTimeout: time.Hour, KeepAlivePeriod: 10 * time.Second,
		InitialStreamReceiveWindow: http2Buffer, MaxStreamReceiveWindow: http2Buffer,
		InitialConnectionReceiveWindow: http2Buffer, MaxConnectionReceiveWindow: http2Buffer,
		MaxIncomingStreams: -1, MaxIncomingUniStreams: 16, // its control streams, and such as it greases with
		DisablePathMTUDiscovery: true,
	}
}

// handshakeError is a connection by QUIC that was not made.
type handshakeError struct {
	err   error
	first time.Time // when the first datagram came back; zero: none did
}

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// connectHTTP3 opens c by QUIC. Its one handshake counts as two phases: connect is
// the time until the server's first datagram, tls the rest.
func (a *attempt) connectHTTP3(c *httpConn, host string, port uint16) error {
	addrs, err := a.resolve(host)
	if err != nil {
		return err
	}
	cfg, err := a.tlsConfig(host, alpnHTTP3)
	if err != nil {
		return err
	}
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = nil // several handshakes may be under way: the one that is first is verified, below
	start := time.Now()
	q, err := dialAny(a, addrs, port, func(ctx context.Context, target netip.AddrPort) (*quicConn, error) {
		return a.set.connectQUIC(ctx, target, cfg)
	}, a.quicFailure)
	end := time.Now()
	first := end
	if failed, ok := errors.AsType[*handshakeError](err); ok && !failed.first.IsZero() {
		first = failed.first
	} else if err == nil {
		first = q.socket.first()
	}
	a.report.Phases.Connect += first.Sub(start)
	a.report.Phases.TLS += end.Sub(first)
	if err != nil {
		return err
	}
	if err := verify(q.state); err != nil {
		_ = q.Close()
		return a.tlsFailure(cfg.ServerName, err)
	}
	q.client = a.set.h3.NewClientConn(q.conn)
	c.h3, c.expires = q, a.report.CertificateExpiresAt
	return nil
}

// connectQUIC makes a connection to one address, if the policy allows it. On an
// error nothing is left open.
func (s *Set) connectQUIC(ctx context.Context, target netip.AddrPort, cfg *tls.Config) (*quicConn, error) {
	conn, err := s.policy.connectUDP(ctx, target)
	if err != nil {
		return nil, err
	}
	q := &quicConn{socket: &quicSocket{Conn: conn}}
	q.transport = &quic.Transport{Conn: q.socket}
	q.conn, err = q.transport.Dial(ctx, conn.RemoteAddr(), cfg, s.quic)
	if err != nil {
		_ = q.transport.Close()
		_ = conn.Close()
		return nil, &handshakeError{err, q.socket.first()}
	}
	q.state = q.conn.ConnectionState().TLS
	return q, nil
}

// quicFailure sorts the ways in which a connection by QUIC fails to be made.
func (a *attempt) quicFailure(target netip.AddrPort, err error) *failure {
	failed, ok := errors.AsType[*handshakeError](err)
	if !ok || failed.first.IsZero() {
		return a.dialFailure(target, plainError(err))
	}
	t := a.trail()
	t.tried = append(t.tried, target.String())
	if versions, ok := errors.AsType[*quic.VersionNegotiationError](err); ok {
		return failf(sitemon.ReasonProtocol, err, "%s has no version of QUIC that is spoken here, but %v", target, versions.Theirs)
	}
	if remote, ok := errors.AsType[*quic.TransportError](err); ok && !remote.ErrorCode.IsCryptoError() {
		return failf(sitemon.ReasonProtocol, err, "QUIC: %s", remote.Error())
	}
	if a.tooLate(err) {
		return a.noAnswer(sitemon.ReasonTLSTimeout, err, "in the handshake of QUIC with "+target.String())
	}
	return failf(sitemon.ReasonTLSError, err, "TLS handshake: %s", strings.TrimPrefix(innermost(err).Error(), "tls: "))
}

// plainError takes the libraries' closed-connection wrapping off an error of the
// network.
func plainError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

// innermost is what is behind an error of QUIC's handshake.
func innermost(err error) error {
	if remote, ok := errors.AsType[*quic.TransportError](err); ok {
		for _, inner := range remote.Unwrap() {
			if inner != nil && !errors.Is(inner, net.ErrClosed) {
				return inner
			}
		}
		return fmt.Errorf("the server ended it: %w", remote)
	}
	return err
}

// roundTrip3 speaks HTTP/3: it sends r and reads the answer's headers.
func (a *attempt) roundTrip3(c *httpConn, r *request) (*http.Response, error) {
	resp, err := c.h3.client.RoundTrip(a.httpRequest(r))
	if err == nil {
		resp.Body = &quicBody{resp.Body}
		return resp, nil
	}
	err = lostError(err)
	switch {
	case a.tooLate(err):
		return nil, a.waiting(false, err)
	case connectionLost(err):
		c.stale = c.kept
		return nil, failf(sitemon.ReasonTransferError, err, "%s before an answer came", words(err))
	}
	if remote, ok := errors.AsType[*quic.TransportError](err); ok && remote.Remote && remote.ErrorCode.IsCryptoError() {
		return nil, failf(sitemon.ReasonTLSError, err, "the server ended the TLS handshake: %s", remote.ErrorCode)
	}
	return nil, failf(sitemon.ReasonProtocol, err, "HTTP/3: %s", strings.TrimPrefix(err.Error(), "http3: "))
}

// quicBody is a body whose errors are those of other connections.
type quicBody struct{ io.ReadCloser }

// Read implements [io.Reader].
func (b *quicBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = lostError(err)
	}
	return n, err
}

// lostError makes an error by which the other side, or the network, ended a
// connection or a request the error of a connection that was lost. What this
// side complained of stays as it is.
func lostError(err error) error {
	lost := func(text string) error { return &net.OpError{Op: "read", Net: "udp", Err: errors.New(text)} }
	if e, ok := errors.AsType[*http3.Error](err); ok && e.Remote {
		return lost("the server ended it (" + e.ErrorCode.String() + ")")
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok && e.Remote && !e.ErrorCode.IsCryptoError() {
		return lost("the server ended the connection (" + e.ErrorCode.String() + ")")
	}
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return lost("the connection was reset")
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		return lost("the connection fell silent")
	}
	return err
}
