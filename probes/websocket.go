package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"sitemon"
)

const (
	// maxMessages is how many messages are looked at.
	maxMessages = 100
	// judgeReserve is how much of the time at most is kept to judge what came, where
	// messages are waited for in vain.
	judgeReserve = 100 * time.Millisecond
	// closePatience is how long the server has to say good-bye too.
	closePatience = time.Second
	// closeLimit is how many bytes may come before that.
	closeLimit = 64 << 10
)

// probeWS opens a WebSocket, sends the site's messages, and reads until what has
// come is as expected.
func probeWS(a *attempt) error {
	u, err := a.target()
	if err != nil {
		return err
	}
	wire := *u
	switch u.Scheme {
	case "ws":
		wire.Scheme = "http"
	case "wss":
		wire.Scheme = "https"
	default:
		return failf(sitemon.ReasonInternal, nil, "a WebSocket probe can't reach a URL with the scheme %q", u.Scheme)
	}
	r, err := a.prepareTo(&wire)
	if err != nil {
		return err
	}
	r.method, r.body, r.scheme = http.MethodGet, "", u.Scheme
	s := &webSocket{attempt: a, request: r}
	if err := s.open(); err != nil {
		return err
	}
	if s.conn == nil {
		return s.refused()
	}
	defer s.conn.CloseNow() //nolint:errcheck // It is closed by then, or of no use.
	if err := s.talk(); err != nil {
		return err
	}
	err = a.conclude(s.judge)
	s.bye()
	return err
}

// webSocket is a WebSocket of one probe. It is the transport of the library that
// speaks it: the request goes out, and its answer comes in, as those of HTTP do.
type webSocket struct {
	attempt *attempt
	request *request
	answer  *answer         // nil: none came
	conn    *websocket.Conn // nil: the server did not open it
	opened  bool            // the library has taken the answer for good
	polite  bool            // the connection is closed with a good-bye

	start    int // of the newest message in the buffers' body
	messages int
}

var errNotUpgraded = errors.New("the server did not switch to WebSocket")

// open asks for the WebSocket. Without an error there is an answer.
func (s *webSocket) open() error {
	opts := &websocket.DialOptions{HTTPClient: &http.Client{Transport: s}, CompressionMode: websocket.CompressionDisabled}
	if ws := s.attempt.site.Request.WS; ws != nil {
		opts.Subprotocols = ws.Subprotocols
	}
	conn, _, err := websocket.Dial(context.Background(), "ws://opened.invalid/", opts) //nolint:bodyclose // It is the connection, which the library closes.
	if err == nil {
		s.conn, s.opened = conn, true
		conn.SetReadLimit(-1) // messages are read up to the site's limit
		return nil
	}
	if s.answer != nil && s.answer.resp.StatusCode != http.StatusSwitchingProtocols {
		return nil
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	text := err.Error()
	for _, frame := range []string{"failed to WebSocket dial: ", "WebSocket protocol violation: ", "WebSocket protcol violation: "} {
		text = strings.TrimPrefix(text, frame)
	}
	return failf(sitemon.ReasonProtocol, err, "the server's switch to WebSocket is not as it should be: %s", text)
}

// RoundTrip sends the library's request with the site's own fields.
func (s *webSocket) RoundTrip(req *http.Request) (*http.Response, error) {
	upgrade := []string{"Connection", "Upgrade", "Sec-Websocket-Version", "Sec-Websocket-Key", "Sec-Websocket-Protocol"}
	s.request.fields = slices.DeleteFunc(s.request.fields, func(f field) bool { return slices.Contains(upgrade, f.name) })
	for _, name := range upgrade {
		if value := req.Header.Get(name); value != "" {
			s.request.fields = append(s.request.fields, field{name: name, value: value})
		}
	}
	ans, err := s.attempt.request(s.request)
	if err != nil {
		return nil, err
	}
	s.answer = ans
	if ans.resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, errNotUpgraded
	}
	resp := *ans.resp
	resp.Body = (*upgraded)(s)
	return &resp, nil
}

// upgraded is the connection behind the answer, as the library reads and writes it.
type upgraded webSocket

// Read reads what came behind the answer. Of a WebSocket that was not opened there
// is nothing to read.
func (u *upgraded) Read(p []byte) (int, error) {
	if !u.opened {
		return 0, net.ErrClosed
	}
	return u.attempt.buffers().br.Read(p)
}

func (u *upgraded) Write(p []byte) (int, error) { return u.answer.conn.Write(p) }

func (u *upgraded) Close() error {
	if u.polite {
		u.answer.conn.end()
	} else {
		u.answer.conn.close()
	}
	return nil
}

// refused judges an answer of HTTP that is all there is.
func (s *webSocket) refused() error {
	a, ans := s.attempt, s.answer
	_, err := a.readBody(ans)
	ans.done(false)
	if err != nil {
		return err
	}
	return a.conclude(s.judge)
}

// talk sends the messages and reads those that come.
func (s *webSocket) talk() error {
	a := s.attempt
	if ws := a.site.Request.WS; ws != nil && len(ws.Send) > 0 {
		if err := noDelay(s.answer.conn.Conn); err != nil {
			return err
		}
		for _, text := range ws.Send {
			if err := s.send(text); err != nil {
				return err
			}
		}
	}
	b := a.buffers()
	b.body = b.body[:0]
	var err error
	if s.waits() {
		err = s.receive(b)
	}
	phase(&a.report.Phases.Transfer, s.answer.started)
	b.trail.body, b.trail.more = b.body, a.report.BodyTruncated
	a.report.BodyBytes = int64(len(b.body))
	return err
}

func (s *webSocket) send(text string) error {
	a := s.attempt
	text, err := a.expand(text)
	if err != nil {
		return err
	}
	err = s.conn.Write(context.Background(), websocket.MessageText, []byte(text)) // the connection's deadline ends it
	switch {
	case err == nil:
		return nil
	case timedOut(err) || a.ctx.Err() != nil:
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, "opened, sending a message")
	}
	return failf(sitemon.ReasonSendError, err, "sending a message: %s", words(err))
}

// receive reads messages until they are as expected, or the time is up.
func (s *webSocket) receive(b *buffers) error {
	a := s.attempt
	reserve := min(judgeReserve, time.Until(a.deadline)/20)
	if err := s.answer.conn.SetReadDeadline(a.deadline.Add(-reserve)); err != nil {
		return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	if err := a.ctx.Err(); err != nil { // whose end may have set a deadline before
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, "opened, waiting for a message")
	}
	limit := a.site.Request.BodySizeLimit
	if limit <= 0 {
		limit = defaultBodyLimit
	}
	for s.messages < maxMessages {
		kind, r, err := s.conn.Reader(context.Background())
		if err != nil {
			return s.ended(err, false)
		}
		if s.messages > 0 {
			b.body = append(b.body, '\n')
		}
		s.start = len(b.body)
		b.body, a.report.BodyTruncated, err = a.readUpTo(b.body, r, limit)
		if err != nil {
			return s.ended(err, true)
		}
		if kind == websocket.MessageText && !a.report.BodyTruncated && !utf8.Valid(b.body[s.start:]) { // RFC 6455 section 8.1
			return failf(sitemon.ReasonProtocol, nil, "what the server sends is not as WebSocket wants it: a text that is no UTF-8: %s", a.seen(b.body[s.start:]))
		}
		s.messages++
		if a.report.BodyTruncated || s.enough(b.body) {
			return nil
		}
	}
	return nil
}

// ended is why no further message came; nil where those that came are to be judged.
func (s *webSocket) ended(err error, amid bool) error {
	a := s.attempt
	waiting := "opened, waiting for a message"
	if amid {
		waiting = fmt.Sprintf("opened, receiving a message, %d bytes so far", len(a.bufs.body)-s.start)
	}
	late := timedOut(err) || a.ctx.Err() != nil
	closed, isClose := errors.AsType[websocket.CloseError](err)
	switch {
	case !amid && s.messages > 0 && a.ctx.Err() == nil && (late || isClose):
		return nil
	case late:
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, waiting)
	case isClose:
		text := strconv.Itoa(int(closed.Code))
		if closed.Reason != "" {
			text += " " + a.seen([]byte(closed.Reason))
		}
		return failf(sitemon.ReasonTransferError, err, "the server closed the WebSocket: %s (%s)", text, waiting)
	case connectionLost(err):
		return failf(sitemon.ReasonTransferError, err, "%s (%s)", words(err), waiting)
	}
	text := err.Error()
	for _, frame := range []string{"failed to get reader: ", "failed to read: ", "failed to read frame payload: "} {
		text = strings.TrimPrefix(text, frame)
	}
	return failf(sitemon.ReasonProtocol, err, "what the server sends is not as WebSocket wants it: %s (%s)", text, waiting)
}

// judge compares the answer and the messages with what the site expects.
func (s *webSocket) judge(v *verdict) {
	v.switched(s.answer.resp.StatusCode)
	if s.conn == nil {
		return
	}
	if ws := v.attempt.site.Request.WS; ws != nil && len(ws.Subprotocols) > 0 {
		v.subprotocol(ws.Subprotocols, s.conn.Subprotocol())
	}
	v.headers(s.answer.resp.Header)
	body := v.attempt.bufs.body
	v.bodies(body)
	v.json(body[s.start:])
	v.ans = s.answered(body)
}

// switched judges the status of an answer that is to open a WebSocket.
func (v *verdict) switched(code int) {
	const want = http.StatusSwitchingProtocols
	if ok := code == want; !v.quiet(ok) {
		v.note(ok, sitemon.OutcomeDown, sitemon.ReasonStatus, Check{Name: "status", Expected: strconv.Itoa(want), Seen: strconv.Itoa(code)},
			fmt.Sprintf("status %d, expected %d, which opens a WebSocket", code, want))
	}
}

func (v *verdict) subprotocol(want []string, got string) {
	ok := got != "" // the library refuses those that were not offered
	if v.quiet(ok) {
		return
	}
	expected := strings.Join(want, ", ")
	if !ok {
		got = "none"
	}
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonHeader, Check{Name: "subprotocol", Expected: expected, Seen: got},
		fmt.Sprintf("subprotocol: %s, expected %s", got, expected))
}

// bye closes the WebSocket as its protocol has it. The report is made by then.
func (s *webSocket) bye() {
	a, c := s.attempt, s.answer.conn
	until := a.deadline
	if soon := time.Now().Add(closePatience); soon.Before(until) {
		until = soon
	}
	if a.report.BodyTruncated || c.SetDeadline(until) != nil || a.ctx.Err() != nil {
		return
	}
	s.polite = true
	a.bufs.wire.left = closeLimit
	_ = s.conn.Close(websocket.StatusNormalClosure, "")
}
