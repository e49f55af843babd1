package storetest

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"sitemon"
	"sitemon/availability"
)

// recordRandom records reports of two locations over some time, in random runs
// of outcomes with holes, and returns them.
func (h *harness) recordRandom(rnd *rand.Rand, name string, interval time.Duration, from, to time.Time) []sitemon.Report {
	var all []sitemon.Report
	outcome, left, silent := sitemon.OutcomeUp, 0, false
	slots := grid(name, interval, from.Add(-1), int(to.Sub(from)/interval)+1)
	for _, l := range []string{"east", "west"} {
		for _, at := range slots {
			if left--; left < 0 {
				left, outcome, silent = rnd.IntN(200), sitemon.Outcomes[rnd.IntN(4)], rnd.IntN(5) == 0
			}
			if silent || !at.Before(to) {
				continue
			}
			r := report(name, at, outcome)
			r.Location, r.Interval = l, interval
			r.Duration = time.Duration(rnd.IntN(2_000_000)) * time.Microsecond
			all = append(all, r)
		}
	}
	if h.clock().Before(to) {
		h.set(to)
	}
	rec := h.record(all...)
	h.equal("recorded", len(rec.New), len(all))
	return all
}

// spans recounts the spans between edges.
func spans(edges []time.Time, reports []sitemon.Report) []availability.Span {
	return (&past{reports: reports}).spans(edges, false)
}

// verifyAvailability compares answers over several windows with a recount of all
// reports.
func (h *harness) verifyAvailability(name string, reports []sitemon.Report, from, to time.Time) {
	h.Helper()
	p := &past{reports: reports}
	berlin, err := time.LoadLocation("Europe/Berlin")
	h.check(err)
	for _, q := range []availability.Query{
		{From: from, To: to, Step: time.Hour},
		{From: from.Add(-36 * time.Hour), To: to.Add(time.Hour), Step: 6 * time.Hour},
		{From: from.Add(17 * time.Minute), To: to.Add(-7 * time.Minute), Step: 45 * time.Minute},
		{From: from.Add(time.Hour + 3*time.Millisecond), To: from.Add(time.Hour + 10*time.Minute), Step: time.Minute},
		{From: from, To: to, Step: 24 * time.Hour, Zone: berlin},
	} {
		q.Site = name
		h.verifyWindow(q, q.Edges(), p)
		h.verifySeries(q)
	}
}

// verifySeries compares a site's buckets in a list of many sites with those of its
// own.
func (h *harness) verifySeries(q availability.Query) {
	h.Helper()
	one, err := h.Availability(h.ctx, q)
	h.check(err)
	for _, latency := range []bool{false, true} {
		series := availability.SeriesQuery{
			Names: []string{"nobody", q.Site}, From: q.From, To: q.To, Step: q.Step, Zone: q.Zone, Latency: latency,
		}
		many, err := h.Series(h.ctx, series)
		h.check(err)
		h.equal("sites with a series", len(many), 1)
		h.equal("buckets of a series", len(many[q.Site]), len(one.Buckets))
		for i, got := range many[q.Site] {
			b := one.Buckets[i]
			want := availability.SeriesBucket{
				Start: b.Start, Up: b.Up, Degraded: b.Degraded, Down: b.Down, Unknown: b.Unknown, Maintenance: b.Maintenance,
			}
			if b.Latency != nil {
				want.Mean = b.Latency.Mean
			}
			if !latency {
				want.Mean, got.Mean = 0, 0
			}
			h.equal("a bucket of a series", got, want)
			h.equal("its figure", got.Figure(), b.Figure)
		}
	}
}

func testRandomAvailability(h *harness) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		interval := []time.Duration{10 * time.Second, 47 * time.Second, 7 * time.Minute, 90 * time.Minute}[seed]
		name := "available" + string(rune('a'+seed))
		h.sync(site(name, interval))
		from, to := epoch.Add(-50*time.Hour), epoch.Add(-20*time.Minute)
		if interval < time.Minute {
			from = to.Add(-600 * interval)
		}
		reports := h.recordRandom(rnd, name, interval, from, to)
		if seed == 0 { // later ones are late: figures may lag
			h.verifyAvailability(name, reports, from, to)
		}
		h.check(h.Rollup(h.ctx, h.clock()))
		h.verifyAvailability(name, reports, from, to)
	}
}

// close compares figures that may differ by rounding.
func (h *harness) close(what string, got, want availability.Figure) {
	h.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
	if (got.Availability == nil) != (want.Availability == nil) || !near(got.Coverage, want.Coverage) ||
		got.Availability != nil && !near(*got.Availability, *want.Availability) {
		h.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

// verifyLists compares figures of lists with a recount.
func (h *harness) verifyLists(name string, reports []sitemon.Report, now time.Time) {
	h.Helper()
	windows := []time.Duration{24 * time.Hour, time.Hour, 7 * 24 * time.Hour, 90 * 24 * time.Hour}
	got, err := h.Availabilities(h.ctx, []string{name, "nobody"}, now, windows)
	h.check(err)
	h.equal("names", len(got), 1)
	for i, w := range windows {
		span := spans([]time.Time{now.Add(-w), now}, reports)[0]
		h.close(w.String(), got[name][i], span.Sum.Figure(w))
	}
}

func testLists(h *harness) {
	rnd := rand.New(rand.NewPCG(1, 4))
	ten := 10 * time.Minute
	h.sync(site("list", ten))
	reports := h.recordRandom(rnd, "list", ten, epoch.Add(-9*24*time.Hour), epoch)
	h.verifyLists("list", reports, epoch)
	h.check(h.Rollup(h.ctx, epoch))
	h.verifyLists("list", reports, epoch)
	for d := range 6 {
		now := epoch.Add(time.Duration(d) * 5 * time.Hour)
		h.set(now)
		reports = append(reports, h.recordRandom(rnd, "list", ten, now.Add(time.Second), now.Add(5*time.Hour))...)
		h.check(h.Rollup(h.ctx, h.clock()))
		h.verifyLists("list", reports, h.clock())
	}
	// A window may begin within an hour that has been rolled up.
	h.verifyLists("list", reports, h.clock().Add(37*time.Minute))
	h.set(epoch.Add(100 * time.Hour))
	h.sync(site("list", ten), site("even", ten))
	var even []sitemon.Report
	for _, at := range grid("even", ten, h.clock().Add(-3*24*time.Hour), 3*24*6) {
		o := sitemon.OutcomeUp
		if at.After(h.clock().Add(-12 * time.Hour)) {
			o = sitemon.OutcomeDown
		}
		r := report("even", at, o)
		r.Interval = ten
		even = append(even, r)
	}
	h.record(even...)
	h.check(h.Rollup(h.ctx, h.clock()))
	h.verifyLists("even", even, h.clock().Add(20*time.Minute))
	none, err := h.Availabilities(h.ctx, nil, h.clock(), nil)
	h.check(err)
	h.equal("nothing asked", len(none), 0)
}

func testLateRollup(h *harness) {
	rnd := rand.New(rand.NewPCG(1, 5))
	h.sync(site("late", time.Minute))
	from, to := epoch.Add(-30*time.Hour), epoch.Add(-20*time.Hour)
	reports := h.recordRandom(rnd, "late", time.Minute, from, to)
	h.set(epoch)
	h.check(h.Rollup(h.ctx, epoch))
	h.verifyLists("late", reports, epoch)
	// Another location's reports come late, and one more that ends what a longer
	// one before it said.
	var late []sitemon.Report
	for i, r := range reports {
		if i%17 == 0 {
			r.Slot, r.Outcome, r.Duration = r.Slot.Add(3*time.Second), sitemon.OutcomeDown, time.Second
			late = append(late, r)
		}
	}
	long := report("late", to.Add(5*time.Hour), sitemon.OutcomeUp)
	long.Location, long.Interval = "east", 3*time.Hour
	short := report("late", to.Add(5*time.Hour+30*time.Minute), sitemon.OutcomeDown)
	short.Location = "east"
	for _, more := range [][]sitemon.Report{late, {long}, {short}} {
		rec := h.record(more...)
		reports = append(reports, rec.New...)
		h.check(h.Rollup(h.ctx, epoch))
		h.verifyLists("late", reports, epoch)
	}
}

func testBadQueries(h *harness) {
	h.sync(site("a", time.Minute))
	good := availability.Query{Site: "a", From: epoch.Add(-time.Hour), To: epoch, Step: time.Minute}
	res, err := h.Availability(h.ctx, good)
	h.check(err)
	if len(res.Buckets) != 60 || res.Figure.Availability != nil || res.Coverage != 0 {
		h.Fatalf("a site without reports: %+v", res)
	}
	unknown := good
	unknown.Site = "nobody"
	if _, err := h.Availability(h.ctx, unknown); !errors.Is(err, sitemon.ErrNotFound) {
		h.Fatalf("an unknown site: %v, want ErrNotFound", err)
	}
	backwards := good
	backwards.From, backwards.To = good.To, good.From
	if _, err := h.Availability(h.ctx, backwards); !errors.Is(err, sitemon.ErrInvalid) {
		h.Fatalf("a window that ends before it begins: %v, want ErrInvalid", err)
	}
}

func testRetention(h *harness) {
	rnd := rand.New(rand.NewPCG(1, 6))
	h.sync(site("a", 10*time.Minute), site("b", time.Minute))
	reports := h.recordRandom(rnd, "a", 10*time.Minute, epoch, epoch.Add(3*24*time.Hour))
	h.recordRandom(rnd, "b", time.Minute, epoch, epoch.Add(time.Hour))
	end := epoch.Add(31 * 24 * time.Hour)
	h.set(end)
	h.check(h.Retain(h.ctx, end))
	oldest := end.Add(-30 * 24 * time.Hour)
	left := h.pages(sitemon.ReportQuery{Site: "a", Limit: 1000}, func() {})
	want := 0
	for _, r := range reports {
		if !r.Slot.Before(oldest) {
			want++
		}
	}
	h.equal("reports that are left", len(left), want)
	gaps, err := h.Gaps(h.ctx, "a", epoch.Add(-time.Hour), oldest)
	h.check(err)
	for _, g := range gaps {
		if g.To.Before(oldest) {
			h.Fatalf("a gap older than the retention: %+v", g)
		}
	}
	gone, _, err := h.Reports(h.ctx, sitemon.ReportQuery{Site: "b"})
	h.check(err)
	h.equal("reports of a site that has none left", len(gone), 0)
	s, err := h.Site(h.ctx, "b")
	h.check(err)
	if s.LastReport != nil {
		h.Fatalf("the last report of a site that has none left: %+v", s.LastReport)
	}
	// The sums remain, in whole hours: the 5 minutes are too old.
	q := availability.Query{Site: "a", From: epoch.Add(5 * time.Minute), To: epoch.Add(4 * 24 * time.Hour), Step: 12 * time.Hour}
	got, err := h.Availability(h.ctx, q)
	h.check(err)
	h.equal("where the window begins", got.From, epoch)
	all := spans([]time.Time{epoch, q.To}, reports)[0]
	h.close("availability over what was deleted", got.Figure, all.Sum.Figure(q.To.Sub(epoch)))
	n := 0
	for _, b := range got.Buckets {
		n += b.Reports
	}
	h.equal("reports over what was deleted", n, len(reports))
	h.verifyLists("a", reports, end)
}
