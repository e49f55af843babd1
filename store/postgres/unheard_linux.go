package postgres

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h.
const tcpUserTimeout = 18

// limitUnheard makes the kernel end a connection on which what was sent has not
// been acknowledged for [unheard].
func limitUnheard(network, _ string, c syscall.RawConn) (err error) {
	if network == "unix" {
		return nil
	}
	e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unheard.Milliseconds()))
	})
	if e != nil {
		return e
	}
	return err
}
