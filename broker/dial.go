package broker

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// silence is how long a peer may say nothing to a request for which the library
// sets no deadline: those of signing in. Such a wait looks at no context either,
// so it would last until the system gives the connection up, if it ever does.
const silence = dialTimeout

// dial opens a connection on which nothing waits for ever.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: c}, nil
}

// bounded is a connection whose reads and writes end after a while even where no
// deadline is set.
type bounded struct {
	net.Conn
	reads, writes atomic.Bool // a deadline is set
}

// Read implements [net.Conn].
func (c *bounded) Read(p []byte) (int, error) {
	if !c.reads.Load() {
		if err := c.Conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn].
func (c *bounded) Write(p []byte) (int, error) {
	if !c.writes.Load() {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(silence)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// SetDeadline implements [net.Conn].
func (c *bounded) SetDeadline(t time.Time) error {
	c.reads.Store(!t.IsZero())
	c.writes.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *bounded) SetReadDeadline(t time.Time) error {
	c.reads.Store(!t.IsZero())
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements [net.Conn].
func (c *bounded) SetWriteDeadline(t time.Time) error {
	c.writes.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}
