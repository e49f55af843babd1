package storetest

import (
	"context"
	"math/rand/v2"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/ledger"
)

// transactor is a store that lends its transactions to tests.
type transactor interface {
	Transact(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error
}

// How long the store of a [life] keeps what it has: little, so that all levels of
// sums are used.
const (
	keepReports = 18 * time.Hour
	keepFives   = 30 * time.Hour
	keepHours   = keepFives + 24*time.Hour // it is told less, which can't be
)

// life is a site that goes through random times.
type life struct {
	h    *harness
	rnd  *rand.Rand
	name string
	past

	interval time.Duration
	runs     map[string]*runOf // by location
	held     []sitemon.Report  // on their way for long
}

// runOf is what a location finds for some time.
type runOf struct {
	outcome sitemon.Outcome
	left    int
	silent  bool
}

// testAnyPast leads a site through days of gaps, late, repeated and out-of-order
// reports, changed intervals, locations that come and go, votes that change and
// maintenance that is recorded late, in days in which the clocks change, and
// compares every figure with a recount of the reports.
func testAnyPast(h *harness) {
	begin := time.Date(2026, 10, 22, 21, 17, 0, 0, time.UTC)
	h.set(begin)
	h.open(Options{Clock: h.clock, Retention: keepReports, FiveMinuteRetention: keepFives, HourRetention: time.Hour})
	y := &life{h: h, rnd: rand.New(rand.NewPCG(h.seed(), 8)), name: "any", runs: map[string]*runOf{}}
	y.change()
	y.reports = h.record(report(y.name, begin.Add(time.Second), sitemon.OutcomeUp)).New // sums begin here
	for h.clock().Before(begin.Add(84 * time.Hour)) {
		y.pass()
	}
}

// pass lets some hours go by.
func (y *life) pass() {
	h := y.h
	from := h.clock()
	to := from.Add(time.Duration(1+y.rnd.IntN(6*3600)) * time.Second)
	batch := y.held
	y.held = nil
	for _, at := range grid(y.name, y.interval, from, int(to.Sub(from)/y.interval)+1) {
		for _, l := range []string{"east", "west", "south"} {
			if r, ok := y.find(l, at); ok && at.Before(to) {
				batch = append(batch, r)
			}
		}
	}
	h.set(to)
	y.rnd.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	if len(batch) > 20 {
		late := len(batch) / 10
		y.held, batch = append(y.held, batch[:late]...), batch[late:]
		again := batch[0]
		again.Duration, again.Outcome = time.Minute, sitemon.OutcomeDegraded
		batch = append(batch, again)
	}
	rec := h.record(batch...)
	y.reports = append(y.reports, rec.New...)
	if y.rnd.IntN(2) == 0 {
		y.maintain()
	}
	if y.rnd.IntN(2) == 0 {
		y.change()
	}
	if y.rnd.IntN(2) == 0 {
		h.check(h.Rollup(h.ctx, h.clock()))
	} else {
		h.check(h.Retain(h.ctx, h.clock()))
	}
	if y.rnd.IntN(2) == 0 {
		y.verify()
	}
}

// find is what a location finds at a slot, or nothing.
func (y *life) find(location string, at time.Time) (r sitemon.Report, ok bool) {
	run := y.runs[location]
	if run == nil || run.left == 0 {
		run = &runOf{sitemon.Outcomes[y.rnd.IntN(4)], 1 + y.rnd.IntN(60), y.rnd.IntN(4) == 0}
		y.runs[location] = run
	}
	if run.left--; run.silent || y.rnd.IntN(20) == 0 {
		return r, false
	}
	us := func(n int) time.Duration { return time.Duration(y.rnd.IntN(n)) * time.Microsecond }
	r = report(y.name, at, run.outcome)
	r.Location, r.Interval, r.Duration = location, y.interval, us(2_000_000)
	r.Phases = sitemon.Phases{Resolve: us(1000), Connect: us(1000), TLS: us(1000), Processing: us(1_000_000), Transfer: us(1000)}
	if y.rnd.IntN(30) == 0 { // off the grid
		r.Slot = r.Slot.Add(us(int(y.interval/time.Microsecond)) / 1000 * 1000).Truncate(time.Millisecond)
		r.StartedAt = r.Slot
	}
	return r, true
}

// change gives the site other terms.
func (y *life) change() {
	y.interval = []time.Duration{173 * time.Second, 5 * time.Minute, 11 * time.Minute, 90 * time.Minute}[y.rnd.IntN(4)]
	v := votes{from: y.h.clock(), quorum: sitemon.Quorum(y.rnd.IntN(4) - 1), locations: [][]string{nil, nil, {"east"}, {"west", "south"}}[y.rnd.IntN(4)]}
	if v.quorum == 0 {
		v.quorum = 1
	}
	y.h.sync(site(y.name, y.interval, quorum(v.quorum), probedFrom(v.locations...)))
	y.plans = append(y.plans, v)
}

// maintain records a maintenance that began some time ago, and may be over.
func (y *life) maintain() {
	t, ok := y.h.Store.(transactor)
	if !ok {
		return
	}
	from := y.h.clock().Add(-time.Duration(y.rnd.IntN(10*3600*1000)) * time.Millisecond)
	to := from.Add(time.Duration(1+y.rnd.IntN(6*3600*1000)) * time.Millisecond)
	y.h.check(t.Transact(y.h.ctx, func(ctx context.Context, tx ledger.Tx) error {
		id := int64(0)
		err := tx.Query(ctx, "SELECT id FROM site_names WHERE name = $1", []any{y.name}, func(scan func(...any) error) error { return scan(&id) })
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`INSERT INTO site_maintenance (site_id, "from", "to", title) VALUES ($1, $2, $3, 'x') ON CONFLICT DO NOTHING`,
			`INSERT INTO availability_marks (site_id, "from", "to") VALUES ($1, $2, $3)`,
		} {
			if _, err := tx.Exec(ctx, statement, id, from, to); err != nil {
				return err
			}
		}
		return nil
	}))
	y.maintenance = append(y.maintenance, availability.Window{From: from, To: to})
}

// verify compares windows with a recount.
func (y *life) verify() {
	h, now := y.h, y.h.clock()
	begin := y.plans[0].from.Truncate(24 * time.Hour)
	queries := []availability.Query{
		{From: begin, To: now, Step: 24 * time.Hour},
		{From: y.plans[0].from, To: now, Step: 15 * time.Minute},
	}
	for range 4 {
		from := y.plans[0].from
		from = from.Add(time.Duration(y.rnd.Int64N(int64(now.Sub(from)))))
		from = from.Truncate(time.Microsecond)
		q := availability.Query{From: from, To: from.Add(time.Minute + time.Duration(y.rnd.Int64N(int64(now.Sub(from))+1))).Truncate(time.Microsecond)}
		steps := []time.Duration{time.Minute, 7 * time.Minute, 45 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 48 * time.Hour}
		for q.Step = steps[y.rnd.IntN(len(steps))]; q.To.Sub(q.From)/q.Step > 200; q.Step *= 2 {
		}
		zone, err := time.LoadLocation([]string{"Europe/Berlin", "Asia/Kathmandu"}[y.rnd.IntN(2)])
		h.check(err)
		q.Zone = zone
		queries = append(queries, q)
	}
	for _, q := range queries {
		q.Site = y.name
		q.MaintenanceIncluded = y.rnd.IntN(3) == 0
		h.verifyWindow(q, kept(q.Edges(), now), &y.past)
	}
	windows := []time.Duration{90 * 24 * time.Hour, 12 * time.Hour, time.Hour, 17 * time.Minute, 400 * 24 * time.Hour}
	got, err := h.Availabilities(h.ctx, []string{y.name}, now, windows)
	h.check(err)
	for i, w := range windows {
		want := y.spans([]time.Time{now.Add(-w), now}, false)[0].Sum.Figure(w)
		h.figure("the last "+w.String(), got[y.name][i], want)
	}
}

// kept moves edges to what is left of the past.
func kept(edges []time.Time, now time.Time) (moved []time.Time) {
	up := func(t time.Time, width time.Duration) time.Time { return t.Add(width - 1).Truncate(width) }
	for i, e := range edges {
		width := 24 * time.Hour
		switch {
		case !e.Before(up(now.Add(-keepReports), time.Hour)):
			width = 1
		case !e.Before(up(now.Add(-keepFives), time.Hour)):
			width = 5 * time.Minute
		case !e.Before(up(now.Add(-keepHours), 24*time.Hour)):
			width = time.Hour
		}
		if e = e.Truncate(width); i == len(edges)-1 {
			e = up(edges[i], width)
		}
		if n := len(moved); n == 0 || e.After(moved[n-1]) {
			moved = append(moved, e)
		}
	}
	return moved
}
