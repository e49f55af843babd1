package probes

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"sitemon"
)

// maxMalformed is how many datagrams with the question's id may be unreadable.
const maxMalformed = 32

// datagrams is a question on its way by UDP.
type datagrams struct {
	*question
	conn    net.Conn // to server; nil: none yet
	server  netip.Addr
	stop    func() bool
	ignored int   // datagrams that are no answer
	broken  int   // and those that pretend to be one,
	cause   error // the last one's fault
}

func (d *datagrams) close() {
	if d.conn != nil {
		d.stop()
		d.conn.Close()
		d.conn = nil
	}
}

// askUDP sends the question by UDP, again after each equal share of the time, to
// one server after the other. A server that can't be reached is left out.
func (a *attempt) askUDP(q *question) (*dns.Msg, netip.Addr, error) {
	d := &datagrams{question: q}
	defer d.close()
	servers := slices.Clone(q.servers)
	var failures []error
	start := time.Now()
	for next, left := 0, q.request.UDPRetries+1; left > 0; {
		at := next % len(servers)
		until := time.Now().Add(time.Until(a.deadline) / time.Duration(left))
		answer, err := a.askOnce(d, servers[at], until, start)
		switch {
		case err == nil:
			return answer, d.server, nil
		case a.ctx.Err() != nil:
			left = 0
		case timedOut(err):
			next, left = next+1, left-1
		default:
			failures = append(failures, err)
			if servers = slices.Delete(servers, at, at+1); len(servers) == 0 {
				return nil, d.server, worst(failures)
			}
		}
	}
	a.report.Phases.Processing += time.Since(start)
	return nil, d.server, a.unanswered(d)
}

// askOnce sends the question to one server and waits for the answer. Its error is
// a timeout, or says why the server can't be reached.
func (a *attempt) askOnce(d *datagrams, server netip.Addr, until, start time.Time) (*dns.Msg, error) {
	target := netip.AddrPortFrom(server, d.port)
	if d.conn == nil || server != d.server {
		d.close()
		a.report.RemoteAddr = target.String()
		conn, err := a.set.policy.connectUDP(a.ctx, target)
		if err != nil {
			return nil, a.dialFailure(target, err)
		}
		d.conn, d.server, d.stop = conn, server, a.onCancel(conn)
	}
	if err := d.conn.SetDeadline(until); err != nil {
		return nil, failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	if err := a.ctx.Err(); err != nil { // whose end may have set a deadline before
		return nil, err
	}
	sent := time.Now()
	if _, err := d.conn.Write(d.wire[2:]); err != nil {
		return nil, a.datagramFailure(target, err)
	}
	b := a.buffers()
	b.body = slices.Grow(b.body[:0], dns.DefaultMsgSize)[:dns.DefaultMsgSize]
	for {
		n, err := d.conn.Read(b.body)
		switch {
		case err != nil && timedOut(err):
			return nil, err
		case err != nil:
			return nil, a.datagramFailure(target, err)
		}
		now := time.Now()
		answer, err := d.answerOf(b.body[:n])
		if err == nil {
			a.answered(start, now, n)
			d.shown.protocol = "DNS/udp"
			return answer, nil
		}
		if errors.Is(err, errOther) {
			d.ignored++
		} else if d.broken, d.cause = d.broken+1, err; d.broken >= maxMalformed {
			a.report.Phases.Processing += now.Sub(sent)
			return nil, malformed(err)
		}
	}
}

// datagramFailure is dialFailure for what a network says of a datagram.
func (a *attempt) datagramFailure(target netip.AddrPort, err error) error {
	if timedOut(err) || a.ctx.Err() != nil {
		return err
	}
	if errors.Is(err, syscall.EMSGSIZE) {
		return failf(sitemon.ReasonSendError, err, "sending the question to %s: %s", target, words(err))
	}
	return a.dialFailure(target, err)
}

func malformed(err error) *failure {
	return failf(sitemon.ReasonDNSError, err, "the server's answer can't be read: %s", strings.TrimPrefix(err.Error(), "dns: "))
}

// unanswered is the failure of a question without an answer.
func (a *attempt) unanswered(d *datagrams) error {
	if d.broken > 0 {
		return malformed(d.cause)
	}
	f := a.noAnswer(sitemon.ReasonDNSTimeout, a.ctx.Err(), "asking "+a.report.RemoteAddr+" by UDP")
	if d.ignored > 0 {
		f.text += fmt.Sprintf("; %d datagrams that are no answer to the question were ignored", d.ignored)
	}
	return f
}

// askStream asks by TCP, or by TLS where the site says so.
func (a *attempt) askStream(q *question, servers []netip.Addr) (*dns.Msg, error) {
	conn, err := a.connectTo(servers, q.port)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer a.onCancel(conn)()
	protocol := "DNS/tcp"
	if q.request.OverTLS {
		protocol = "DNS/tls"
		var tc *tls.Conn
		if tc, err = a.handshake(conn, q.host, []string{"dot"}); err != nil {
			return nil, err
		}
		conn = tc
	}
	sent := time.Now()
	if _, err := conn.Write(q.wire); err != nil {
		return nil, a.streamFailure(err, sitemon.ReasonSendError, "sending the question")
	}
	var length [2]byte
	_, err = io.ReadFull(conn, length[:])
	began := time.Now()
	size := int(length[0])<<8 | int(length[1])
	a.answered(sent, began, size)
	if err != nil {
		return nil, a.streamFailure(err, sitemon.ReasonTransferError, "waiting for the answer")
	}
	b := a.buffers()
	b.body = slices.Grow(b.body[:0], size)[:size]
	n, err := io.ReadFull(conn, b.body)
	a.report.Phases.Transfer += time.Since(began)
	a.report.BodyBytes = int64(n)
	if err != nil {
		return nil, a.streamFailure(err, sitemon.ReasonTransferError, fmt.Sprintf("receiving the answer, %d of %d bytes so far", n, size))
	}
	answer, err := q.answerOf(b.body)
	switch {
	case errors.Is(err, errOther):
		return nil, failf(sitemon.ReasonProtocol, err, "what the server sent is no answer to the question: %s", a.seen(b.body))
	case err != nil:
		return nil, malformed(err)
	}
	q.shown.protocol = protocol
	return answer, nil
}

// streamFailure is the failure of an exchange on a connection.
func (a *attempt) streamFailure(err error, reason sitemon.Reason, doing string) error {
	if timedOut(err) || a.ctx.Err() != nil {
		return a.noAnswer(sitemon.ReasonDNSTimeout, err, "connected, "+doing)
	}
	return failf(reason, err, "%s (%s)", words(err), doing)
}
