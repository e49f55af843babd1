package web

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

const (
	// coverageWindow is the time over which the coverage of locations is told.
	coverageWindow = 24 * time.Hour
	// lowCoverage is the coverage below which it is called low: of a day a quarter of an
	// hour is missing.
	lowCoverage = 0.99
)

// newCoverageCache keeps the coverage of all locations, as its only entry: counting
// the slots of thousands of sites takes a while.
func newCoverageCache(o Operations, now func() time.Time) *siteCache[map[string]sitemon.LocationCoverage] {
	return newSiteCache(trendAge, now, nil, func(ctx context.Context, names []string) (map[string]map[string]sitemon.LocationCoverage, error) {
		at := now()
		list, err := o.Coverage(ctx, at.Add(-coverageWindow), at)
		if err != nil {
			return nil, err
		}
		byLocation := make(map[string]sitemon.LocationCoverage, len(list))
		for _, c := range list {
			byLocation[c.Location] = c
		}
		all := map[string]map[string]sitemon.LocationCoverage{}
		for _, name := range names {
			all[name] = byLocation
		}
		return all, nil
	})
}

// coverageByLocation is the coverage of each location over the last 24 hours.
func (s *Server) coverageByLocation(ctx context.Context) (map[string]sitemon.LocationCoverage, error) {
	const all = "" // the name of the only entry
	found, err := s.coverage.of(ctx, []string{all})
	return found[all], err
}

// coverageJSON is the coverage of a location as the API shows it.
type coverageJSON struct {
	Location string   `json:"location"`
	Sites    int      `json:"sites"`    // that had planned slots
	Planned  int      `json:"planned"`  // slots of the last 24 hours
	Missing  int      `json:"missing"`  // of those the ones without a report
	Coverage *float64 `json:"coverage"` // null: none was planned
}

// newCoverageJSON is the coverage of the locations at which a monitor is alive, by
// their names.
func newCoverageJSON(locations []string, counts map[string]sitemon.LocationCoverage) []coverageJSON {
	list := make([]coverageJSON, 0, len(locations))
	for _, name := range locations {
		c := counts[name]
		j := coverageJSON{Location: name, Sites: c.Sites, Planned: c.Planned, Missing: c.Missing}
		if c.Planned > 0 {
			share := c.Share()
			j.Coverage = &share
		}
		list = append(list, j)
	}
	return list
}

// coverageView is the coverage of a location on the page.
type coverageView struct {
	Text    string      // "99.98 %", or "–" where nothing was planned
	Missing string      // "12 of 2880 slots without a report", or ""
	Low     *statusView // nil: it is not
}

func newCoverageView(c sitemon.LocationCoverage) coverageView {
	if c.Planned == 0 {
		return coverageView{Text: "–"}
	}
	v := coverageView{Text: percentText(c.Share(), 2)}
	if c.Missing > 0 {
		v.Missing = fmt.Sprintf("%d of %s without a report", c.Missing, plural(c.Planned, "slot"))
	}
	if c.Share() < lowCoverage {
		v.Low = &statusView{"degraded", "Low"}
	}
	return v
}
