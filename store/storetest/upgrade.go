package storetest

import (
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
)

// SchemaFive is the version of the schema whose rows the stores have in their
// testdata/schema5.sql, as the program of that time wrote them: fifteen and a half
// hours of three sites, one of which is paused.
const SchemaFive = 5

const (
	fiveEvery = 30 * time.Minute
	fiveSlots = 31
)

// fiveDocument is the document of those rows.
func fiveDocument() sitemon.Document {
	doc := document(site("a", fiveEvery, alerts(), inGroup("public")), site("b", fiveEvery, alerts(), dependsOn("a")),
		site("paused", fiveEvery, func(s *sitemon.Site) { s.Enabled = false }))
	doc.Alerting = sitemon.Alerting{GroupWait: 10 * time.Second, Channels: []sitemon.Channel{{Name: "ops", Target: []byte(`{"url":"${OPS}"}`)}}}
	doc.Maintenance = []sitemon.Maintenance{{Title: "Upgrade", Start: "2026-11-24T11:00:00", Duration: time.Hour, Sites: []string{"b"}}}
	doc.StatusPages = []sitemon.StatusPage{{Path: "public", Title: "Example services", Groups: []string{"public"}, Public: true}}
	return doc
}

// fiveReport is the report of a slot; a is down in four of them and in the last two.
func fiveReport(name string, i int) sitemon.Report {
	o := sitemon.OutcomeUp
	if name == "a" && (i >= 6 && i < 10 || i >= 29) {
		o = sitemon.OutcomeDown
	}
	r := report(name, grid(name, fiveEvery, epoch.Add(time.Duration(i)*fiveEvery), 1)[0], o)
	r.Interval, r.Phases, r.StatusCode, r.RemoteAddr = fiveEvery, sitemon.Phases{Connect: 3 * time.Millisecond, TLS: 5 * time.Millisecond}, 200, "192.0.2.7:443"
	return r
}

// RunUpgraded checks that a store which began with the rows of [SchemaFive] has kept
// them, and works on. open opens it.
func RunUpgraded(t *testing.T, open func(t *testing.T, opts Options) (AlertStore, Transact)) {
	h := &harness{T: t, ctx: t.Context()}
	h.set(epoch.Add(fiveSlots*fiveEvery + time.Minute))
	store, write := open(t, Options{Clock: h.clock, Retention: 30 * 24 * time.Hour})
	h.Store = store
	a := &alerting{harness: h, stores: []AlertStore{store}, write: write, open: map[string]int64{}}
	reports := a.verifyFiveReports()
	a.verifyFiveIncidents()
	a.verifyFiveFigures(reports)
	a.verifyFiveOperations()

	// The same document is no change, and what comes next is recorded.
	_, p, err := a.SyncSites(a.ctx, fiveDocument())
	a.check(err)
	if len(p.Added)+len(p.Changed)+len(p.Removed) > 0 || p.Unchanged != 3 {
		a.Errorf("the document of before is taken for a change: %+v", p)
	}
	next := fiveReport("a", fiveSlots)
	next.Outcome, next.Reason, next.Error, next.Values = sitemon.OutcomeUp, "", "", sitemon.ReadValues(`{"users":3}`)
	a.set(next.Slot.Add(time.Second))
	a.record(next)
	_, err = a.Tick(a.ctx, a.clock())
	a.check(err)
	_, err = a.DeriveIncidents(a.ctx, a.clock())
	a.check(err)
	a.run(2*time.Minute, 10*time.Second)
	reports["a"] = append(reports["a"], next)
	a.check(a.Retain(a.ctx, a.clock()))
	a.verifyFiveFigures(reports)
	list, _, err := a.Reports(a.ctx, sitemon.ReportQuery{Site: "a", Limit: 1})
	a.check(err)
	a.equal("the report of after", list, []sitemon.Report{next})
	// That a is up again is told, and once more what the channel had refused before.
	told := map[sitemon.NotificationKind]int{}
	for _, n := range a.sent {
		told[n.Kind]++
	}
	a.equal("what was told of after", told, map[sitemon.NotificationKind]int{sitemon.NotifyRecovered: 2})
}

// verifyFiveReports checks the reports and returns them by site.
func (a *alerting) verifyFiveReports() map[string][]sitemon.Report {
	a.Helper()
	all := map[string][]sitemon.Report{}
	for _, name := range []string{"a", "b"} {
		var want []sitemon.Report
		for i := range fiveSlots {
			if name == "a" || i < 20 || i > 24 {
				want = append([]sitemon.Report{fiveReport(name, i)}, want...)
			}
		}
		got, _, err := a.Reports(a.ctx, sitemon.ReportQuery{Site: name, Limit: 100})
		a.check(err)
		for i := range got {
			got[i].Evidence = ""
		}
		a.equal("reports of "+name, got, want)
		for i := range want {
			all[name] = append(all[name], want[len(want)-1-i])
		}
	}
	return all
}

func (a *alerting) verifyFiveIncidents() {
	a.Helper()
	_, err := a.DeriveIncidents(a.ctx, a.clock())
	a.check(err)
	list, _, err := a.Incidents(a.ctx, sitemon.IncidentQuery{})
	a.check(err)
	if len(list) != 2 || list[0].ID != 2 || list[1].ID != 1 {
		a.Fatalf("incidents: %+v", list)
	}
	first, open := list[1], list[0]
	a.equal("the incident that is over", []any{first.StartedAt, first.EndedAt, first.Reports, first.AcknowledgedBy},
		[]any{fiveReport("a", 6).Slot, fiveReport("a", 10).Slot, 4, "anna"})
	a.equal("the open one", []any{open.StartedAt, open.EndedAt, open.Reports}, []any{fiveReport("a", 29).Slot, time.Time{}, 2})
	one, err := a.Incident(a.ctx, 1)
	a.check(err)
	var words []string
	for _, e := range one.Timeline {
		words = append(words, string(e.Kind)+" "+e.Text)
	}
	if len(one.Evidence) != 2 || one.Evidence[0].Details != `{"status":"503"}` {
		a.Errorf("evidence: %+v", one.Evidence)
	}
	a.equal("timeline", words, []string{
		"failed status 503, expected 200-399", "confirmed ", "alert down told to ops",
		"acknowledged ", "comment a disk is full", "recovered ", "ended the site recovered",
	})
}

// verifyFiveFigures compares the figures of a window with a recount of the reports.
func (a *alerting) verifyFiveFigures(reports map[string][]sitemon.Report) {
	a.Helper()
	for name, rs := range reports {
		p := &past{reports: rs}
		if name == "b" {
			p.maintenance = []availability.Window{{From: epoch.Add(time.Hour), To: epoch.Add(2 * time.Hour)}}
		}
		edges := []time.Time{epoch}
		for at := epoch.Add(2 * time.Hour); at.Before(a.clock()); at = at.Add(2 * time.Hour) {
			edges = append(edges, at)
		}
		edges = append(edges, a.clock())
		a.verifyWindow(availability.Query{Site: name, From: epoch, To: a.clock(), Step: 2 * time.Hour}, edges, p)
	}
}

func (a *alerting) verifyFiveOperations() {
	a.Helper()
	states, err := a.Sites(a.ctx, sitemon.SiteQuery{})
	a.check(err)
	found := map[string]sitemon.Status{}
	for _, s := range states {
		found[s.Name] = s.Status
	}
	a.equal("statuses", found, map[string]sitemon.Status{"a": sitemon.StatusDown, "b": sitemon.StatusUp, "paused": sitemon.StatusPaused})
	reloads, err := a.Reloads(a.ctx, 10)
	a.check(err)
	if len(reloads) != 2 || reloads[1].Added != 3 || len(reloads[0].Errors) != 1 {
		a.Errorf("reloads: %+v", reloads)
	}
	monitors, err := a.Monitors(a.ctx, a.clock())
	a.check(err)
	if len(monitors) != 1 || monitors[0].ID != "host-1" || monitors[0].Sites != 3 || monitors[0].Stopped || monitors[0].Problems != nil {
		a.Errorf("monitors: %+v", monitors)
	}
	docs, err := a.Documents(a.ctx)
	a.check(err)
	want := fiveDocument()
	got := docs[want.Source]
	a.equal("what the document says of alerts, maintenance and status pages", []any{got.Alerting, got.Maintenance, got.StatusPages},
		[]any{want.Alerting, want.Maintenance, want.StatusPages})
	gaps, err := a.Gaps(a.ctx, "b", epoch, a.clock())
	a.check(err)
	if len(gaps) != 1 || gaps[0].Slots != 5 || !gaps[0].From.Equal(fiveReport("b", 20).Slot) {
		a.Errorf("gaps: %+v", gaps)
	}
}
