package servers_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"sitemon/internal/servers"
)

func TestProxyPassesOn(t *testing.T) {
	p := newProxy(t, echo(t))
	c := connect(t, p)
	say(t, c, "hello\n")
	hear(t, c, "hello\n")
	if err := c.CloseWrite(); err != nil { // the end passes too, and the other direction goes on
		t.Fatal(err)
	}
	hear(t, c, "bye\n")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestProxyCutIsSilent(t *testing.T) {
	p := newProxy(t, echo(t))
	old := connect(t, p)
	say(t, old, "before\n")
	hear(t, old, "before\n")
	p.Cut()
	p.Cut()
	say(t, old, "during\n")
	fresh := connect(t, p)
	say(t, fresh, "fresh\n")
	nothing(t, old)
	nothing(t, fresh)
	if err := p.Restore(); err != nil {
		t.Fatal(err)
	}
	hear(t, old, "during\n")
	hear(t, fresh, "fresh\n")
}

func TestProxyRefuses(t *testing.T) {
	p := newProxy(t, echo(t))
	old := connect(t, p)
	say(t, old, "before\n")
	hear(t, old, "before\n")
	p.Refuse()
	wantReset(t, old)
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		c.Close()
		t.Error("a new connection is accepted")
	}
	if err := p.Restore(); err != nil {
		t.Fatal(err)
	}
	c := connect(t, p)
	say(t, c, "after\n")
	hear(t, c, "after\n")
}

func TestProxyDelays(t *testing.T) {
	p := newProxy(t, echo(t))
	p.Delay(time.Hour)
	c := connect(t, p)
	say(t, c, "slow\n")
	nothing(t, c)
}

func TestProxyTargetIsGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c, err := net.Dial("tcp", newProxy(t, l.Addr().String()).Addr)
	if err != nil {
		return // reset before we knew of the connection
	}
	defer c.Close()
	wantReset(t, c)
}

func newProxy(t *testing.T, target string) *servers.Proxy {
	t.Helper()
	p, err := servers.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// echo repeats what it hears and says bye at the end.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err == nil {
					_, _ = io.WriteString(c, "bye\n")
				}
			}()
		}
	}()
	return l.Addr().String()
}

func connect(t *testing.T, p *servers.Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", p.Addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func say(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	if got, err := bufio.NewReaderSize(c, 16).ReadString('\n'); got != want {
		t.Fatalf("heard %q, %v, want %q", got, err, want)
	}
}

func wantReset(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a reset", err)
	}
}

// nothing fails if something arrives within a moment.
func nothing(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.Read(make([]byte, 16)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("heard %d bytes, %v", n, err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
}
