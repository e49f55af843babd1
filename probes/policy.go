package probes

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// policy says which addresses may be connected to.
type policy struct{ deny, allow []netip.Prefix }

// blockedError says that the policy forbids an address.
type blockedError struct{ addr netip.Addr }

func (e *blockedError) Error() string { return "address " + e.addr.String() + " is not allowed" }

// control is a [net.Dialer.Control]: it sees each address right before the
// connection is made, so redirects and names that change their address between
// two look-ups can't get around it.
func (p policy) control(_, address string, _ syscall.RawConn) error {
	if len(p.deny) == 0 {
		return nil
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to connect to: %w", err)
	}
	if addr := plain(target.Addr()); p.denies(addr) {
		return &blockedError{addr}
	}
	return nil
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
