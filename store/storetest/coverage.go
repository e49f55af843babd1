package storetest

import (
	"time"

	"sitemon"
	"sitemon/slot"
)

// testCoverage: what was planned and what is missing, by location: from the first
// report on, at slots of the grid, and behind the newest one once it is silent.
func testCoverage(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten), site("b", ten), site("never", ten))
	a, b := grid("a", ten, epoch, 60), grid("b", ten, epoch, 60)
	record := func(location, name string, at time.Time) {
		h.Helper()
		r := report(name, at, sitemon.OutcomeUp)
		r.Location = location
		h.record(r)
	}
	covers := func(what string, from, to time.Time, want ...sitemon.LocationCoverage) {
		h.Helper()
		got, err := h.Coverage(h.ctx, from, to)
		h.check(err)
		h.equal(what, got, append([]sitemon.LocationCoverage{}, want...))
	}
	covers("nothing yet", epoch, epoch.Add(time.Hour))
	for i := range 10 {
		h.set(a[i].Add(ten - 1))
		if i != 4 && i != 5 {
			record("east", "a", a[i])
		}
		if i >= 7 {
			record("west", "b", b[i])
		}
	}
	record("west", "b", b[9].Add(3*time.Second)) // off the grid
	east := sitemon.LocationCoverage{Location: "east", Sites: 1, Planned: 10, Missing: 2}
	west := sitemon.LocationCoverage{Location: "west", Sites: 1, Planned: 3}
	covers("two locations", epoch, h.clock(), east, west)
	covers("a window that begins in a gap", a[5], h.clock(), sitemon.LocationCoverage{Location: "east", Sites: 1, Planned: 5, Missing: 1}, west)
	covers("a window that ends in a gap", epoch, a[5], sitemon.LocationCoverage{Location: "east", Sites: 1, Planned: 5, Missing: 1})
	h.set(a[40])
	silent := h.clock().Add(-5 * ten)
	got, err := h.Coverage(h.ctx, silent, h.clock())
	h.check(err)
	for _, c := range got {
		if c.Missing != c.Planned || c.Planned == 0 || c.Share() != 0 {
			h.Errorf("a silent location has %+v", c)
		}
	}
	h.equal("silent locations", len(got), 2)
	h.sync(site("never", ten)) // nothing is planned any more
	h.set(a[59])
	covers("behind a removal", a[45], h.clock())
}

// verifyCoverage compares the counts of a window with the reports and plans.
func (y *history) verifyCoverage(begin time.Time) {
	y.h.Helper()
	span := y.h.clock().Sub(begin)
	from := begin.Add(time.Duration(y.rnd.Int64N(int64(span))))
	to := from.Add(time.Duration(y.rnd.Int64N(int64(span))))
	if to.After(y.h.clock()) {
		to = y.h.clock()
	}
	gaps, err := y.h.Gaps(y.h.ctx, y.name, begin, y.h.clock().Add(time.Hour))
	y.h.check(err)
	want := []sitemon.LocationCoverage{}
	for _, location := range []string{"east", "west"} {
		if c := y.expected(location, from, to, gaps); c.Planned > 0 {
			want = append(want, c)
		}
	}
	got, err := y.h.Coverage(y.h.ctx, from, to)
	y.h.check(err)
	y.h.equal("coverage of "+from.String()+" to "+to.String(), got, want)
}

// expected counts by the definition, slot by slot. Behind the newest report those of
// the open gaps count.
func (y *history) expected(location string, from, to time.Time, gaps []sitemon.Gap) sitemon.LocationCoverage {
	c := sitemon.LocationCoverage{Location: location, Sites: 1}
	slots := y.reports[location]
	first, last := int64(1)<<62, int64(0)
	for ms := range slots {
		first, last = min(first, ms), max(last, ms)
	}
	for _, p := range y.plans[location] {
		for _, run := range slot.Runs([]slot.Plan{p}, from, to) {
			for at := run.From; !at.After(run.To); at = p.Grid.After(at) {
				ms := at.UnixMilli()
				open := false
				for _, g := range gaps {
					open = open || g.Location == location && g.From.UnixMilli() > last && !at.Before(g.From) && !at.After(g.To)
				}
				switch {
				case open || ms > first && ms < last && !slots[ms]:
					c.Planned++
					c.Missing++
				case slots[ms]:
					c.Planned++
				}
			}
		}
	}
	return c
}
