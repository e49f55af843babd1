package status

import (
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
	Reason sitemon.Reason // "" where Status is up or paused, or nobody knows
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

// rank orders what a location can say, the one that decides first.
func rank(s sitemon.Status) int {
	switch s {
	case sitemon.StatusDown:
		return 0
	case sitemon.StatusDegraded:
		return 1
	case sitemon.StatusUp:
		return 2
	}
	return 3
}

// Combine returns a site's state at a moment over all its locations: paused if
// it is not enabled; else down if one location says so, else degraded, else up,
// else unknown. Silent locations have no vote.
//
// Since and cause are the deciding location's. Of several that say down or
// degraded that is the one that said so first; of several that say up or unknown
// the last one, as before it another status held. Of several that did so at the same
// moment it is the first by name, whatever their order here. The moment of a pause is not
// known here: the caller has it.
func Combine(now time.Time, enabled bool, tracks []Located) State {
	if !enabled {
		return State{Status: sitemon.StatusPaused}
	}
	best, from := State{Status: sitemon.StatusUnknown}, ""
	for _, l := range tracks {
		s := l.At(now)
		if before(s, best) || l.Location < from && !before(best, s) {
			best, from = s, l.Location
		}
	}
	return best
}

// before reports whether a decides rather than b.
func before(a, b State) bool {
	if ra, rb := rank(a.Status), rank(b.Status); ra != rb {
		return ra < rb
	} else if ra <= 1 {
		return a.Since.Before(b.Since)
	}
	return a.Since.After(b.Since)
}
