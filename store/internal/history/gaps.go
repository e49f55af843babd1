package history

import (
	"cmp"
	"slices"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
)

// OpenGaps returns the missing slots behind the newest report of a site's location
// that is silent, as far as they touch [from, to). They go up to the last slot
// whose interval is over by now.
func OpenGaps(site, location string, plans []slot.Plan, t status.Track, now, from, to time.Time) (gaps []sitemon.Gap) {
	if t.Status == "" || now.Before(t.Slot.Add(t.Interval+status.Grace(t.Interval))) {
		return nil
	}
	for _, run := range slot.Missing(plans, t.Slot, now.Add(1-t.Interval)) {
		if !run.To.Before(from) && run.From.Before(to) {
			gaps = append(gaps, sitemon.Gap{Site: site, Location: location, From: run.From, To: run.To, Slots: run.Slots})
		}
	}
	return gaps
}

// SortGaps sorts gaps by location and slot.
func SortGaps(gaps []sitemon.Gap) {
	slices.SortFunc(gaps, func(a, b sitemon.Gap) int {
		return cmp.Or(cmp.Compare(a.Location, b.Location), a.From.Compare(b.From))
	})
}
