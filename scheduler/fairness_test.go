package scheduler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/scheduler"
)

// overload runs sites that ask for more than there are places for. Each probe takes 120
// to 180 ms, so ten places serve 67 sites a second.
func overload(t *testing.T, duration time.Duration, sites []sitemon.Site, change ...func(*scheduler.Options)) map[string][]sitemon.Report {
	t.Helper()
	found := map[string][]sitemon.Report{}
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // The same figures in each run.
		took := make(chan time.Duration, 1)
		took <- 0
		f := start(t, func(ctx context.Context, _ *sitemon.Site) sitemon.Report {
			<-took
			d := 120*time.Millisecond + time.Duration(random.IntN(60))*time.Millisecond
			took <- 0
			return after(ctx, d)
		}, append([]func(*scheduler.Options){func(o *scheduler.Options) { o.Concurrency = 10 }}, change...)...)
		began := time.Now()
		f.restart(sites...)
		time.Sleep(duration)
		end := time.Now().Add(-sites[0].Interval)
		_ = f.stop()
		seen := map[string]map[time.Time]int{}
		for _, r := range f.sink.reports {
			if seen[r.Site] == nil {
				seen[r.Site] = map[time.Time]int{}
			}
			seen[r.Site][r.Slot]++
			found[r.Site] = append(found[r.Site], r)
		}
		for _, s := range sites {
			for _, at := range gridSlots(s.Name, s.Interval, began, end) {
				if n := seen[s.Name][at]; n != 1 {
					t.Errorf("%s at %s: %d reports, want 1", s.Name, at, n)
				}
			}
		}
	})
	return found
}

// count is how many reports there are of an outcome.
func count(rs []sitemon.Report, o sitemon.Outcome) (n int) {
	for _, r := range rs {
		if r.Outcome == o {
			n++
		}
	}
	return n
}

// A monitor that is asked for more than it can do finds out as much as it can, and as
// much of one site as of another.
func TestOverloadIsShared(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		sites   int
		timeout time.Duration
	}{
		{"a fifth too much", 160, 2 * time.Second},
		{"twice too much", 267, 2 * time.Second},
		{"four times too much", 533, 2 * time.Second},
		{"twice too much, short time-outs", 267, 300 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const interval, duration = 2 * time.Second, 40 * time.Second
			var sites []sitemon.Site
			for i := range tt.sites {
				sites = append(sites, site(fmt.Sprint("s", i), interval, func(s *sitemon.Site) { s.Timeout = tt.timeout }))
			}
			total, least, most := 0, 1<<30, 0
			for name, rs := range overload(t, duration, sites) {
				up := count(rs, sitemon.OutcomeUp)
				total, least, most = total+up, min(least, up), max(most, up)
				if down := count(rs, sitemon.OutcomeDown); down > 0 {
					t.Errorf("%s is down %d times for want of time", name, down)
				}
			}
			possible := int(duration.Seconds()*10/0.15) * 95 / 100
			t.Logf("%d of %d found up, %d to %d of one site", total, possible*100/95, least, most)
			if total < possible {
				t.Errorf("%d reports are up, want %d", total, possible)
			}
			if fair := total / len(sites); least < fair*3/4 {
				t.Errorf("a site was found up %d times where the mean is %d", least, fair)
			}
		})
	}
}

// Two hosts that never answer in time, and ask for three times as many places as there
// are, do not take them for good: another site has its share, a third.
func TestSlowHostsLeavePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
			if s.Group == "slow" {
				return after(ctx, time.Hour)
			}
			return after(ctx, time.Millisecond)
		}, func(o *scheduler.Options) { o.Concurrency, o.PerHost = 10, 5 })
		var sites []sitemon.Site
		for i := range 60 {
			sites = append(sites, site(fmt.Sprint("slow", i), 10*time.Second, func(s *sitemon.Site) {
				s.URL, s.Group, s.Timeout = fmt.Sprint("http://slow", i%2, ".example/"), "slow", 5*time.Second
			}))
		}
		sites = append(sites, site("quick", 10*time.Second))
		f.restart(sites...)
		time.Sleep(10 * time.Minute)
		_ = f.stop()
		if up := count(f.sink.of("quick"), sitemon.OutcomeUp); up < 18 {
			t.Errorf("the quick site was found up %d times in 60 slots", up)
		}
	})
}

// Who counts against whose places: with ten sites of a kind that take them all, another
// site is probed or it is not.
func TestWhosePlaces(t *testing.T) {
	t.Parallel()
	of := func(kind sitemon.Kind, url string) func(*sitemon.Site) {
		return func(s *sitemon.Site) { s.Kind, s.URL = kind, url }
	}
	for _, tt := range []struct {
		name         string
		slow, beside func(*sitemon.Site)
		want         bool
	}{
		{"a host and itself", of(sitemon.KindHTTP, "http://a.example/"), of(sitemon.KindTCP, "tcp://a.example:22"), false},
		{"a host and another", of(sitemon.KindHTTP, "http://a.example/"), of(sitemon.KindTCP, "tcp://b.example:22"), true},
		{"echo requests and what else is asked of a host", of(sitemon.KindICMP, "icmp://a.example"), of(sitemon.KindHTTP, "http://a.example/"), true},
		{"echo requests and those to another", of(sitemon.KindICMP, "icmp://a.example"), of(sitemon.KindICMP, "icmp://b.example"), true},
		{"echo requests and those to the same", of(sitemon.KindICMP, "icmp://a.example"), of(sitemon.KindICMP, "icmp://a.example"), false},
		{"the system's name servers and heartbeats", of(sitemon.KindDNS, "dns:a.example"), of(sitemon.KindHeartbeat, "heartbeat://"), true},
		{"heartbeats and others", of(sitemon.KindHeartbeat, "heartbeat://"), of(sitemon.KindHeartbeat, "heartbeat://"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := start(t, func(ctx context.Context, s *sitemon.Site) sitemon.Report {
					if s.Name == "beside" {
						return after(ctx, time.Millisecond)
					}
					return after(ctx, time.Hour)
				}, func(o *scheduler.Options) { o.PerHost = 5 })
				var sites []sitemon.Site
				for i := range 10 {
					sites = append(sites, site(fmt.Sprint("slow", i), time.Hour, tt.slow, func(s *sitemon.Site) { s.Timeout = 30 * time.Minute }))
				}
				f.apply(sites...)
				time.Sleep(time.Minute)
				f.apply(append(sites, site("beside", time.Hour, tt.beside))...)
				time.Sleep(time.Minute)
				if got := len(f.sink.of("beside")) > 0; got != tt.want {
					t.Errorf("the site beside was probed: %v, want %v", got, tt.want)
				}
				_ = f.stop()
			})
		})
	}
}
