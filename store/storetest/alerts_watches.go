package storetest

import (
	"slices"
	"strings"
	"time"

	"sitemon"
)

func testMonitorSilent(a *alerting) {
	sites := []sitemon.Site{site("a", 10*time.Second, alerts()), site("b", 10*time.Second, alerts()), site("c", 10*time.Minute, alerts())}
	a.setUp(func(al *sitemon.Alerting) { al.MonitorSilent = nil }, sites...)
	work := func(d time.Duration) {
		for ; d > 0; d -= 10 * time.Second {
			a.good("a", "b")
			a.run(10 * time.Second)
		}
	}
	work(5 * time.Minute)
	a.told()
	a.run(time.Hour, 30*time.Second)
	if len(a.sent) != 1 {
		a.Fatalf("%d notifications, want 1", len(a.sent))
	}
	a.equal("notification", []any{a.sent[0].Kind, a.sent[0].Channel, a.sent[0].Severity}, []any{sitemon.NotifyMonitorSilent, "ops", sitemon.SeverityCritical})
	if !strings.HasPrefix(a.sent[0].Summary, "location default is silent: none of its sites (2) has a report since ") {
		a.Errorf("summary %q", a.sent[0].Summary)
	}
	a.sent = nil
	work(time.Minute)
	a.equal("back", []any{len(a.sent), a.sent[0].Kind, a.sent[0].Resolved}, []any{1, sitemon.NotifyMonitorBack, true})
	a.sent = nil
	// Nobody looks for an hour: nothing is known of it.
	a.pass(time.Hour)
	a.run(time.Minute)
	work(time.Minute)
	a.told()
	// Nobody looks, and the location stays silent.
	a.pass(time.Hour)
	a.run(4*time.Minute, 10*time.Second)
	a.equal("silent", len(a.sent), 1)
}

func testNoReports(a *alerting) {
	a.setUp(func(al *sitemon.Alerting) { al.MonitorSilent = []string{"fallback"} }, site("a", 10*time.Second, alerts()))
	a.good("a")
	a.run(time.Minute)
	a.still = true
	a.run(time.Hour, 30*time.Second)
	a.told("fallback monitor_silent: no reports arrive since 2026-11-24 10:01:00 UTC: nothing can be said of any site")
	a.still = false
	a.run(11 * time.Second)
	a.run(10 * time.Second)
	a.told("fallback monitor_back: reports arrive again, there were none for 1h")
	a.good("a")
	a.run(110*time.Second, 10*time.Second)
	a.told()
	a.run(3*time.Minute, 10*time.Second)
	a.equal("silent", len(a.sent), 1)
}

func testCertificates(a *alerting) {
	const day = 24 * time.Hour
	warning := alerts(func(al *sitemon.Alert) { al.Severity = sitemon.SeverityWarning })
	a.setUp(nil, site("a", 10*time.Second, warning), site("b", 10*time.Second, warning),
		site("c", 10*time.Second, alerts(func(al *sitemon.Alert) { al.On = []sitemon.AlertKind{sitemon.AlertDown} })))
	expires := epoch.Add(31 * day)
	step := func(at time.Time, names ...string) {
		for _, name := range names {
			r := report(name, a.clock(), sitemon.OutcomeUp)
			r.CertificateExpiresAt = at
			a.record(r)
		}
		a.run(12*time.Minute, time.Minute)
	}
	step(expires, "a", "b", "c")
	a.told()
	a.pass(day)
	step(expires, "a", "b", "c")
	step(expires, "a", "b", "c")
	a.told("ops certificate: certificates of 2 sites expire soon: a, b")
	a.pass(25 * day)
	step(expires, "a", "b", "c")
	a.told("ops certificate: certificates of 2 sites expire soon: a, b")
	step(expires.Add(90*day), "b") // renewed
	a.pass(3 * day)
	step(expires, "a")
	a.equal("last warning", []any{len(a.sent)}, []any{0})
	a.pass(day)
	step(expires, "a")
	a.equal("last warning", []any{len(a.sent), a.sent[0].Sites[0].Name}, []any{1, "a"})
	if !strings.HasPrefix(a.sent[0].Summary, "the certificate of a expires in ") {
		a.Errorf("summary %q", a.sent[0].Summary)
	}
}

func testFigures(a *alerting) {
	limits := alerts(func(al *sitemon.Alert) {
		al.Latency = &sitemon.LatencyAlert{Above: time.Second, Percentile: 95, Window: 10 * time.Minute}
		al.Availability = &sitemon.AvailabilityAlert{Below: 90, Window: time.Hour}
	})
	promise := func(s *sitemon.Site) { s.Rules.SLO = &sitemon.SLO{Target: 99.9, Window: 30 * 24 * time.Hour} }
	a.setUp(nil, site("a", time.Minute, limits), site("b", time.Minute, alerts(), promise))
	step := time.Minute
	work := func(d, took time.Duration, o sitemon.Outcome) (kinds []string) {
		for ; d > 0; d -= step {
			var list []sitemon.Report
			for at := a.clock(); at.Before(a.clock().Add(step)); at = at.Add(time.Minute) {
				for _, name := range []string{"a", "b"} {
					r := report(name, at, o)
					r.Interval, r.Duration = time.Minute, took
					list = append(list, r)
				}
			}
			a.record(list...)
			a.check(a.Rollup(a.ctx, a.clock()))
			a.run(step, step)
		}
		for _, n := range a.sent {
			what, _, _ := strings.Cut(n.Summary, " of ")
			kinds = append(kinds, string(n.Kind)+" "+n.Sites[0].Name+" "+what)
			if n.Resolved {
				kinds[len(kinds)-1] += " over"
			}
		}
		a.sent = nil
		slices.Sort(kinds)
		return kinds
	}
	const none, slow, quick = time.Duration(0), 2 * time.Second, 20 * time.Millisecond
	a.equal("good", work(20*time.Minute, quick, sitemon.OutcomeUp), []string(nil))
	a.equal("slow", work(5*time.Minute, slow, sitemon.OutcomeUp), []string{"latency a the p95 latency"})
	a.equal("quick again", work(20*time.Minute, quick, sitemon.OutcomeUp), []string{"latency a the p95 latency over"})
	a.equal("down", work(8*time.Minute, none, sitemon.OutcomeDown), []string{"slo a the availability", "slo b the error budget"})
	a.equal("up again", work(100*time.Minute, quick, sitemon.OutcomeUp), []string{"slo a the availability over"})
	step = 5 * time.Minute
	a.equal("up for long", work(6*time.Hour, quick, sitemon.OutcomeUp), []string{"slo b the error budget over"})
}
