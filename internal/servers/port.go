package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range of every system's outgoing connections,
// one of which could take the port of a server that is stopped for a while.
const (
	firstPort = 20000
	portCount = 12000
)

// port is a TCP port on 127.0.0.1 that a server keeps while it is stopped:
// the UDP port of the same number, held meanwhile, tells the other processes
// that look for a port here.
type port struct {
	number int
	hold   net.PacketConn
}

func reservePort() (*port, error) {
	for range 200 {
		p := &port{number: firstPort + rand.IntN(portCount)}
		var err error
		if p.hold, err = net.ListenPacket("udp4", p.addr()); err != nil {
			continue
		}
		l, err := net.Listen("tcp4", p.addr())
		if err != nil {
			p.release()
			continue
		}
		l.Close()
		return p, nil
	}
	return nil, errors.New("find a free port on 127.0.0.1: 200 were taken")
}

func reservePorts(n int) ([]*port, error) {
	var ports []*port
	for range n {
		p, err := reservePort()
		if err != nil {
			releasePorts(ports)
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func releasePorts(ports []*port) {
	for _, p := range ports {
		p.release()
	}
}

func (p *port) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.number)) }

func (p *port) release() { _ = p.hold.Close() }

func (p *port) String() string { return fmt.Sprint(p.number) }
