package rollup

import (
	"slices"
	"time"

	"sitemon"
	"sitemon/availability"
)

// Plan is what a row of site_plans says of votes.
type Plan struct {
	From      time.Time
	Quorum    sitemon.Quorum
	Locations []string // nil: all
}

// TermsOf makes the terms of a site of its plans, sorted by From, the numbers of its
// locations and its maintenance in any order. A location without a number never sent
// a report.
func TermsOf(plans []Plan, locations map[string]int64, maintenance []availability.Window) availability.Terms {
	t := availability.Terms{Maintenance: availability.Merged(slices.Clone(maintenance))}
	for _, p := range plans {
		v := availability.Votes{From: p.From, Quorum: p.Quorum}
		if p.Locations != nil {
			v.Locations = []int64{}
			for _, l := range p.Locations {
				if id, ok := locations[l]; ok {
					v.Locations = append(v.Locations, id)
				}
			}
		}
		t.Votes = append(t.Votes, v)
	}
	return t
}
