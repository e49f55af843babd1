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
		hours: l.Tiers.Hours, raw: l.Tiers.Raw, rolled: l.Progress.Hours,
	}
	for _, id := range ids {
		s.sums[id] = make([]availability.Sum, len(l.Windows))
	}
	switch behind := now.Sub(s.rolled); {
	case behind < 0:
		s.rolled = now.Truncate(time.Hour)
	case !s.exact && behind < rolledLately:
		s.now = s.rolled
	}
	// What is rolled up of an hour that is not over can't be cut.
	whole := s.rolled.Truncate(time.Hour)
	for _, w := range l.Windows {
		if start := s.now.Add(-w); start.After(whole) {
			s.rolled = earlier(s.rolled, whole)
		}
	}
	s.days = earlier(l.Progress.Days, s.rolled.Truncate(day))
	return s
}

// listing sums up many sites over windows that end at one moment.
type listing struct {
	now     time.Time
	windows []time.Duration
	exact   bool
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

// parts cuts the time up to rolled into the parts that the windows are made of,
// days where there are sums of days. What it leaves out where windows begin are the
// edges.
func (l *listing) parts() (parts []Part, edges []edge) {
	begins := make([]time.Time, len(l.windows))
	for i, w := range l.windows {
		start := l.now.Add(-w)
		cut := start.Truncate(time.Hour)
		switch {
		case cut.Before(l.hours):
			cut = start.Truncate(day)
			start = cut
		case cut.Before(start) && start.Before(l.rolled) && !start.Before(l.raw) && l.exact:
			cut = cut.Add(time.Hour)
			edges = append(edges, edge{i, start, cut})
			start = cut
		}
		begins[i] = cut
		if before := start.Sub(cut); before > 0 && cut.Before(l.rolled) {
			parts = append(parts, l.alone(i, -float64(before)/float64(time.Hour), cut, cut.Add(time.Hour)))
		}
	}
	days, hours := make([]time.Time, len(begins)), make([]time.Time, len(begins))
	for i, begin := range begins {
		days[i], hours[i] = begin, later(begin, l.days)
		if !begin.Before(l.days) {
			continue
		}
		// Of the day in which the window begins, the shorter side is read.
		switch d := begin.Truncate(day); {
		case begin.Sub(d) > day/2:
			days[i] = d.Add(day)
			parts = append(parts, l.alone(i, 1, begin, days[i]))
		case begin.After(d):
			days[i] = d
			parts = append(parts, l.alone(i, -1, d, begin))
		}
	}
	parts = append(parts, shared(true, days, l.days)...)
	return append(parts, shared(false, hours, l.rolled)...), edges
}

// alone makes a part of hours that belongs to one window.
func (l *listing) alone(window int, weight float64, from, to time.Time) Part {
	weights := make([]float64, len(l.windows))
	weights[window] = weight
	return Part{Window: Window{from, to}, weights: weights}
}

// shared cuts the time up to an end where each of the windows begins, so that every
// row is read once.
func shared(days bool, begins []time.Time, end time.Time) (parts []Part) {
	cuts := append(slices.Clone(begins), end)
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.Compact(cuts)
	for k := range len(cuts) - 1 {
		from, to := cuts[k], cuts[k+1]
		if !from.Before(end) {
			break
		}
		weights := make([]float64, len(begins))
		for i, begin := range begins {
			if !begin.After(from) {
				weights[i] = 1
			}
		}
		parts = append(parts, Part{Days: days, Window: Window{from, to}, weights: weights})
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
