package probes

import (
	"context"
	"net"
	"net/netip"
	"time"

	"sitemon"
)

// Race connects to the first of several addresses that answers, loopback or not.
func (s *Set) Race(ctx context.Context, site *sitemon.Site, addrs []netip.Addr, port uint16) (net.Conn, error) {
	limit, _ := ctx.Deadline()
	a := &attempt{set: s, ctx: ctx, site: site, start: time.Now(), deadline: limit}
	return race(a, addrs, port, s.policy.connect, a.dialFailure)
}

// RaceQUIC is Race by QUIC; it returns the address that answered first.
func (s *Set) RaceQUIC(ctx context.Context, site *sitemon.Site, addrs []netip.Addr, port uint16) (string, error) {
	limit, _ := ctx.Deadline()
	a := &attempt{set: s, ctx: ctx, site: site, start: time.Now(), deadline: limit}
	defer a.release()
	cfg, err := a.tlsConfig("localhost", alpnHTTP3)
	if err != nil {
		return "", err
	}
	q, err := race(a, addrs, port, func(ctx context.Context, target netip.AddrPort) (*quicConn, error) {
		return s.connectQUIC(ctx, target, cfg)
	}, a.quicFailure)
	if err != nil {
		return "", err
	}
	return a.report.RemoteAddr, q.Close()
}
