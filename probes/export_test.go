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
	return a.race(addrs, port)
}
