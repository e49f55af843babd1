//go:build !linux

package probes

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/icmp"

	"sitemon"
)

// echoSocket sends ICMP to one address and receives what comes from there.
type echoSocket struct {
	*icmp.PacketConn
	raw    bool // it gets every message of every host
	target netip.Addr
}

// openEcho opens a socket of the kind that this process may have.
func openEcho(target netip.Addr, r sitemon.ICMPRequest) (*echoSocket, error) {
	if r.DontFragment {
		return nil, fmt.Errorf("dont_fragment is for monitors on Linux: %w", errors.ErrUnsupported)
	}
	datagram, raw, local := "udp4", "ip4:icmp", "0.0.0.0"
	if target.Is6() {
		datagram, raw, local = "udp6", "ip6:ipv6-icmp", "::"
	}
	s := &echoSocket{target: target}
	var err error
	if s.PacketConn, err = icmp.ListenPacket(datagram, local); err != nil {
		s.raw = true
		s.PacketConn, err = icmp.ListenPacket(raw, local)
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, errNoEcho
	case err != nil:
		return nil, err
	case r.TTL > 0 && target.Is6():
		err = s.IPv6PacketConn().SetHopLimit(r.TTL)
	case r.TTL > 0:
		err = s.IPv4PacketConn().SetTTL(r.TTL)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Write sends a message.
func (s *echoSocket) Write(b []byte) (int, error) {
	addr := net.Addr(&net.UDPAddr{IP: s.target.AsSlice(), Zone: s.target.Zone()})
	if s.raw {
		addr = &net.IPAddr{IP: s.target.AsSlice(), Zone: s.target.Zone()}
	}
	return s.WriteTo(b, addr)
}

// Read receives a message of the address.
func (s *echoSocket) Read(b []byte) (int, error) {
	for {
		n, from, err := s.ReadFrom(b)
		if err != nil {
			return n, err
		}
		var ip net.IP
		switch addr := from.(type) {
		case *net.UDPAddr:
			ip = addr.IP
		case *net.IPAddr:
			ip = addr.IP
		}
		if got, ok := netip.AddrFromSlice(ip); ok && got.Unmap() == s.target.WithZone("") {
			return n, nil
		}
	}
}

// message is the ICMP message in what was received.
func (s *echoSocket) message(packet []byte) []byte { return packet }
