package history

import (
	"time"

	"sitemon/availability"
)

// Progress says how far the rollups are. It is zero before the first one.
type Progress struct {
	Hours   time.Time // hours that begin before this have their sums
	Parts   time.Time // up to here the hour that begins then has been summed up, in a store that does so
	Days    time.Time // days that begin before this have their sums
	Claimed time.Time // a report of a slot before this leaves a mark
}

// Retention is how long what is recorded is kept; the sums of days stay for ever.
type Retention struct{ Reports, Hours time.Duration }

// Tiers say from what the availability at a moment is computed: from the sums of
// days before Hours, from those of hours before Raw, from the reports after it.
// Both are zero where all is computed from reports.
type Tiers struct{ Hours, Raw time.Time }

// NewTiers returns the tiers as they are now.
func NewTiers(p Progress, keep Retention, now time.Time) (t Tiers) {
	if p.Hours.IsZero() {
		return t
	}
	now = now.UTC()
	t.Raw = earlier(now.Add(-keep.Reports).Truncate(time.Hour).Add(time.Hour), p.Hours)
	t.Hours = earlier(now.Add(-keep.Hours).Truncate(day).Add(day), p.Days)
	return t
}

// align moves the edge of a bucket down to an edge that the sums have.
func (t Tiers) align(edge time.Time) time.Time {
	switch {
	case edge.Before(t.Hours):
		return edge.Truncate(day)
	case edge.Before(t.Raw):
		return edge.Truncate(time.Hour)
	}
	return edge
}

// last moves the end of a window up instead.
func (t Tiers) last(edge time.Time) time.Time {
	a := t.align(edge)
	switch {
	case a.Equal(edge):
		return edge
	case edge.Before(t.Hours):
		return a.Add(day)
	}
	return a.Add(time.Hour)
}

// edges returns the edges of the buckets, each where the tiers have one.
func (t Tiers) edges(q availability.Query) []time.Time {
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
