package writer

import (
	"context"
	"net"

	"github.com/segmentio/kafka-go"
)

// dialerUntil returns a dialer like d whose connections are closed when ctx ends. A
// Reader waits up to 10 seconds for an answer, whatever becomes of its context, and
// its Close waits for it: with a broker that hangs, a stop would take that long.
func dialerUntil(ctx context.Context, d *kafka.Dialer) *kafka.Dialer {
	until := *d
	until.DialFunc = func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialFunc(dialing, network, address)
		if err != nil {
			return nil, err // that of the broker's dial, which names the address
		}
		return &endingConn{Conn: conn, stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
	}
	return &until
}

// endingConn is a connection that ends with a context.
type endingConn struct {
	net.Conn
	stop func() bool // forgets the context
}

func (c *endingConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
