//go:build !linux

package probes

import (
	"context"
	"net"
	"net/netip"
)

// connectTCP connects to one address. TCP keep-alive is for connections that
// idle long: here it would only cost system calls.
func connectTCP(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	conn, err := d.DialContext(ctx, "tcp", target.String())
	if err != nil {
		return nil, err
	}
	return conn, nil
}
