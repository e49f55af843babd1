package probes

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sitemon"
)

// maxAddresses is how many addresses of one name are tried.
const maxAddresses = 16

// loopback is what localhost stands for; RFC 6761 section 6.3 wants no server
// asked for it. IPv4 first, as that is where development servers listen.
var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// resolve finds the addresses of a host in the order in which they are to be
// tried. An address as host and localhost need no look-up.
func (a *attempt) resolve(host string) ([]netip.Addr, error) {
	req := a.site.Request
	if addr, err := netip.ParseAddr(host); err == nil {
		return a.preferred([]netip.Addr{addr}, host)
	}
	if host == "localhost" {
		return a.preferred(loopback, host)
	}
	network := "ip"
	if req.PreferredIPProtocol != "" && !req.IPProtocolFallback {
		network = req.PreferredIPProtocol
	}
	start := time.Now()
	found, err := a.set.resolver.LookupNetIP(a.ctx, network, host)
	a.report.Phases.Resolve += time.Since(start)
	if err != nil {
		return nil, a.lookupFailure(network, host, err)
	}
	if len(found) == 0 {
		return nil, failf(sitemon.ReasonDNSNotFound, nil, "%s has no address", host)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	addrs, err := a.preferred(found, host)
	return addrs[:min(len(addrs), maxAddresses)], err
}

// preferred applies preferred_ip_protocol: one family alone where there is an
// address of it, both in turn where none is preferred (RFC 8305 section 4).
func (a *attempt) preferred(addrs []netip.Addr, host string) ([]netip.Addr, error) {
	req := a.site.Request
	if len(addrs) == 1 && req.PreferredIPProtocol == "" {
		return addrs, nil
	}
	var v4, v6 []netip.Addr
	for _, addr := range addrs {
		if addr.Is4() || addr.Is4In6() {
			v4 = append(v4, addr)
		} else {
			v6 = append(v6, addr)
		}
	}
	want, other, name := v4, v6, "IPv4"
	switch req.PreferredIPProtocol {
	case "ip4":
	case "ip6":
		want, other, name = v6, v4, "IPv6"
	default:
		if addrs[0].Is6() {
			v4, v6 = v6, v4
		}
		return interleave(v4, v6), nil
	}
	switch {
	case len(want) > 0:
		return want, nil
	case req.IPProtocolFallback:
		return other, nil
	}
	return nil, failf(sitemon.ReasonDNSNotFound, nil, "%s has no %s address", host, name)
}

// interleave takes from a and b in turn, a first.
func interleave(a, b []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, 0, len(a)+len(b))
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			out = append(out, a[i])
		}
		if i < len(b) {
			out = append(out, b[i])
		}
	}
	return out
}

func (a *attempt) lookupFailure(network, host string, err error) *failure {
	dns, ok := errors.AsType[*net.DNSError](err)
	switch {
	case ok && dns.IsNotFound:
		kind := map[string]string{"ip4": "IPv4 ", "ip6": "IPv6 "}[network]
		return failf(sitemon.ReasonDNSNotFound, err, "the name %s does not exist or has no %saddress", host, kind)
	case a.ctx.Err() != nil:
		return a.noAnswer(sitemon.ReasonDNSTimeout, err, "looking up "+host)
	case timedOut(err):
		return failf(sitemon.ReasonDNSTimeout, err, "no answer from the name server within %s (looking up %s)", shortly(a.report.Phases.Resolve), host)
	case ok && ownLimit(dns.Err):
		return failf(sitemon.ReasonMonitorOverloaded, err, "this monitor can't look up a name: %s", dns.Err)
	case ok:
		return failf(sitemon.ReasonDNSError, err, "looking up %s: %s", host, dns.Err)
	}
	return failf(sitemon.ReasonDNSError, err, "looking up %s: %s", host, words(err))
}

// ownLimit reports whether a look-up failed for want of something here. The
// resolver tells in words only.
func ownLimit(text string) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if strings.Contains(text, errno.Error()) {
			return true
		}
	}
	return false
}

// portNumber reads the port of a URL; service is used where it has none.
func portNumber(port string, service uint16) (uint16, error) {
	if port == "" {
		return service, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, failf(sitemon.ReasonInternal, err, "the port %q is not a number from 1 to 65535", port)
	}
	return uint16(n), nil
}
