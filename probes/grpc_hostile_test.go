package probes_test

import (
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"sitemon"
	"sitemon/probes"
)

// message is what gRPC makes of a text.
func message(flag byte, length int, text string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{flag}, uint32(length))
	return append(b, text...)
}

// answersGRPC is a peer that begins an answer of gRPC, which then goes on with.
func answersGRPC(then func(*http2.Framer)) func(net.Conn) {
	return func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: header(":status", "200", "content-type", "application/grpc")})
			then(f)
		})
	}
}

// headersOnly is a peer whose answer is one block of header fields.
func headersOnly(fields ...string) func(net.Conn) {
	return func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: header(fields...)})
		})
	}
}

// data is an answer with a body, and trailers unless there are none.
func data(body []byte, trailers ...string) func(net.Conn) {
	return answersGRPC(func(f *http2.Framer) {
		_ = f.WriteData(1, trailers == nil, body)
		if trailers != nil {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: header(trailers...)})
		}
	})
}

// twoStatuses is an answer with a status in its header, and in its trailers where there
// is another.
func twoStatuses(before string, end ...string) func(net.Conn) {
	return func(c net.Conn) {
		preface(c, func(f *http2.Framer) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: header(":status", "200", "content-type", "application/grpc", "grpc-status", before)})
			_ = f.WriteData(1, len(end) == 0, message(0, 2, "\x08\x01"))
			for _, status := range end {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: header("grpc-status", status)})
			}
		})
	}
}

// plusProto is a good answer that names the format of its messages.
func plusProto(c net.Conn) {
	preface(c, func(f *http2.Framer) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: header(":status", "200", "content-type", "application/grpc+proto")})
		_ = f.WriteData(1, false, message(0, 2, "\x08\x01"))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, EndStream: true, BlockFragment: header("grpc-status", "0")})
	})
}

// grpcPeers misbehave in gRPC, over plain TCP and TLS alike.
var grpcPeers = []peer{
	{"serves", data(message(0, 2, "\x08\x01"), "grpc-status", "0"), "", ""},
	{"serves, with fields to come", data(message(0, 6, "\x12\x02hi\x08\x01"), "grpc-status", "0"), "", ""},
	{"says nothing of the state", data(message(0, 0, ""), "grpc-status", "0"), sitemon.ReasonStatus, "the server answered UNKNOWN"},
	{"a state of its own", data(message(0, 3, "\x08\x80\x01"), "grpc-status", "0"), sitemon.ReasonStatus, "the server answered status 128"},
	{"is a web server", headersOnly(":status", "200", "content-type", "text/html"), sitemon.ReasonProtocol, `its content type is "text/html"`},
	{"is a gateway without its server", headersOnly(":status", "503"), sitemon.ReasonStatus, `the HTTP status "503 Service Unavailable"`},
	{"is a gateway that says what is wrong", headersOnly(":status", "503", "content-type", "application/grpc", "grpc-status", "14", "grpc-message", "no upstream"), sitemon.ReasonStatus, "the server answered UNAVAILABLE (no upstream)"},
	{"is for browsers", headersOnly(":status", "200", "content-type", "application/grpc-web", "grpc-status", "0"), sitemon.ReasonProtocol, `its content type is "application/grpc-web"`},
	{"says how messages are written", plusProto, "", ""},
	{"a good status before, a bad one at the end", twoStatuses("0", "14"), sitemon.ReasonStatus, "the server answered UNAVAILABLE"},
	{"a bad status before, a good one at the end", twoStatuses("14", "0"), "", ""},
	{"a status before a message only", twoStatuses("0"), sitemon.ReasonProtocol, "ends without a status of gRPC"},
	{"stops, and takes no more calls", func(c net.Conn) {
		preface(c, func(f *http2.Framer) { _ = f.WriteGoAway(0, http2.ErrCodeNo, []byte("max_age")) })
	}, sitemon.ReasonTransferError, "GOAWAY"},
	{"refuses the call", func(c net.Conn) {
		preface(c, func(f *http2.Framer) { _ = f.WriteRSTStream(1, http2.ErrCodeRefusedStream) })
	}, sitemon.ReasonTransferError, "REFUSED_STREAM"},
	{"no status at the end", data(message(0, 2, "\x08\x01")), sitemon.ReasonProtocol, "ends without a status of gRPC"},
	{"a status that is no number", data(message(0, 2, "\x08\x01"), "grpc-status", "fine"), sitemon.ReasonProtocol, `no number: "fine"`},
	{"a status that is no code", data(nil, "grpc-status", "70000"), sitemon.ReasonProtocol, `no number: "70000"`},
	{"no message", data(nil, "grpc-status", "0"), sitemon.ReasonProtocol, "there is no message"},
	{"a compressed message", data(message(1, 2, "\x08\x01"), "grpc-status", "0"), sitemon.ReasonProtocol, "compressed"},
	{"a length too long", data(message(0, 1<<31, "\x08\x01"), "grpc-status", "0"), sitemon.ReasonProtocol, "length is wrong"},
	{"two messages", data(append(message(0, 2, "\x08\x01"), message(0, 2, "\x08\x01")...), "grpc-status", "0"), sitemon.ReasonProtocol, "length is wrong"},
	{"garbage in the message", data(message(0, 3, "\xff\xff\xff"), "grpc-status", "0"), sitemon.ReasonProtocol, "can't be read"},
	{"half a number", data(message(0, 2, "\x08\x80"), "grpc-status", "0"), sitemon.ReasonProtocol, "can't be read"},
	{"a long message for people", headersOnly(":status", "200", "content-type", "application/grpc", "grpc-status", "14", "grpc-message", strings.Repeat("%0a%", 20000)), sitemon.ReasonStatus, "UNAVAILABLE"},
	{"an endless message", answersGRPC(func(f *http2.Framer) {
		_ = f.WriteData(1, false, message(0, 1<<30, ""))
		for f.WriteData(1, false, make([]byte, 8<<10)) == nil {
		}
	}), sitemon.ReasonProtocol, ""},
	{"endless trailers", answersGRPC(func(f *http2.Framer) {
		_ = f.WriteData(1, false, message(0, 2, "\x08\x01"))
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: header("grpc-status", "0")})
		for f.WriteContinuation(1, false, header("x-a", strings.Repeat("y", 4000))) == nil {
		}
	}), sitemon.ReasonProtocol, ""},
	{"no trailers yet", answersGRPC(func(f *http2.Framer) { _ = f.WriteData(1, false, message(0, 2, "\x08\x01")) }), sitemon.ReasonTransferTimeout, "7 bytes so far"},
	{"resets the stream amid the answer", answersGRPC(func(f *http2.Framer) {
		_ = f.WriteData(1, false, message(0, 2, "\x08"))
		_ = f.WriteRSTStream(1, http2.ErrCodeInternal)
	}), sitemon.ReasonProtocol, "INTERNAL_ERROR"},
}

// TestHostileGRPC lets the probe meet peers of HTTP/2 and gRPC that do no good. It
// ends with nothing left over.
func TestHostileGRPC(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		for _, p := range append(append([]peer(nil), http2Peers...), grpcPeers...) {
			if p.name == "more than the window" || p.name == "a body that stops" {
				continue // which are no answers of gRPC
			}
			if p.name == "closes at once" {
				p.text = "before an answer came" // or resets, as it has not read
			}
			t.Run("grpc/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "grpc://"+listen(t, p.handle)+"/shop.Cart")
				meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
			})
			t.Run("grpcs/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "grpcs://"+listenTLS(t, cert, []string{"h2"}, p.handle)+"/shop.Cart")
				meetHostile(t, set, site, secureTimeout, &worst, p.want, p.text)
			})
		}
		for _, p := range tlsPeers {
			t.Run("grpcs/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "grpcs://"+listen(t, p.handle)), hostileTimeout, &worst, p.want, p.text)
			})
		}
		t.Run("grpc/resets", func(t *testing.T) {
			t.Parallel()
			site := newSite(t, "grpc://"+listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 64)); reset(c) }))
			wantHostile(t, runHostile(t, set, site, ampleTimeout, &worst), sitemon.ReasonTransferError, "the connection was reset before an answer came")
		})
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}
