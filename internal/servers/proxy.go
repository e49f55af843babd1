package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	chunkSize = 32 << 10
	inFlight  = 16 // chunks of one direction of a connection that wait for their time
)

// Proxy passes TCP connections on to a target, until it is told to behave as a
// broken network does.
type Proxy struct {
	Addr string // host:port where it listens

	target string
	port   *port
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
	delay    time.Duration
	open     chan struct{} // closed unless the network is cut
}

// NewProxy listens on a free port of the loopback interface and passes what
// comes there on to target, host:port.
func NewProxy(target string) (*Proxy, error) {
	port, err := reservePort()
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: port.addr(), target: target, port: port, conns: map[net.Conn]struct{}{}, open: make(chan struct{})}
	close(p.open)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if err := p.Restore(); err != nil {
		p.cancel()
		port.release()
		return nil, err
	}
	return p, nil
}

// Cut lets nothing through any more, in either direction, and tells nobody:
// connections stay open, new ones are accepted, and no byte and no end of a
// connection arrives. After Restore what had been sent goes on its way.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// Refuse resets all connections and refuses new ones.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		reset(c)
	}
}

// Restore ends a cut and a refusal.
func (p *Proxy) Restore() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
	default:
		close(p.open)
	}
	if p.listener != nil || p.ctx.Err() != nil {
		return nil
	}
	l, err := net.Listen("tcp4", p.Addr)
	if err != nil {
		return fmt.Errorf("open the proxy to %s: %w", p.target, err)
	}
	p.listener = l
	p.wg.Go(func() { p.accept(l) })
	return nil
}

// Delay holds up everything by d, in each direction, from now on.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Close resets all connections and ends the proxy.
func (p *Proxy) Close() {
	p.cancel()
	p.Refuse()
	p.wg.Wait()
	p.port.release()
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.pass(client) })
	}
}

// pass carries one connection until both sides have ended it.
func (p *Proxy) pass(client net.Conn) {
	if !p.keep(client) {
		return
	}
	defer p.drop(client)
	if p.wait(time.Now()) != nil {
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(p.ctx, "tcp4", p.target)
	if err != nil {
		reset(client)
		return
	}
	if !p.keep(server) {
		return
	}
	defer p.drop(server)
	var both sync.WaitGroup
	both.Go(func() { p.carry(server, client) })
	both.Go(func() { p.carry(client, server) })
	both.Wait()
}

// chunk is what was read at once, with the time from which it may arrive.
type chunk struct {
	data []byte
	due  time.Time
	err  error
}

// carry moves what comes from one side to the other, and its end.
func (p *Proxy) carry(to, from net.Conn) {
	chunks := make(chan chunk, inFlight)
	p.wg.Go(func() {
		defer close(chunks)
		for {
			data := make([]byte, chunkSize)
			n, err := from.Read(data)
			select {
			case chunks <- chunk{data[:n], time.Now().Add(p.held()), err}:
			case <-p.ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	for c := range chunks {
		err := p.wait(c.due)
		if err == nil && len(c.data) > 0 {
			_, err = to.Write(c.data)
		}
		switch {
		case err == nil && errors.Is(c.err, io.EOF):
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		case err != nil || c.err != nil: // a reset on one side is one on the other
			reset(to)
			reset(from)
		}
	}
}

// wait returns when due has come and the network is not cut.
func (p *Proxy) wait(due time.Time) error {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *Proxy) held() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

// keep remembers a connection for Refuse; it is false if it came too late.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		reset(c)
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// reset closes a connection so that the other side gets an error.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
