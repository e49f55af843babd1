package history

import (
	"slices"

	"sitemon/slot"
)

// Plan is a plan with the locations that were to probe; none: all.
type Plan struct {
	slot.Plan
	Locations []string
}

// Plans are those of one site, oldest first.
type Plans []Plan

// Of returns the plans as a location has them: no slot is planned for it where it
// was not to probe.
func (p Plans) Of(location string) []slot.Plan {
	plans := make([]slot.Plan, len(p))
	for i, one := range p {
		plans[i] = one.Plan
		plans[i].Enabled = one.Enabled && Named(one.Locations, location)
	}
	return plans
}

// Named reports whether a site's list of locations has one; none names all.
func Named(locations []string, location string) bool {
	return len(locations) == 0 || slices.Contains(locations, location)
}
