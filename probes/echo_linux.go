package probes

import (
	"errors"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/net/ipv4"

	"sitemon"
)

// echoSocket sends ICMP to one address and receives what comes from there.
type echoSocket struct {
	*os.File
	// raw: it gets every message of that address, with the header of IPv4, and needs
	// CAP_NET_RAW. Else the kernel picks out what answers this socket.
	raw bool
	v4  bool
}

// openEcho opens a socket of the kind that this process may have.
func openEcho(target netip.Addr, r sitemon.ICMPRequest) (*echoSocket, error) {
	family, addr, err := socketAddress(netip.AddrPortFrom(target, 0))
	if err != nil {
		return nil, err
	}
	protocol := syscall.IPPROTO_ICMP
	if family == syscall.AF_INET6 {
		protocol = syscall.IPPROTO_ICMPV6
	}
	const flags = syscall.SOCK_NONBLOCK | syscall.SOCK_CLOEXEC
	raw := false
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|flags, protocol)
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EPROTONOSUPPORT) {
		raw = true
		fd, err = syscall.Socket(family, syscall.SOCK_RAW|flags, protocol)
		if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
			return nil, errNoEcho
		}
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := setEcho(fd, family, r); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	if err := syscall.Connect(fd, addr); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return &echoSocket{os.NewFile(uintptr(fd), "icmp"), raw, family == syscall.AF_INET}, nil
}

// setEcho sets what a site says of its requests, and lets the socket hear what the
// routers on the way say.
func setEcho(fd, family int, r sitemon.ICMPRequest) error {
	level, ttl, discover, errs := syscall.IPPROTO_IP, syscall.IP_TTL, syscall.IP_MTU_DISCOVER, syscall.IP_RECVERR
	if family == syscall.AF_INET6 {
		level, ttl, discover, errs = syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, syscall.IPV6_MTU_DISCOVER, syscall.IPV6_RECVERR
	}
	options := map[int]int{errs: 1}
	if r.TTL > 0 {
		options[ttl] = r.TTL
	}
	if r.DontFragment {
		options[discover] = syscall.IP_PMTUDISC_DO
	}
	for option, value := range options {
		if err := syscall.SetsockoptInt(fd, level, option, value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// message is the ICMP message in what was received.
func (s *echoSocket) message(packet []byte) []byte {
	if !s.raw || !s.v4 {
		return packet
	}
	if len(packet) < ipv4.HeaderLen {
		return nil
	}
	return packet[min(int(packet[0]&0xf)*4, len(packet)):]
}
