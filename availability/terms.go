package availability

import (
	"cmp"
	"slices"
	"time"

	"sitemon"
)

// Terms are under which the reports of a site are counted, over its time. The zero
// value has one location that says down make a site down, and no maintenance. Of
// all moments in it what is below a millisecond is cut off.
type Terms struct {
	// Votes say which locations count from when on, sorted by From. Before the first
	// of them one location is enough and all have a vote.
	Votes []Votes
	// Maintenance is sorted and its windows do not touch: see [Merged].
	Maintenance []Window
}

// Votes say how the voices of locations are counted from a moment on.
type Votes struct {
	From   time.Time
	Quorum sitemon.Quorum
	// Locations are those whose voice counts, as in [Report.Location]; nil: all.
	Locations []int64
}

// Window is the time in [From, To).
type Window struct{ From, To time.Time }

// Merged sorts windows and puts those together that touch. Empty ones are left
// out. It uses the slice again.
func Merged(windows []Window) []Window {
	slices.SortFunc(windows, func(a, b Window) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	merged := windows[:0]
	for _, w := range windows {
		switch n := len(merged); {
		case !w.From.Before(w.To):
		case n > 0 && !w.From.After(merged[n-1].To):
			if w.To.After(merged[n-1].To) {
				merged[n-1].To = w.To
			}
		default:
			merged = append(merged, w)
		}
	}
	return merged
}

// terms are [Terms] as a sweep goes through them, in µs.
type terms struct {
	votes       []Votes
	maintenance []Window

	current Votes
	under   bool  // in maintenance
	until   int64 // current and under hold until then
}

const never = int64(1)<<62 - 1

// cut returns a moment in µs without what it has below a millisecond.
func cut(t time.Time) int64 { return t.UnixMilli() * 1000 }

// to goes on to a moment.
func (t *terms) to(at int64) {
	for len(t.votes) > 0 && cut(t.votes[0].From) <= at {
		t.current, t.votes = t.votes[0], t.votes[1:]
	}
	for len(t.maintenance) > 0 && cut(t.maintenance[0].To) <= at {
		t.maintenance = t.maintenance[1:]
	}
	t.until, t.under = never, false
	if len(t.votes) > 0 {
		t.until = cut(t.votes[0].From)
	}
	if len(t.maintenance) > 0 {
		edge := cut(t.maintenance[0].From)
		if t.under = edge <= at; t.under {
			edge = cut(t.maintenance[0].To)
		}
		t.until = min(t.until, edge)
	}
}

// has says whether a location's voice counts now.
func (t *terms) has(location int64) bool {
	return t.current.Locations == nil || slices.Contains(t.current.Locations, location)
}
