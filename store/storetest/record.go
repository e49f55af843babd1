package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"sitemon"
)

func testRoundTrip(h *harness) {
	h.sync(site("a", 10*time.Second))
	us := time.Microsecond
	full := sitemon.Report{
		Site: "a", Location: "default", Slot: epoch.Add(250 * time.Millisecond), StartedAt: epoch.Add(251*time.Millisecond + 7*us),
		Interval: 10 * time.Second, Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus, Error: "status 503, erwartet ‹200›",
		StatusCode: 503, Duration: 18211 * us,
		Phases:    sitemon.Phases{Resolve: 301 * us, Connect: 240 * us, TLS: 1911 * us, Processing: 15414 * us, Transfer: 345 * us},
		BodyBytes: 512, BodyTruncated: true, RemoteAddr: "192.0.2.7:443",
		CertificateExpiresAt: time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC),
		Monitor:              "host-1", Generation: 17, Attempts: 2, Gap: sitemon.GapClock,
		Values: sitemon.NewValues(map[string]float64{"queue": 12, "load": 0.25, "far": -1e300}),
	}
	bare := sitemon.Report{
		Site: "a", Location: "default", Slot: epoch.Add(10 * time.Second), Interval: 10 * time.Second, Outcome: sitemon.OutcomeUp,
	}
	v6 := bare
	v6.Slot, v6.RemoteAddr, v6.Outcome, v6.Reason = epoch.Add(20*time.Second), "[2001:db8::7]:443", sitemon.OutcomeUnknown, "a reason of tomorrow"
	early := bare // started before its slot, as an extra slot may be
	early.Slot, early.StartedAt, early.RemoteAddr = epoch.Add(30*time.Second), epoch.Add(29*time.Second), "255.255.255.255:65535"
	want := []sitemon.Report{full, bare, v6, early}
	h.set(epoch.Add(30 * time.Second))
	rec := h.record(want...)
	h.equal("new", rec.New, want)
	got, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "a"})
	h.check(err)
	slices.Reverse(got)
	h.equal("reports", got, want)
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("last report", *s.LastReport, early)
}

func testIdentity(h *harness) {
	h.sync(site("a", 10*time.Second))
	one, two := report("a", epoch, sitemon.OutcomeUp), report("a", epoch.Add(10*time.Second), sitemon.OutcomeUp)
	elsewhere := two
	elsewhere.Location = "elsewhere"
	h.set(two.Slot)
	rec := h.record(one, one, two)
	h.equal("new", rec.New, []sitemon.Report{one, two})
	h.equal("duplicates", rec.Duplicates, 1)
	changed := one
	changed.Outcome, changed.Reason = sitemon.OutcomeDown, sitemon.ReasonBody
	newest := two
	newest.Outcome, newest.Reason = sitemon.OutcomeDown, sitemon.ReasonBody
	rec = h.record(changed, newest, elsewhere)
	h.equal("new of the second batch", rec.New, []sitemon.Report{elsewhere})
	h.equal("duplicates of the second batch", rec.Duplicates, 2)
	h.equal("changes", rec.Changes, []sitemon.StatusChange(nil))
	got, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "a", Limit: 10})
	h.check(err)
	h.equal("reports", len(got), 3)
	h.equal("the first one", got[2], one)
	rec = h.record()
	h.equal("no reports", rec, sitemon.Recorded{})
}

func testUndefined(h *harness) {
	slots := grid("later", 10*time.Second, epoch, 3)
	h.set(slots[2])
	rec := h.record(report("later", slots[0], sitemon.OutcomeUp), report("later", slots[1], sitemon.OutcomeDown))
	h.equal("recorded", len(rec.New), 2)
	h.equal("changes of a site that nobody sees", rec.Changes, []sitemon.StatusChange(nil))
	for _, q := range []sitemon.SiteQuery{{}, {Removed: true}} {
		sites, err := h.Sites(h.ctx, q)
		h.check(err)
		h.equal("shown", len(sites), 0)
	}
	h.sync(site("later", 10*time.Second))
	s, err := h.Site(h.ctx, "later")
	h.check(err)
	h.equal("status once it is defined", []any{s.Status, s.Since}, []any{sitemon.StatusDown, slots[1]})
	got, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "later"})
	h.check(err)
	h.equal("reports", len(got), 2)
}

func testExpired(h *harness) {
	h.sync(site("a", 10*time.Second))
	old := report("a", epoch.Add(-30*24*time.Hour-time.Millisecond), sitemon.OutcomeDown)
	edge := report("a", epoch.Add(-30*24*time.Hour), sitemon.OutcomeUp)
	rec := h.record(old, edge)
	h.equal("expired", []any{rec.Expired, rec.New}, []any{1, []sitemon.Report{edge}})
}

// testRefused: a batch with a report that cannot be recorded leaves nothing
// behind, neither in the store nor in what it remembers.
func testRefused(h *harness) {
	h.sync(site("a", 10*time.Second))
	slots := grid("a", 10*time.Second, epoch, 4)
	h.set(slots[3])
	h.record(report("a", slots[0], sitemon.OutcomeUp))
	good := report("a", slots[3], sitemon.OutcomeDown)
	bad := report("not \xff UTF-8", slots[3], sitemon.OutcomeUp)
	for range 2 {
		rec, err := h.Record(h.ctx, []sitemon.Report{good, bad})
		if err == nil {
			h.Fatalf("a name that is not UTF-8 was recorded: %+v", rec)
		}
		h.equal("what is recorded of a refused batch", rec, sitemon.Recorded{})
	}
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("status", []any{s.Status, s.LastReport.Slot}, []any{sitemon.StatusUp, slots[0]})
	rec := h.record(good)
	h.equal("the good one alone", []any{len(rec.New), len(rec.Changes)}, []any{1, 1})
	gaps, err := h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	h.equal("gaps", gaps, []sitemon.Gap{{Site: "a", Location: "default", From: slots[1], To: slots[2], Slots: 2}})
}

func testLate(h *harness) {
	h.sync(site("a", 10*time.Second))
	slots := grid("a", 10*time.Second, epoch, 3)
	h.set(slots[2])
	h.record(report("a", slots[0], sitemon.OutcomeUp), report("a", slots[2], sitemon.OutcomeUp))
	rec := h.record(report("a", slots[1], sitemon.OutcomeDown))
	h.equal("recorded", len(rec.New), 1)
	h.equal("changes by a late report", rec.Changes, []sitemon.StatusChange(nil))
	s, err := h.Site(h.ctx, "a")
	h.check(err)
	h.equal("status", []any{s.Status, s.Since, s.LastReport.Slot}, []any{sitemon.StatusUp, slots[0], slots[2]})
}

// testConcurrent is for the race detector: all at once, and everything is there
// afterwards.
func testConcurrent(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten), site("b", ten))
	h.set(epoch.Add(2 * time.Hour))
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for _, name := range []string{"a", "b"} {
		wg.Go(func() {
			for _, at := range grid(name, ten, epoch, 100) {
				_, err := h.Record(h.ctx, []sitemon.Report{report(name, at, sitemon.OutcomeUp)})
				errs <- err
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			_, _, err := h.SyncSites(h.ctx, document(site("a", ten), site("b", ten), site(fmt.Sprint("c", i), ten)))
			errs <- err
			errs <- h.Rollup(h.ctx, h.clock())
			_, err = h.Tick(h.ctx, h.clock())
			errs <- err
		}
	})
	wg.Go(func() {
		for range 20 {
			_, err := h.Sites(h.ctx, sitemon.SiteQuery{})
			errs <- err
			_, err = h.Gaps(h.ctx, "a", epoch, h.clock())
			errs <- err
		}
	})
	wg.Wait()
	close(errs)
	for err := range errs {
		h.check(err)
	}
	for _, name := range []string{"a", "b"} {
		got, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: name, Limit: 1000})
		h.check(err)
		h.equal("reports of "+name, len(got), 100)
	}
}
