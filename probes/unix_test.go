//go:build unix

package probes_test

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"sitemon/internal/testkit"
	"sitemon/probes"
)

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fullBacklog returns an address whose connections nobody accepts.
func fullBacklog(t *testing.T) string {
	t.Helper()
	addr, err := probes.FullBacklog(t, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// The next address of a name is tried while the one before keeps silent.
func TestTheNextAddressDoesNotWait(t *testing.T) {
	_, port, _ := net.SplitHostPort(listen(t, func(net.Conn) {}))
	silent, err := probes.FullBacklog(t, "127.0.0.77:"+port)
	if err != nil {
		testkit.Missing(t, "an address that keeps silent: "+err.Error())
	}
	set := newSet(t, probes.Options{})
	target := netip.MustParseAddrPort(silent)
	conn, err := set.Race(deadline(t, ampleTimeout), newSite(t, "tcp://two.example.org"),
		[]netip.Addr{target.Addr(), netip.MustParseAddr("127.0.0.1")}, target.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != "127.0.0.1:"+port {
		t.Errorf("connected to %s", got)
	}
}
