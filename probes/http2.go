package probes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sitemon"
)

// http2Buffer is how many bytes of a body a server may send ahead.
const http2Buffer = 256 << 10

// newHTTP2Transport makes a transport that speaks HTTP/2 on connections that
// were opened elsewhere: it never dials.
func newHTTP2Transport() *http.Transport {
	given := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if conn, ok := ctx.Value(openedKey{}).(net.Conn); ok {
			return conn, nil
		}
		return nil, errors.New("no connection was given")
	}
	t := &http.Transport{
		DialContext:            given,
		DialTLSContext:         given,
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerConnection: http2Buffer,
			MaxReceiveBufferPerStream:     http2Buffer,
			MaxReadFrameSize:              64 << 10,
		},
	}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// openedKey carries the connection to use in a context.
type openedKey struct{}

// speakH2C speaks HTTP/2 on c, of TCP, whose server is known to do so.
func (a *attempt) speakH2C(c *httpConn) error {
	if err := noDelay(c.Conn); err != nil { // its first words are several
		return err
	}
	c.Conn = &lasting{Conn: c.Conn}
	var err error
	c.h2, err = a.startHTTP2("http", c.Conn)
	return err
}

// startHTTP2 begins HTTP/2 on a connection of TLS ("https") on which it was agreed,
// or of TCP ("http").
func (a *attempt) startHTTP2(scheme string, conn net.Conn) (*http.ClientConn, error) {
	ctx := context.WithValue(a.ctx, openedKey{}, conn)
	h2, err := a.set.h2.NewClientConn(ctx, scheme, "opened.invalid:443")
	switch {
	case err == nil:
		return h2, nil
	case a.tooLate(err):
		return nil, a.waiting(false, err)
	case connectionLost(err):
		return nil, failf(sitemon.ReasonTransferError, err, "%s before an answer came", words(err))
	}
	return nil, failf(sitemon.ReasonProtocol, err, "starting HTTP/2: %s", words(err))
}

// roundTrip2 speaks HTTP/2: it sends r and reads the answer's headers.
func (a *attempt) roundTrip2(c *httpConn, r *request) (*http.Response, error) {
	if err := c.arm(a); err != nil {
		return nil, err
	}
	resp, err := c.h2.RoundTrip(a.httpRequest(r))
	if err == nil {
		return resp, nil
	}
	switch {
	case a.tooLate(err):
		return nil, a.waiting(false, err)
	case c.kept:
		c.stale = true
		fallthrough
	case connectionLost(err):
		return nil, failf(sitemon.ReasonTransferError, err, "%s before an answer came", words(err))
	}
	if lost := c.ended(); lost != nil {
		return nil, failf(sitemon.ReasonTransferError, lost, "%s before an answer came", words(lost))
	}
	reason := sitemon.ReasonProtocol
	if declined(err) {
		reason = sitemon.ReasonTransferError
	}
	return nil, failf(reason, err, "HTTP/2: %s", strings.TrimPrefix(words(err), "http2: "))
}

// streamError is the end of a stream as the library lets others see it (its As takes
// any struct with these fields).
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "the stream was ended" }

// declined reports whether a server did not take up a request, as the protocol allows
// one that is about to stop or has too much to do.
func declined(err error) bool {
	const refusedStream = 7 // RFC 9113 section 7
	if e, ok := errors.AsType[streamError](err); ok {
		return e.Code == refusedStream
	}
	return strings.Contains(err.Error(), "graceful shutdown GOAWAY") // which the library tells in words only
}

// httpRequest is r as the libraries of HTTP/2 and HTTP/3 take it.
func (a *attempt) httpRequest(r *request) *http.Request {
	req := &http.Request{
		Method: r.method, URL: r.url, Host: r.host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if req.Host == "" {
		req.Host = r.hostHeader()
	}
	for _, f := range r.fields {
		if f.name != "Connection" {
			req.Header[f.name] = append(req.Header[f.name], f.value)
		}
	}
	if _, ok := r.field("User-Agent"); !ok {
		req.Header["User-Agent"] = []string{a.set.userAgent}
	}
	if r.authorization != "" {
		req.Header["Authorization"] = []string{r.authorization}
	}
	if cookies := r.cookies(); cookies != "" {
		req.Header["Cookie"] = append(req.Header["Cookie"], cookies)
	}
	if r.hasLength() {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(r.body)), int64(len(r.body))
		if r.body == "" {
			req.Body = http.NoBody
		}
	}
	return req.WithContext(a.ctx)
}

// ended returns the error that ended a connection of HTTP/2, which the library
// does not tell; nil where it was the protocol's. The connection is of no use
// afterwards.
func (c *httpConn) ended() error {
	_ = c.SetDeadline(time.Unix(1, 0)) // where the library has closed it, what it met before is repeated
	_, err := c.Read(make([]byte, 1))
	if err == nil || timedOut(err) || errors.Is(err, net.ErrClosed) || !connectionLost(err) {
		return nil
	}
	return err
}

// lasting is a connection of TCP that repeats the error that ended reading, also once
// it is closed, as one of TLS does.
type lasting struct {
	net.Conn
	err atomic.Pointer[error]
}

// Read implements [net.Conn].
func (c *lasting) Read(b []byte) (int, error) {
	if err := c.err.Load(); err != nil {
		return 0, *err
	}
	n, err := c.Conn.Read(b)
	if err != nil && !timedOut(err) {
		c.err.CompareAndSwap(nil, &err)
	}
	return n, err
}
