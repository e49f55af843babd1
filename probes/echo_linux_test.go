package probes_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// apart runs fn in a network of its own, where only loopback is: sockets that fn
// opens by itself are in it. It needs root.
func apart(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	done, refused := make(chan struct{}), error(nil)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		if refused = syscall.Unshare(syscall.CLONE_NEWNET); refused != nil {
			return
		}
		raiseLoopback(t, 0)
		fn(t)
	}()
	<-done
	if refused != nil {
		testkit.Missing(t, fmt.Sprintf("a network of one's own needs root: %v", refused))
	}
}

// raiseLoopback brings loopback up; an mtu of 0 leaves that as it is.
func raiseLoopback(t *testing.T, mtu int32) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		value int32
		_     [20]byte
	}{name: [16]byte{'l', 'o'}, value: syscall.IFF_UP}
	command := uintptr(syscall.SIOCSIFFLAGS)
	if mtu > 0 {
		request.value, command = mtu, syscall.SIOCSIFMTU
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), command, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Error(errno)
	}
}

func setKernel(t *testing.T, name, value string) {
	if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
		t.Error(err)
	}
}

// TestICMPPrivileges goes through the sockets that a monitor may have.
func TestICMPPrivileges(t *testing.T) {
	site := newSite(t, "icmp://127.0.0.1", atMostLost(0))
	set := newSet(t, probes.Options{})
	apart(t, func(t *testing.T) {
		setKernel(t, "ping_group_range", "1 0") // nobody
		wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
		if err := dropCapabilities(); err != nil {
			t.Error(err)
			return
		}
		r := set.Probe(t.Context(), site)
		wantReport(t, r, sitemon.OutcomeUnknown, sitemon.ReasonInternal,
			"this monitor may not send echo requests: let net.ipv4.ping_group_range include its group 0, or give it CAP_NET_RAW")
	})
	apart(t, func(t *testing.T) {
		setKernel(t, "ping_group_range", "0 2147483647") // everybody
		if err := dropCapabilities(); err != nil {
			t.Error(err)
			return
		}
		wantReport(t, set.Probe(t.Context(), site), sitemon.OutcomeUp, "", "")
	})
}

// dropCapabilities takes those of this thread.
func dropCapabilities() error {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	var none [6]uint32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); errno != 0 {
		return errno
	}
	return nil
}

// TestICMPTooLong sends what does not fit.
func TestICMPTooLong(t *testing.T) {
	set := newSet(t, probes.Options{})
	apart(t, func(t *testing.T) {
		raiseLoopback(t, 1300)
		large := func(whole bool) option {
			return pings(func(r *sitemon.ICMPRequest) { r.PayloadSize, r.DontFragment = 1400, whole })
		}
		wantReport(t, set.Probe(t.Context(), newSite(t, "icmp://127.0.0.1", large(false))), sitemon.OutcomeUp, "", "")
		wantReport(t, set.Probe(t.Context(), newSite(t, "icmp://127.0.0.1", large(true))), sitemon.OutcomeDown, sitemon.ReasonSendError,
			"an echo request with 1400 bytes is too long to get to 127.0.0.1 in one piece")
		wantReport(t, set.Probe(t.Context(), newSite(t, "icmp://192.0.2.1")), sitemon.OutcomeDown, sitemon.ReasonConnectError, "network is unreachable")
	})
}

// echoPeer answers echo requests in the kernel's place.
type echoPeer struct {
	name    string
	answer  func(seq int, request *icmp.Echo, send func(icmp.Type, icmp.MessageBody))
	options []option
	outcome sitemon.Outcome
	reason  sitemon.Reason
	text    string
}

var echoReply = icmp.Type(ipv4.ICMPTypeEchoReply)

// unreachable is what a router says of a request.
func unreachable(r *icmp.Echo) icmp.MessageBody {
	original, _ := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: r}).Marshal(nil)
	header := make([]byte, ipv4.HeaderLen)
	copy(header, []byte{0x45, 0, 0, byte(len(original) + ipv4.HeaderLen), 0, 0, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1})
	return &icmp.DstUnreach{Data: append(header, original...)}
}

var echoPeers = []echoPeer{
	{"silent", func(int, *icmp.Echo, func(icmp.Type, icmp.MessageBody)) {}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "no answer within 400ms (3 echo requests to 127.0.0.1)"},
	{"loses one of three", func(seq int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		if seq != 1 {
			send(echoReply, r)
		}
	}, []option{atMostLost(20)}, sitemon.OutcomeDegraded, sitemon.ReasonProcessingTimeout, "33.3 % (1 of 3) of the echo requests had no answer, expected at most 20 %"},
	{"may lose one of three", func(seq int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		if seq != 1 {
			send(echoReply, r)
		}
	}, []option{atMostLost(34)}, sitemon.OutcomeUp, "", ""},
	{"any answer is up", func(seq int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		if seq == 2 {
			send(echoReply, r)
		}
	}, nil, sitemon.OutcomeUp, "", ""},
	{"answers one request often", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		for range 10 {
			send(echoReply, &icmp.Echo{ID: r.ID, Seq: 0, Data: r.Data})
		}
	}, []option{atMostLost(20)}, sitemon.OutcomeDegraded, sitemon.ReasonProcessingTimeout, "66.7 % (2 of 3)"},
	{"another id", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(echoReply, &icmp.Echo{ID: r.ID + 1, Seq: r.Seq, Data: r.Data})
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"a number that was not sent", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(echoReply, &icmp.Echo{ID: r.ID, Seq: 40000 + r.Seq, Data: r.Data})
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"another payload", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(echoReply, &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: bytes.Repeat([]byte{1}, len(r.Data))})
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"half the payload", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(echoReply, &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: r.Data[:len(r.Data)/2]})
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"more than was sent", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(echoReply, &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: append(bytes.Clone(r.Data), make([]byte, 60000)...)})
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"other messages, then the answer", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(ipv4.ICMPTypeTimestampReply, &icmp.RawBody{Data: make([]byte, 16)})
		send(echoReply, &icmp.RawBody{Data: nil})
		send(echoReply, r)
	}, []option{atMostLost(0)}, sitemon.OutcomeUp, "", ""},
	{"a flood", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
			send(echoReply, &icmp.Echo{ID: r.ID + 1, Seq: r.Seq, Data: r.Data})
		}
	}, nil, sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, ""},
	{"unreachable", func(_ int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		send(ipv4.ICMPTypeDestinationUnreachable, unreachable(r))
	}, nil, sitemon.OutcomeDown, sitemon.ReasonConnectError, ""},
	{"unreachable, said once", func(seq int, r *icmp.Echo, send func(icmp.Type, icmp.MessageBody)) {
		if seq == 0 {
			send(ipv4.ICMPTypeDestinationUnreachable, unreachable(r))
		}
	}, nil, sitemon.OutcomeDown, sitemon.ReasonConnectError, "connecting to 127.0.0.1: no route to host"},
}

// TestHostileEchoes lets the icmp probe meet hosts that do no good, by both kinds of
// socket. It ends with nothing left over.
func TestHostileEchoes(t *testing.T) {
	set := newSet(t, probes.Options{})
	files := openFiles(t)
	var worst atomic.Int64
	for name, group := range map[string]string{"raw": "1 0", "datagram": "0 2147483647"} {
		for _, p := range echoPeers {
			t.Run(name+"/"+p.name, func(t *testing.T) {
				site := newSite(t, "icmp://127.0.0.1", append([]option{pings(func(*sitemon.ICMPRequest) {})}, p.options...)...)
				apart(t, func(t *testing.T) {
					setKernel(t, "ping_group_range", group)
					setKernel(t, "icmp_echo_ignore_all", "1")
					stop := answerEchoes(t, p)
					defer stop()
					wantReport(t, runHostile(t, set, site, hostileTimeout, &worst), p.outcome, p.reason, p.text)
				})
			})
		}
	}
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}

// answerEchoes serves echo requests until stop is called.
func answerEchoes(t *testing.T, p echoPeer) (stop func()) {
	pc, err := net.ListenPacket("ip4:icmp", "127.0.0.1")
	if err != nil {
		t.Error(err)
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1<<16)
		for {
			n, from, err := pc.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			m, parseErr := icmp.ParseMessage(1, buf[:n])
			if err != nil || parseErr != nil || m.Type != ipv4.ICMPTypeEcho {
				continue
			}
			request := m.Body.(*icmp.Echo)
			p.answer(request.Seq, request, func(kind icmp.Type, body icmp.MessageBody) {
				code := 0
				if strings.Contains(p.name, "unreachable") {
					code = 1 // the host is
				}
				wire, _ := (&icmp.Message{Type: kind, Code: code, Body: body}).Marshal(nil)
				_, _ = pc.WriteTo(wire, from)
			})
		}
	}()
	return func() { _ = pc.Close(); <-ended }
}
