package rollup

import (
	"context"
	"maps"
	"slices"
	"time"

	"sitemon/availability"
)

const (
	// rolledLately is how far behind the sums may be for long lists to end where they
	// do.
	rolledLately = 15 * time.Minute
	// shortWindow is below what a window can't end where the sums do.
	shortWindow = 6 * time.Hour
)

// Totals is what the sums of a [Part] come to.
type Totals struct {
	// Up, Degraded, Down and Maintenance are the time by outcome and that in
	// maintenance, in milliseconds.
	Up, Degraded, Down, Maintenance int64
	// Timed is how many reports were up or degraded and Latency the sum of their
	// durations, in microseconds, where that was asked for.
	Timed, Latency int64
}

// ListSource reads the past of many sites, all as of one moment.
type ListSource interface {
	Raw
	// Totals sums up each part for each site, with latency or without, and calls f for
	// each sum; those of nothing may be left out.
	Totals(ctx context.Context, sites []int64, parts []Part, latency bool, f func(site int64, part int, t Totals)) error
}

// Part is a range of sums of a level.
type Part struct {
	Level Level
	availability.Window

	counts []weight // in which windows of the list
}

// weight is as how much a part counts in a window.
type weight struct {
	window int
	of     float64
}

// List asks for the figures of many sites over windows that end at one moment.
type List struct {
	Now     time.Time
	Windows []time.Duration
	Tiers   Tiers
	// Exact is for how many sites at most the windows begin and end to the moment:
	// that takes a few reports of each. Of more, the sum in which a window begins
	// counts in proportion, and the windows end where the sums do, if those are not
	// behind and no window is short.
	Exact int
}

// Figures returns the figures of sites by their names, in the order of the
// windows. Beyond the reports that are kept, the sum in which a window begins counts
// in proportion.
func (l List) Figures(ctx context.Context, src ListSource, ids map[string]int64) (map[string][]availability.Figure, error) {
	figures := make(map[string][]availability.Figure, len(ids))
	if len(ids) == 0 || len(l.Windows) == 0 {
		return figures, nil
	}
	s := newListing(ids, len(l.Windows), false)
	s.plan(l, len(ids) <= l.Exact || slices.Min(l.Windows) < shortWindow)
	if err := s.read(ctx, src); err != nil {
		return nil, err
	}
	for name, id := range ids {
		fs := make([]availability.Figure, len(l.Windows))
		for i, w := range l.Windows {
			fs[i] = s.sums[id][i].Figure(w)
		}
		figures[name] = fs
	}
	return figures, nil
}

// listing sums up many sites over several windows.
type listing struct {
	sums    map[int64][]availability.Sum // by site, then window
	parts   []Part
	raw     []Part // of reports
	latency bool   // it is wanted too
}

func newListing(ids map[string]int64, windows int, latency bool) listing {
	s := listing{sums: make(map[int64][]availability.Sum, len(ids)), latency: latency}
	for _, id := range ids {
		s.sums[id] = make([]availability.Sum, windows)
	}
	return s
}

// read adds up what the windows are made of.
func (s *listing) read(ctx context.Context, src ListSource) error {
	if err := s.addTotals(ctx, src); err != nil {
		return err
	}
	return s.addReports(ctx, src)
}

// share is a stretch of time that counts for a window.
type share struct {
	availability.Window
	window int
	weight float64
}

// plan says what the windows are made of, so that nothing is read twice.
func (s *listing) plan(l List, exact bool) {
	now := l.Now.UTC().Truncate(time.Microsecond)
	t := l.Tiers
	if behind := now.Sub(t.Progress.Fives); !exact && behind >= 0 && behind < rolledLately {
		now = t.Progress.Fives
	}
	var d shares
	for i, w := range l.Windows {
		from := now.Add(-w)
		if level := t.finest(from); from.Before(t.Raw) || !exact && from.Before(t.done(level)) {
			if c := ceil(from, level.Width()); c.After(from) {
				whole := availability.Window{From: c.Add(-level.Width()), To: c}
				d.sums[level] = append(d.sums[level], share{whole, i, float64(earlier(c, now).Sub(from)) / float64(level.Width())})
				from = c
			}
		}
		d.add(i, t.cover(from, now))
	}
	s.divide(d)
}

// shares are all of them, in no order.
type shares struct {
	sums [3][]share // by level
	raw  []share
}

// add adds the pieces of a window, which count as they are.
func (d *shares) add(window int, pieces []piece) {
	for _, p := range pieces {
		if p.raw {
			d.raw = append(d.raw, share{p.Window, window, 1})
		} else {
			d.sums[p.level] = append(d.sums[p.level], share{p.Window, window, 1})
		}
	}
}

// divide takes the shares as what is to be read.
func (s *listing) divide(d shares) {
	for level, of := range d.sums {
		s.parts = append(s.parts, divide(Level(level), of)...)
	}
	s.raw = divide(0, d.raw)
}

// divide makes parts that do not overlap of shares that do.
func divide(level Level, shares []share) (parts []Part) {
	var cuts []time.Time
	for _, s := range shares {
		cuts = append(cuts, s.From, s.To)
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.CompactFunc(cuts, time.Time.Equal)
	for i := range max(0, len(cuts)-1) {
		p := Part{Level: level, Window: availability.Window{From: cuts[i], To: cuts[i+1]}}
		for _, s := range shares {
			if !s.From.After(p.From) && !s.To.Before(p.To) {
				p.counts = append(p.counts, weight{s.window, s.weight})
			}
		}
		if p.counts != nil {
			parts = append(parts, p)
		}
	}
	return parts
}

// add adds a sum to the windows of a site, each as much as counts for it.
func (s *listing) add(site int64, counts []weight, sum availability.Sum) {
	for _, c := range counts {
		part := func(d time.Duration) time.Duration {
			if c.of == 1 {
				return d
			}
			return time.Duration(c.of * float64(d))
		}
		s.sums[site][c.window].Merge(availability.Sum{
			Up: part(sum.Up), Degraded: part(sum.Degraded), Down: part(sum.Down), Maintenance: part(sum.Maintenance),
			Timed: sum.Timed, Total: sum.Total,
		})
	}
}

// addTotals adds what has been rolled up.
func (s *listing) addTotals(ctx context.Context, src ListSource) error {
	if len(s.parts) == 0 {
		return nil
	}
	return src.Totals(ctx, s.ids(), s.parts, s.latency, func(site int64, part int, t Totals) {
		ms := time.Millisecond
		s.add(site, s.parts[part].counts, availability.Sum{
			Up: time.Duration(t.Up) * ms, Degraded: time.Duration(t.Degraded) * ms, Down: time.Duration(t.Down) * ms,
			Maintenance: time.Duration(t.Maintenance) * ms,
			Timed:       int(t.Timed), Total: time.Duration(t.Latency) * time.Microsecond,
		})
	})
}

// addReports adds the edges of windows, and what is not rolled up yet, from the
// reports.
func (s *listing) addReports(ctx context.Context, src ListSource) error {
	for from := 0; from < len(s.raw); {
		edges := []time.Time{s.raw[from].From}
		to := from
		for ; to < len(s.raw) && s.raw[to].From.Equal(edges[len(edges)-1]); to++ {
			edges = append(edges, s.raw[to].To)
		}
		run := s.raw[from:to]
		err := sweep(ctx, src, s.ids(), edges, availability.Options{}, func(site int64, spans []availability.Span) {
			for i, span := range spans {
				s.add(site, run[i].counts, span.Sum)
			}
		})
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (s *listing) ids() []int64 { return slices.Sorted(maps.Keys(s.sums)) }
