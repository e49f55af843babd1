package rollup_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
	"sitemon/store/internal/rollup"
)

// Where a window reaches beyond the reports, its edges are those of the sums.
func TestEdges(t *testing.T) {
	reports := randomReports(rand.New(rand.NewPCG(1, 3)), epoch.Add(-9*day), epoch, 10*time.Minute)
	for i := range reports { // all have a latency
		if !reports[i].Outcome.Good() {
			reports[i].Outcome = sitemon.OutcomeDegraded
		}
	}
	m := newMemory(reports)
	past := recount.Of(m.terms, reports)
	now := epoch.Add(time.Minute)
	roll(t, m, now, 3*day)
	tiers := rollup.NewTiers(m.at, rollup.Retention{Reports: 2 * day, FiveMinutes: 3 * day, Hours: 5 * day}, now)
	m.retain(tiers)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, c := range []struct {
		name             string
		from, to         time.Time
		wantFrom, wantTo time.Time
		step             time.Duration
		buckets          int
		exact            int // of them whose percentiles are exact
	}{
		{"of reports", at(-93 * time.Minute), at(-time.Minute), at(-93 * time.Minute), at(-time.Minute), time.Minute, 92, 92},
		{"of reports and 5 minutes", at(-93 * time.Minute), at(-time.Minute), at(-93 * time.Minute), at(-time.Minute), time.Hour, 2, 0},
		{"of 5 minutes", at(-2*day - 93*time.Minute), at(-2*day - time.Minute), at(-2*day - 95*time.Minute), at(-2 * day), time.Hour, 2, 0},
		{"of hours", at(-3*day - 90*time.Minute), at(-3*day - time.Minute), at(-3*day - 2*time.Hour), at(-3 * day), time.Hour, 2, 0},
		{"of days", at(-8 * day), at(-7 * day), at(-8*day - 10*time.Hour), at(-6*day - 10*time.Hour), day, 2, 0},
		{"of all of them", at(-8 * day), at(0), at(-8*day - 10*time.Hour), at(0), day, 9, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := availability.Query{From: c.from, To: c.to, Step: c.step}
			got, err := rollup.Availability(t.Context(), m, site, tiers, q)
			if err != nil {
				t.Fatal(err)
			}
			if !got.From.Equal(c.wantFrom) || !got.To.Equal(c.wantTo) || len(got.Buckets) != c.buckets {
				t.Fatalf("%d buckets in [%s, %s), want %d in [%s, %s)", len(got.Buckets), got.From, got.To, c.buckets, c.wantFrom, c.wantTo)
			}
			exact := 0
			for i, b := range got.Buckets {
				end := got.To
				if i < len(got.Buckets)-1 {
					end = got.Buckets[i+1].Start
				}
				want := past.Span(b.Start, end)
				if w := want.Bucket(); b.Up != w.Up || b.Degraded != w.Degraded || b.Down != w.Down || b.Unknown != w.Unknown || b.Reports != w.Reports {
					t.Errorf("bucket %d: got %+v, want %+v", i, b, w)
				}
				if l := b.Latency; l == nil && want.P50 == 0 || l != nil && l.P50 == want.P50 && l.P95 == want.P95 && l.P99 == want.P99 {
					exact++
				}
			}
			if exact < c.exact || c.exact == 0 && exact == len(got.Buckets) {
				t.Errorf("the percentiles of %d buckets are exact, want %d", exact, c.exact)
			}
		})
	}
}

// Between reports and sums of days there are always hours.
func TestSound(t *testing.T) {
	for _, c := range []struct{ keep, want rollup.Retention }{
		{rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: 730 * day}, rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: 730 * day}},
		{rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: day}, rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: 31 * day}},
		{rollup.Retention{Reports: day, FiveMinutes: 14 * day, Hours: 14 * day}, rollup.Retention{Reports: day, FiveMinutes: 14 * day, Hours: 15 * day}},
	} {
		if got := c.keep.Sound(); got != c.want {
			t.Errorf("of %v: got %v, want %v", c.keep, got, c.want)
		}
	}
}

// Sums from before there were histograms have no percentiles, and all others of
// theirs.
func TestOldSums(t *testing.T) {
	m := newMemory(randomReports(rand.New(rand.NewPCG(1, 5)), epoch.Add(-2*day), epoch, 10*time.Minute))
	roll(t, m, epoch, 30*day)
	old := epoch.Add(-day).Truncate(day)
	for l := range m.sums {
		for at, s := range m.sums[l] {
			if at < old.Add(time.Hour).UnixMicro() {
				s.Durations = availability.Histogram{}
				m.sums[l][at] = s
			}
		}
	}
	tiers := rollup.NewTiers(m.at, rollup.Retention{Reports: time.Hour, FiveMinutes: 14 * day, Hours: 700 * day}, epoch)
	got, err := rollup.Availability(t.Context(), m, site, tiers, availability.Query{From: old, To: old.Add(6 * time.Hour), Step: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range append(got.Buckets, got.Total) {
		if b.Latency == nil {
			continue
		}
		if has, want := b.Latency.P99 > 0, i > 0 && i < 6; has != want || b.Latency.Mean == 0 || b.Latency.Max == 0 {
			t.Errorf("bucket %d: %+v", i, b.Latency)
		}
	}
}

// Whatever comes late, in whatever order, in the end the sums are those of all
// reports.
func TestMarks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 6))
	keep := rollup.Retention{Reports: 5 * day, FiveMinutes: 2 * day, Hours: 700 * day}
	for round := range 12 {
		all := randomReports(rnd, epoch.Add(-4*day), epoch, 20*time.Minute)
		rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		n := rnd.IntN(len(all))
		m := newMemory(append([]availability.Report{}, all[:n]...))
		now := epoch.Add(-time.Duration(rnd.IntN(30)) * time.Hour)
		roll(t, m, now, keep.FiveMinutes)
		var marks []availability.Window
		for _, r := range all[n:] {
			m.reports = append(m.reports, r)
			marks = append(marks, availability.Window{From: r.Slot, To: r.Slot.Add(r.Interval)})
		}
		if round%2 == 0 {
			from := epoch.Add(-time.Duration(rnd.IntN(96)) * time.Hour)
			m.terms.Maintenance = []availability.Window{{From: from, To: from.Add(3 * time.Hour)}}
			m.terms.Votes = []availability.Votes{{From: from.Add(-time.Hour), Quorum: 2}}
			marks = append(marks, availability.Window{From: from.Add(-time.Hour)})
		}
		if err := m.redo(t.Context(), rollup.NewTiers(m.at, keep, now), marks); err != nil {
			t.Fatal(err)
		}
		roll(t, m, epoch, keep.FiveMinutes)
		past := recount.Of(m.terms, all)
		for _, l := range rollup.Levels() {
			first, done := m.at.Begin, []time.Time{m.at.Fives, m.at.Hours, m.at.Days}[l]
			if l != rollup.FiveMinutes {
				first = epoch.Add(-4 * day).Truncate(day)
			}
			for at := first; at.Before(done); at = at.Add(l.Width()) {
				want := past.Span(at, at.Add(l.Width())).Sum
				want.Unknown, want.Durations = 0, availability.HistogramOf(past.Durations(at, at.Add(l.Width()))...)
				if got := m.sums[l][at.UnixMicro()]; got != want {
					t.Fatalf("round %d: %s at %s\n got %+v\nwant %+v\nprogress %+v, begin %s", round, l.Table(), at, got, want, m.at, m.at.Begin)
				}
			}
		}
	}
}
