package probes

import (
	"net"
	"sync/atomic"
	"time"
)

// quicSocket is a connected UDP socket as [net.PacketConn]: the kernel lets only
// the peer's datagrams through, and tells when nobody listens there.
type quicSocket struct {
	net.Conn
	came atomic.Int64 // when the first datagram did, in nanoseconds since 1970; 0: not yet
}

// ReadFrom implements [net.PacketConn].
func (d *quicSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, err := d.Read(p)
	if err == nil && d.came.Load() == 0 {
		d.came.Store(time.Now().UnixNano())
	}
	return n, d.RemoteAddr(), err
}

// WriteTo implements [net.PacketConn]; the address can only be the peer's.
func (d *quicSocket) WriteTo(p []byte, _ net.Addr) (int, error) { return d.Write(p) }

// SetReadBuffer and SetWriteBuffer leave the buffers as the system has them: one
// request has no need of the megabytes that the library would like to have, and
// says so on the standard log where it does not get them.
func (*quicSocket) SetReadBuffer(int) error { return nil }

// SetWriteBuffer is as SetReadBuffer.
func (*quicSocket) SetWriteBuffer(int) error { return nil }

// first is when the first datagram came; zero where none did.
func (d *quicSocket) first() time.Time {
	if ns := d.came.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
