package rollup

import (
	"context"
	"slices"
	"time"

	"sitemon/availability"
)

// Source reads a site's past, all as of one moment.
type Source interface {
	Raw
	// Sums calls f for the sums of a level of a site that begin in any of the windows,
	// in the order of their time. The windows are sorted and do not overlap.
	Sums(ctx context.Context, site int64, level Level, windows []availability.Window, f func(start time.Time, s availability.Sum)) error
}

const (
	// rawRanges is how many stretches of reports a query reads at most, apart from one
	// another.
	rawRanges = 40
	// near is how many sums may lie between two that are read together.
	near = 24
)

// Availability answers a query about a site. Its percentiles are exact where a
// bucket comes from reports alone. The query is one that [availability.Query.Check]
// has nothing against.
func Availability(ctx context.Context, src Source, site int64, t Tiers, q availability.Query) (res availability.Result, err error) {
	edges := t.edges(q)
	spans := make([]availability.Span, len(edges)-1)
	for i := range spans {
		spans[i].From, spans[i].To = edges[i], edges[i+1]
	}
	a := answer{src: src, site: site, spans: spans, parts: make([]int, len(spans))}
	a.plan(t)
	for _, l := range Levels() {
		if err := a.addSums(ctx, l); err != nil {
			return res, err
		}
	}
	for _, run := range runs(a.raw) {
		if err := a.addReports(ctx, run); err != nil {
			return res, err
		}
	}
	for i := range spans {
		s := &spans[i]
		s.Exact = s.Exact && a.parts[i] == 1
		if s.Sum.Fill(s.To.Sub(s.From)); q.MaintenanceIncluded {
			s.Sum = s.Sum.WithMaintenance()
		}
	}
	return availability.Summarize(spans), nil
}

// answer is an answer that is put together.
type answer struct {
	src   Source
	site  int64
	spans []availability.Span
	parts []int // of how many pieces a span is made

	sums [3][]part // by level
	raw  []part
}

// part is a piece of a span.
type part struct {
	availability.Window
	span int
}

// plan says what each span is made of.
func (a *answer) plan(t Tiers) {
	var ranges int
	pieces := make([][]piece, len(a.spans))
	last := time.Time{}
	for i, s := range a.spans {
		pieces[i] = t.cover(s.From, s.To)
		for _, p := range pieces[i] {
			if p.raw && !p.From.Equal(last) {
				ranges++
			}
			if p.raw {
				last = p.To
			}
		}
	}
	for i, s := range a.spans {
		if ranges > rawRanges && !s.From.Before(t.Raw) && slices.ContainsFunc(pieces[i], func(p piece) bool { return p.raw }) {
			// Rather read reports that lie together than sums and many pieces of reports.
			pieces[i] = []piece{{availability.Window{From: s.From, To: s.To}, true, 0}}
		}
		a.parts[i] = len(pieces[i])
		for _, p := range pieces[i] {
			if p.raw {
				a.raw = append(a.raw, part{p.Window, i})
			} else {
				a.sums[p.level] = append(a.sums[p.level], part{p.Window, i})
			}
		}
	}
}

// addSums adds the sums of a level to the spans.
func (a *answer) addSums(ctx context.Context, l Level) error {
	parts := a.sums[l]
	if len(parts) == 0 {
		return nil
	}
	var windows []availability.Window
	for _, p := range parts {
		n := len(windows)
		if n > 0 && p.From.Sub(windows[n-1].To) <= near*l.Width() {
			windows[n-1].To = p.To
		} else {
			windows = append(windows, p.Window)
		}
	}
	return a.src.Sums(ctx, a.site, l, windows, func(start time.Time, sum availability.Sum) {
		for len(parts) > 0 && !start.Before(parts[0].To) {
			parts = parts[1:]
		}
		if len(parts) > 0 && !start.Before(parts[0].From) {
			a.spans[parts[0].span].Sum.Merge(sum)
		}
	})
}

// runs divides parts into those that follow each other without a hole.
func runs(parts []part) (all [][]part) {
	for i, p := range parts {
		if i == 0 || !p.From.Equal(parts[i-1].To) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], p)
	}
	return all
}

// addReports adds what the reports say of a run of parts.
func (a *answer) addReports(ctx context.Context, run []part) error {
	edges := []time.Time{run[0].From}
	for _, p := range run {
		edges = append(edges, p.To)
		a.spans[p.span].Exact = true // unless there is more
	}
	opts := availability.Options{Percentiles: true, Histogram: true}
	return sweep(ctx, a.src, []int64{a.site}, edges, opts, func(_ int64, spans []availability.Span) {
		for i, raw := range spans {
			s := &a.spans[run[i].span]
			s.Sum.Merge(raw.Sum)
			s.P50, s.P95, s.P99 = raw.P50, raw.P95, raw.P99
		}
	})
}
