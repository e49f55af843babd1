package sitemon

// LocationCoverage says how many of the slots that were planned for a location have a
// report.
type LocationCoverage struct {
	Location string
	Sites    int // that had planned slots there
	Planned  int // slots, of all of them
	Missing  int // of those the ones for which no report came
}

// Share is the share of the planned slots that have a report, from 0 to 1; 1 where
// none was planned.
func (c LocationCoverage) Share() float64 {
	if c.Planned <= 0 {
		return 1
	}
	return float64(c.Planned-c.Missing) / float64(c.Planned)
}
