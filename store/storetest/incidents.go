package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sitemon"
)

// incidents brings the incidents up to date and returns those of a site, oldest first.
func (h *harness) incidents(name string) []sitemon.Incident {
	h.Helper()
	_, err := h.Tick(h.ctx, h.clock())
	h.check(err)
	_, err = h.DeriveIncidents(h.ctx, h.clock())
	h.check(err)
	list, _, err := h.Incidents(h.ctx, sitemon.IncidentQuery{Site: name})
	h.check(err)
	slices.Reverse(list)
	return list
}

// testIncidentEdges: whatever changes an incident does so at once, without another
// report.
func testIncidentEdges(h *harness) {
	ten := 10 * time.Second
	s := grid("a", ten, epoch, 60)
	is := func(what string, want ...[3]any) {
		h.Helper()
		var got [][3]any
		for _, i := range h.incidents("a") {
			got = append(got, [3]any{i.StartedAt, i.EndedAt, i.End})
		}
		h.equal(what, got, want)
	}
	open := [3]any{s[0], time.Time{}, sitemon.IncidentEnd("")}
	h.sync(site("a", ten, thresholds(3, 1)))
	h.set(s[1])
	h.record(report("a", s[0], sitemon.OutcomeDown), report("a", s[1], sitemon.OutcomeDown))
	is("two of three")
	h.sync(site("a", ten, thresholds(2, 1)))
	is("two of two", open)
	h.set(s[20])
	is("silent", open)
	h.record(report("a", s[20], sitemon.OutcomeDown))
	is("heard again", open)
	h.pass(time.Second)
	h.sync(site("a", ten, thresholds(2, 1), disabled))
	first := [3]any{s[0], h.clock(), sitemon.EndPaused}
	is("paused", first)
	h.pass(time.Second)
	h.sync(site("a", ten, quorum(2)))
	h.set(s[22])
	h.record(report("a", s[22], sitemon.OutcomeDown))
	is("one of two", first)
	h.pass(time.Second)
	h.sync(site("a", ten))
	lower := h.clock()
	is("one of one", first, [3]any{lower, time.Time{}, sitemon.IncidentEnd("")})
	h.pass(time.Second)
	h.sync(site("a", ten, probedFrom("elsewhere")))
	second := [3]any{lower, time.Time{}, sitemon.IncidentEnd("")}
	is("nobody counts, so nobody knows", first, second)
	h.pass(time.Second)
	h.sync(site("b", ten))
	second = [3]any{lower, h.clock(), sitemon.EndRemoved}
	is("removed", first, second)
}

// testEvidence: of a row of failed reports the first evidence and the newest are
// kept, and of a row that led to nothing none once there is another.
func testEvidence(h *harness) {
	h.sync(site("a", 10*time.Second, thresholds(2, 2)))
	s := grid("a", 10*time.Second, epoch, 40)
	tell := func(i int, o sitemon.Outcome) {
		r := report("a", s[i], o)
		if o != sitemon.OutcomeUp {
			r.Evidence = fmt.Sprintf(`{"slot":%d}`, i)
		}
		if now := s[i]; now.After(h.clock()) {
			h.set(now)
		}
		rec := h.record(r)
		h.equal("report as recorded", rec.New, []sitemon.Report{r})
	}
	const up, down, degraded = sitemon.OutcomeUp, sitemon.OutcomeDown, sitemon.OutcomeDegraded
	for i, o := range []sitemon.Outcome{up, down, up, degraded, down, up, down, down, down, down, up, down, down, up, down} {
		tell(i, o)
	}
	reports, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "a", Outcome: down})
	h.check(err)
	h.equal("evidence in lists of reports", reports[0].Evidence, "")
	kept := func() (all []string) {
		h.Helper()
		for _, i := range h.incidents("a") {
			one, err := h.Incident(h.ctx, i.ID)
			h.check(err)
			for _, e := range one.Evidence {
				h.equal("location", e.Location, "default")
				all = append(all, e.Slot.Format(time.TimeOnly)+e.Details)
			}
		}
		return all
	}
	want := func(slots ...int) (all []string) {
		for _, i := range slots {
			all = append(all, s[i].Format(time.TimeOnly)+fmt.Sprintf(`{"slot":%d}`, i))
		}
		return all
	}
	h.equal("while it goes on", kept(), want(6, 14))
	tell(15, up)
	tell(16, up)
	h.equal("when it is over", kept(), want(6, 14))
	for i := 17; i < 30; i++ {
		tell(i, []sitemon.Outcome{down, up}[i%2])
	}
	tell(30, down)
	tell(32, down)
	tell(33, up)
	tell(34, up)
	h.equal("of two", kept(), want(6, 14, 30, 32))
	tell(31, down)
	h.equal("with a late one between", kept(), want(6, 14, 30, 32))
}

// inMaintenance is a document whose sites are in maintenance from a moment on.
func inMaintenance(from time.Time, d time.Duration, sites ...sitemon.Site) sitemon.Document {
	doc := document(sites...)
	doc.Maintenance = []sitemon.Maintenance{{Title: "works", Start: from.Format("2006-01-02T15:04:05"), Duration: d}}
	return doc
}

func testMaintenance(h *harness) {
	a, b, paused := site("a", 10*time.Second), site("b", 10*time.Second), site("paused", 10*time.Second, disabled)
	from, to := epoch.Add(2*time.Minute), epoch.Add(4*time.Minute)
	_, _, err := h.SyncSites(h.ctx, inMaintenance(from, 2*time.Minute, a, b, paused))
	h.check(err)
	tick := func() []sitemon.StatusChange {
		h.Helper()
		h.check(h.Maintain(h.ctx, h.clock()))
		changes, err := h.Tick(h.ctx, h.clock())
		h.check(err)
		slices.SortFunc(changes, func(x, y sitemon.StatusChange) int { return cmp.Compare(x.Site, y.Site) })
		return changes
	}
	tell := func(at time.Time, o sitemon.Outcome) sitemon.Report {
		h.set(at)
		h.record(report("a", at, o), report("b", at, sitemon.OutcomeUp))
		return report("a", at, o)
	}
	down := tell(epoch.Add(100*time.Second), sitemon.OutcomeDown)
	h.equal("before", tick(), []sitemon.StatusChange(nil))
	h.set(from)
	h.equal("at the beginning", tick(), []sitemon.StatusChange{
		{Site: "a", Status: sitemon.StatusMaintenance, Since: from}, {Site: "b", Status: sitemon.StatusMaintenance, Since: from},
	})
	tell(from.Add(time.Minute), sitemon.OutcomeDown)
	h.equal("within", tick(), []sitemon.StatusChange(nil))
	sites, err := h.Sites(h.ctx, sitemon.SiteQuery{Status: sitemon.StatusMaintenance, Brief: true})
	h.check(err)
	h.equal("sites in maintenance", []any{len(sites), sites[0].Name, sites[0].Reason}, []any{2, "a", sitemon.Reason("")})
	tell(to.Add(-time.Second), sitemon.OutcomeDown)
	h.set(to)
	h.equal("at its end", tick(), []sitemon.StatusChange{
		{Site: "a", Status: sitemon.StatusDown, Since: down.Slot, Reason: down.Reason, Error: down.Error},
		{Site: "b", Status: sitemon.StatusUp, Since: down.Slot},
	})
	list := h.incidents("a")
	h.equal("incidents", len(list), 2)
	h.equal("the one before", []any{list[0].StartedAt, list[0].EndedAt, list[0].End}, []any{down.Slot, from, sitemon.EndMaintenance})
	h.equal("the one after", []any{list[1].StartedAt, list[1].EndedAt}, []any{to, time.Time{}})

	// Taken back while it goes on, and brought in when it has long begun.
	h.pass(time.Second)
	begun := h.clock()
	_, _, err = h.SyncSites(h.ctx, inMaintenance(epoch, time.Hour, a, b, paused))
	h.check(err)
	tick()
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("since the document came", []any{s.Status, s.Since}, []any{sitemon.StatusMaintenance, begun})
	h.pass(time.Second)
	h.sync(a, b, paused)
	tick()
	s, err = h.Site(h.ctx, "a")
	h.check(err)
	h.equal("taken back", s.Status, sitemon.StatusDown)
	list = h.incidents("a")
	h.equal("incidents then", []any{len(list), list[1].EndedAt, list[1].End, list[2].StartedAt},
		[]any{3, begun, sitemon.EndMaintenance, begun.Add(time.Second)})
	for _, name := range []string{"paused"} {
		s, err := h.Site(h.ctx, name)
		h.check(err)
		h.equal("a paused site", s.Status, sitemon.StatusPaused)
	}
}
