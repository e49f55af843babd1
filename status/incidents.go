package status

import (
	"time"

	"sitemon"
)

// Plan is what a site was to be judged by for a while. Where no plan holds, there
// was no such site.
type Plan struct {
	From, To   time.Time // To is exclusive; zero: it goes on
	Enabled    bool
	Thresholds Thresholds
	Quorum     sitemon.Quorum
	Locations  []string // whose votes count; empty: all
}
