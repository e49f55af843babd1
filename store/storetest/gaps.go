package storetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"sitemon"
	"sitemon/slot"
)

func testGapReasons(h *harness) {
	h.sync(site("a", 10*time.Second))
	s := grid("a", 10*time.Second, epoch, 12)
	h.set(s[9])
	stopped := report("a", s[4], sitemon.OutcomeUp)
	stopped.Gap = sitemon.GapMonitorStopped
	h.record(report("a", s[0], sitemon.OutcomeUp), report("a", s[1], sitemon.OutcomeUp), stopped, report("a", s[7], sitemon.OutcomeUp))
	gaps, err := h.Gaps(h.ctx, "a", epoch, s[11])
	h.check(err)
	first := sitemon.Gap{Site: "a", Location: "default", From: s[2], To: s[3], Slots: 2, Reason: sitemon.GapMonitorStopped}
	second := sitemon.Gap{Site: "a", Location: "default", From: s[5], To: s[6], Slots: 2}
	h.equal("gaps", gaps, []sitemon.Gap{first, second})
	gaps, err = h.Gaps(h.ctx, "a", s[3], s[5])
	h.check(err)
	h.equal("gaps that touch a window", gaps, []sitemon.Gap{first})
	// A slot off the grid is none that was planned, and hides none.
	h.record(report("a", s[7].Add(3*time.Second), sitemon.OutcomeUp), report("a", s[9], sitemon.OutcomeUp))
	gaps, err = h.Gaps(h.ctx, "a", s[7], s[11])
	h.check(err)
	h.equal("gaps around an extra slot", gaps, []sitemon.Gap{{Site: "a", Location: "default", From: s[8], To: s[8], Slots: 1}})
}

func testGapSplit(h *harness) {
	h.sync(site("a", 10*time.Second))
	s := grid("a", 10*time.Second, epoch, 6)
	h.set(s[5])
	last := report("a", s[5], sitemon.OutcomeUp)
	last.Gap = sitemon.GapSpoolFull
	h.record(report("a", s[0], sitemon.OutcomeUp), last)
	gap := func(from, to, n int, reason string) sitemon.Gap {
		return sitemon.Gap{Site: "a", Location: "default", From: s[from], To: s[to], Slots: n, Reason: reason}
	}
	for _, step := range []struct {
		late int
		want []sitemon.Gap
	}{
		{3, []sitemon.Gap{gap(1, 2, 2, ""), gap(4, 4, 1, sitemon.GapSpoolFull)}},
		{2, []sitemon.Gap{gap(1, 1, 1, ""), gap(4, 4, 1, sitemon.GapSpoolFull)}},
		{4, []sitemon.Gap{gap(1, 1, 1, "")}},
		{1, nil},
	} {
		h.record(report("a", s[step.late], sitemon.OutcomeUp))
		gaps, err := h.Gaps(h.ctx, "a", epoch, s[5])
		h.check(err)
		h.equal("gaps", gaps, step.want)
	}
	// A report before the first one makes it a successor.
	before := slot.NewGrid("a", 10*time.Second).AtOrBefore(epoch)
	h.record(report("a", before.Add(-time.Hour), sitemon.OutcomeUp))
	gaps, err := h.Gaps(h.ctx, "a", epoch.Add(-2*time.Hour), s[5])
	h.check(err)
	h.equal("gaps before the site was planned", gaps, []sitemon.Gap(nil))
}

func testGapOpen(h *harness) {
	h.sync(site("a", 10*time.Second))
	s := grid("a", 10*time.Second, epoch, 20)
	h.set(s[0])
	h.record(report("a", s[0], sitemon.OutcomeUp))
	h.set(s[3])
	gaps, err := h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	h.equal("gaps while the location is not silent", gaps, []sitemon.Gap(nil))
	h.set(s[10])
	gaps, err = h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	h.equal("gaps of a silent location", gaps, []sitemon.Gap{{Site: "a", Location: "default", From: s[1], To: s[9], Slots: 9}})
}

func testGapLocations(h *harness) {
	ten := 10 * time.Second
	h.sync(site("a", ten))
	s := grid("a", ten, epoch, 40)
	record := func(i int, locations ...string) {
		h.set(s[i])
		for _, l := range locations {
			r := report("a", s[i], sitemon.OutcomeUp)
			r.Location = l
			h.record(r)
		}
	}
	gap := func(location string, from, to int) sitemon.Gap {
		return sitemon.Gap{Site: "a", Location: location, From: s[from], To: s[to], Slots: to - from + 1}
	}
	record(0, "east", "west")
	h.set(s[2].Add(time.Second))
	h.sync(site("a", ten, thresholds(2, 2))) // another plan with the same slots
	h.set(s[4].Add(time.Second))
	h.sync(site("a", ten, probedFrom("west")))
	record(8, "west")
	record(10, "east") // nobody asked for it
	h.set(s[12].Add(time.Second))
	h.sync(site("a", ten, probedFrom("east", "west")))
	record(15, "east", "west")
	h.set(s[39])
	h.sync(site("a", ten, probedFrom("east")))
	gaps, err := h.Gaps(h.ctx, "a", epoch, h.clock())
	h.check(err)
	h.equal("gaps", gaps, []sitemon.Gap{
		gap("east", 1, 4), gap("east", 13, 14), gap("east", 16, 38),
		gap("west", 1, 7), gap("west", 9, 14), gap("west", 16, 38),
	})
}

// history drives a site through random plans, reports and gaps in time, and
// knows what must come of it.
type history struct {
	h        *harness
	rnd      *rand.Rand
	name     string
	interval time.Duration
	enabled  bool
	present  bool
	plans    map[string][]slot.Plan    // by location
	reports  map[string]map[int64]bool // by location, slots in ms
	held     []sitemon.Report          // on their way for long
}

// change applies another document.
func (y *history) change() {
	y.present = len(y.plans) == 0 || y.rnd.IntN(6) > 0
	named := [][]string{nil, nil, {"east"}, {"north", "west"}}[y.rnd.IntN(4)]
	y.enabled = y.rnd.IntN(5) > 0
	y.interval = time.Duration(1+y.rnd.IntN(4)) * 5 * time.Second
	sites := []sitemon.Site{site("other", time.Minute)}
	if y.present {
		s := site(y.name, y.interval, func(s *sitemon.Site) { s.Enabled = y.enabled }, probedFrom(named...),
			thresholds(1+y.rnd.IntN(2), 1), quorum(sitemon.Quorum(y.rnd.IntN(2))))
		sites = append(sites, s)
	}
	before := y.h.clock()
	y.h.sync(sites...)
	for _, l := range []string{"east", "west"} {
		plans := y.plans[l]
		if n := len(plans); n > 0 && plans[n-1].To.IsZero() {
			plans[n-1].To = before
		}
		if y.present {
			counts := len(named) == 0 || slices.Contains(named, l)
			y.plans[l] = append(plans, slot.Plan{From: before, Grid: slot.NewGrid(y.name, y.interval), Enabled: y.enabled && counts})
		}
	}
}

// run lets some time pass, with the reports that come in it, in some disorder.
func (y *history) run(d time.Duration) {
	from := y.h.clock()
	to := from.Add(d)
	y.h.set(to)
	var batch []sitemon.Report
	if y.present && y.enabled {
		times := grid(y.name, y.interval, from.Add(-1), int(d/y.interval)+2)
		if y.rnd.IntN(3) == 0 {
			times = append(times, from.Add(1234*time.Millisecond)) // an extra slot
		}
		for _, at := range times {
			for _, l := range []string{"east", "west"} {
				if at.After(to) || y.rnd.IntN(4) == 0 {
					continue
				}
				r := report(y.name, at, sitemon.OutcomeUp)
				r.Location, r.Interval = l, y.interval
				if y.rnd.IntN(5) == 0 {
					y.held = append(y.held, r)
				} else {
					batch = append(batch, r)
				}
			}
		}
	}
	for len(y.held) > 0 && y.rnd.IntN(2) == 0 {
		batch = append(batch, y.held[0])
		y.held = y.held[1:]
	}
	if y.rnd.IntN(2) == 0 {
		y.rnd.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	}
	for part := range slices.Chunk(batch, 1+y.rnd.IntN(10)) {
		for _, r := range y.h.record(part...).New {
			if y.reports[r.Location] == nil {
				y.reports[r.Location] = map[int64]bool{}
			}
			y.reports[r.Location][r.Slot.UnixMilli()] = true
		}
	}
}

// verify compares the stored gaps with the planned slots: rows at planned slots +
// slots in gaps = planned slots, and no slot is in both.
func (y *history) verify() {
	y.h.Helper()
	gaps, err := y.h.Gaps(y.h.ctx, y.name, epoch.Add(-time.Hour), y.h.clock().Add(time.Hour))
	y.h.check(err)
	for location, slots := range y.reports {
		first, last := int64(1)<<62, int64(0)
		for ms := range slots {
			first, last = min(first, ms), max(last, ms)
		}
		missing := map[int64]bool{}
		for _, p := range y.plans[location] {
			for _, run := range slot.Runs([]slot.Plan{p}, time.UnixMilli(first), time.UnixMilli(last)) {
				for at := run.From; !at.After(run.To); at = p.Grid.After(at) {
					if !slots[at.UnixMilli()] {
						missing[at.UnixMilli()] = true
					}
				}
			}
		}
		count := 0
		for _, g := range gaps {
			if g.Location != location || g.From.UnixMilli() > last {
				continue // or behind the newest report
			}
			count += g.Slots
			if !missing[g.From.UnixMilli()] || !missing[g.To.UnixMilli()] {
				y.h.Fatalf("gap %+v of %s ends at slots that are not missing", g, location)
			}
			for ms := range slots {
				if ms >= g.From.UnixMilli() && ms <= g.To.UnixMilli() {
					y.h.Fatalf("gap %+v of %s holds the report of %s", g, location, time.UnixMilli(ms).UTC())
				}
			}
		}
		if count != len(missing) {
			y.h.Fatalf("%s: %d slots in gaps, %d are missing", location, count, len(missing))
		}
	}
}

func testRandomGaps(h *harness) {
	first := h.seed()
	for i := range uint64(2) {
		h.set(epoch.Add(time.Duration(i) * time.Hour)) // time does not go back
		y := &history{
			h: h, rnd: rand.New(rand.NewPCG(first+i, 2)), name: "gaps" + string(rune('a'+i)),
			reports: map[string]map[int64]bool{}, plans: map[string][]slot.Plan{},
		}
		begin := h.clock().Add(time.Millisecond) // what was there before is removed then
		for range 8 {
			y.change()
			for range 1 + y.rnd.IntN(3) {
				y.run(time.Duration(1+y.rnd.IntN(120_000)) * time.Millisecond)
			}
			y.verify()
			y.verifyCoverage(begin)
		}
	}
}
