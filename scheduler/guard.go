package scheduler

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sitemon"
)

const (
	offlineHosts    = 5 // distinct hosts that must fail, and
	offlineNetworks = 3 // distinct networks that they are in
	canaryTimeout   = 3 * time.Second
	canaryFresh     = time.Second // how long the canaries' answer is believed
)

// guard tells a dead site from a dead network of our own. With canaries, those
// alone decide: they are asked when a site could not be resolved or reached, and
// the monitor is offline if none answers. Without, the monitor counts as offline
// when, within one interval, at least [offlineHosts] hosts in [offlineNetworks]
// networks (/24, /48) failed to resolve or to connect and none was reached.
// Hosts on loopback, and sites that call us, say nothing about the network.
type guard struct {
	prober   Prober
	canaries []sitemon.Site
	now      func() time.Time

	mu        sync.Mutex // held while the canaries are asked: one asks for all
	askedAt   time.Time
	reachable bool

	seen map[string]contact // by host, without canaries
}

// contact is the newest attempt to reach a host.
type contact struct {
	at      time.Time
	reached bool
	network string
}

func newGuard(p Prober, canaries []sitemon.Site, now func() time.Time) *guard {
	return &guard{prober: p, canaries: canaries, now: now, seen: map[string]contact{}}
}

// judge turns a report into unknown/monitor_offline if it failed for want of a
// network.
func (g *guard) judge(ctx context.Context, t *target, r *sitemon.Report) {
	failed := networkFailure(r.Reason)
	var why string
	switch {
	case len(g.canaries) > 0:
		if !failed || g.canaryAnswers(ctx) {
			return
		}
		why = "no canary answers either"
	default:
		if t.site.Kind == sitemon.KindHeartbeat || isLoopback(t.host, r.RemoteAddr) {
			return
		}
		n := g.note(t, r, failed)
		if !failed || n == 0 {
			return
		}
		why = fmt.Sprintf("nor could any other of %d hosts be reached", n)
	}
	r.Outcome, r.Reason = sitemon.OutcomeUnknown, sitemon.ReasonMonitorOffline
	r.Error = "the monitor's own network seems to be down: " + why + "; " + r.Error
}

// networkFailure reports whether a probe ended before anything answered. A
// refused connection and a name that does not exist are answers.
func networkFailure(r sitemon.Reason) bool {
	switch r {
	case sitemon.ReasonDNSTimeout, sitemon.ReasonDNSError, sitemon.ReasonConnectTimeout, sitemon.ReasonConnectError:
		return true
	}
	return false
}

// canaryAnswers asks the canaries, all at once, unless that was done just now.
func (g *guard) canaryAnswers(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now().Sub(g.askedAt) < canaryFresh {
		return g.reachable
	}
	ctx, cancel := context.WithTimeout(ctx, canaryTimeout)
	defer cancel()
	answers := make(chan bool, len(g.canaries))
	for i := range g.canaries {
		go func() { answers <- !networkFailure(g.prober.Probe(ctx, &g.canaries[i]).Reason) }()
	}
	g.reachable = false
	for range g.canaries { // wait for all: no goroutine outlives this call
		if <-answers {
			g.reachable = true
			cancel()
		}
	}
	g.askedAt = g.now()
	return g.reachable
}

// note remembers a contact, and for a failed one returns how many hosts failed
// if that means offline, else 0.
func (g *guard) note(t *target, r *sitemon.Report, failed bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if r.Outcome == sitemon.OutcomeUnknown || r.Reason == sitemon.ReasonDNSNotFound {
		return 0
	}
	g.seen[t.host] = contact{at: now, reached: !failed, network: g.network(t.host, r.RemoteAddr)}
	if !failed {
		return 0
	}
	hosts, networks := 0, map[string]bool{}
	for host, c := range g.seen {
		switch {
		case now.Sub(c.at) > 24*time.Hour:
			delete(g.seen, host) // its site has long been removed
		case now.Sub(c.at) > t.site.Interval:
		case c.reached:
			return 0
		default:
			hosts++
			networks[c.network] = true
		}
	}
	if hosts < offlineHosts || len(networks) < offlineNetworks {
		return 0
	}
	return hosts
}

// network names the network of an address, or that known of the host from
// before; a host that never had an address is one of its own.
func (g *guard) network(host, addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		if c, ok := g.seen[host]; ok {
			return c.network
		}
		return host
	}
	ip, bits := ap.Addr().Unmap(), 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return host
	}
	return p.String()
}

// isLoopback reports whether a target is this machine.
func isLoopback(host, addr string) bool {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().Unmap().IsLoopback()
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
