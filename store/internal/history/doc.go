// Package history is what the stores have in common in answering what was: pages
// of reports, missing slots, plans and maintenance. A store fetches rows, this
// package says which and puts them together. Availability is in package rollup.
package history

import (
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/status"
)

// Window is the time in [From, To).
type Window = availability.Window

// LocationState says how a location sees its site at a moment.
func LocationState(location string, t status.Track, now time.Time) sitemon.LocationState {
	st := status.Located{Location: location, Track: t}.At(now)
	return sitemon.LocationState{
		Location: location, Status: st.Status, Since: st.Since, Reason: st.Reason, Error: st.Error, LastSlot: t.Slot,
	}
}
