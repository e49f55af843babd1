package probes

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"sitemon"
)

const (
	// stragglers is how long a probe that had an answer waits for the others, at
	// least, after the last request.
	stragglers = time.Second
	// echoID is how many bytes of an echo request are ours alone.
	echoID = 16
)

// errNoEcho says that this process may not send echo requests.
var errNoEcho = errors.New("this monitor may not send echo requests")

// echo is a probe by ICMP on its way.
type echo struct {
	*attempt
	request  sitemon.ICMPRequest
	addr     netip.Addr
	socket   *echoSocket
	id       uint16 // unlike the payload, a system may replace it
	payload  []byte
	sent     []time.Time
	trips    []time.Duration // by number of the request; negative: no answer
	answered int
	refused  int   // errors that the network sent back,
	refusal  error // and the last of them
}

// probeICMP sends echo requests and waits for the answers.
func probeICMP(a *attempt) error {
	u, err := a.target()
	if err != nil {
		return err
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return err
	}
	e := &echo{attempt: a, request: sitemon.DefaultICMPRequest()}
	if a.site.Request.ICMP != nil {
		e.request = *a.site.Request.ICMP
	}
	x := &exchange{method: "ECHO", url: u.String(), sent: map[string]string{
		"Count": fmt.Sprint(e.request.Count), "Payload": fmt.Sprintf("%d bytes", e.request.PayloadSize),
	}}
	a.asking(x)
	addrs, err := a.resolve(host)
	if err != nil {
		return err
	}
	if err := e.open(addrs); err != nil {
		return err
	}
	defer e.socket.Close()
	defer a.onEnd(e.socket.SetDeadline)()
	start := time.Now()
	if err := e.run(start); err != nil {
		return err
	}
	return e.conclude(start, x)
}

// open opens a socket to the first address that there is a way to.
func (e *echo) open(addrs []netip.Addr) error {
	var failures []error
	for _, addr := range addrs {
		addr = addr.Unmap() // which is whom IPv4 speaks to
		e.report.RemoteAddr = addr.String()
		socket, err := e.set.policy.connectEcho(addr, e.request)
		if err == nil {
			e.addr, e.socket = addr, socket
			e.identify()
			return nil
		}
		failures = append(failures, e.failure(addr, err))
		if errors.Is(err, errNoEcho) {
			return failures[len(failures)-1]
		}
	}
	return worst(failures)
}

// identify makes what is in all of the requests, and nobody can guess.
func (e *echo) identify() {
	var random [echoID + 2]byte
	_, _ = rand.Read(random[:]) // never fails
	e.id = binary.BigEndian.Uint16(random[echoID:])
	e.payload = bytes.Repeat(random[:echoID], e.request.PayloadSize/echoID+1)[:e.request.PayloadSize]
	e.trips = slices.Repeat([]time.Duration{-1}, e.request.Count)
}

// failure says why an address can't be reached.
func (e *echo) failure(addr netip.Addr, err error) *failure {
	switch {
	case errors.Is(err, errNoEcho):
		return failf(sitemon.ReasonInternal, err, "%v: let net.ipv4.ping_group_range include its group %d, or give it CAP_NET_RAW", errNoEcho, os.Getgid())
	case errors.Is(err, syscall.EMSGSIZE):
		return failf(sitemon.ReasonSendError, err, "an echo request with %d bytes is too long to get to %s in one piece", e.request.PayloadSize, addr)
	case errors.Is(err, errors.ErrUnsupported):
		return failf(sitemon.ReasonInternal, err, "%v", err)
	}
	f := e.dialFailure(netip.AddrPortFrom(addr, 0), err)
	f.text = strings.ReplaceAll(f.text, netip.AddrPortFrom(addr, 0).String(), addr.String())
	e.trail().tried = nil // which are addresses with a port
	return f
}

// run sends the requests and takes the answers until there is nothing to wait
// for. Its error is one that ends the probe.
func (e *echo) run(start time.Time) error {
	buf := make([]byte, max(1500, e.request.PayloadSize+128))
	for e.answered+e.refused < e.request.Count && e.ctx.Err() == nil {
		due := start.Add(time.Duration(len(e.sent)) * e.request.Interval)
		if len(e.sent) < e.request.Count && !time.Now().Before(due) {
			if err := e.send(); err != nil {
				return err
			}
			continue
		}
		until := e.patient()
		if len(e.sent) < e.request.Count && due.Before(until) {
			until = due
		}
		if err := e.socket.SetDeadline(until); err != nil {
			return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
		}
		if e.ctx.Err() != nil { // whose end may have set a deadline before
			break
		}
		n, err := e.socket.Read(buf)
		switch {
		case err == nil:
			e.take(e.socket.message(buf[:n]), time.Now())
		case timedOut(err):
			if !until.Equal(due) {
				return nil
			}
		default:
			e.refused, e.refusal = e.refused+1, err
		}
	}
	return nil
}

// patient is until when answers are waited for.
func (e *echo) patient() time.Time {
	if e.answered+e.refused == 0 || len(e.sent) < e.request.Count {
		return e.deadline
	}
	until := e.sent[len(e.sent)-1].Add(max(stragglers, 2*slices.Max(e.trips)))
	if until.After(e.deadline) {
		return e.deadline
	}
	return until
}

// send sends the next request.
func (e *echo) send() error {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(e.id), Seq: len(e.sent), Data: e.payload}}
	if e.addr.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	wire, err := m.Marshal(nil)
	if err != nil {
		return failf(sitemon.ReasonInternal, err, "make an echo request: %v", err)
	}
	if err := e.socket.SetDeadline(e.deadline); err != nil {
		return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	e.sent = append(e.sent, time.Now())
	switch _, err := e.socket.Write(wire); {
	case err == nil, timedOut(err):
	case errors.Is(err, syscall.EMSGSIZE), errors.Is(err, syscall.ENOBUFS):
		return e.failure(e.addr, err)
	default: // perhaps the network's word on the request before
		e.refused, e.refusal = e.refused+1, err
	}
	return nil
}

// take looks whether a message answers one of the requests; each can be answered
// once.
func (e *echo) take(wire []byte, now time.Time) {
	protocol, want := 1, icmp.Type(ipv4.ICMPTypeEchoReply)
	if e.addr.Is6() {
		protocol, want = 58, ipv6.ICMPTypeEchoReply
	}
	m, err := icmp.ParseMessage(protocol, wire)
	if err != nil || m.Type != want {
		return
	}
	body, ok := m.Body.(*icmp.Echo)
	if !ok || body.Seq >= len(e.sent) || e.socket.raw && body.ID != int(e.id) || !bytes.Equal(body.Data, e.payload) {
		return
	}
	if e.trips[body.Seq] < 0 {
		e.trips[body.Seq] = now.Sub(e.sent[body.Seq])
		e.answered++
	}
}

// conclude judges the answers. The time that a probe took is that of the look-up
// and of the median round trip: pauses between requests say nothing of the host.
func (e *echo) conclude(start time.Time, x *exchange) error {
	requests := fmt.Sprintf("%d echo requests to %s", len(e.sent), e.addr)
	if len(e.sent) == 1 {
		requests = "an echo request to " + e.addr.String()
	}
	if e.answered == 0 {
		e.report.Phases.Processing = time.Since(start)
		switch { // of several words of the network the kernel may keep one, so that others are waited for
		case e.refusal != nil && e.ctx.Err() != nil:
			return failf(sitemon.ReasonConnectError, e.refusal, "connecting to %s: %s", e.addr, words(e.refusal))
		case e.refusal != nil:
			return e.failure(e.addr, e.refusal)
		}
		return e.noAnswer(sitemon.ReasonProcessingTimeout, e.ctx.Err(), requests)
	}
	trips := slices.DeleteFunc(slices.Clone(e.trips), func(d time.Duration) bool { return d < 0 })
	slices.Sort(trips)
	median := trips[len(trips)/2]
	if len(trips)%2 == 0 {
		median = (trips[len(trips)/2-1] + median) / 2
	}
	e.report.Phases.Processing = median
	e.report.Duration = e.report.Phases.Resolve + median
	x.protocol = "ICMP"
	if e.addr.Is6() {
		x.protocol = "ICMPv6"
	}
	x.status = fmt.Sprintf("%d of %d answered", e.answered, e.request.Count)
	x.fields = map[string]string{
		"Round-Trip": fmt.Sprintf("least %s, median %s, most %s", shortly(trips[0]), shortly(median), shortly(trips[len(trips)-1])),
	}
	return e.attempt.conclude(func(v *verdict) { v.loss(e.answered, e.request.Count) })
}

// loss judges how many requests stayed without an answer.
func (v *verdict) loss(answered, count int) {
	most := v.attempt.site.Expect.MaxLoss
	if most == nil {
		return
	}
	lost := 100 * float64(count-answered) / float64(count)
	ok := lost <= *most
	if v.quiet(ok) {
		return
	}
	percent := func(f float64) string { return fmt.Sprint(math.Round(f*10)/10) + " %" }
	seen := fmt.Sprintf("%s (%d of %d)", percent(lost), count-answered, count)
	v.note(ok, sitemon.OutcomeDegraded, sitemon.ReasonProcessingTimeout, Check{Name: "loss", Expected: "at most " + percent(*most), Seen: seen},
		fmt.Sprintf("%s of the echo requests had no answer, expected at most %s", seen, percent(*most)))
}
