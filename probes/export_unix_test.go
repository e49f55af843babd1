//go:build unix

package probes

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// FullBacklog listens on an IPv4 address and fills it, so that further
// connections are not answered. Port 0 takes a free one.
func FullBacklog(t *testing.T, address string) (string, error) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { syscall.Close(fd) })
	want := netip.MustParseAddrPort(address)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: want.Addr().As4(), Port: int(want.Port())}); err != nil {
		return "", err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return "", err
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return "", err
	}
	address = netip.AddrPortFrom(want.Addr(), uint16(sa.(*syscall.SockaddrInet4).Port)).String()
	for {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address, nil
		}
		t.Cleanup(func() { c.Close() })
	}
}
