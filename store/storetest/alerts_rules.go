package storetest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

func testToldOnce(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts(), inGroup("web")), site("b", 10*time.Second))
	a.down("a", "b")
	a.run(9 * time.Second)
	a.told()
	a.run(2 * time.Second)
	if len(a.sent) != 1 {
		a.Fatalf("delivered %d notifications, want 1", len(a.sent))
	}
	n := a.sent[0]
	a.equal("sites", n.Sites, []sitemon.NotifiedSite{{
		Name: "a", Group: "web", URL: "https://a.example.org/", Status: sitemon.StatusDown, Since: epoch, Reason: "status", Error: "status 503, expected 200-399",
		Incident: a.open["a"], StartedAt: epoch,
	}})
	a.equal("target", string(n.Target), `{"url":"${OPS}"}`)
	a.equal("the rest", []any{n.Source, n.Severity, n.Resolved, n.Cause, n.Total, n.Attempt, n.Fallback},
		[]any{"sites.yaml", sitemon.SeverityCritical, false, "", 1, 1, ""})
	a.told("ops down: a is down: status 503, expected 200-399")
	a.run(time.Minute)
	a.up("a", "b")
	a.run(time.Minute)
	a.told("ops recovered: a is up again, it was down for 1m 11s")
	a.run(time.Hour, time.Minute)
	a.told()
	a.equal("timeline", a.texts("SELECT text FROM incident_events WHERE incident_id = $1 AND kind = 'alert' ORDER BY id", a.open["a"]),
		[]string{"down told to ops", "recovery told to ops"})
}

func testAlertThreshold(a *alerting) {
	three := alerts(func(al *sitemon.Alert) { al.FailureThreshold = 3; al.SendResolved = false })
	a.setUp(nil, site("a", 10*time.Second, three), site("b", 10*time.Second, three))
	a.down("a", "b")
	a.run(10 * time.Second)
	a.bad("a")
	a.run(10 * time.Second)
	a.up("b")
	a.run(30 * time.Second)
	a.told()
	a.bad("a")
	a.run(20 * time.Second)
	a.told("ops down: a is down: status 503, expected 200-399")
	a.up("a")
	a.run(30 * time.Second)
	a.told()
}

func testGrouped(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts(), inGroup("web")), site("b", 10*time.Second, alerts(), inGroup("web")),
		site("c", 10*time.Second, alerts()))
	a.down("b")
	a.run(8 * time.Second)
	a.down("a")
	a.run(3 * time.Second)
	a.told("ops down: 2 sites of group web down: a, b")
	a.down("c")
	a.run(11 * time.Second)
	a.told("ops down: c is down: status 503, expected 200-399")
	a.up("a", "b", "c")
	a.run(11 * time.Second)
	a.told("ops recovered: 3 sites not down any more: a, b, c")
}

func testReminders(a *alerting) {
	hourly := alerts(func(al *sitemon.Alert) { al.ReminderInterval = time.Hour })
	a.setUp(nil, site("a", 10*time.Second, hourly), site("b", 10*time.Second, hourly))
	a.down("a")
	a.run(11 * time.Second)
	a.told("ops down: a is down: status 503, expected 200-399")
	a.run(2*time.Hour+time.Minute, time.Minute)
	a.told("ops reminder: a is still down since 2026-11-24 10:00:00 UTC: status 503, expected 200-399",
		"ops reminder: a is still down since 2026-11-24 10:00:00 UTC: status 503, expected 200-399")
	a.exec("UPDATE incidents SET acknowledged_at = $2, acknowledged_by = 'ann' WHERE id = $1", a.open["a"], a.clock())
	a.run(2*time.Hour, time.Minute)
	a.told()
	a.down("b")
	a.run(20 * time.Second)
	a.up("a", "b")
	a.run(2*time.Hour, time.Minute)
	a.told("ops down: b is down: status 503, expected 200-399", "ops recovered: 2 sites not down any more: a, b")
}

func testWasDown(a *alerting) {
	a.setUp(func(al *sitemon.Alerting) { al.Channels[1].Fallback = "" }, site("a", 10*time.Second, alerts()), site("b", 10*time.Second, alerts()))
	ids := map[string]bool{}
	a.refuse = func(n sitemon.Notification) error { ids[n.ID] = true; return errors.New("no route") }
	a.down("a", "b")
	a.run(time.Minute)
	a.equal("notifications that were tried", len(ids), 1)
	a.up("a")
	a.run(time.Minute)
	a.told()
	a.refuse = nil
	a.run(10*time.Minute, 10*time.Second)
	slices.SortFunc(a.sent, func(x, y sitemon.Notification) int { return strings.Compare(string(x.Kind), string(y.Kind)) })
	if !ids[a.sent[0].ID] {
		a.Error("what was tried before has another id now")
	}
	a.told("ops down: b is down: status 503, expected 200-399", "ops recovered: a was down for 1m: status 503, expected 200-399")
	// Within the wait for others.
	a.down("a")
	a.run(3 * time.Second)
	a.up("a")
	a.run(time.Minute)
	a.told("ops recovered: a was down for 3s: status 503, expected 200-399")
	a.up("b")
	a.run(time.Minute)
	a.told("ops recovered: b is up again, it was down for 13m 3s")
}

func testWithdrawn(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts()), site("b", 10*time.Second, alerts()))
	a.down("a")
	a.run(11 * time.Second)
	a.down("b")
	a.run(5 * time.Second)
	a.exec("UPDATE incidents SET withdrawn = $1", true)
	a.run(time.Minute)
	a.told("ops down: a is down: status 503, expected 200-399", "ops recovered: a was not down: reports that came late show it")
}

func testQuietHours(a *alerting) {
	quiet := func(al *sitemon.Alerting) {
		al.Channels[1].QuietHours = []sitemon.QuietHours{{From: "10:30", To: "12:30", Timezone: "Europe/Berlin"}} // until 11:30 UTC
	}
	warning := alerts(func(al *sitemon.Alert) { al.Severity = sitemon.SeverityWarning })
	a.setUp(quiet, site("a", 10*time.Second, warning), site("b", 10*time.Second, warning), site("c", 10*time.Second, alerts()))
	a.down("a", "b", "c")
	a.run(time.Minute)
	a.told("ops down: c is down: status 503, expected 200-399")
	a.up("b")
	a.run(88*time.Minute, time.Minute)
	a.told()
	a.run(2 * time.Minute)
	a.told("ops down: a is down: status 503, expected 200-399", "ops recovered: b was down for 1m: status 503, expected 200-399")
}

func testRate(a *alerting) {
	a.setUp(func(al *sitemon.Alerting) { al.Channels[1].MaxPerMinute = 2 }, site("a", 10*time.Second, alerts()), site("b", 10*time.Second, alerts()),
		site("c", 10*time.Second, alerts()), site("d", 10*time.Second, alerts()))
	for _, name := range []string{"a", "b", "c", "d"} {
		a.down(name)
		a.run(11 * time.Second)
	}
	a.told("ops down: a is down: status 503, expected 200-399", "ops down: b is down: status 503, expected 200-399")
	a.run(time.Minute)
	a.told("ops down: 2 sites down: c, d")
}

func testFlapping(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts()))
	for range ledger.FlapIncidents {
		a.down("a")
		a.run(11 * time.Second)
		a.up("a")
		a.run(11 * time.Second)
	}
	a.equal("told", len(a.sent), 2*ledger.FlapIncidents)
	a.sent = nil
	a.down("a")
	a.run(time.Minute)
	a.up("a")
	a.run(time.Minute)
	a.told()
	a.down("a")
	a.run(ledger.FlapLasts+11*time.Second, 10*time.Second)
	a.told("ops down: a is down: status 503, expected 200-399 (flapping)")
	a.up("a")
	a.run(11 * time.Second)
	a.told("ops recovered: a is up again, it was down for 5m 11s")
	a.run(ledger.FlapWindow, time.Minute)
	a.down("a")
	a.run(11 * time.Second)
	a.told("ops down: a is down: status 503, expected 200-399")
}

func testFallback(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts()), site("b", 10*time.Second, alerts()))
	tries := map[string][]time.Time{}
	a.refuse = func(n sitemon.Notification) error {
		if n.Channel == "fallback" {
			return nil
		}
		tries[n.ID] = append(tries[n.ID], a.clock())
		return errors.New("500 Internal Server Error")
	}
	a.down("a")
	a.run(9*time.Minute, 5*time.Second)
	a.told()
	a.run(10*time.Minute, 5*time.Second)
	a.equal("stands in for", []any{len(a.sent), a.sent[0].Fallback}, []any{1, "ops"})
	a.told("fallback down: (instead of ops, which fails) a is down: status 503, expected 200-399")
	for _, at := range tries {
		var waits []time.Duration
		for i := range at[1:7] {
			waits = append(waits, at[i+1].Sub(at[i]))
		}
		a.equal("waits", waits, []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second})
	}
	a.down("b") // the channel is known to fail
	a.run(30 * time.Second)
	a.told("fallback down: (instead of ops, which fails) b is down: status 503, expected 200-399")
	a.run(25*time.Hour, 5*time.Minute)
	a.told()
	a.refuse = nil
	a.run(time.Hour, time.Minute)
	a.told()
	a.equal("timeline", a.texts("SELECT text FROM incident_events WHERE incident_id = $1 AND kind = 'alert' ORDER BY id", a.open["a"]),
		[]string{"down told to fallback, as another channel did not take it", "down could not be told to ops: 500 Internal Server Error"})
}

func testLease(a *alerting) {
	a.setUp(nil, site("a", 10*time.Second, alerts()))
	a.down("a")
	for range 11 {
		a.pass(time.Second)
		a.decide()
	}
	first, err := a.stores[0].TakeNotifications(a.ctx, a.clock(), 10)
	a.check(err)
	a.equal("taken", len(first), 1)
	// Whoever took it is gone. Nobody else gets it until its lease ends.
	a.run(ledger.Lease - time.Second)
	a.told()
	a.run(time.Second)
	a.equal("ids", []string{a.sent[0].ID}, []string{first[0].ID})
	p1, err := first[0].Payload()
	a.check(err)
	p2, err := a.sent[0].Payload()
	a.check(err)
	a.equal("payload", string(p2), string(p1))
	a.told("ops down: a is down: status 503, expected 200-399")
}

func testChannelGone(a *alerting) {
	gone := func(al *sitemon.Alerting) { al.Channels = al.Channels[:1] }
	a.setUp(nil, site("a", 10*time.Second, alerts()))
	a.refuse = func(sitemon.Notification) error { return errors.New("no") }
	a.down("a")
	a.run(time.Minute)
	a.setUp(gone, site("a", 10*time.Second, alerts()))
	a.refuse = nil
	a.run(time.Hour, time.Minute)
	a.told()
	a.equal("log", a.texts("SELECT last_error FROM notifications"), []string{"the channel is gone"})
	a.up("a")
	a.run(time.Minute)
	a.setUp(nil, site("a", 10*time.Second, alerts()))
	a.run(time.Minute)
	a.told()
}
