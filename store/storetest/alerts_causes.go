package storetest

import (
	"fmt"
	"strings"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

func testHundred(a *alerting) {
	sites := []sitemon.Site{site("db", 10*time.Second)}
	var children []string
	for i := range 100 {
		name := fmt.Sprintf("child-%03d", i)
		children = append(children, name)
		sites = append(sites, site(name, 10*time.Second, dependsOn("db"), alerts(), inGroup("web")))
	}
	a.setUp(nil, sites...)
	a.down(children...)
	a.run(5 * time.Second)
	a.down("db")
	a.run(time.Minute)
	if len(a.sent) != 1 {
		a.Fatalf("%d notifications, want 1", len(a.sent))
	}
	n := a.sent[0]
	a.equal("cause, total, first", []any{n.Cause, n.Total, n.Sites[0].Name, n.Sites[0].Incident}, []any{"db", 101, "db", a.open["db"]})
	for i, s := range n.Sites[1:] {
		a.equal("site", s.Name, children[i])
	}
	a.told("ops down: 100 sites of group web down, likely cause: db")
	a.equal("parents", a.texts("SELECT parent FROM incidents GROUP BY parent ORDER BY parent"), []string{"", "db"})
	a.equal("timelines", len(a.texts("SELECT text FROM incident_events WHERE kind = 'parent'")), 100)

	a.up("db")
	for i, name := range children {
		if i%10 == 0 {
			a.run(time.Second)
		}
		a.up(name)
	}
	a.run(5 * time.Minute)
	a.equal("recoveries", []any{len(a.sent), a.sent[0].Total, a.sent[0].Cause}, []any{1, 100, "db"})
	if !strings.HasPrefix(a.sent[0].Summary, "100 sites of group web not down any more after db") {
		a.Errorf("summary %q", a.sent[0].Summary)
	}
}

func testParentLater(a *alerting) {
	a.setUp(nil, site("net", 10*time.Second, alerts()), site("db", 10*time.Second, dependsOn("net")),
		site("a", 10*time.Second, dependsOn("db"), alerts()), site("b", 10*time.Second, dependsOn("db"), alerts()),
		site("c", 10*time.Second, dependsOn("db"), alerts()), site("d", 10*time.Second, dependsOn("db"), alerts()))
	a.good("net", "db", "a", "b", "c", "d")
	a.run(10 * time.Second)
	// The site on which it depends is up: it is told by itself.
	a.down("a")
	a.run(20 * time.Second)
	a.told()
	a.good("db")
	a.run(12 * time.Second)
	a.told("ops down: a is down: status 503, expected 200-399")
	// Nothing is heard of the other one: it is not waited for for ever.
	a.down("b")
	a.run(ledger.ParentWait + 5*time.Second)
	a.told()
	a.run(10 * time.Second)
	a.told("ops down: b is down: status 503, expected 200-399")
	// The topmost is the cause, also where only it has an alert.
	a.down("c")
	a.run(time.Second)
	a.down("db")
	a.run(time.Second)
	a.down("net")
	a.run(20 * time.Second)
	a.equal("sites", []any{len(a.sent), len(a.sent[0].Sites), a.sent[0].Cause}, []any{1, 2, "net"})
	a.told("ops down: c down, likely cause: net")
	// One that comes later has been told of by its cause.
	a.down("d")
	a.run(time.Minute)
	a.told()
	a.up("d")
	a.run(time.Minute)
	a.told()
}

func testParentUp(a *alerting) {
	a.setUp(nil, site("db", 10*time.Second, alerts()), site("a", 10*time.Second, dependsOn("db"), alerts()),
		site("b", 10*time.Second, dependsOn("db"), alerts()), site("c", 10*time.Second, dependsOn("db"), alerts()))
	a.down("db", "a")
	a.run(20 * time.Second)
	a.told("ops down: a down, likely cause: db")
	a.down("b", "c")
	a.run(20 * time.Second)
	a.told()
	a.up("db")
	a.run(11 * time.Second)
	a.told("ops recovered: db is up again, it was down for 40s")
	// Each is told when its own next report still fails.
	a.bad("a", "b")
	a.run(12 * time.Second)
	a.told("ops down: b is down: status 503, expected 200-399", "ops reminder: a is still down since 2026-11-24 10:00:00 UTC: status 503, expected 200-399")
	a.up("c")
	a.run(time.Minute)
	a.told()
	a.up("a", "b")
	a.run(time.Minute)
	a.told("ops recovered: a is up again, it was down for 2m 3s", "ops recovered: b is up again, it was down for 1m 43s")
}

func testManyWriters(a *alerting) {
	var sites []sitemon.Site
	var names []string
	for i := range 60 {
		name := fmt.Sprintf("s%d", i)
		names = append(names, name)
		sites = append(sites, site(name, 10*time.Second, alerts()))
	}
	a.setUp(func(al *sitemon.Alerting) { al.GroupWait = 0 }, sites...)
	told := map[string]int{}
	count := func() {
		for _, n := range a.sent {
			for _, s := range n.Sites {
				told[fmt.Sprintf("%s %d", n.Kind, s.Incident)]++
			}
		}
		a.sent = nil
	}
	for round := range 3 {
		for i, name := range names {
			a.down(name)
			if i%7 == round {
				a.run(time.Second)
			}
		}
		a.run(3 * time.Second)
		a.up(names...)
		a.run(5 * time.Second)
		count()
	}
	a.equal("told", len(told), 3*2*len(names))
	for what, n := range told {
		a.equal(what, n, 1)
	}
}
