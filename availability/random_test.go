package availability_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
)

// history is a random window and the reports of several locations, which are late
// and early, on and off a rhythm, repeated, with holes and changed intervals, under
// terms that change. All is so dense that everything meets everything.
type history struct {
	edges   []time.Time
	terms   availability.Terms
	reports []availability.Report
}

func ms(n int64) time.Time { return time.UnixMilli(n).UTC() }

func randomTerms(rnd *rand.Rand, from, to int64) (terms availability.Terms) {
	at := from - 100
	for range rnd.IntN(4) {
		at += rnd.Int64N(to - from)
		v := availability.Votes{From: ms(at).Add(time.Duration(rnd.IntN(1000)) * time.Microsecond), Quorum: sitemon.Quorum(rnd.IntN(5) - 1)}
		if rnd.IntN(2) == 0 {
			v.Locations = []int64{}
			for location := range int64(4) {
				if rnd.IntN(2) == 0 {
					v.Locations = append(v.Locations, location)
				}
			}
		}
		terms.Votes = append(terms.Votes, v)
	}
	for range rnd.IntN(5) {
		from := ms(from - 100 + rnd.Int64N(to-from+200)).Add(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		terms.Maintenance = append(terms.Maintenance, availability.Window{From: from, To: from.Add(time.Duration(rnd.IntN(100_000)) * time.Microsecond)})
	}
	terms.Maintenance = availability.Merged(terms.Maintenance)
	return terms
}

func randomReports(rnd *rand.Rand, end int64) (reports []availability.Report) {
	for location := range int64(1 + rnd.IntN(4)) {
		interval := 1 + rnd.Int64N(60)
		first := rnd.Int64N(300)
		last := first + rnd.Int64N(end) // it comes and goes
		for slot := first; slot < last; slot += interval {
			switch rnd.IntN(8) {
			case 0: // missed
				continue
			case 1:
				interval = 1 + rnd.Int64N(60)
			case 2: // an extra slot, off the grid
				slot += rnd.Int64N(interval)
			}
			us := func() time.Duration { return time.Duration(rnd.IntN(5000)) * time.Microsecond }
			reports = append(reports, availability.Report{
				Location: location, Slot: ms(slot), Interval: time.Duration(interval) * time.Millisecond,
				Outcome: sitemon.Outcomes[rnd.IntN(len(sitemon.Outcomes))], Duration: us(),
				Phases: sitemon.Phases{Resolve: us(), Connect: us(), TLS: us(), Processing: us(), Transfer: us()},
			})
		}
	}
	rnd.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	return reports
}

func randomHistory(rnd *rand.Rand) history {
	first := int64(100 + rnd.IntN(200))
	h := history{edges: []time.Time{ms(first)}}
	last := first
	for range 1 + rnd.IntN(5) {
		last += 1 + rnd.Int64N(150)
		h.edges = append(h.edges, ms(last).Add(time.Duration(rnd.IntN(2)*rnd.IntN(1000))*time.Microsecond))
	}
	h.terms, h.reports = randomTerms(rnd, first, last), randomReports(rnd, last+50)
	return h
}

// Every figure of a sweep is what a recount says that looks at each moment anew.
func TestSweepAgainstRecount(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for i := range 5000 {
		h := randomHistory(rnd)
		past := recount.Of(h.terms, h.reports)
		given := slices.Clone(h.reports)
		spans := availability.Spans(h.edges, availability.Options{Terms: h.terms, Percentiles: true, Histogram: true}, h.reports)
		if !slices.Equal(given, h.reports) {
			t.Fatalf("history %d: the caller's reports were put in order", i)
		}
		var total availability.Sum
		for k, got := range spans {
			if got.Sum.Width() != got.To.Sub(got.From) {
				t.Fatalf("history %d, span %d: its times add up to %s", i, k, got.Sum.Width())
			}
			total.Merge(got.Sum)
			want := past.Span(h.edges[k], h.edges[k+1])
			want.Sum.Durations = availability.HistogramOf(past.Durations(h.edges[k], h.edges[k+1])...)
			if got != want {
				t.Fatalf("history %d %+v, span %d:\n got %+v\nwant %+v", i, h, k, got, want)
			}
		}
		whole := availability.Spans([]time.Time{h.edges[0], h.edges[len(h.edges)-1]}, availability.Options{Terms: h.terms, Histogram: true}, h.reports)
		if whole[0].Sum != total {
			t.Fatalf("history %d: the spans come to %+v, the whole is %+v", i, total, whole[0].Sum)
		}
	}
}
