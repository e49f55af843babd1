package probes_test

import (
	"net"
	"testing"

	"sitemon"
	"sitemon/probes"
)

// A server that hangs up is a lost connection, whether that is noticed before the
// request, which the library does not send then, or after it.
func TestHTTP2HangsUp(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	set := newSet(t, probes.Options{Roots: ca.pool()})
	hangUp := func(net.Conn) {}
	for scheme, address := range map[string]string{
		"grpc": listen(t, hangUp), "grpcs": listenTLS(t, ca.server(t, nil), []string{"h2"}, hangUp),
	} {
		seen := map[sitemon.Reason]int{}
		for range 100 {
			seen[set.Probe(t.Context(), newSite(t, scheme+"://"+address)).Reason]++
		}
		if seen[sitemon.ReasonTransferError] != 100 {
			t.Errorf("%s: %v, want %s each time", scheme, seen, sitemon.ReasonTransferError)
		}
	}
}
