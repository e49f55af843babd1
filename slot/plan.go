package slot

import (
	"sort"
	"time"
)

// Plan is a stretch of time in which a site was due at the slots of one grid.
type Plan struct {
	From time.Time
	To   time.Time // exclusive; zero: open
	Grid Grid
	// Enabled is false for a stretch in which the site was paused and nothing was
	// planned.
	Enabled bool
}

// Run is a row of planned slots, each the next one of the grid after the last.
type Run struct {
	From, To time.Time // the first and the last slot
	Slots    int
}

// Planned counts the slots that plans have in [from, to). The plans are those of
// one site, ordered by From, and do not overlap.
func Planned(plans []Plan, from, to time.Time) int {
	n := 0
	for _, r := range Runs(plans, from, to) {
		n += r.Slots
	}
	return n
}

// Missing returns the planned slots that lie strictly between two reports, which
// nobody probed. The plans are as for [Planned]. Slots off the grid are planned
// by no plan, so they are never missing.
func Missing(plans []Plan, prev, next time.Time) []Run {
	return Runs(plans, prev.Add(1), next)
}

// Runs returns the slots that plans have in [from, to). A run ends where the grid
// changes or a pause leaves slots out. The plans are as for [Planned].
func Runs(plans []Plan, from, to time.Time) []Run {
	var runs []Run
	// The plan that holds from, or the first one after it.
	first := max(0, sort.Search(len(plans), func(i int) bool { return plans[i].From.After(from) })-1)
	var last Grid
	for _, p := range plans[first:] {
		if !p.From.Before(to) {
			break
		}
		r, ok := p.run(from, to)
		if !ok {
			continue
		}
		if n := len(runs); n > 0 && last == p.Grid && p.Grid.After(runs[n-1].To).Equal(r.From) {
			runs[n-1].To = r.To
			runs[n-1].Slots += r.Slots
		} else {
			runs = append(runs, r)
		}
		last = p.Grid
	}
	return runs
}

// run returns the plan's slots in [from, to); ok is false where there is none.
func (p Plan) run(from, to time.Time) (r Run, ok bool) {
	if from.Before(p.From) {
		from = p.From
	}
	if !p.To.IsZero() && p.To.Before(to) {
		to = p.To
	}
	if !p.Enabled {
		return Run{}, false
	}
	n := p.Grid.Count(from, to)
	if n == 0 {
		return Run{}, false
	}
	return Run{From: p.Grid.After(from.Add(-1)), To: p.Grid.AtOrBefore(to.Add(-1)), Slots: n}, true
}
