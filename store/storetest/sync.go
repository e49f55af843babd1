package storetest

import (
	"errors"
	"time"

	"sitemon"
)

func testSyncFirst(h *harness) {
	g, p := h.sync(site("b", time.Minute), site("a", time.Minute))
	h.equal("generation", g, sitemon.Generation{Number: 1, LoadedAt: epoch, Source: "sites.yaml", Hash: g.Hash, Sites: 2})
	h.equal("plan", p, sitemon.Plan{Generation: 1, Added: []string{"a", "b"}, Changed: []sitemon.Change{}, Removed: []string{}})
	defs, known, err := h.Known(h.ctx)
	h.check(err)
	h.equal("known generation", known, g)
	if len(defs) != 2 || defs[0].Name != "b" || defs[1].Name != "a" {
		h.Fatalf("known sites %v, want b, a", defs)
	}
	h.equal("definition", string(defs[0].JSON), string(site("b", time.Minute).Definition))
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("site", s, sitemon.SiteState{
		Name: "a", URL: "https://a.example.org/", Kind: sitemon.KindHTTP, Tags: []string{}, Interval: time.Minute,
		Timeout: 30 * time.Second, Enabled: true, Source: "sites.yaml", Status: sitemon.StatusUnknown,
	})
}

func testSyncDifferences(h *harness) {
	h.sync(site("a", time.Minute), site("b", time.Minute), site("c", time.Minute))
	h.pass(time.Hour)
	g, p := h.sync(
		site("c", time.Minute),
		site("b", 30*time.Second),
		site("d", time.Minute),
	)
	h.equal("generation", []any{g.Number, g.LoadedAt, g.Sites}, []any{int64(2), epoch.Add(time.Hour), 3})
	h.equal("plan", p, sitemon.Plan{
		Generation: 2, Added: []string{"d"}, Removed: []string{"a"}, Unchanged: 1,
		Changed: []sitemon.Change{{Name: "b", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "1m0s", After: "30s"}}, Rescheduled: true}},
	})
	s, err := h.Site(h.ctx, "b")
	h.check(err)
	h.equal("interval", s.Interval, 30*time.Second)
	if _, err := h.Site(h.ctx, "a"); !errors.Is(err, sitemon.ErrNotFound) {
		h.Fatalf("a removed site: %v, want ErrNotFound", err)
	}
	if _, err := h.Site(h.ctx, "never"); !errors.Is(err, sitemon.ErrNotFound) {
		h.Fatalf("an unknown site: %v, want ErrNotFound", err)
	}
	_, p = h.sync(site("c", time.Minute, group("x")), site("b", 30*time.Second), site("d", time.Minute))
	h.equal("a change of group only", p.Changed, []sitemon.Change{{Name: "c", Keys: []string{"group"}, Values: []sitemon.KeyChange{{Key: "group", After: "x"}}}})
}

func group(name string) func(*sitemon.Site) { return func(s *sitemon.Site) { s.Group = name } }
func disabled(s *sitemon.Site)              { s.Enabled = false }

func thresholds(failure, success int) func(*sitemon.Site) {
	return func(s *sitemon.Site) { s.FailureThreshold, s.SuccessThreshold = failure, success }
}

func testSyncNothingNew(h *harness) {
	a, b := site("a", time.Minute), site("b", time.Minute)
	first, _ := h.sync(a, b)
	h.pass(time.Minute)
	same, p := h.sync(a, b)
	h.equal("the same document", same, first)
	h.equal("its plan", p, sitemon.Plan{
		Generation: 1, Added: []string{}, Changed: []sitemon.Change{}, Removed: []string{}, Unchanged: 2,
	})
	// The order of a file and its comments are no sites: other content, the same
	// generation, and the order is kept.
	g, p, err := h.SyncSites(h.ctx, sitemon.Document{Source: "sites.yaml", Hash: "other", Sites: []sitemon.Site{b, a}})
	h.check(err)
	h.equal("plan of another order", p.Empty(), true)
	want := first
	want.Hash = "other"
	h.equal("generation of another order", g, want)
	defs, known, err := h.Known(h.ctx)
	h.check(err)
	h.equal("known generation", known, want)
	h.equal("order", []string{defs[0].Name, defs[1].Name}, []string{"b", "a"})
	// An empty document is one too, and the number goes on after it.
	g, _ = h.sync()
	h.equal("no sites", []any{g.Number, g.Sites}, []any{int64(2), 0})
	g, _ = h.sync(a)
	h.equal("sites again", g.Number, int64(3))
}

func testSyncRefused(h *harness) {
	h.sync(site("a", time.Minute))
	_, _, err := h.SyncSites(h.ctx, document(site("x", time.Minute), site("x", time.Minute)))
	if !errors.Is(err, sitemon.ErrInvalid) {
		h.Fatalf("the same name twice: %v, want ErrInvalid", err)
	}
	defs, g, err := h.Known(h.ctx)
	h.check(err)
	h.equal("generation", g.Number, int64(1))
	h.equal("sites", len(defs), 1)
	// The store goes on as before.
	g, _ = h.sync(site("a", time.Minute), site("b", time.Minute))
	h.equal("next generation", g.Number, int64(2))
}

func testSyncReturn(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten), site("b", ten))
	slots := grid("a", ten, epoch, 3)
	h.set(slots[2])
	for _, at := range slots {
		h.record(report("a", at, sitemon.OutcomeDown))
	}
	h.sync(site("b", ten), site("renamed", ten))
	removed, err := h.Sites(h.ctx, sitemon.SiteQuery{Removed: true})
	h.check(err)
	if len(removed) != 1 || removed[0].Name != "a" || removed[0].LastReport == nil || !removed[0].LastReport.Slot.Equal(slots[2]) {
		h.Fatalf("removed sites %+v, want a with its last report", removed)
	}
	reports, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "a"})
	h.check(err)
	h.equal("reports of a removed site", len(reports), 3)
	h.pass(24*time.Hour + time.Second)
	h.sync(site("a", ten))
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("status of a site that is back", s.Status, sitemon.StatusUnknown)
	reports, _, err = h.Reports(h.ctx, sitemon.ReportQuery{Site: "a"})
	h.check(err)
	h.equal("reports of a site that is back", len(reports), 3)
	back := grid("a", ten, h.clock(), 2)
	h.set(back[1])
	h.record(report("a", back[0], sitemon.OutcomeUp), report("a", back[1], sitemon.OutcomeUp))
	gaps, err := h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	h.equal("gaps while it was away", gaps, []sitemon.Gap(nil))
}

func testSyncPaused(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten))
	slots := grid("a", ten, epoch, 40)
	h.set(slots[0])
	h.record(report("a", slots[0], sitemon.OutcomeDown))
	h.set(slots[0].Add(time.Second))
	h.sync(site("a", ten, disabled))
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("paused", []any{s.Status, s.Since, s.Reason, s.Enabled}, []any{sitemon.StatusPaused, h.clock(), sitemon.Reason(""), false})
	h.sync(site("a", ten, disabled), site("new", ten, disabled))
	s, err = h.Site(h.ctx, "new")
	h.check(err)
	h.equal("paused before its first report", []any{s.Status, s.Since}, []any{sitemon.StatusPaused, time.Time{}})
	// Even after a moment nothing is known of it, as it may be another thing now.
	h.pass(time.Second)
	h.sync(site("a", ten))
	s, err = h.Site(h.ctx, "a")
	h.check(err)
	h.equal("resumed at once", s.Status, sitemon.StatusUnknown)
	h.sync(site("a", ten, disabled))
	h.set(slots[20])
	changes, err := h.Tick(h.ctx, h.clock())
	h.check(err)
	h.equal("silence of a paused site", changes, []sitemon.StatusChange(nil))
	h.sync(site("a", ten))
	s, err = h.Site(h.ctx, "a")
	h.check(err)
	h.equal("resumed", s.Status, sitemon.StatusUnknown)
	h.set(slots[21])
	rec := h.record(report("a", slots[21], sitemon.OutcomeUp))
	h.equal("the first report after a pause", rec.Changes, []sitemon.StatusChange{{Site: "a", Status: sitemon.StatusUp, Since: slots[21]}})
	gaps, err := h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	if len(gaps) != 1 || gaps[0].Slots != 1 { // slots[20] is of the plan that began with it
		h.Fatalf("gaps around a pause: %+v, want one of one slot", gaps)
	}
}

func probedFrom(locations ...string) func(*sitemon.Site) {
	return func(s *sitemon.Site) { s.Locations = locations }
}

func quorum(q sitemon.Quorum) func(*sitemon.Site) { return func(s *sitemon.Site) { s.Quorum = q } }

func testSyncTerms(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten, quorum(2)))
	for _, location := range []string{"east", "west"} {
		r := report("a", epoch, map[string]sitemon.Outcome{"east": sitemon.OutcomeDown, "west": sitemon.OutcomeUp}[location])
		r.Location = location
		h.record(r)
	}
	for _, step := range []struct {
		name   string
		site   sitemon.Site
		status sitemon.Status
	}{
		{"one of two", site("a", ten, quorum(1)), sitemon.StatusDown},
		{"more than half", site("a", ten, quorum(sitemon.Majority)), sitemon.StatusUp},
		{"the only one that counts", site("a", ten, quorum(sitemon.Majority), probedFrom("east")), sitemon.StatusDown},
		{"it does not count", site("a", ten, probedFrom("west", "north")), sitemon.StatusUp},
		{"nobody counts that is known", site("a", ten, probedFrom("north")), sitemon.StatusUnknown},
		{"all count", site("a", ten), sitemon.StatusDown},
	} {
		h.sync(step.site)
		s, err := h.Site(h.ctx, "a")
		h.check(err)
		h.equal(step.name, s.Status, step.status)
		h.pass(time.Second)
	}
}

func testSyncDocument(h *harness) {
	doc := document(site("a", time.Minute))
	first, _, err := h.SyncSites(h.ctx, doc)
	h.check(err)
	number := first.Number
	for _, step := range []struct {
		name   string
		change func()
		fresh  bool
	}{
		{"alerting", func() {
			doc.Alerting = sitemon.Alerting{GroupWait: time.Second, Channels: []sitemon.Channel{{Name: "ops", Target: []byte(`{"url":"ü\u0000"}`)}}}
		}, true},
		{"the same", func() {}, false},
		{"maintenance", func() { doc.Maintenance = []sitemon.Maintenance{{Title: "x", Start: "2026-12-01T22:00:00"}} }, true},
		{"other content", func() { doc.Hash = "other" }, false},
		{"none of it", func() { doc.Alerting, doc.Maintenance = sitemon.Alerting{}, nil }, true},
	} {
		h.pass(time.Second)
		step.change()
		if step.fresh {
			number++
		}
		g, p, err := h.SyncSites(h.ctx, doc)
		h.check(err)
		h.equal(step.name, []any{g.Number, g.LoadedAt.Equal(h.clock()), p.Generation, p.Empty()}, []any{number, step.fresh, number, true})
	}
}

func testSyncThresholds(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten, thresholds(3, 1)))
	slots := grid("a", ten, epoch, 3)
	h.set(slots[2])
	h.record(report("a", slots[0], sitemon.OutcomeUp), report("a", slots[1], sitemon.OutcomeDown), report("a", slots[2], sitemon.OutcomeDown))
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("two failures of three", s.Status, sitemon.StatusUp)
	h.sync(site("a", ten, thresholds(2, 1)))
	s, err = h.Site(h.ctx, "a")
	h.check(err)
	h.equal("two failures of two", []any{s.Status, s.Since}, []any{sitemon.StatusDown, slots[1]})
}
