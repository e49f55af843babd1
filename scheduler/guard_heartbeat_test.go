package scheduler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
)

// A heartbeat that was received is no sign that the monitor reaches anything.
func TestGuardLeavesOutSitesThatCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites, addrs := fleet(6, false)
		calling := site("job", time.Minute)
		calling.URL, calling.Kind = "heartbeat://", sitemon.KindHeartbeat
		f := start(t, func(_ context.Context, s *sitemon.Site) sitemon.Report {
			if s.Kind == sitemon.KindHeartbeat {
				return sitemon.Report{Outcome: sitemon.OutcomeUp}
			}
			return unreachable(addrs[s.Name])
		})
		f.restart(append(sites, calling)...)
		time.Sleep(3 * time.Minute)
		rs := f.sink.of("site0")
		if r := rs[len(rs)-1]; r.Reason != sitemon.ReasonMonitorOffline {
			t.Errorf("newest report %+v, want one of a monitor that is offline", r)
		}
		rs = f.sink.of("job")
		if r := rs[len(rs)-1]; r.Outcome != sitemon.OutcomeUp {
			t.Errorf("newest report %+v of the site that calls, want up", r)
		}
	})
}
