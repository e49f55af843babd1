package availability

import (
	"fmt"
	"time"

	"sitemon"
)

const (
	day = 24 * time.Hour

	// MinStep is the least width of a bucket.
	MinStep = time.Minute
	// MaxBuckets is how many buckets a query may have: 30 days of minutes.
	MaxBuckets = 50_000
)

// steps are the widths that [DefaultStep] chooses from. Each divides a day or is
// whole days, so that buckets begin at moments a person would choose.
var steps = [...]time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	day, 2 * day, 7 * day, 14 * day, 30 * day,
}

// DefaultStep returns a round width for the buckets of a window: of those there
// are the one that is nearest to a hundredth of the window, at least [MinStep].
func DefaultStep(window time.Duration) time.Duration {
	want := float64(window) / 100
	best, off := steps[0], -1.0
	for _, s := range steps {
		// How far s is from want as a ratio: twice and half are equally far.
		r := float64(s) / max(want, 1)
		if r < 1 {
			r = 1 / r
		}
		if off < 0 || r < off {
			best, off = s, r
		}
	}
	return best
}

// Check says what is wrong with a query, as an error that wraps
// [sitemon.ErrInvalid].
func (q Query) Check() error {
	switch {
	case !q.From.Before(q.To):
		return fmt.Errorf("%w: from %s is not before to %s", sitemon.ErrInvalid,
			q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339))
	case q.Step < MinStep:
		return fmt.Errorf("%w: step %s is less than %s", sitemon.ErrInvalid, q.Step, MinStep)
	case q.To.Sub(q.From)/q.Step > MaxBuckets:
		return fmt.Errorf("%w: step %s makes more than %d buckets of the window", sitemon.ErrInvalid, q.Step, MaxBuckets)
	}
	return nil
}

// Edges returns the boundaries of the query's buckets: From, the aligned moments
// between, To. A bucket is [edges[i], edges[i+1]). The query is one that
// [Query.Check] has nothing against.
func (q Query) Edges() []time.Time {
	// The first boundary tried is the last aligned moment until From, or before
	// 1970 the first one after it.
	step := q.Step.Microseconds()
	k := q.From.UnixMicro() / step
	boundary := func() time.Time { return time.UnixMicro(k * step).UTC() }
	if q.Zone != nil && q.Step%day == 0 {
		days := int64(q.Step / day)
		k = localDay(q.From, q.Zone) / days
		boundary = func() time.Time { return midnight(k*days, q.Zone) }
	}
	edges := []time.Time{q.From.UTC()}
	for t := boundary(); t.Before(q.To); t = boundary() {
		if t.After(edges[len(edges)-1]) {
			edges = append(edges, t)
		}
		k++
	}
	return append(edges, q.To.UTC())
}

// localDay counts the days from 1970-01-01 to t's date in a zone.
func localDay(t time.Time, zone *time.Location) int64 {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// midnight returns the beginning of the day'th local day since 1970-01-01. Of a
// midnight that exists twice it is the first; one that does not exist moves
// forward by what the clock was put forward.
func midnight(day int64, zone *time.Location) time.Time {
	wall := time.Unix(day*86400, 0).UTC()
	// The offsets in use around that time: at most one change lies between them.
	_, before := wall.Add(-36 * time.Hour).In(zone).Zone()
	_, after := wall.Add(36 * time.Hour).In(zone).Zone()
	first := wall.Add(-time.Duration(max(before, after)) * time.Second)
	second := wall.Add(-time.Duration(min(before, after)) * time.Second)
	for _, t := range []time.Time{first, second} {
		if localDay(t, zone) == day && t.In(zone).Hour() == 0 && t.In(zone).Minute() == 0 {
			return t
		}
	}
	return second
}
