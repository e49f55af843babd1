package probes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"sitemon"
)

// attemptDelay is how long the next address of a name waits for the one before
// it (RFC 8305 section 5).
const attemptDelay = 250 * time.Millisecond

// open resolves a host and connects to it. The connection carries the probe's
// deadline, so no step on it needs a timer of its own.
func (a *attempt) open(host string, port uint16) (net.Conn, error) {
	addrs, err := a.resolve(host)
	if err != nil {
		return nil, err
	}
	return a.connectTo(addrs, port)
}

// connectTo is open for addresses that are known.
func (a *attempt) connectTo(addrs []netip.Addr, port uint16) (net.Conn, error) {
	start := time.Now()
	conn, err := a.dial(addrs, port)
	a.report.Phases.Connect += time.Since(start)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(a.deadline); err != nil {
		conn.Close()
		return nil, failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	return conn, nil
}

// dial connects to the first address that answers.
func (a *attempt) dial(addrs []netip.Addr, port uint16) (net.Conn, error) {
	if len(addrs) == 1 { // most often: without the closures that dialAny needs
		target := netip.AddrPortFrom(addrs[0], port)
		a.report.RemoteAddr = target.String()
		conn, err := a.set.policy.connect(a.ctx, target)
		if err != nil {
			return nil, a.dialFailure(target, err)
		}
		return conn, nil
	}
	return dialAny(a, addrs, port, a.set.policy.connect, a.dialFailure)
}

// dialAny makes a connection of any kind with the first address that answers;
// failure puts into words why one could not be made.
func dialAny[C io.Closer](a *attempt, addrs []netip.Addr, port uint16, connect connector[C], failure func(netip.AddrPort, error) *failure) (C, error) {
	if len(addrs) > 1 && !addrs[0].IsLoopback() { // which answers or refuses at once
		return race(a, addrs, port, connect, failure)
	}
	var (
		failures []error
		none     C
	)
	for _, addr := range addrs {
		target := netip.AddrPortFrom(addr, port)
		a.report.RemoteAddr = target.String()
		conn, err := connect(a.ctx, target)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, failure(target, err))
	}
	return none, worst(failures)
}

// connector makes a connection to one address.
type connector[C io.Closer] func(context.Context, netip.AddrPort) (C, error)

type dialed[C io.Closer] struct {
	conn   C
	target netip.AddrPort
	err    error
}

// race tries the addresses one after the other, the next one after a failure or
// [attemptDelay], and takes the first connection that is made. All attempts have
// ended when it returns.
func race[C io.Closer](a *attempt, addrs []netip.Addr, port uint16, connect connector[C], failure func(netip.AddrPort, error) *failure) (C, error) {
	ctx, cancel := context.WithCancel(a.ctx)
	results := make(chan dialed[C], len(addrs))
	started, ended := 0, 0
	next := func() {
		target := netip.AddrPortFrom(addrs[started], port)
		started++
		go func() {
			conn, err := connect(ctx, target)
			results <- dialed[C]{conn, target, err}
		}()
	}
	defer func() {
		cancel()
		for ; ended < started; ended++ {
			if late := <-results; late.err == nil {
				_ = late.conn.Close()
			}
		}
	}()
	next()
	timer := time.NewTimer(attemptDelay)
	defer timer.Stop()
	var (
		failures []error
		none     C
	)
	for {
		select {
		case r := <-results:
			ended++
			a.report.RemoteAddr = r.target.String()
			if r.err == nil {
				return r.conn, nil
			}
			failures = append(failures, failure(r.target, r.err))
			if ended == len(addrs) {
				return none, worst(failures)
			}
			if started < len(addrs) {
				next()
				timer.Reset(attemptDelay)
			}
		case <-timer.C:
			if started < len(addrs) {
				next()
				timer.Reset(attemptDelay)
			}
		}
	}
}

func (a *attempt) dialFailure(target netip.AddrPort, err error) *failure {
	if blocked, ok := errors.AsType[*blockedError](err); ok {
		return failf(sitemon.ReasonBlocked, err, "%s by the address policy (probes.deny)", blocked.Error())
	}
	t := a.trail()
	t.tried = append(t.tried, target.String())
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failf(sitemon.ReasonConnectRefused, err, "connection refused by %s", target)
	case a.ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return a.noAnswer(sitemon.ReasonConnectTimeout, err, "connecting to "+target.String())
	case timedOut(err):
		return failf(sitemon.ReasonConnectTimeout, err, "no answer from %s: the system gave up connecting", target)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM),
		errors.Is(err, syscall.EADDRNOTAVAIL) && target.Addr().Unmap().Is4():
		return failf(sitemon.ReasonMonitorOverloaded, err, "this monitor can't open a connection: %s", words(err))
	}
	return failf(sitemon.ReasonConnectError, err, "connecting to %s: %s", target, words(err))
}

// telling orders the reasons for which no address could be reached: the more a
// reason says about the site, the earlier.
var telling = []sitemon.Reason{
	sitemon.ReasonMonitorOverloaded, sitemon.ReasonConnectRefused, sitemon.ReasonConnectTimeout,
	sitemon.ReasonConnectError, sitemon.ReasonBlocked,
}

// worst makes one failure of those of several addresses.
func worst(failures []error) error {
	if len(failures) == 1 {
		return failures[0]
	}
	for _, reason := range telling {
		for _, err := range failures {
			if f, ok := errors.AsType[*failure](err); ok && f.reason == reason {
				texts := make([]string, len(failures))
				for i, other := range failures {
					texts[i] = other.Error()
				}
				return &failure{reason, strings.Join(texts, "; "), err}
			}
		}
	}
	return errors.Join(failures...)
}

// onCancel makes every use of conn fail at once when the probe's context is
// cancelled before its deadline. The result undoes it, and reports false where
// the context had ended before.
func (a *attempt) onCancel(conn net.Conn) (stop func() bool) {
	return a.onEnd(conn.SetDeadline)
}

// onEnd is onCancel for what is no connection.
func (a *attempt) onEnd(setDeadline func(time.Time) error) (stop func() bool) {
	return context.AfterFunc(a.ctx, func() { _ = setDeadline(time.Unix(1, 0)) })
}

// noDelay sends small writes on conn at once, where that is not so by itself. A
// single small request needs no such care.
func noDelay(conn net.Conn) error {
	c, ok := conn.(interface{ noDelay() error })
	if !ok {
		return nil
	}
	if err := c.noDelay(); err != nil {
		return failf(sitemon.ReasonInternal, err, "set TCP_NODELAY: %s", words(err))
	}
	return nil
}
