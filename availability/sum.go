package availability

import "time"

// Sum is what a stretch of time comes to. Sums of stretches that do not overlap
// can be merged, in any order.
type Sum struct {
	Up       time.Duration
	Degraded time.Duration
	Down     time.Duration
	Unknown  time.Duration

	Reports int // of any outcome, of all locations, by their slots

	// Timed is how many of the reports are up or degraded; Total is the sum of
	// their durations and Max the longest.
	Timed int
	Total time.Duration
	Max   time.Duration
}

// Merge adds another stretch to s.
func (s *Sum) Merge(o Sum) {
	s.Up += o.Up
	s.Degraded += o.Degraded
	s.Down += o.Down
	s.Unknown += o.Unknown
	s.Reports += o.Reports
	s.Timed += o.Timed
	s.Total += o.Total
	s.Max = max(s.Max, o.Max)
}

// Known returns the time in which the site was up, degraded or down.
func (s Sum) Known() time.Duration { return s.Up + s.Degraded + s.Down }

// Width returns the length of the stretch.
func (s Sum) Width() time.Duration { return s.Known() + s.Unknown }

// Figure returns the availability over a window that may be longer than the
// stretch; what it is longer is unknown.
func (s Sum) Figure(window time.Duration) Figure {
	var f Figure
	known := s.Known()
	if known > 0 {
		a := float64(s.Up+s.Degraded) / float64(known)
		f.Availability = &a
	}
	if window > 0 {
		f.Coverage = min(1, float64(known)/float64(window))
	}
	return f
}

// Span is a stretch of time with its sum. The percentiles are over the durations
// of reports that are up or degraded, by nearest rank; they are zero where there
// was none, or where only sums are left of the reports.
type Span struct {
	From, To time.Time
	Sum      Sum

	P50, P95, P99 time.Duration
}

// Bucket returns the span as a bucket of a [Result].
func (p Span) Bucket() Bucket {
	s := p.Sum
	b := Bucket{
		Start: p.From, Figure: s.Figure(p.To.Sub(p.From)),
		Up: s.Up, Degraded: s.Degraded, Down: s.Down, Unknown: s.Unknown, Reports: s.Reports,
	}
	if s.Timed > 0 {
		b.Latency = &Latency{s.Total / time.Duration(s.Timed), p.P50, p.P95, p.P99, s.Max}
	}
	return b
}

// Summarize makes a result of spans that follow each other without a hole.
func Summarize(spans []Span) Result {
	var res Result
	if len(spans) == 0 {
		return res
	}
	res.From, res.To = spans[0].From, spans[len(spans)-1].To
	res.Buckets = make([]Bucket, len(spans))
	var total Sum
	for i, p := range spans {
		res.Buckets[i] = p.Bucket()
		total.Merge(p.Sum)
	}
	res.Figure = total.Figure(res.To.Sub(res.From))
	return res
}
