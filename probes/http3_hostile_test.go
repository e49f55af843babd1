package probes_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// TestHostileQUIC lets probes by HTTP/3 meet every peer. It ends with nothing left
// over: no goroutine, no file.
func TestHostileQUIC(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var worst atomic.Int64
	t.Run("all", func(t *testing.T) {
		ca := newAuthority(t)
		set := newSet(t, probes.Options{Roots: ca.pool()})
		for name, p := range quicPeers(t, ca.server(t, nil)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, "https://"+p.addr, http3Site)
				good := func(r sitemon.Report) bool { return slices.Contains(p.want, r.Reason) }
				r := patiently(peer{want: p.want[0]}.timeout(time.Second), func(timeout time.Duration) sitemon.Report {
					return runHostile(t, set, site, timeout, &worst)
				}, good)
				if !good(r) || (r.Reason == "") != (r.Outcome == sitemon.OutcomeUp) {
					t.Errorf("got %s/%s %q, want one of %v", r.Outcome, r.Reason, r.Error, p.want)
				}
				t.Log(r.Reason, r.Error)
			})
		}
	})
	t.Logf("returned at worst %s after the deadline (promised: %s)", time.Duration(worst.Load()), overrun)
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "files to be closed", func() bool { return openFiles(t) <= files })
}
