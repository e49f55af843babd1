package probes_test

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// writes writes text and then does last.
func writes(text string, last func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text)
		if last != nil {
			last(c)
		}
	}
}

// dialoguePeers are told HELO once they have said 220, and shall answer 250.
var dialoguePeers = []peer{
	{"good", talks(nil, "220 hi\r\n", [2]string{"HELO", "250 hi\r\n"}), "", ""},
	{"silent after accept", silent, sitemon.ReasonProcessingTimeout, `(connected, waiting for a line that matches "^220 ")`},
	{"half a line", writes("220", silent), sitemon.ReasonTransferTimeout, "3 bytes of a line so far"},
	{"a byte at a time", drip("x"), sitemon.ReasonTransferTimeout, "of a line so far"},
	{"lines a byte at a time", drip("ab\n"), sitemon.ReasonBody, "nothing more came within"},
	{"silent after the greeting", writes("220 hi\r\n", silent), sitemon.ReasonProcessingTimeout, `waiting for a line that matches "^250 "`},
	{"something else, then silent", writes("554 no\r\n", silent), sitemon.ReasonBody, `answer "554 no", expected a line that matches "^220 " (nothing more came within`},
	{"closes at once", func(net.Conn) {}, sitemon.ReasonTransferError, "the connection was closed (waiting for"},
	{"resets after the greeting", func(c net.Conn) { _, _ = io.WriteString(c, "220 hi\r\n"); _, _ = c.Read(make([]byte, 8)); reset(c) }, sitemon.ReasonTransferError, "reset"},
	{"an endless line", endless("x"), sitemon.ReasonProtocol, "a line is longer than 64 KiB"},
	{"endless lines", endless("junk\r\n"), sitemon.ReasonBody, "that is all of the first 1048576 bytes"},
	{"endless empty lines", endless("\n"), sitemon.ReasonBody, ""},
	{"no text", writes("\x00\xff\xfe\r\n", nil), sitemon.ReasonBody, `"\x00\xff\xfe"`},
	{"TLS on a plain port", writes("\x15\x03\x01\x00\x02\x02\x46", nil), sitemon.ReasonBody, ""},
}

// readLine reads until a line ends, and no further.
func readLine(c net.Conn) {
	b := make([]byte, 1)
	for b[0] != '\n' {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// serverHandshake begins TLS as a server.
func serverHandshake(c net.Conn, cert tls.Certificate) (*tls.Conn, bool) {
	tc := tls.Server(c, serverTLS(cert))
	return tc, tc.Handshake() == nil
}

// TestHostileDialogues lets the probes of tcp and tls talk with peers that do no good,
// before and after TLS has begun. It ends with nothing left over.
func TestHostileDialogues(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		helo := []sitemon.DialogueStep{step("^220 ", "HELO x\r"), step("^250 ", "")}
		begin := append([]sitemon.DialogueStep{step("", "STARTTLS\r"), step("^go", ""), {StartTLS: true}}, helo...)
		greeted := func(then func(net.Conn)) func(net.Conn) {
			return func(c net.Conn) {
				readLine(c)
				writes("go\r\n", then)(c)
			}
		}
		for _, p := range dialoguePeers {
			t.Run("tcp/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "tcp://"+listen(t, p.handle), says(helo...)), hostileTimeout, &worst, p.want, p.text)
			})
			t.Run("tls/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "tls://"+listenTLS(t, cert, nil, p.handle), says(helo...)), secureTimeout, &worst, p.want, p.text)
			})
			t.Run("starttls/"+p.name, func(t *testing.T) {
				t.Parallel()
				secure := greeted(func(c net.Conn) {
					if tc, ok := serverHandshake(c, cert); ok {
						p.handle(tc)
						_ = tc.Close()
					}
				})
				meetHostile(t, set, newSite(t, "tcp://"+listen(t, secure), says(begin...)), secureTimeout, &worst, p.want, p.text)
			})
		}
		for _, p := range tlsPeers {
			t.Run("starttls/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "tcp://"+listen(t, greeted(p.handle)), says(begin...)), hostileTimeout, &worst, p.want, p.text)
			})
		}
		t.Run("takes nothing", func(t *testing.T) {
			t.Parallel()
			many := make([]sitemon.DialogueStep, 100)
			for i := range many {
				many[i] = step("", strings.Repeat("x", 1<<20))
			}
			addr := listen(t, func(c net.Conn) { <-t.Context().Done(); c.Close() })
			r := runHostile(t, set, newSite(t, "tcp://"+addr, says(many...)), hostileTimeout, &worst)
			wantHostile(t, r, sitemon.ReasonProcessingTimeout, "connected, sending line")
			secure := listenTLS(t, cert, nil, func(net.Conn) { <-t.Context().Done() })
			r = runHostile(t, set, newSite(t, "tls://"+secure, says(many...)), secureTimeout, &worst)
			wantHostile(t, r, sitemon.ReasonProcessingTimeout, "connected, sending line")
		})
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}
