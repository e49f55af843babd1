package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"sitemon/availability"
)

// rolledLately is how far behind the sums may be for long lists to end where they
// do.
const rolledLately = 5 * time.Minute

// Totals is the time by outcome in the rows of a [Part], in milliseconds.
type Totals struct{ Up, Degraded, Down float64 }

// ListSource reads the past of many sites, all as of one moment.
type ListSource interface {
	// Totals sums up each part for each site and calls f for each sum; those of
	// nothing may be left out.
	Totals(ctx context.Context, sites []int64, parts []Part, f func(site int64, part int, t Totals)) error
	// Reports is what [Reports] says.
	Reports(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error
}

// Span says which sums a [Part] is made of.
type Span int

// The spans of sums.
const (
	Days Span = iota
	Hours
	Running // of the hour that is not over
)

// Part is a range of sums.
type Part struct {
	Span
	Window
	// Last is what counts of the last hour; 1 for all of it.
	Last float64

	weights []float64 // of the part in each window of the list: 0, 1, or -1
}

// List asks for the figures of many sites over windows that end at one moment.
type List struct {
	Now      time.Time
	Windows  []time.Duration
	Tiers    Tiers
	Progress Progress
	// Exact is for how many sites at most the windows begin to the moment: that takes
	// up to an hour of reports of each. Of more, the hour in which a window begins
	// counts in proportion, and the windows end where the sums do, if those are not
	// behind by minutes.
	Exact int
}

// Figures returns the figures of sites by their names, in the order of the
// windows. Beyond the reports that are kept, the hour in which a window begins
// counts in proportion.
func (l List) Figures(ctx context.Context, src ListSource, ids map[string]int64) (map[string][]availability.Figure, error) {
	figures := make(map[string][]availability.Figure, len(ids))
	if len(ids) == 0 || len(l.Windows) == 0 {
		return figures, nil
	}
	s := l.listing(ids)
	parts, edges := s.parts()
	if err := s.addTotals(ctx, src, parts); err != nil {
		return nil, err
	}
	if err := s.addEdges(ctx, src, edges); err != nil {
		return nil, err
	}
	if err := s.addReports(ctx, src); err != nil {
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

func (l List) listing(ids map[string]int64) listing {
	now := l.Now.UTC().Truncate(time.Microsecond)
	s := listing{
		now: now, windows: l.Windows, sums: make(map[int64][]availability.Sum, len(ids)), exact: len(ids) <= l.Exact,
		hours: l.Tiers.Hours, raw: l.Tiers.Raw, whole: l.Progress.Hours, rolled: later(l.Progress.Hours, l.Progress.Parts),
	}
	for _, id := range ids {
		s.sums[id] = make([]availability.Sum, len(l.Windows))
	}
	switch behind := now.Sub(s.rolled); {
	case behind < 0: // what is rolled up of the hour that is not over can't be cut
		s.whole = earlier(s.whole, now.Truncate(time.Hour))
		s.rolled = s.whole
	case !s.exact && behind < rolledLately:
		s.now = s.rolled
	}
	for _, w := range l.Windows {
		if s.now.Add(-w).After(s.whole) {
			s.rolled = s.whole
		}
	}
	s.days = earlier(l.Progress.Days, s.whole.Truncate(day))
	return s
}

// listing sums up many sites over windows that end at one moment.
type listing struct {
	now     time.Time
	windows []time.Duration
	exact   bool
	// hours is the first hour that is kept, raw the first report.
	hours, raw time.Time
	// What lies before days has sums of days, what lies before whole those of hours,
	// and what lies before rolled is summed up too.
	days, whole, rolled time.Time
	sums                map[int64][]availability.Sum // by site, then window
}

func (l *listing) ids() []int64 { return slices.Sorted(maps.Keys(l.sums)) }

// edge is the time from the beginning of a window to the next hour.
type edge struct {
	window   int
	from, to time.Time
}

// parts returns what the windows are made of, as far as it is rolled up: the whole
// days from the one on in which a window begins, the hours after those, the hour
// that is not over, and less the hours before the window on its first day. What it
// leaves out where windows begin are the edges.
func (l *listing) parts() (parts []Part, edges []edge) {
	days, after := make([]time.Time, len(l.windows)), make([]float64, len(l.windows))
	for i, w := range l.windows {
		start := l.now.Add(-w)
		cut := start.Truncate(time.Hour)
		last := 1.0
		switch {
		case cut.Before(l.hours):
			start = start.Truncate(day)
			cut = start
		case cut.Equal(start):
		case l.exact && start.Before(l.whole) && !start.Before(l.raw):
			cut = cut.Add(time.Hour)
			edges = append(edges, edge{i, start, cut})
			start = cut
		default:
			last = float64(start.Sub(cut)) / float64(time.Hour)
			cut = cut.Add(time.Hour)
		}
		if days[i] = l.days; start.After(l.whole) {
			continue
		}
		after[i] = 1
		days[i] = earlier(l.days, start.Truncate(day))
		before := Part{Span: Hours, Window: Window{days[i], cut}, Last: last, weights: make([]float64, len(l.windows))}
		before.weights[i] = -1
		parts = append(parts, before)
	}
	parts = append(parts, wholeDays(days, l.days)...)
	parts = append(parts, Part{Span: Hours, Window: Window{l.days, l.whole}, Last: 1, weights: after},
		Part{Span: Running, Window: Window{l.whole, l.rolled}, Last: 1, weights: after})
	return slices.DeleteFunc(parts, func(p Part) bool { return !p.From.Before(p.To) }), edges
}

// wholeDays cuts the days up to an end where each of the windows begins, so that
// every row is read once.
func wholeDays(begins []time.Time, end time.Time) (parts []Part) {
	cuts := append(slices.Clone(begins), end)
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.Compact(cuts)
	for k := range len(cuts) - 1 {
		weights := make([]float64, len(begins))
		for i, begin := range begins {
			if !begin.After(cuts[k]) {
				weights[i] = 1
			}
		}
		parts = append(parts, Part{Span: Days, Window: Window{cuts[k], cuts[k+1]}, Last: 1, weights: weights})
	}
	return parts
}

// addTotals adds what has been rolled up.
func (l *listing) addTotals(ctx context.Context, src ListSource, parts []Part) error {
	if len(parts) == 0 {
		return nil
	}
	return src.Totals(ctx, l.ids(), parts, func(site int64, part int, t Totals) {
		sums := l.sums[site]
		for w, weight := range parts[part].weights {
			if weight != 0 {
				share := func(ms float64) time.Duration { return time.Duration(weight * ms * float64(time.Millisecond)) }
				sums[w].Merge(availability.Sum{Up: share(t.Up), Degraded: share(t.Degraded), Down: share(t.Down)})
			}
		}
	})
}

// addEdges adds the edges of windows, from the reports.
func (l *listing) addEdges(ctx context.Context, src ListSource, edges []edge) error {
	for _, e := range edges {
		err := src.Reports(ctx, l.ids(), e.from, e.to, func(site int64, reports []availability.Report) {
			span := availability.Spans([]time.Time{e.from, e.to}, availability.Options{}, reports)[0]
			l.sums[site][e.window].Merge(span.Sum)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addReports adds what is not rolled up yet, from the reports.
func (l *listing) addReports(ctx context.Context, src ListSource) error {
	edges := []time.Time{l.now}
	for _, w := range l.windows {
		if start := later(l.now.Add(-w), l.rolled); start.Before(l.now) {
			edges = append(edges, start)
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	if edges = slices.Compact(edges); len(edges) < 2 { // the sums reach up to the end
		return nil
	}
	return src.Reports(ctx, l.ids(), edges[0], l.now, func(site int64, reports []availability.Report) {
		for _, span := range availability.Spans(edges, availability.Options{}, reports) {
			for i, w := range l.windows {
				if !span.From.Before(l.now.Add(-w)) {
					l.sums[site][i].Merge(span.Sum)
				}
			}
		}
	})
}
