package sqlite

import (
	"context"
	"time"

	"sitemon/availability"
)

// tiers say from what the availability at a moment is computed: from the sums of
// days before hours, from those of hours before raw, from the reports after it.
type tiers struct{ hours, raw time.Time }

func (db *DB) tiers(ctx context.Context, q querier) (t tiers, err error) {
	p, err := readProgress(ctx, q)
	if err != nil || p.hours.IsZero() {
		return t, err // all is raw
	}
	now := db.clock().UTC()
	t.raw = earlier(now.Add(-db.retention).Truncate(time.Hour).Add(time.Hour), p.hours)
	t.hours = earlier(now.Add(-db.hourRetention).Truncate(day).Add(day), p.days)
	return t, nil
}

// align moves the edge of a bucket down to an edge that the sums have.
func (t tiers) align(edge time.Time) time.Time {
	switch {
	case edge.Before(t.hours):
		return edge.Truncate(day)
	case edge.Before(t.raw):
		return edge.Truncate(time.Hour)
	}
	return edge
}

// last moves the end of a window up instead.
func (t tiers) last(edge time.Time) time.Time {
	a := t.align(edge)
	switch {
	case a.Equal(edge):
		return edge
	case edge.Before(t.hours):
		return a.Add(day)
	}
	return a.Add(time.Hour)
}

// Availability answers a query from the reports as far as they are kept, and from
// sums of hours and days before that; there the edges of window and buckets move
// to those of the sums, and the percentiles are zero. The error wraps
// [sitemon.ErrNotFound] where the store has never heard of the site and
// [sitemon.ErrInvalid] where the query makes no sense.
func (db *DB) Availability(ctx context.Context, q availability.Query) (res availability.Result, err error) {
	defer wrap(&err, "availability of site %q", q.Site)
	if err := q.Check(); err != nil {
		return res, err
	}
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return res, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	id, err := siteID(ctx, tx, q.Site)
	if err != nil {
		return res, err
	}
	t, err := db.tiers(ctx, tx)
	if err != nil {
		return res, err
	}
	edges := t.edges(q)
	spans := make([]availability.Span, len(edges)-1)
	for i := range spans {
		spans[i].From, spans[i].To = edges[i], edges[i+1]
	}
	if err := addSums(ctx, tx, id, t, spans); err != nil {
		return res, err
	}
	if err := addRaw(ctx, tx, id, t, spans); err != nil {
		return res, err
	}
	for i := range spans {
		s := &spans[i]
		s.Sum.Unknown = s.To.Sub(s.From) - s.Sum.Known()
	}
	return availability.Summarize(spans), nil
}

// edges returns the edges of the buckets, each where the tiers have one.
func (t tiers) edges(q availability.Query) []time.Time {
	all := q.Edges()
	edges := []time.Time{t.align(all[0])}
	add := func(e time.Time) {
		if e.After(edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	for _, e := range all[1 : len(all)-1] {
		add(t.align(e))
	}
	add(t.last(all[len(all)-1]))
	return edges
}

// addSums adds the sums of days and hours to the spans that lie before the
// reports. The spans follow each other.
func addSums(ctx context.Context, q querier, site int64, t tiers, spans []availability.Span) error {
	from, to := spans[0].From, spans[len(spans)-1].To
	at := 0
	return each(ctx, q, `SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1d WHERE site_id = ?1 AND start >= ?2 AND start < ?3
UNION ALL
SELECT start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us
FROM availability_1h WHERE site_id = ?1 AND start >= ?4 AND start < ?5
ORDER BY start`, []any{
		site, micros(from), micros(earlier(to, t.hours)), micros(later(from, t.hours)), micros(earlier(to, t.raw)),
	}, func(row scanner) error {
		start, sum, err := scanSum(row)
		if err != nil {
			return err
		}
		for at < len(spans)-1 && !start.Before(spans[at].To) {
			at++
		}
		spans[at].Sum.Merge(sum)
		return nil
	})
}

func scanSum(row scanner) (start time.Time, s availability.Sum, err error) {
	var at, up, degraded, down, total, longest int64
	err = row.Scan(&at, &up, &degraded, &down, &s.Reports, &s.Timed, &total, &longest)
	s.Up, s.Degraded, s.Down = time.Duration(up)*time.Millisecond, time.Duration(degraded)*time.Millisecond, time.Duration(down)*time.Millisecond
	s.Total, s.Max = time.Duration(total)*time.Microsecond, time.Duration(longest)*time.Microsecond
	return moment(at), s, err
}

// addRaw adds what the reports say to the spans, or the parts of spans, that do
// not lie before them.
func addRaw(ctx context.Context, q querier, site int64, t tiers, spans []availability.Span) error {
	to := spans[len(spans)-1].To
	if !t.raw.Before(to) {
		return nil
	}
	first := 0
	for !spans[first].To.After(t.raw) {
		first++
	}
	edges := []time.Time{later(spans[first].From, t.raw)}
	for _, s := range spans[first:] {
		edges = append(edges, s.To)
	}
	return eachRaw(ctx, q, []int64{site}, edges[0], to, func(_ int64, reports []availability.Report) {
		for i, raw := range availability.Spans(edges, availability.Options{Percentiles: true}, reports) {
			s := &spans[first+i]
			s.Sum.Merge(raw.Sum)
			s.P50, s.P95, s.P99 = raw.P50, raw.P95, raw.P99
		}
	})
}
