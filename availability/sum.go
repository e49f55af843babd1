package availability

import (
	"time"

	"sitemon"
)

// Sum is what a stretch of time comes to. Sums of stretches that do not overlap
// can be merged, in any order.
type Sum struct {
	// Up, Degraded, Down and Unknown are the time by outcome outside maintenance.
	Up       time.Duration
	Degraded time.Duration
	Down     time.Duration
	Unknown  time.Duration

	Maintenance time.Duration // all of it
	// What the site was in that time; the rest of it is unknown.
	MaintenanceUp       time.Duration
	MaintenanceDegraded time.Duration
	MaintenanceDown     time.Duration

	Reports int // of any outcome, of all locations, by their slots

	// Timed is how many of the reports are up or degraded; Total is the sum of
	// their durations, Max the longest, Phases the sums of their phases. Durations
	// counts them; sums from before there were histograms have none, so it may count
	// less than there are.
	Timed     int
	Total     time.Duration
	Max       time.Duration
	Phases    sitemon.Phases
	Durations Histogram
}

// Merge adds another stretch to s.
func (s *Sum) Merge(o Sum) {
	s.Up += o.Up
	s.Degraded += o.Degraded
	s.Down += o.Down
	s.Unknown += o.Unknown
	s.Maintenance += o.Maintenance
	s.MaintenanceUp += o.MaintenanceUp
	s.MaintenanceDegraded += o.MaintenanceDegraded
	s.MaintenanceDown += o.MaintenanceDown
	s.Reports += o.Reports
	s.Timed += o.Timed
	s.Total += o.Total
	s.Max = max(s.Max, o.Max)
	addPhases(&s.Phases, o.Phases)
	s.Durations = s.Durations.Merge(o.Durations)
}

func addPhases(p *sitemon.Phases, o sitemon.Phases) {
	p.Resolve += o.Resolve
	p.Connect += o.Connect
	p.TLS += o.TLS
	p.Processing += o.Processing
	p.Transfer += o.Transfer
}

// Known returns the time outside maintenance in which the site was up, degraded or
// down.
func (s Sum) Known() time.Duration { return s.Up + s.Degraded + s.Down }

// Width returns the length of the stretch.
func (s Sum) Width() time.Duration { return s.Known() + s.Unknown + s.Maintenance }

// Fill makes what is missing of a width unknown.
func (s *Sum) Fill(width time.Duration) { s.Unknown += width - s.Width() }

// WithMaintenance returns the sum with time in maintenance counted like any other.
func (s Sum) WithMaintenance() Sum {
	s.Up += s.MaintenanceUp
	s.Degraded += s.MaintenanceDegraded
	s.Down += s.MaintenanceDown
	s.Unknown += s.Maintenance - s.MaintenanceUp - s.MaintenanceDegraded - s.MaintenanceDown
	s.Maintenance, s.MaintenanceUp, s.MaintenanceDegraded, s.MaintenanceDown = 0, 0, 0, 0
	return s
}

// Figure returns the availability over a window that may be longer than the
// stretch; what it is longer is unknown. Maintenance is no part of the window.
func (s Sum) Figure(window time.Duration) Figure {
	var f Figure
	known := s.Known()
	if known > 0 {
		a := float64(s.Up+s.Degraded) / float64(known)
		f.Availability = &a
	}
	if window -= s.Maintenance; window > 0 {
		f.Coverage = min(1, float64(known)/float64(window))
	}
	return f
}

// add gives an outcome some time.
func (s *Sum) add(o sitemon.Outcome, d time.Duration, maintenance bool) {
	up, degraded, down, unknown := &s.Up, &s.Degraded, &s.Down, &s.Unknown
	if maintenance {
		s.Maintenance += d
		up, degraded, down = &s.MaintenanceUp, &s.MaintenanceDegraded, &s.MaintenanceDown
		unknown = nil
	}
	switch {
	case o == sitemon.OutcomeUp:
		*up += d
	case o == sitemon.OutcomeDegraded:
		*degraded += d
	case o == sitemon.OutcomeDown:
		*down += d
	case unknown != nil:
		*unknown += d
	}
}

// Span is a stretch of time with its sum.
type Span struct {
	From, To time.Time
	Sum      Sum

	// Exact says that the percentiles are here, by nearest rank over the durations of
	// reports that are up or degraded, and zero where there was none. Else the sum's
	// histogram tells them.
	Exact         bool
	P50, P95, P99 time.Duration
}

// Bucket returns the span as a bucket of a [Result].
func (p Span) Bucket() Bucket {
	s := p.Sum
	b := Bucket{
		Start: p.From, Figure: s.Figure(p.To.Sub(p.From)),
		Up: s.Up, Degraded: s.Degraded, Down: s.Down, Unknown: s.Unknown, Maintenance: s.Maintenance, Reports: s.Reports,
	}
	if s.Timed == 0 {
		return b
	}
	n := time.Duration(s.Timed)
	b.Latency = &Latency{Mean: s.Total / n, P50: p.P50, P95: p.P95, P99: p.P99, Max: s.Max, Durations: s.Durations, Phases: sitemon.Phases{
		Resolve: s.Phases.Resolve / n, Connect: s.Phases.Connect / n, TLS: s.Phases.TLS / n,
		Processing: s.Phases.Processing / n, Transfer: s.Phases.Transfer / n,
	}}
	if !p.Exact && s.Durations.Count() == s.Timed {
		l := b.Latency
		l.P50, l.P95 = min(s.Durations.Percentile(50), s.Max), min(s.Durations.Percentile(95), s.Max)
		l.P99 = min(s.Durations.Percentile(99), s.Max)
	}
	return b
}

// Summarize makes a result of spans that follow each other without a hole.
func Summarize(spans []Span) Result {
	var res Result
	if len(spans) == 0 {
		return res
	}
	total := spans[0]
	res.Buckets = make([]Bucket, len(spans))
	for i, p := range spans {
		res.Buckets[i] = p.Bucket()
		if i > 0 {
			total.Sum.Merge(p.Sum)
			total.Exact, total.P50, total.P95, total.P99 = false, 0, 0, 0
		}
	}
	total.To = spans[len(spans)-1].To
	res.From, res.To, res.Sum, res.Total = total.From, total.To, total.Sum, total.Bucket()
	res.Figure = res.Total.Figure
	return res
}
