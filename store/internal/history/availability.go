package history

import (
	"context"
	"time"

	"sitemon/availability"
)

// Window is the time in [From, To).
type Window struct{ From, To time.Time }

// Reports reads reports that say something of the time in [from, to): those of its
// slots, and of each location the newest one before it. It calls f once for each
// of the sites that has any, with the reports of each location in the order of
// their slots. The slice is used again after f.
type Reports func(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error

// Source reads a site's past, all as of one moment.
type Source interface {
	// Sums calls f for the sums of days and hours of a site that begin in the given
	// windows, in the order of their time. The days lie before the hours.
	Sums(ctx context.Context, site int64, days, hours Window, f func(start time.Time, s availability.Sum)) error
	// Reports is what [Reports] says.
	Reports(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, reports []availability.Report)) error
}

// Availability answers a query about a site: from the reports as far as they are
// kept, and from sums of hours and days before that; there the edges of window and
// buckets move to those of the sums, and the percentiles are zero. The query is
// one that [availability.Query.Check] has nothing against.
func Availability(ctx context.Context, src Source, site int64, t Tiers, q availability.Query) (res availability.Result, err error) {
	edges := t.edges(q)
	spans := make([]availability.Span, len(edges)-1)
	for i := range spans {
		spans[i].From, spans[i].To = edges[i], edges[i+1]
	}
	if err := addSums(ctx, src, site, t, spans); err != nil {
		return res, err
	}
	if err := addReports(ctx, src, site, t, spans); err != nil {
		return res, err
	}
	for i := range spans {
		s := &spans[i]
		s.Sum.Unknown = s.To.Sub(s.From) - s.Sum.Known()
	}
	return availability.Summarize(spans), nil
}

// addSums adds the sums of days and hours to the spans that lie before the
// reports. The spans follow each other.
func addSums(ctx context.Context, src Source, site int64, t Tiers, spans []availability.Span) error {
	from, to := spans[0].From, spans[len(spans)-1].To
	if !from.Before(t.Raw) {
		return nil
	}
	at := 0
	days, hours := Window{from, earlier(to, t.Hours)}, Window{later(from, t.Hours), earlier(to, t.Raw)}
	return src.Sums(ctx, site, days, hours, func(start time.Time, sum availability.Sum) {
		for at < len(spans)-1 && !start.Before(spans[at].To) {
			at++
		}
		spans[at].Sum.Merge(sum)
	})
}

// addReports adds what the reports say to the spans, or the parts of spans, that
// do not lie before them.
func addReports(ctx context.Context, src Source, site int64, t Tiers, spans []availability.Span) error {
	to := spans[len(spans)-1].To
	if !t.Raw.Before(to) {
		return nil
	}
	first := 0
	for !spans[first].To.After(t.Raw) {
		first++
	}
	edges := []time.Time{later(spans[first].From, t.Raw)}
	for _, s := range spans[first:] {
		edges = append(edges, s.To)
	}
	return src.Reports(ctx, []int64{site}, edges[0], to, func(_ int64, reports []availability.Report) {
		for i, raw := range availability.Spans(edges, availability.Options{Percentiles: true}, reports) {
			s := &spans[first+i]
			s.Sum.Merge(raw.Sum)
			s.P50, s.P95, s.P99 = raw.P50, raw.P95, raw.P99
		}
	})
}
