package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"sitemon/availability"
)

// exactSites is for how many sites at once the windows begin to the moment: more
// would read millions of reports.
const exactSites = 1000

// Totals is the time by outcome in the rows of a [Part].
type Totals struct{ UpMS, DegradedMS, DownMS int64 }

// ListSource reads the past of many sites, all as of one moment.
type ListSource interface {
	// Totals sums up each part for each site and calls f for each sum; those of
	// nothing may be left out.
	Totals(ctx context.Context, sites []int64, parts []Part, f func(site int64, part int, t Totals)) error
	// Reports is what [Reports] says.
	Reports(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error
}

// Part is a range of sums of days or hours.
type Part struct {
	Days bool // sums of days, not of hours
	Window
	// weights[i] is the weight of the part in window i: 0, 1, or for the hour in
	// which the window begins what of it lies before the window, negative.
	weights []float64
}

// List asks for the figures of many sites over windows that end at one moment.
type List struct {
	Now      time.Time
	Windows  []time.Duration
	Tiers    Tiers
	Progress Progress
}

// Figures returns the figures of sites by their names, in the order of the
// windows. Of more than a thousand sites, or beyond the reports that are kept, the
// hour in which a window begins counts in proportion.
func (l List) Figures(ctx context.Context, src ListSource, ids map[string]int64) (map[string][]availability.Figure, error) {
	figures := make(map[string][]availability.Figure, len(ids))
	if len(ids) == 0 || len(l.Windows) == 0 {
		return figures, nil
	}
	now := l.Now.UTC().Truncate(time.Microsecond)
	s := listing{
		now: now, windows: l.Windows, sums: make(map[int64][]availability.Sum, len(ids)),
		hours: l.Tiers.Hours, raw: l.Tiers.Raw,
		rolled: earlier(l.Progress.Hours, now.Truncate(time.Hour)), days: l.Progress.Days,
	}
	for _, id := range ids {
		s.sums[id] = make([]availability.Sum, len(l.Windows))
	}
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

// listing sums up many sites over windows that end at one moment.
type listing struct {
	now     time.Time
	windows []time.Duration
	// hours is the first hour that is kept, raw the first report; what lies before
	// rolled has sums of hours, what lies before days also those of days.
	hours, raw, rolled, days time.Time
	sums                     map[int64][]availability.Sum // by site, then window
}

func (l *listing) ids() []int64 { return slices.Sorted(maps.Keys(l.sums)) }

// edge is the time from the beginning of a window to the next hour.
type edge struct {
	window   int
	from, to time.Time
}

// parts cuts the time up to rolled at the beginnings of all windows, so that
// every row is read once. What it leaves out at those beginnings are the edges.
func (l *listing) parts() (parts []Part, edges []edge) {
	cuts := []time.Time{l.rolled}
	begins := make([]time.Time, len(l.windows))
	for i, w := range l.windows {
		start := l.now.Add(-w)
		cut := start.Truncate(time.Hour)
		switch {
		case cut.Before(l.hours):
			cut = start.Truncate(day)
			start = cut
		case cut.Before(start) && start.Before(l.rolled) && !start.Before(l.raw) && len(l.sums) <= exactSites:
			cut = cut.Add(time.Hour)
			edges = append(edges, edge{i, start, cut})
			start = cut
		}
		begins[i] = cut
		if !cut.Before(l.rolled) {
			continue
		}
		cuts = append(cuts, cut)
		if before := start.Sub(cut); before > 0 {
			weights := make([]float64, len(l.windows))
			weights[i] = -float64(before) / float64(time.Hour)
			parts = append(parts, Part{Window: Window{cut, cut.Add(time.Hour)}, weights: weights})
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.Compact(cuts)
	for k := range len(cuts) - 1 {
		weights := make([]float64, len(l.windows))
		for i := range l.windows {
			if !begins[i].After(cuts[k]) {
				weights[i] = 1
			}
		}
		parts = append(parts, l.between(cuts[k], cuts[k+1], weights)...)
	}
	return slices.DeleteFunc(parts, func(p Part) bool { return !p.From.Before(p.To) }), edges
}

// between makes the parts of the time between two cuts: of its whole days the sums
// of days, as far as there are any, and of the rest those of hours.
func (l *listing) between(from, to time.Time, weights []float64) []Part {
	firstDay := from.Add(day - time.Microsecond).Truncate(day)
	lastDay := earlier(to.Truncate(day), l.days)
	if !firstDay.Before(lastDay) {
		return []Part{{Window: Window{from, to}, weights: weights}}
	}
	return []Part{
		{Window: Window{from, firstDay}, weights: weights},
		{Days: true, Window: Window{firstDay, lastDay}, weights: weights},
		{Window: Window{lastDay, to}, weights: weights},
	}
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
				share := func(ms int64) time.Duration { return time.Duration(weight * float64(ms) * float64(time.Millisecond)) }
				sums[w].Merge(availability.Sum{Up: share(t.UpMS), Degraded: share(t.DegradedMS), Down: share(t.DownMS)})
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
	if edges = slices.Compact(edges); len(edges) < 2 {
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
