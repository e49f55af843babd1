// Package recount computes availability slowly, for tests: at each moment at which
// anything changes it asks again what every location said and what the site was.
// It shares the nouns of package availability and none of its code.
package recount

import (
	"slices"
	"sort"
	"time"

	"sitemon"
	"sitemon/availability"
)

// Past is all that is known of a site: reports in any order, and the terms under
// which they count.
type Past struct {
	Terms availability.Terms

	byLocation map[int64][]availability.Report
	all        []availability.Report
}

// Of returns the past that consists of some reports. Of several of one identity the
// first counts.
func Of(terms availability.Terms, reports []availability.Report) *Past {
	p := &Past{Terms: terms, byLocation: map[int64][]availability.Report{}}
	type identity struct{ location, slot int64 }
	seen := map[identity]bool{}
	for _, r := range reports {
		id := identity{r.Location, r.Slot.UnixMilli()}
		if seen[id] {
			continue
		}
		seen[id] = true
		p.all = append(p.all, r)
		p.byLocation[r.Location] = append(p.byLocation[r.Location], r)
	}
	for _, rs := range p.byLocation {
		sort.Slice(rs, func(i, j int) bool { return rs[i].Slot.Before(rs[j].Slot) })
	}
	return p
}

// Span recounts the time in [from, to).
func (p *Past) Span(from, to time.Time) availability.Span {
	s := availability.Span{From: from, To: to, Exact: true}
	moments := []time.Time{from, to}
	note := func(t time.Time) {
		if t.After(from) && t.Before(to) {
			moments = append(moments, t)
		}
	}
	for _, r := range p.all {
		note(r.Slot)
		note(r.Slot.Add(r.Interval))
	}
	for _, v := range p.Terms.Votes {
		note(whole(v.From))
	}
	for _, w := range p.Terms.Maintenance {
		note(whole(w.From))
		note(whole(w.To))
	}
	slices.SortFunc(moments, time.Time.Compare)
	for i := range len(moments) - 1 {
		p.count(&s.Sum, moments[i], moments[i+1].Sub(moments[i]))
	}
	durations := p.Durations(from, to)
	for _, r := range p.all {
		if r.Slot.Before(from) || !r.Slot.Before(to) {
			continue
		}
		s.Sum.Reports++
		if r.Outcome != sitemon.OutcomeUp && r.Outcome != sitemon.OutcomeDegraded {
			continue
		}
		s.Sum.Timed++
		s.Sum.Total += r.Duration
		s.Sum.Phases.Resolve += r.Phases.Resolve
		s.Sum.Phases.Connect += r.Phases.Connect
		s.Sum.Phases.TLS += r.Phases.TLS
		s.Sum.Phases.Processing += r.Phases.Processing
		s.Sum.Phases.Transfer += r.Phases.Transfer
	}
	if n := len(durations); n > 0 {
		s.Sum.Max = durations[n-1]
		s.P50, s.P95, s.P99 = NearestRank(durations, 50), NearestRank(durations, 95), NearestRank(durations, 99)
	}
	return s
}

// Durations returns those of the reports that are up or degraded, sorted.
func (p *Past) Durations(from, to time.Time) (durations []time.Duration) {
	for _, r := range p.all {
		good := r.Outcome == sitemon.OutcomeUp || r.Outcome == sitemon.OutcomeDegraded
		if good && !r.Slot.Before(from) && r.Slot.Before(to) {
			durations = append(durations, r.Duration)
		}
	}
	slices.Sort(durations)
	return durations
}

// count adds some time that is all the same.
func (p *Past) count(s *availability.Sum, at time.Time, d time.Duration) {
	outcome := p.At(at)
	for _, w := range p.Terms.Maintenance {
		if whole(w.From).After(at) || !whole(w.To).After(at) {
			continue
		}
		s.Maintenance += d
		switch outcome {
		case sitemon.OutcomeUp:
			s.MaintenanceUp += d
		case sitemon.OutcomeDegraded:
			s.MaintenanceDegraded += d
		case sitemon.OutcomeDown:
			s.MaintenanceDown += d
		}
		return
	}
	switch outcome {
	case sitemon.OutcomeUp:
		s.Up += d
	case sitemon.OutcomeDegraded:
		s.Degraded += d
	case sitemon.OutcomeDown:
		s.Down += d
	default:
		s.Unknown += d
	}
}

// At returns what the site is at a moment.
func (p *Past) At(at time.Time) sitemon.Outcome {
	quorum, voters := sitemon.Quorum(1), []int64(nil)
	for _, v := range p.Terms.Votes {
		if !whole(v.From).After(at) {
			quorum, voters = v.Quorum, v.Locations
		}
	}
	said := map[sitemon.Outcome]int{}
	for location, rs := range p.byLocation {
		if voters != nil && !slices.Contains(voters, location) {
			continue
		}
		i := sort.Search(len(rs), func(i int) bool { return rs[i].Slot.After(at) }) - 1
		if i >= 0 && at.Before(rs[i].Slot.Add(rs[i].Interval)) {
			said[rs[i].Outcome]++
		}
	}
	down, degraded, up := said[sitemon.OutcomeDown], said[sitemon.OutcomeDegraded], said[sitemon.OutcomeUp]
	enough := down >= max(1, int(quorum))
	if quorum == sitemon.Majority {
		enough = 2*down > down+degraded+up
	}
	switch {
	case enough:
		return sitemon.OutcomeDown
	case degraded > 0:
		return sitemon.OutcomeDegraded
	case up > 0:
		return sitemon.OutcomeUp
	}
	return sitemon.OutcomeUnknown
}

// whole cuts off what a moment has below a millisecond.
func whole(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// NearestRank returns the least of sorted durations that at least that share of all
// do not exceed.
func NearestRank(sorted []time.Duration, percent int) time.Duration {
	for i, d := range sorted {
		if (i+1)*100 >= percent*len(sorted) {
			return d
		}
	}
	return 0
}
