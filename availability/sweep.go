package availability

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sitemon"
)

// Report is the part of a report that availability is made from.
type Report struct {
	// Location is any number that stands for the report's location.
	Location int64
	Slot     time.Time
	Interval time.Duration
	Outcome  sitemon.Outcome
	Duration time.Duration
	Phases   sitemon.Phases
}

// Options say how a [Sweep] computes.
type Options struct {
	Terms
	// Percentiles asks for the exact percentiles of each span; the durations of one
	// span at a time are held in memory for them.
	Percentiles bool
	// Histogram asks for the histogram of each span.
	Histogram bool
}

// Sweep computes the spans of one site from its reports, which it takes one by
// one in the order of their slots. It keeps nothing of a report but what it says
// of its location. A Sweep is not safe for concurrent use.
type Sweep struct {
	opts  Options
	terms terms
	spans []Span
	// All moments are in µs since 1970.
	at     int64 // time up to here has been given to an outcome
	cur    int   // the span that at lies in; len(spans) at the end
	end    int64 // of that span
	newest int64 // slot of the newest report

	voices    []voice
	durations []time.Duration // of the current span
	counter   counter         // likewise
}

// voice is what a location says until a moment.
type voice struct {
	location int64
	outcome  sitemon.Outcome
	until    int64
}

// NewSweep returns a sweep over the spans between edges, of which there are at
// least two, in ascending order; [Query.Edges] makes them. What edges have below
// a microsecond is cut off.
func NewSweep(edges []time.Time, opts Options) *Sweep {
	s := &Sweep{opts: opts, spans: make([]Span, max(0, len(edges)-1)), newest: math.MinInt64}
	s.terms = terms{votes: opts.Votes, maintenance: opts.Maintenance}
	for i := range s.spans {
		s.spans[i].From = edges[i].UTC().Truncate(time.Microsecond)
		s.spans[i].To = edges[i+1].UTC().Truncate(time.Microsecond)
	}
	if len(s.spans) > 0 {
		s.at, s.end = s.spans[0].From.UnixMicro(), s.spans[0].To.UnixMicro()
		s.terms.to(s.at)
	}
	return s
}

// Add takes the next report. Reports from before the first edge matter as far as
// they speak for time after it, and count for nothing else; give at least the
// newest one of each location. Those from the last edge on are ignored. The error
// wraps [sitemon.ErrInvalid]: the report's slot is before that of another.
func (s *Sweep) Add(r Report) error {
	slot := r.Slot.UnixMicro()
	if slot < s.newest {
		return fmt.Errorf("%w: report of %s comes after one of %s", sitemon.ErrInvalid,
			r.Slot.UTC().Format(sitemon.SlotFormat), time.UnixMicro(s.newest).UTC().Format(sitemon.SlotFormat))
	}
	s.newest = slot
	s.advance(slot)
	if s.cur == len(s.spans) {
		return nil
	}
	s.speak(voice{r.Location, r.Outcome, slot + r.Interval.Microseconds()})
	if slot < s.at { // before the first edge
		return nil
	}
	sum := &s.spans[s.cur].Sum
	sum.Reports++
	if r.Outcome.Good() {
		sum.Timed++
		sum.Total += r.Duration
		sum.Max = max(sum.Max, r.Duration)
		addPhases(&sum.Phases, r.Phases)
		if s.opts.Percentiles {
			s.durations = append(s.durations, r.Duration)
		}
		if s.opts.Histogram {
			s.counter.add(r.Duration)
		}
	}
	return nil
}

// Finish gives the time after the last report its outcome and returns the spans.
// Reports that are added later are ignored.
func (s *Sweep) Finish() []Span {
	if n := len(s.spans); n > 0 {
		s.advance(s.spans[n-1].To.UnixMicro())
	}
	return s.spans
}

// Spans sweeps over reports that are all at hand, in any order.
func Spans(edges []time.Time, opts Options, reports []Report) []Span {
	bySlot := func(a, b Report) int { return a.Slot.Compare(b.Slot) }
	if !slices.IsSortedFunc(reports, bySlot) {
		reports = slices.Clone(reports)
		slices.SortStableFunc(reports, bySlot)
	}
	s := NewSweep(edges, opts)
	for _, r := range reports {
		_ = s.Add(r) // its only error is about the order
	}
	return s.Finish()
}

// speak replaces what a location said before.
func (s *Sweep) speak(v voice) {
	for i := range s.voices {
		if s.voices[i].location == v.location {
			s.voices[i] = v
			return
		}
	}
	s.voices = append(s.voices, v)
}

// advance gives the time up to t its outcomes.
func (s *Sweep) advance(t int64) {
	for s.at < t && s.cur < len(s.spans) {
		outcome, next := s.hear(min(t, s.end, s.terms.until))
		s.spans[s.cur].Sum.add(outcome, time.Duration(next-s.at)*time.Microsecond, s.terms.under)
		s.at = next
		if s.at >= s.terms.until {
			s.terms.to(s.at)
		}
		for s.at == s.end && s.cur < len(s.spans) {
			s.close()
		}
	}
}

// hear returns what the site is from now on by the voices of all its locations,
// and until when that holds, limit at the latest.
func (s *Sweep) hear(limit int64) (outcome sitemon.Outcome, until int64) {
	var down, degraded, up int
	until = limit
	for i := range s.voices {
		v := &s.voices[i]
		if v.until <= s.at || !s.terms.has(v.location) {
			continue
		}
		until = min(until, v.until)
		switch v.outcome {
		case sitemon.OutcomeDown:
			down++
		case sitemon.OutcomeDegraded:
			degraded++
		case sitemon.OutcomeUp:
			up++
		}
	}
	switch {
	case down > 0 && down >= s.terms.current.Quorum.Needs(down+degraded+up):
		return sitemon.OutcomeDown, until
	case degraded > 0:
		return sitemon.OutcomeDegraded, until
	case up > 0:
		return sitemon.OutcomeUp, until
	}
	return sitemon.OutcomeUnknown, until
}

// close ends the current span and goes to the next one.
func (s *Sweep) close() {
	p := &s.spans[s.cur]
	p.Exact = s.opts.Percentiles
	if len(s.durations) > 0 {
		p.P50, p.P95, p.P99 = percentiles(s.durations)
		s.durations = s.durations[:0]
	}
	p.Sum.Durations = s.counter.take()
	if s.cur++; s.cur < len(s.spans) {
		s.end = s.spans[s.cur].To.UnixMicro()
	}
}
