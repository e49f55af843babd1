// Package history is what the stores have in common in answering what was: pages
// of reports, missing slots, and availability from reports, from sums of hours and
// from sums of days. A store fetches rows, this package says which and puts them
// together.
//
// Time has three tiers ([Tiers]). Where the reports are kept, availability is
// computed from them. Before that there are sums of hours, and before those sums
// of days. [Rollup] makes the sums.
package history

import (
	"time"

	"sitemon"
	"sitemon/status"
)

const day = 24 * time.Hour

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// LocationState says how a location sees its site at a moment.
func LocationState(location string, t status.Track, now time.Time) sitemon.LocationState {
	st := status.Located{Location: location, Track: t}.At(now)
	return sitemon.LocationState{
		Location: location, Status: st.Status, Since: st.Since, Reason: st.Reason, Error: st.Error, LastSlot: t.Slot,
	}
}
