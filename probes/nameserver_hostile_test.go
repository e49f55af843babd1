package probes_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sitemon"
	"sitemon/probes"
)

// datagramPeer answers a question with datagrams that do no good.
type datagramPeer struct {
	name   string
	answer func(question []byte, send func([]byte) error)
	want   sitemon.Reason
	text   string
}

// reply is the right answer to a question, changed.
func reply(question []byte, change func(*dns.Msg)) []byte {
	r := new(dns.Msg)
	if r.Unpack(question) != nil {
		return nil
	}
	m := new(dns.Msg).SetReply(r)
	rr, _ := dns.NewRR(r.Question[0].Name + " 60 IN A 192.0.2.1")
	m.Answer = []dns.RR{rr}
	if change != nil {
		change(m)
	}
	m.Compress = true
	wire, _ := m.Pack()
	return wire
}

// loop is an answer whose name points to itself.
func loop(question []byte) []byte {
	m := reply(question, func(m *dns.Msg) { m.Answer = nil })
	binary.BigEndian.PutUint16(m[6:], 1) // one answer
	at := len(m)
	m = append(m, 0xc0|byte(at>>8), byte(at))
	return append(m, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
}

// many claims more records than there are.
func many(question []byte) []byte {
	m := reply(question, nil)
	binary.BigEndian.PutUint16(m[6:], 65535)
	return m
}

var datagramPeers = []datagramPeer{
	{"silent", func([]byte, func([]byte) error) {}, sitemon.ReasonDNSTimeout, "no answer within 400ms (asking 127.0.0.1:"},
	{"another id", func(q []byte, send func([]byte) error) {
		_ = send(reply(q, func(m *dns.Msg) { m.Id++ }))
	}, sitemon.ReasonDNSTimeout, "datagrams that are no answer to the question were ignored"},
	{"another id, then the answer", func(q []byte, send func([]byte) error) {
		_ = send(reply(q, func(m *dns.Msg) { m.Id++; m.Rcode = dns.RcodeNameError }))
		_ = send(reply(q, nil))
	}, "", ""},
	{"another question", func(q []byte, send func([]byte) error) {
		_ = send(reply(q, func(m *dns.Msg) { m.Question[0].Name = "evil.test." }))
	}, sitemon.ReasonDNSTimeout, "ignored"},
	{"another type", func(q []byte, send func([]byte) error) {
		_ = send(reply(q, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT }))
	}, sitemon.ReasonDNSTimeout, "ignored"},
	{"an echo of the question", func(q []byte, send func([]byte) error) { _ = send(q) }, sitemon.ReasonDNSTimeout, "ignored"},
	{"garbage", func(_ []byte, send func([]byte) error) { _ = send([]byte("SSH-2.0-OpenSSH_9.9\r\n")) }, sitemon.ReasonDNSTimeout, "ignored"},
	{"empty datagrams", func(_ []byte, send func([]byte) error) { _ = send(nil) }, sitemon.ReasonDNSTimeout, "ignored"},
	{"a flood of garbage", func(_ []byte, send func([]byte) error) {
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
			if send(bytes.Repeat([]byte{0xff}, 1000)) != nil {
				return
			}
		}
	}, sitemon.ReasonDNSTimeout, "ignored"},
	{"half an answer", func(q []byte, send func([]byte) error) { m := reply(q, nil); _ = send(m[:len(m)-3]) }, sitemon.ReasonDNSError, "the server's answer can't be read"},
	{"a name that points to itself", func(q []byte, send func([]byte) error) { _ = send(loop(q)) }, sitemon.ReasonDNSError, "can't be read"},
	{"many broken answers", func(q []byte, send func([]byte) error) {
		for range 100 {
			_ = send(loop(q))
		}
	}, sitemon.ReasonDNSError, "can't be read"},
	{"more records claimed than sent", func(q []byte, send func([]byte) error) { _ = send(many(q)) }, "", ""}, // those that came count
	{"larger than a datagram may be", func(q []byte, send func([]byte) error) {
		_ = send(append(reply(q, nil), bytes.Repeat([]byte{0}, 30000)...))
	}, "", ""},
	{"cut off, and nobody at TCP", func(q []byte, send func([]byte) error) {
		_ = send(reply(q, func(m *dns.Msg) { m.Truncated, m.Answer = true, nil }))
	}, sitemon.ReasonConnectRefused, ""},
}

// listenUDP answers datagrams until the test ends.
func listenUDP(t *testing.T, answer func(question []byte, send func([]byte) error)) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				answer(buf[:n], func(b []byte) error { _, err := pc.WriteTo(b, from); return err })
			}
		}
	})
	t.Cleanup(func() { pc.Close(); wg.Wait() })
	return pc.LocalAddr().String()
}

// framed answers a question by TCP with what answer makes of it, then does last.
func framed(answer func(question []byte) []byte, last func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		_, _ = c.Write(answer(q))
		if last != nil {
			last(c)
		}
	}
}

func withLength(m []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)
}

var dnsStreamPeers = []peer{
	{"good", framed(func(q []byte) []byte { return withLength(reply(q, nil)) }, silent), "", ""},
	{"silent after accept", silent, sitemon.ReasonDNSTimeout, "connected, waiting for the answer"},
	{"half a length", framed(func([]byte) []byte { return []byte{0} }, silent), sitemon.ReasonDNSTimeout, "waiting for the answer"},
	{"half an answer", framed(func(q []byte) []byte { m := withLength(reply(q, nil)); return m[:len(m)-3] }, silent), sitemon.ReasonDNSTimeout, "bytes so far"},
	{"closes at once", func(net.Conn) {}, sitemon.ReasonTransferError, ""},
	{"closes after the question", framed(func([]byte) []byte { return nil }, nil), sitemon.ReasonTransferError, "the connection was closed"},
	{"closes amid the answer", framed(func(q []byte) []byte { m := withLength(reply(q, nil)); return m[:len(m)-3] }, nil), sitemon.ReasonTransferError, "the connection was closed (receiving the answer"},
	{"resets", framed(func([]byte) []byte { return nil }, reset), sitemon.ReasonTransferError, "reset"},
	{"a byte at a time", framed(func([]byte) []byte { return []byte{0xff, 0xff} }, drip("x")), sitemon.ReasonDNSTimeout, "of 65535 bytes so far"},
	{"endless junk", endless("junk"), sitemon.ReasonProtocol, "no answer to the question"},
	{"another id", framed(func(q []byte) []byte { return withLength(reply(q, func(m *dns.Msg) { m.Id++ })) }, silent), sitemon.ReasonProtocol, "no answer to the question"},
	{"a name that points to itself", framed(func(q []byte) []byte { return withLength(loop(q)) }, silent), sitemon.ReasonDNSError, "can't be read"},
	{"an answer of no bytes", framed(func([]byte) []byte { return []byte{0, 0} }, silent), sitemon.ReasonProtocol, ""},
	{"a huge answer", framed(func(q []byte) []byte {
		return withLength(reply(q, func(m *dns.Msg) {
			rr, _ := dns.NewRR(strings.Repeat(strings.Repeat("x", 60)+".", 4) + " 60 IN A 192.0.2.1")
			m.Answer = nil
			for range 3900 {
				m.Answer = append(m.Answer, rr)
			}
		}))
	}, silent), "", ""},
}

// TestHostileNameServers lets the dns probe meet name servers that do no good, by
// UDP, TCP and TLS. It ends with nothing left over.
func TestHostileNameServers(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		cert := ca.server(t, nil)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		for _, p := range datagramPeers {
			t.Run("udp/"+p.name, func(t *testing.T) {
				t.Parallel()
				meetHostile(t, set, newSite(t, "dns://"+listenUDP(t, p.answer)+"/example.test"), hostileTimeout, &worst, p.want, p.text)
			})
		}
		for _, p := range dnsStreamPeers {
			t.Run("tcp/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "dns://"+listen(t, p.handle)+"/example.test", asks(func(r *sitemon.DNSRequest) { r.TCP = true }))
				meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
			})
			t.Run("tls/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "dns://"+listenTLS(t, cert, []string{"dot"}, p.handle)+"/example.test", asks(func(r *sitemon.DNSRequest) { r.OverTLS = true }))
				meetHostile(t, set, site, secureTimeout, &worst, p.want, p.text)
			})
		}
		for _, p := range tlsPeers {
			t.Run("tls/"+p.name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "dns://"+listen(t, p.handle)+"/example.test", asks(func(r *sitemon.DNSRequest) { r.OverTLS = true }))
				meetHostile(t, set, site, hostileTimeout, &worst, p.want, p.text)
			})
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}
