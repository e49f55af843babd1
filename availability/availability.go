// Package availability computes how much of a time a site was up: time by
// outcome, weighted by time and never by count, from the reports of all its
// locations. It is pure: the stores fetch, this package decides.
//
// A report speaks for [slot, slot+interval) of its location, cut at that
// location's next slot. Time that no report speaks for is unknown. At each moment
// a site is down if enough of the locations that have a vote say down, else
// degraded if one says so, else up, else unknown; who has a vote and how many are
// enough changes over time ([Terms]). Availability is (up+degraded) /
// (up+degraded+down); coverage is the share of the window that is known at all.
// Time in maintenance counts for neither, and is kept apart.
//
// A store gives a site's reports to a [Sweep] in the order of their slots and
// gets a [Span] for each bucket. The [Sum] of a span can be kept and merged
// with others, so that hours become days; [Summarize] makes the answer. The
// durations of a sum are in a [Histogram].
package availability

import (
	"time"

	"sitemon"
)

// Figure is an availability with the share of time that it rests on.
type Figure struct {
	// Availability is a ratio from 0 to 1; nil where nothing is known.
	Availability *float64 `json:"availability"`
	// Coverage is the known share of the window, from 0 to 1.
	Coverage float64 `json:"coverage"`
}

// Query asks for one site's availability over [From, To), in buckets.
type Query struct {
	Site     string
	From, To time.Time
	// Step is the width of a bucket, at least a minute. Buckets are aligned to
	// multiples of Step in UTC, or to midnights of Zone where that is set and Step
	// is whole days; the first and the last are clipped to the window.
	Step time.Duration
	Zone *time.Location
	// MaintenanceIncluded counts time in maintenance like any other.
	MaintenanceIncluded bool
}

// Result answers a [Query].
type Result struct {
	From, To time.Time // as asked, moved out to a rollup's edges where only it is left
	Figure
	// Sum is what the whole window comes to, and Total the same as one bucket. Sums of
	// several sites can be merged.
	Sum     Sum
	Total   Bucket
	Buckets []Bucket
}

// Bucket is one step of a window. Its durations add up to its width.
type Bucket struct {
	Start time.Time
	Figure
	Up          time.Duration
	Degraded    time.Duration
	Down        time.Duration
	Unknown     time.Duration
	Maintenance time.Duration
	Reports     int      // of any outcome
	Latency     *Latency // over reports that are up or degraded; nil where there is none
}

// Latency sums up durations of probes. The percentiles are by nearest rank, and at
// most 5 % off where they come from histograms; they are zero where nothing tells
// them any more.
type Latency struct {
	Mean, P50, P95, P99, Max time.Duration
	// Phases are the means of the phases, over the same reports.
	Phases sitemon.Phases
	// Durations counts the same reports; none, or fewer, where sums are from before
	// there were histograms.
	Durations Histogram
}
