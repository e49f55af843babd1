package probes

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"sitemon"
)

const (
	// maxHeader bounds the headers of one answer, interim responses included.
	maxHeader = 128 << 10
	// segment is what surely fits into one TCP segment.
	segment = 1200
	// maxInterim is how many 1xx responses may come before the answer.
	maxInterim = 8
)

// buffers are what one probe needs to read and write, used again by others.
type buffers struct {
	wire wire
	br   *bufio.Reader // of wire
	out  []byte
	body []byte
	// trail is kept here as it has to be somewhere that a probe need not make.
	trail trail
}

// wire reads from a connection, and no more than left. It repeats the error that
// ended reading, as some readers above ask again.
type wire struct {
	conn net.Conn
	left int
	err  error
}

var errHeaderSize = errors.New("the headers are larger than 128 KiB")

func (w *wire) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.left <= 0 {
		return 0, errHeaderSize
	}
	n, err := w.conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	w.err = err
	return n, err
}

// cause is why reading headers failed: what cut them short, where something did,
// rather than what the parser makes of the rest.
func (w *wire) cause(err error) error {
	switch {
	case w.left <= 0:
		return errHeaderSize
	case w.err != nil && !errors.Is(w.err, io.EOF):
		return w.err
	}
	return err
}

// maxPooled is up to which size a body's buffer is used again.
const maxPooled = 2 << 20

var bufferPool = sync.Pool{New: func() any {
	b := &buffers{}
	b.br = bufio.NewReaderSize(&b.wire, 4096)
	return b
}}

// buffers returns the attempt's buffers, which go back with [attempt.release].
func (a *attempt) buffers() *buffers {
	if a.bufs == nil {
		a.bufs = bufferPool.Get().(*buffers)
	}
	return a.bufs
}

func (a *attempt) release() {
	if a.bufs == nil {
		return
	}
	a.bufs.wire = wire{}
	a.bufs.trail.reset()
	if cap(a.bufs.body) > maxPooled {
		a.bufs.body = nil
	}
	if cap(a.bufs.out) > maxPooled {
		a.bufs.out = nil
	}
	bufferPool.Put(a.bufs)
	a.bufs = nil
}

// roundTrip1 speaks HTTP/1.1: it writes r and reads the answer's headers. The
// time is that of the first byte of the answer.
func (a *attempt) roundTrip1(c *httpConn, r *request) (*http.Response, time.Time, error) {
	if err := c.arm(a); err != nil {
		return nil, time.Now(), err
	}
	b := a.buffers()
	b.wire = wire{conn: c.Conn, left: maxHeader}
	b.br.Reset(&b.wire)
	b.out = a.appendRequest(b.out[:0], c, r)
	if len(b.out) > segment {
		if err := noDelay(c.Conn); err != nil {
			return nil, time.Now(), err
		}
	}
	_, sendErr := c.Write(b.out)
	if sendErr != nil && (timedOut(sendErr) || a.ctx.Err() != nil) {
		return nil, time.Now(), a.noAnswer(sitemon.ReasonProcessingTimeout, sendErr, "connected, sending the request")
	}
	// A server may answer before it has read all, and close: so the answer is
	// looked for also where sending failed.
	_, err := b.br.Peek(1)
	first := time.Now()
	if err != nil {
		return nil, first, a.headerFailure(c, false, sendErr, err)
	}
	resp, err := readResponse(b.br, r.method)
	if err != nil {
		err = b.wire.cause(err)
		return nil, first, a.headerFailure(c, true, sendErr, err)
	}
	b.wire.left = int(^uint(0) >> 1) // the body has a limit of its own
	return resp, first, nil
}

// headRequest tells [http.ReadResponse] that no body follows.
var headRequest = &http.Request{Method: http.MethodHead}

func readResponse(br *bufio.Reader, method string) (*http.Response, error) {
	var of *http.Request
	if method == http.MethodHead {
		of = headRequest
	}
	for range maxInterim {
		resp, err := http.ReadResponse(br, of)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
	return nil, errInterim
}

var errInterim = errors.New("more than 8 interim (1xx) responses")

// headerFailure sorts the ways in which an answer fails to begin.
func (a *attempt) headerFailure(c *httpConn, answered bool, sendErr, err error) *failure {
	switch {
	case timedOut(err) || a.ctx.Err() != nil:
		return a.waiting(answered, err)
	case sendErr != nil && !answered:
		c.stale = c.kept
		return failf(sitemon.ReasonSendError, sendErr, "sending the request: %s", words(sendErr))
	case !connectionLost(err):
		return failf(sitemon.ReasonProtocol, err, "the answer is not HTTP: %s", words(err))
	case answered:
		return failf(sitemon.ReasonTransferError, err, "%s amid the headers", words(err))
	}
	c.stale = c.kept
	return failf(sitemon.ReasonTransferError, err, "%s before an answer came", words(err))
}

// connectionLost reports whether err is the connection's, not its content's.
func connectionLost(err error) bool {
	_, op := errors.AsType[*net.OpError](err)
	_, system := errors.AsType[syscall.Errno](err)
	return op || system || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// appendRequest writes r as HTTP/1.1.
func (a *attempt) appendRequest(b []byte, c *httpConn, r *request) []byte {
	b = append(append(b, r.method...), ' ')
	if c.absolute {
		b = append(append(b, r.url.Scheme...), "://"...)
		b = append(b, r.hostHeader()...)
	}
	b = append(append(b, r.url.RequestURI()...), " HTTP/1.1\r\n"...)
	host := r.host
	if host == "" {
		host = r.hostHeader()
	}
	b = appendField(b, "Host", host)
	userAgent, connection := true, true
	for _, f := range r.fields {
		userAgent = userAgent && f.name != "User-Agent"
		connection = connection && f.name != "Connection"
		b = appendField(b, f.name, f.value)
	}
	if userAgent {
		b = appendField(b, "User-Agent", a.set.userAgent)
	}
	if r.authorization != "" {
		b = appendField(b, "Authorization", r.authorization)
	}
	if c.proxyAuth != "" {
		b = appendField(b, "Proxy-Authorization", c.proxyAuth)
	}
	if cookies := r.cookies(); cookies != "" {
		b = appendField(b, "Cookie", cookies)
	}
	if r.hasLength() {
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, int64(len(r.body)), 10), "\r\n"...)
	}
	if connection && !a.site.Request.KeepAlive {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.body...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// hasLength reports whether the request says how long its body is.
func (r *request) hasLength() bool {
	return r.body != "" || r.method == "POST" || r.method == "PUT" || r.method == "PATCH"
}

// hostHeader is the URL's host as a Host header has it: ASCII, no zone.
func (r *request) hostHeader() string { return cleanHost(r.url) }
