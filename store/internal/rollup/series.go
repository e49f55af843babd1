package rollup

import (
	"context"

	"sitemon/availability"
)

// Series asks for the same buckets of many sites.
type Series struct {
	availability.SeriesQuery
	Tiers Tiers
	// Exact is for how many sites at most the newest bucket ends where the query does.
	// Of more it ends where the sums do, if those are not behind.
	Exact int
}

// Buckets returns the buckets of sites by their names. Beyond the reports that are
// kept, the edges of buckets move to those of the sums.
func (l Series) Buckets(ctx context.Context, src ListSource, ids map[string]int64) (map[string][]availability.SeriesBucket, error) {
	found := make(map[string][]availability.SeriesBucket, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	t, q := l.Tiers, availability.Query{From: l.From, To: l.To, Step: l.Step, Zone: l.Zone}
	if behind := q.To.Sub(t.Progress.Fives); len(ids) > l.Exact && behind >= 0 && behind < rolledLately && t.Progress.Fives.After(q.From) {
		q.To = t.Progress.Fives
	}
	edges := t.edges(q)
	s := newListing(ids, len(edges)-1, l.Latency)
	var d shares
	for i := range len(edges) - 1 {
		d.add(i, t.cover(edges[i], edges[i+1]))
	}
	s.divide(d)
	if err := s.read(ctx, src); err != nil {
		return nil, err
	}
	for name, id := range ids {
		buckets := make([]availability.SeriesBucket, len(edges)-1)
		for i, sum := range s.sums[id] {
			sum.Fill(edges[i+1].Sub(edges[i]))
			buckets[i] = availability.NewSeriesBucket(edges[i], sum)
		}
		found[name] = buckets
	}
	return found, nil
}
