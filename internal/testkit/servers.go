package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"sitemon/internal/servers"
)

// Unique returns a name that no other test has.
func Unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:12]) }

// control starts and ends a server within its test. Its methods may be called
// by any goroutine of the test; what goes wrong makes the test fail.
type control struct {
	t      testing.TB
	server interface {
		Start(context.Context) error
		Stop() error
		Kill() error
		Freeze() error
		Thaw() error
		Log() string
	}
}

// Start starts the server again, on the same port and with what it has stored,
// and returns when it answers.
func (c control) Start() {
	c.t.Helper()
	c.check(c.server.Start(context.Background()))
}

// Stop ends the server in order; it does not wait for its clients.
func (c control) Stop() {
	c.t.Helper()
	c.check(c.server.Stop())
}

// Kill ends the server by SIGKILL, with all its children.
func (c control) Kill() {
	c.t.Helper()
	c.check(c.server.Kill())
}

// Freeze halts the server and its children by SIGSTOP: connections are accepted
// and nothing is answered.
func (c control) Freeze() {
	c.t.Helper()
	c.check(c.server.Freeze())
}

// Thaw lets a frozen server go on.
func (c control) Thaw() {
	c.t.Helper()
	c.check(c.server.Thaw())
}

// Log returns what the server has printed so far.
func (c control) Log() string { return c.server.Log() }

func (c control) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Error(err)
	}
}

// started ends a test whose server did not start, or leaves it out if the
// server's program is not there.
func started(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, servers.ErrMissing):
		Missing(t, err.Error())
	case err != nil:
		t.Fatal(err)
	}
}

func closed(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// Proxy is a network of a test's own: it passes TCP connections on until told
// to misbehave.
type Proxy struct {
	Addr string // host:port where it listens

	t     testing.TB
	proxy *servers.Proxy
}

// StartProxy starts a proxy to target, host:port, that ends with the test.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := servers.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Proxy{Addr: p.Addr, t: t, proxy: p}
}

// Cut lets nothing through any more, in either direction, and tells nobody:
// connections stay open and new ones are accepted. After Restore what had been
// sent goes on its way.
func (p *Proxy) Cut() { p.proxy.Cut() }

// Refuse resets all connections and refuses new ones.
func (p *Proxy) Refuse() { p.proxy.Refuse() }

// Restore ends a cut and a refusal.
func (p *Proxy) Restore() {
	p.t.Helper()
	if err := p.proxy.Restore(); err != nil {
		p.t.Error(err)
	}
}

// Delay holds up everything by d, in each direction, from now on.
func (p *Proxy) Delay(d time.Duration) { p.proxy.Delay(d) }
