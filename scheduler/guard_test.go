package scheduler_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/scheduler"
)

// unreachable is what a prober finds when packets go nowhere.
func unreachable(addr string) sitemon.Report {
	return sitemon.Report{
		Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonConnectTimeout,
		Error: "no connection within 10s", RemoteAddr: addr,
	}
}

// fleet is n sites on n hosts, each in a network of its own unless shared.
func fleet(n int, shared bool) (sites []sitemon.Site, addrs map[string]string) {
	addrs = map[string]string{}
	for i := range n {
		s := site(fmt.Sprint("site", i), time.Minute)
		addrs[s.Name] = fmt.Sprintf("198.51.%d.7:80", i)
		if shared {
			addrs[s.Name] = fmt.Sprintf("198.51.100.%d:80", i)
		}
		sites = append(sites, s)
	}
	return sites, addrs
}

func TestGuardWithoutCanaries(t *testing.T) {
	refused := func(addr string) sitemon.Report {
		return sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonConnectRefused, RemoteAddr: addr}
	}
	tests := map[string]struct {
		sites   int
		shared  bool
		answer  func(name, addr string) sitemon.Report
		offline bool
	}{
		"all of six hosts in six networks fail": {6, false, func(_, addr string) sitemon.Report { return unreachable(addr) }, true},
		"names do not resolve either": {6, false, func(_, _ string) sitemon.Report {
			return sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonDNSTimeout}
		}, true},
		"one of six is reached": {6, false, func(name, addr string) sitemon.Report {
			if name == "site3" {
				return sitemon.Report{Outcome: sitemon.OutcomeUp, RemoteAddr: addr}
			}
			return unreachable(addr)
		}, false},
		"one of six refuses, so it was reached": {6, false, func(name, addr string) sitemon.Report {
			if name == "site3" {
				return refused(addr)
			}
			return unreachable(addr)
		}, false},
		"four hosts are too few":        {4, false, func(_, addr string) sitemon.Report { return unreachable(addr) }, false},
		"six hosts in one network fail": {6, true, func(_, addr string) sitemon.Report { return unreachable(addr) }, false},
		"loopback says nothing": {6, false, func(_, addr string) sitemon.Report {
			return unreachable(strings.Replace(addr, "198.51", "127.0", 1))
		}, false},
		"IPv4 in IPv6 form counts as IPv4": {6, false, func(_, addr string) sitemon.Report {
			return unreachable("[::ffff:" + strings.Replace(addr, ":", "]:", 1))
		}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sites, addrs := fleet(tc.sites, tc.shared)
				f := start(t, func(_ context.Context, s *sitemon.Site) sitemon.Report { return tc.answer(s.Name, addrs[s.Name]) })
				f.restart(sites...)
				time.Sleep(3 * time.Minute) // the first minute only gathers
				rs := f.sink.of("site0")
				r := rs[len(rs)-1]
				if got := r.Reason == sitemon.ReasonMonitorOffline; got != tc.offline {
					t.Errorf("newest report %+v: offline %v, want %v", r, got, tc.offline)
				}
				if tc.offline && r.Outcome != sitemon.OutcomeUnknown {
					t.Errorf("outcome %s, want unknown", r.Outcome)
				}
			})
		})
	}
}

func TestGuardRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		sites, addrs := fleet(8, false)
		f := start(t, func(_ context.Context, s *sitemon.Site) sitemon.Report {
			if cut.Load() {
				return unreachable(addrs[s.Name])
			}
			return sitemon.Report{Outcome: sitemon.OutcomeUp, RemoteAddr: addrs[s.Name]}
		})
		f.restart(sites...)
		time.Sleep(5 * time.Minute)
		f.restart(sites[1:]...) // that one was reached, and says nothing of later
		sites = sites[1:]
		cut.Store(true)
		time.Sleep(5 * time.Minute)
		cut.Store(false)
		time.Sleep(5 * time.Minute)
		down, unknown, last := 0, 0, sitemon.Report{}
		for _, s := range sites {
			for _, r := range f.sink.of(s.Name) {
				switch r.Outcome {
				case sitemon.OutcomeDown:
					down++
				case sitemon.OutcomeUnknown:
					unknown++
				}
				last = r
			}
		}
		// What failed within a minute of the last contact was sent as down, and stays.
		if down > len(sites) || unknown < 4*len(sites)-len(sites) {
			t.Errorf("%d down and %d unknown reports of a cut of five minutes over %d sites", down, unknown, len(sites))
		}
		if last.Outcome != sitemon.OutcomeUp {
			t.Errorf("newest report %+v, want up after the cut", last)
		}
	})
}

func TestCanariesDecideAlone(t *testing.T) {
	for _, alive := range []bool{true, false} {
		t.Run(fmt.Sprint("alive ", alive), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				canary := site("canary", time.Minute)
				f := start(t, func(_ context.Context, s *sitemon.Site) sitemon.Report {
					if s.Name != "canary" {
						return unreachable("198.51.100.7:80")
					}
					if asked.Add(1); alive {
						return sitemon.Report{Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus} // it answers
					}
					return unreachable("203.0.113.7:80")
				}, func(o *scheduler.Options) { o.Canaries = []sitemon.Site{canary, canary} })
				f.restart(site("a", time.Minute))
				time.Sleep(2 * time.Minute)
				want := sitemon.OutcomeUnknown
				if alive {
					want = sitemon.OutcomeDown
				}
				if r := f.sink.of("a")[0]; r.Outcome != want {
					t.Errorf("report %+v, want %s", r, want)
				}
				if asked.Load() == 0 {
					t.Error("no canary was asked")
				}
			})
		})
	}
}
