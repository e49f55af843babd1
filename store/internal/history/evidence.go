package history

import (
	"time"

	"sitemon"
	"sitemon/status"
)

// freshEvidence is how long the newest evidence of a location stands.
const freshEvidence = 10 * time.Second

// KeepEvidence reports whether the evidence of a failed report is to be kept, and
// for which of its location it takes the place: that of slots after one, up to its
// own. The track has the report, unless that is late; last is the slot of the newest
// evidence known, or zero. What is kept of a row of failed reports is the first and
// the newest; of rows that led to nothing it is that of the last one.
func KeepEvidence(t *status.Track, slot, last time.Time) (after time.Time, keep bool) {
	down := t.Status == sitemon.StatusDown
	switch {
	case slot.Before(t.Slot): // late
		return slot, true
	case !down && t.Row.Equal(slot): // a row begins; an incident before it ended before Since
		return t.Since.Add(-time.Microsecond), true
	case down && t.Since.Equal(slot):
		return slot, true
	case slot.Sub(last) < freshEvidence:
		return slot, false
	case down:
		return t.Since, true
	}
	return t.Row, true
}
