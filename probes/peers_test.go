package probes_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"sitemon"
)

// peer is a server that does no good.
type peer struct {
	name   string
	handle func(net.Conn)
	want   sitemon.Reason // of an HTTP probe; "" for an answer that is judged good
	text   string
}

// timeout is short only where the deadline is what ends the probe.
func (p peer) timeout(short time.Duration) time.Duration {
	if strings.HasSuffix(string(p.want), "_timeout") || strings.Contains(p.text, "nothing more came") {
		return short
	}
	return ampleTimeout
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

// readRequest reads a request's head.
func readRequest(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		if line, err := br.ReadString('\n'); err != nil || line == "\r\n" {
			return
		}
	}
}

// silent waits until the other side is gone.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// answer returns a peer that reads a request, writes text and then does last.
func answer(text string, last func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, text)
		if last != nil {
			last(c)
		}
	}
}

// endless writes text over and over.
func endless(text string) func(net.Conn) {
	return func(c net.Conn) {
		chunk := []byte(strings.Repeat(text, 1+4096/len(text)))
		for {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}
}

// drip writes text a byte at a time.
func drip(text string) func(net.Conn) {
	return func(c net.Conn) {
		for i := 0; ; i++ {
			if _, err := c.Write([]byte{text[i%len(text)]}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// reset closes with RST.
func reset(c net.Conn) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// bomb returns the start of a gzip stream, and a piece of it that can be
// repeated for ever and holds a thousand times its size in zeros.
var bomb = sync.OnceValues(func() (head, piece string) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 2 {
		_, _ = z.Write(zeros)
		_ = z.Flush()
		head, piece = head+piece, b.String()
		b.Reset()
	}
	return head, piece
})

func bombed(c net.Conn) {
	head, piece := bomb()
	answer(okHead+"Content-Encoding: gzip\r\n\r\n"+head, endless(piece))(c)
}

// httpPeers misbehave in HTTP/1.1, over plain TCP and TLS alike.
var httpPeers = []peer{
	{"silent after accept", silent, sitemon.ReasonProcessingTimeout, "no answer within 400ms (connected, waiting for the first byte)"},
	{"reads and is silent", answer("", silent), sitemon.ReasonProcessingTimeout, "waiting for the first byte"},
	{"headers a byte at a time", answer("HTTP/1.1 200 OK\r\n", drip("X-A: yyyyyyyyyyyyyyyyyyyy\r\n")), sitemon.ReasonTransferTimeout, "receiving the headers"},
	{"body a byte at a time", answer(okHead+"Content-Length: 100000\r\n\r\n", drip("x")), sitemon.ReasonTransferTimeout, "receiving the body"},
	{"stops amid the headers", answer(okHead, silent), sitemon.ReasonTransferTimeout, "receiving the headers"},
	{"stops amid a header", answer("HTTP/1.1 200 OK\r\nX-A", silent), sitemon.ReasonTransferTimeout, "receiving the headers"},
	{"stops amid the body", answer(okHead+"Content-Length: 10\r\n\r\nabc", silent), sitemon.ReasonTransferTimeout, "3 bytes so far"},
	{"endless headers", answer(okHead, endless("X-A: y\r\n")), sitemon.ReasonProtocol, "the headers are larger than 128 KiB"},
	{"one endless header", answer(okHead+"X: ", endless("yyyyyyyy")), sitemon.ReasonProtocol, "larger than 128 KiB"},
	{"endless status line", answer("HTTP/1.1 200 ", endless("OK")), sitemon.ReasonProtocol, "larger than 128 KiB"},
	{"many small headers", answer(okHead, endless("a:\n")), sitemon.ReasonProtocol, "larger than 128 KiB"},
	{"endless body", answer(okHead+"\r\n", endless("x")), "", ""},
	{"endless chunks", answer(okHead+"Transfer-Encoding: chunked\r\n\r\n", endless("400\r\n"+strings.Repeat("x", 1024)+"\r\n")), "", ""},
	{"endless chunk extension", answer(okHead+"Transfer-Encoding: chunked\r\n\r\n1;", endless("a")), sitemon.ReasonProtocol, ""},
	{"endless trailers", answer(okHead+"Transfer-Encoding: chunked\r\n\r\n0\r\n", endless("X: y\r\n")), sitemon.ReasonProtocol, "trailer"},
	{"a body of 10 GB", answer(okHead+"Content-Length: 10737418240\r\n\r\n", endless("x")), "", ""},
	{"a gzip bomb", bombed, "", ""},
	{"endless empty gzip members", answer(okHead+"Content-Encoding: gzip\r\n\r\n", endless(emptyGzip())), "", ""},
	{"an endless gzip header", answer(okHead+"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x00", endless("a")), sitemon.ReasonProtocol, "can't be decoded"},
	{"gzip that is none", answer(okHead+"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", nil), sitemon.ReasonProtocol, "can't be decoded"},
	{"deflate that is none", answer(okHead+"Content-Encoding: deflate\r\nContent-Length: 5\r\n\r\n\xff\xff\xff\xff\xff", nil), sitemon.ReasonProtocol, "can't be decoded"},
	{"endless interim responses", answer("", endless("HTTP/1.1 103 Early Hints\r\n\r\n")), sitemon.ReasonProtocol, "interim"},
	{"slow interim responses", answer("HTTP/1.1 100 Continue\r\n\r\n", silent), sitemon.ReasonTransferTimeout, "receiving the headers"},
	{"content length too long", answer(okHead+"Content-Length: 10\r\n\r\nabc", nil), sitemon.ReasonTransferError, "the connection was closed amid the body, after 3 bytes"},
	{"content length too short", answer(okHead+"Content-Length: 3\r\n\r\nabcdef", nil), "", ""},
	{"content length negative", answer(okHead+"Content-Length: -3\r\n\r\nabc", nil), sitemon.ReasonProtocol, "Content-Length"},
	{"two content lengths", answer(okHead+"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", nil), sitemon.ReasonProtocol, "Content-Length"},
	{"garbage in chunks", answer(okHead+"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc", nil), sitemon.ReasonProtocol, "invalid byte in chunk length"},
	{"chunk too large", answer(okHead+"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc", nil), sitemon.ReasonProtocol, "chunk length"},
	{"ends amid a chunk", answer(okHead+"Transfer-Encoding: chunked\r\n\r\n10\r\nabc", nil), sitemon.ReasonTransferError, "closed amid the body"},
	{"garbage", answer("\x00\x01\x02\xff\xfe garbage\r\n\r\n", nil), sitemon.ReasonProtocol, "the answer is not HTTP"},
	{"a banner of another protocol", answer("SSH-2.0-OpenSSH_9.9\r\n", nil), sitemon.ReasonProtocol, "SSH-2.0-OpenSSH_9.9"},
	{"TLS on a plain port", answer("\x15\x03\x01\x00\x02\x02\x46", nil), sitemon.ReasonProtocol, "the answer is not HTTP"},
	{"closes without an answer", answer("", nil), sitemon.ReasonTransferError, "the connection was closed before an answer came"},
	{"closes amid the headers", answer(okHead, nil), sitemon.ReasonTransferError, "the connection was closed amid the headers"},
	{"resets after the request", answer("", reset), sitemon.ReasonTransferError, "the connection was reset before an answer came"},
	{"resets amid the headers", answer(okHead, func(c net.Conn) { time.Sleep(50 * time.Millisecond); reset(c) }), sitemon.ReasonTransferError, "the connection was reset amid the headers"},
	{"resets amid the body", answer(okHead+"Content-Length: 10\r\n\r\nabc", func(c net.Conn) { time.Sleep(50 * time.Millisecond); reset(c) }), sitemon.ReasonTransferError, "the connection was reset amid the body, after 3 bytes"},
	{"endless redirects", answer("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", nil), sitemon.ReasonRedirect, "more than 10 redirects"},
	{"redirects with endless bodies", answer("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n", endless("x")), sitemon.ReasonRedirect, "more than 10 redirects"},
	{"redirect to nowhere", answer("HTTP/1.1 302 Found\r\nLocation: http://\r\n\r\n", nil), sitemon.ReasonRedirect, "which is no URL"},
	{"redirect to a file", answer("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", nil), sitemon.ReasonRedirect, ""},
	{"an endless location", answer("HTTP/1.1 302 Found\r\nLocation: ", endless("/a")), sitemon.ReasonProtocol, "larger than 128 KiB"},
}

func emptyGzip() string {
	var b bytes.Buffer
	_ = gzip.NewWriter(&b).Close()
	return b.String()
}

// tlsPeers misbehave before or amid the handshake.
var tlsPeers = []peer{
	{"stalls before the handshake", silent, sitemon.ReasonTLSTimeout, "no answer within 400ms (connected, in the TLS handshake)"},
	{"stalls after the ClientHello", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte{22, 3, 3, 0, 100, 2, 0, 0, 96})
		silent(c)
	}, sitemon.ReasonTLSTimeout, "in the TLS handshake"},
	{"garbage instead of TLS", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "\x16\x03\x03\x00\x10garbage-garbage-")
		silent(c)
	}, sitemon.ReasonTLSError, ""},
	{"plain HTTP on a TLS port", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	}, sitemon.ReasonTLSError, `the server does not speak TLS: its answer begins with "HTTP/"`},
	{"endless handshake records", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		endless("\x16\x03\x03\x00\x04\x02\xff\xff\xff")(c)
	}, sitemon.ReasonTLSError, ""},
	{"closes after the ClientHello", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, sitemon.ReasonTLSError, "TLS handshake: the connection was closed"},
	{"resets after the ClientHello", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); reset(c) }, sitemon.ReasonTLSError, "the connection was reset"},
	{"sends an alert", func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
		silent(c)
	}, sitemon.ReasonTLSError, "the server ended the TLS handshake: handshake failure"},
}

// preface reads what a client of HTTP/2 says first and answers with SETTINGS.
func preface(c net.Conn, then func(*http2.Framer)) {
	_, _ = io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
	f := http2.NewFramer(c, c)
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		if _, ok := frame.(*http2.HeadersFrame); ok {
			break
		}
	}
	then(f)
	silent(c)
}

func header(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// http2Peers misbehave in HTTP/2.
var http2Peers = []peer{
	{"sends junk", func(c net.Conn) { endless("junk")(c) }, sitemon.ReasonProtocol, ""},
	{"speaks HTTP/1.1", answer(okHead+"Content-Length: 2\r\n\r\nok", silent), sitemon.ReasonProtocol, ""},
	{"never sends SETTINGS", silent, sitemon.ReasonProcessingTimeout, "waiting for the first byte"},
	{"never answers", func(c net.Conn) { preface(c, func(*http2.Framer) {}) }, sitemon.ReasonProcessingTimeout, "waiting for the first byte"},
	{"closes at once", func(net.Conn) {}, sitemon.ReasonTransferError, "the connection was closed before an answer came"},
	{"endless CONTINUATION", func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: header(":status", "200")})
			for f.WriteContinuation(1, false, header("x-a", strings.Repeat("y", 4000))) == nil {
			}
		})
	}, sitemon.ReasonProtocol, ""},
	{"resets the stream", func(c net.Conn) {
		preface(c, func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeInternal) })
	}, sitemon.ReasonProtocol, "INTERNAL_ERROR"},
	{"goes away", func(c net.Conn) {
		preface(c, func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil) })
	}, sitemon.ReasonProtocol, ""},
	{"a body that stops", func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: header(":status", "200")})
			_ = f.WriteData(1, false, []byte("abc"))
		})
	}, sitemon.ReasonTransferTimeout, "3 bytes so far"},
	{"more than the window", func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: header(":status", "200")})
			for f.WriteData(1, false, make([]byte, 16<<10)) == nil {
			}
		})
	}, sitemon.ReasonProtocol, ""},
	{"endless pings", func(c net.Conn) {
		go silent(c)
		preface(c, func(f *http2.Framer) {
			for f.WritePing(false, [8]byte{}) == nil {
			}
		})
	}, sitemon.ReasonProcessingTimeout, ""},
	{"endless settings", func(c net.Conn) {
		_ = http2.NewFramer(c, c).WriteSettings()
		f := http2.NewFramer(c, c)
		for f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535}) == nil {
		}
	}, sitemon.ReasonProcessingTimeout, ""},
}
