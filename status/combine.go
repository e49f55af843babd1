package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// Located is a track with the location that it belongs to.
type Located struct {
	Location string
	Track    Track
}

// State is a status with its beginning and its cause.
type State struct {
	Status sitemon.Status
	// Since is the slot of the first report of those that led to Status; for an
	// unknown status that silence led to, the moment of silence. It is zero before
	// the first report, and where Status is paused.
	Since  time.Time
	Reason sitemon.Reason // "" where Status is up, paused or maintenance, or nobody knows
	Error  string
}

// At returns the location's state at a moment.
func (l Located) At(now time.Time) State {
	t := &l.Track
	s := State{Status: t.At(now), Since: t.Since, Reason: t.Fault.Reason, Error: t.Fault.Error}
	switch {
	case s.Status == sitemon.StatusUp:
		s.Reason, s.Error = "", ""
	case s.Status != sitemon.StatusUnknown:
	case t.Status != "" && t.Status != sitemon.StatusUnknown: // by silence
		s.Since, s.Reason, s.Error = t.Silent, t.Blind.Reason, t.Blind.Error
	case t.Blind != Cause{}:
		s.Reason, s.Error = t.Blind.Reason, t.Blind.Error
	}
	return s
}

// rank orders what a location can say beside down, the one that decides first.
func rank(s sitemon.Status) int {
	switch s {
	case sitemon.StatusDegraded:
		return 0
	case sitemon.StatusUp:
		return 1
	}
	return 2
}

// Terms are what decides on a site's state beside what its locations say.
type Terms struct {
	Enabled bool
	// Maintenance is when the maintenance began that goes on now; zero: none does.
	Maintenance time.Time
	Quorum      sitemon.Quorum
	// Locations are those whose votes count; empty: all.
	Locations []string
}

// counts reports whether a location has a vote.
func (t *Terms) counts(location string) bool {
	return len(t.Locations) == 0 || slices.Contains(t.Locations, location)
}

// Combine returns a site's state at a moment over all its locations: paused if
// it is not enabled; else maintenance while one goes on; else down if as many
// locations say so as the quorum needs of those that are known, else degraded if one
// says so, else up if one does, else unknown, also where some say down and are too few.
// Silent locations have no vote, and neither have those that the terms do not name.
//
// Since and cause are the deciding location's. Of several that say down that is the
// one with which the quorum was reached, of several that say degraded the one that said
// so first; of several that say up or unknown the last one, as before it another
// status held. Of several that did so at the same moment it is the first by name,
// whatever their order here. A maintenance counts since it began, and has no cause. The
// moment of a pause is not known here: the caller has it.
func Combine(now time.Time, terms Terms, tracks []Located) State {
	st, _ := combine(now, &terms, tracks)
	return st
}

// combine is [Combine], and says which location decided.
func combine(now time.Time, terms *Terms, tracks []Located) (best State, from string) {
	best = State{Status: sitemon.StatusUnknown}
	switch {
	case !terms.Enabled:
		return State{Status: sitemon.StatusPaused}, ""
	case !terms.Maintenance.IsZero():
		return State{Status: sitemon.StatusMaintenance, Since: terms.Maintenance}, ""
	}
	known, down := 0, 0
	for i := range tracks {
		if !terms.counts(tracks[i].Location) {
			continue
		}
		switch tracks[i].Track.At(now) {
		case sitemon.StatusUnknown:
		case sitemon.StatusDown:
			down++
			fallthrough
		default:
			known++
		}
	}
	if need := terms.Quorum.Needs(known); down > 0 && down >= need {
		return quorum(now, terms, tracks, need)
	}
	for i := range tracks {
		l := &tracks[i]
		if !terms.counts(l.Location) {
			continue
		}
		s := l.At(now)
		if s.Status == sitemon.StatusDown {
			s.Status = sitemon.StatusUnknown // one of too few
		}
		if before(s, best) || l.Location < from && !before(best, s) {
			best, from = s, l.Location
		}
	}
	return best, from
}

// quorum returns the state of the location with which enough said down.
func quorum(now time.Time, terms *Terms, tracks []Located, need int) (State, string) {
	var few [4]*Located
	down := few[:0]
	for i := range tracks {
		if l := &tracks[i]; terms.counts(l.Location) && l.Track.At(now) == sitemon.StatusDown {
			down = append(down, l)
		}
	}
	slices.SortFunc(down, func(a, b *Located) int {
		return cmp.Or(a.Track.Since.Compare(b.Track.Since), strings.Compare(a.Location, b.Location))
	})
	l := down[need-1]
	return l.At(now), l.Location
}

// before reports whether a decides rather than b.
func before(a, b State) bool {
	if ra, rb := rank(a.Status), rank(b.Status); ra != rb {
		return ra < rb
	} else if ra == 0 {
		return a.Since.Before(b.Since)
	}
	return a.Since.After(b.Since)
}
