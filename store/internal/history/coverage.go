package history

import (
	"cmp"
	"slices"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
)

// Coverage counts the slots of a window that were planned, and those without a report,
// by location. A plan begins with the location's first report; the slots behind the
// newest one count once the location is silent.
type Coverage struct {
	now, from, to time.Time
	counts        map[string]*sitemon.LocationCoverage
}

// NewCoverage counts the slots in [from, to), which ends at now at the latest.
func NewCoverage(now, from, to time.Time) *Coverage {
	if to.After(now) {
		to = now
	}
	return &Coverage{now: now, from: from, to: to, counts: map[string]*sitemon.LocationCoverage{}}
}

// Add counts the slots of a site's location: t knows its newest report, first is the
// slot of its first report in the window, zero for none, and gaps are its gaps between
// reports that touch the window, in any order.
func (c *Coverage) Add(location string, plans []slot.Plan, t status.Track, first time.Time, gaps []slot.Run) {
	planned, missing, begin := 0, 0, first
	for _, g := range gaps {
		start := later(g.From, c.from)
		if begin.IsZero() || start.Before(begin) {
			begin = start // a report before the window began the plan
		}
		missing += slot.Planned(plans, start, earlier(g.To.Add(1), c.to))
	}
	if !begin.IsZero() {
		planned = slot.Planned(plans, begin, earlier(t.Slot.Add(1), c.to))
	}
	for _, g := range OpenGaps("", location, plans, t, c.now, c.from, c.to) {
		n := slot.Planned(plans, later(g.From, c.from), earlier(g.To.Add(1), c.to))
		planned, missing = planned+n, missing+n
	}
	if planned == 0 {
		return
	}
	l := c.counts[location]
	if l == nil {
		l = &sitemon.LocationCoverage{Location: location}
		c.counts[location] = l
	}
	l.Sites++
	l.Planned += planned
	l.Missing += missing
}

// List is what was counted, by location. One without planned slots is not there.
func (c *Coverage) List() []sitemon.LocationCoverage {
	list := make([]sitemon.LocationCoverage, 0, len(c.counts))
	for _, l := range c.counts {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b sitemon.LocationCoverage) int { return cmp.Compare(a.Location, b.Location) })
	return list
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
