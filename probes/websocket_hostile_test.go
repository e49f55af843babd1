package probes_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// switches is a peer that opens the WebSocket and then does last.
func switches(last func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: "+
			base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		last(c)
	}
}

// framesOf is what a peer does that writes text and waits.
func framesOf(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text)
		silent(c)
	}
}

// wsPeers misbehave once the WebSocket is open, while a message with "welcome" is waited for.
var wsPeers = []peer{
	{"as it should", framesOf("\x81\x07welcome"), "", ""},
	{"in pieces, with pings between", framesOf("\x01\x03wel\x89\x02hi\x80\x04come"), "", ""},
	{"silent", silent, sitemon.ReasonTransferTimeout, "no answer within 400ms (opened, waiting for a message)"},
	{"garbage", framesOf("GET / HTTP/1.1\r\n\r\n"), sitemon.ReasonProtocol, "not as WebSocket wants it"},
	{"an unknown kind of frame", framesOf("\x83\x00"), sitemon.ReasonProtocol, "unknown opcode"},
	{"bits of extensions", framesOf("\xf1\x00"), sitemon.ReasonProtocol, "rsv bits"},
	{"a piece of no message", framesOf("\x80\x00"), sitemon.ReasonProtocol, "continuation frame"},
	{"a message within a message", framesOf("\x01\x03wel\x81\x04come"), sitemon.ReasonProtocol, "without finishing the previous message"},
	{"a text that is none", framesOf("\x81\x08welcome\xff"), sitemon.ReasonProtocol, "no UTF-8"},
	{"bytes that are no text", framesOf("\x82\x08welcome\xff"), "", ""},
	{"a text in pieces amid a character", framesOf("\x01\x08welcome\xc3\x80\x01\xa9"), "", ""},
	{"a negative length", framesOf("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), sitemon.ReasonProtocol, ""},
	{"a length of 4 EiB", framesOf("\x82\x7f\x40\x00\x00\x00\x00\x00\x00\x00abc"), sitemon.ReasonTransferTimeout, "opened, receiving a message, 3 bytes so far"},
	{"a long ping", framesOf("\x89\x7e\x01\x00" + strings.Repeat("x", 256)), sitemon.ReasonProtocol, "control frame"},
	{"an invalid good-bye", framesOf("\x88\x01x"), sitemon.ReasonProtocol, "close payload"},
	{"a code that is none", framesOf("\x88\x02\x00\x01"), sitemon.ReasonProtocol, "invalid status code"},
	{"good-bye", framesOf("\x88\x05\x03\xf0no\n"), sitemon.ReasonTransferError, `the server closed the WebSocket: 1008 "no\n"`},
	{"an endless message", func(c net.Conn) {
		_, _ = io.WriteString(c, "\x01\x00")
		endless("\x00\x7e\x01\x00" + strings.Repeat("x", 256))(c)
	}, sitemon.ReasonBody, "in the first 1048576 bytes"},
	{"endless empty pieces", func(c net.Conn) {
		_, _ = io.WriteString(c, "\x01\x00")
		endless("\x00\x00")(c)
	}, sitemon.ReasonTransferTimeout, "receiving a message"},
	{"endless messages", endless("\x81\x02no"), sitemon.ReasonBody, `expected a match of "welcome"`},
	{"endless pings", endless("\x89\x00"), sitemon.ReasonTransferTimeout, ""},
	{"a byte at a time", drip("\x81\x7e\x01\x00" + strings.Repeat("x", 256)), sitemon.ReasonTransferTimeout, "receiving a message"},
	{"closes", func(net.Conn) {}, sitemon.ReasonTransferError, "the connection was closed (opened, waiting for a message)"},
	{"closes amid a message", func(c net.Conn) { _, _ = io.WriteString(c, "\x81\x07wel") }, sitemon.ReasonTransferError, "receiving a message, 3 bytes so far"},
	{"resets", reset, sitemon.ReasonTransferError, "the connection was reset"},
	{"a flood instead of good-bye", func(c net.Conn) {
		_, _ = io.WriteString(c, "\x81\x07welcome")
		endless("\x81\x02no")(c)
	}, "", ""},
}

// TestHostileWebSockets lets the probe meet peers that do no good, before and after
// the switch. It ends with nothing left over.
func TestHostileWebSockets(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		welcome := expects(func(e *sitemon.Expect) { e.BodyMatch = []sitemon.Pattern{pattern(t, "welcome")} })
		for _, p := range wsPeers {
			t.Run("ws/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "ws://"+listen(t, switches(p.handle)), welcome)
				meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
			})
			t.Run("wss/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "wss://"+listenTLS(t, cert, nil, switches(p.handle)), welcome)
				meetHostile(t, set, site, secureTimeout, &worst, p.want, p.text)
			})
		}
		for _, p := range httpPeers { // none of them switches
			t.Run("ws/"+p.name, func(t *testing.T) {
				t.Parallel()
				want, text := p.want, p.text
				if want == "" || want == sitemon.ReasonRedirect {
					want, text = sitemon.ReasonStatus, "expected 101, which opens a WebSocket"
				}
				meetHostile(t, set, newSite(t, "ws://"+listen(t, p.handle), welcome), hostileTimeout, &worst, want, text)
			})
		}
		for _, p := range tlsPeers {
			t.Run("wss/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "wss://"+listen(t, p.handle)), hostileTimeout, &worst, p.want, p.text)
			})
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}
