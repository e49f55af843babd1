package probes

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"sitemon"
)

// policy says which addresses may be connected to.
type policy struct{ deny, allow []netip.Prefix }

// blockedError says that the policy forbids an address.
type blockedError struct{ addr netip.Addr }

func (e *blockedError) Error() string { return "address " + e.addr.String() + " is not allowed" }

// connect connects to one address, if the policy allows it. It and those beside it
// are the only ways out of this package, and what they judge is the very address
// that they connect to; so redirects, and names that change their address between two look-ups,
// can't get around it.
func (p policy) connect(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	if addr := plain(target.Addr()); p.denies(addr) {
		return nil, &blockedError{addr}
	}
	return connectTCP(ctx, target)
}

// connectUDP is connect for datagrams: the kernel takes only those of that address
// and port, and tells what the network says of ours.
func (p policy) connectUDP(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	if addr := plain(target.Addr()); p.denies(addr) {
		return nil, &blockedError{addr}
	}
	var d net.Dialer
	return d.DialContext(ctx, "udp", target.String())
}

// connectEcho is connect for echo requests.
func (p policy) connectEcho(target netip.Addr, r sitemon.ICMPRequest) (*echoSocket, error) {
	if addr := plain(target); p.denies(addr) {
		return nil, &blockedError{addr}
	}
	return openEcho(target, r)
}

// denies reports whether the policy forbids a plain address.
func (p policy) denies(addr netip.Addr) bool {
	has := func(n netip.Prefix) bool { return n.Contains(addr) }
	return slices.ContainsFunc(p.deny, has) && !slices.ContainsFunc(p.allow, has)
}

// nat64 is the well-known prefix behind which a NAT64 gateway reaches an IPv4
// address, held in the last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// plain returns the IPv4 address in an IPv4-mapped or NAT64 address, and any
// address without its zone, as a prefix never contains one with a zone.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}
