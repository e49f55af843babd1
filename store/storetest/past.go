package storetest

import (
	"fmt"
	"math"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
)

// past is what a site went through: what must come of it is recounted.
type past struct {
	reports     []sitemon.Report
	plans       []votes
	maintenance []availability.Window
}

// votes are the votes of a site from a moment on.
type votes struct {
	from      time.Time
	quorum    sitemon.Quorum
	locations []string
}

// number stands for a location.
func number(location string) (n int64) {
	for _, c := range location {
		n = n<<8 | int64(c)
	}
	return n
}

// recount returns the past as package recount knows it.
func (p *past) recount(maintenanceIncluded bool) *recount.Past {
	var terms availability.Terms
	for _, v := range p.plans {
		t := availability.Votes{From: v.from, Quorum: v.quorum}
		for _, l := range v.locations {
			t.Locations = append(t.Locations, number(l))
		}
		terms.Votes = append(terms.Votes, t)
	}
	if !maintenanceIncluded {
		terms.Maintenance = p.maintenance
	}
	var rs []availability.Report
	for _, r := range p.reports {
		rs = append(rs, availability.Report{
			Location: number(r.Location), Slot: r.Slot, Interval: r.Interval, Outcome: r.Outcome, Duration: r.Duration, Phases: r.Phases,
		})
	}
	return recount.Of(terms, rs)
}

// spans recounts the spans between edges, with the histograms of their durations.
func (p *past) spans(edges []time.Time, maintenanceIncluded bool) (spans []availability.Span) {
	re := p.recount(maintenanceIncluded)
	for i := range len(edges) - 1 {
		s := re.Span(edges[i], edges[i+1])
		s.Sum.Durations = availability.HistogramOf(re.Durations(edges[i], edges[i+1])...)
		spans = append(spans, s)
	}
	return spans
}

// verifyWindow compares an answer with a recount. edges are those that the buckets
// are to have.
func (h *harness) verifyWindow(q availability.Query, edges []time.Time, p *past) {
	h.Helper()
	got, err := h.Availability(h.ctx, q)
	h.check(err)
	what := fmt.Sprintf("%s from %s to %s by %s in %v", q.Site, q.From, q.To, q.Step, q.Zone)
	if len(got.Buckets) != len(edges)-1 || !got.From.Equal(edges[0]) || !got.To.Equal(edges[len(edges)-1]) {
		h.Fatalf("%s: %d buckets from %s to %s, want %d from %s to %s", what, len(got.Buckets), got.From, got.To,
			len(edges)-1, edges[0], edges[len(edges)-1])
	}
	for i, s := range p.spans(edges, q.MaintenanceIncluded) {
		h.verifyBucket(what, got.Buckets[i], s)
	}
	whole := p.spans([]time.Time{edges[0], edges[len(edges)-1]}, q.MaintenanceIncluded)[0]
	h.verifyBucket(what, got.Total, whole)
	h.figure(what, got.Figure, whole.Sum.Figure(whole.To.Sub(whole.From)))
}

// verifyBucket compares a bucket with what it must be: its percentiles are those of
// the reports, or of the histogram.
func (h *harness) verifyBucket(what string, got availability.Bucket, s availability.Span) {
	h.Helper()
	exact := s.Bucket()
	s.Exact = false
	rough := s.Bucket()
	if l := got.Latency; l != nil && exact.Latency != nil {
		pick := func(got, exact, rough time.Duration) time.Duration {
			if math.Abs(float64(rough-exact)) > 0.05*float64(exact) {
				h.Fatalf("%s: a percentile of %s is said to be %s", what, exact, rough)
			}
			if got == exact {
				return exact
			}
			return rough
		}
		e, r := exact.Latency, rough.Latency
		e.P50, e.P95, e.P99 = pick(l.P50, e.P50, r.P50), pick(l.P95, e.P95, r.P95), pick(l.P99, e.P99, r.P99)
	}
	h.equal(what+", bucket at "+got.Start.String(), show(got), show(exact))
}

// show writes a bucket with all that it points to.
func show(b availability.Bucket) string {
	latency, a := "no latency", "unknown"
	if b.Latency != nil {
		latency = fmt.Sprintf("%+v", *b.Latency)
	}
	if b.Availability != nil {
		a = fmt.Sprint(*b.Availability)
	}
	b.Latency, b.Availability = nil, nil
	return fmt.Sprintf("%+v, %s, %s", b, a, latency)
}

// figure compares figures that must be the same.
func (h *harness) figure(what string, got, want availability.Figure) {
	h.Helper()
	h.equal(what, show(availability.Bucket{Figure: got}), show(availability.Bucket{Figure: want}))
}
