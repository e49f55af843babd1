package availability_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
)

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// at returns a moment by its seconds after start.
func at(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

// report returns a report of location 1 with an interval of 10 s.
func report(s float64, o sitemon.Outcome) availability.Report {
	return availability.Report{Location: 1, Slot: at(s), Interval: 10 * time.Second, Outcome: o, Duration: time.Duration(s+1) * time.Millisecond}
}

const (
	up       = sitemon.OutcomeUp
	degraded = sitemon.OutcomeDegraded
	down     = sitemon.OutcomeDown
	unknown  = sitemon.OutcomeUnknown
)

// elsewhere is the report as another location made it.
func elsewhere(location int64, r availability.Report) availability.Report {
	r.Location = location
	return r
}

// every is the report with another interval.
func every(interval time.Duration, r availability.Report) availability.Report {
	r.Interval = interval
	return r
}

// show writes the seconds of a sum: up/degraded/down/unknown and reports.
func show(s availability.Sum) string {
	return fmt.Sprintf("%g/%g/%g/%g %d", s.Up.Seconds(), s.Degraded.Seconds(), s.Down.Seconds(), s.Unknown.Seconds(), s.Reports)
}

// quorum has so many locations make a site down.
func quorum(n int) availability.Terms {
	return availability.Terms{Votes: []availability.Votes{{Quorum: sitemon.Quorum(n)}}}
}

func TestSweep(t *testing.T) {
	tests := []struct {
		name    string
		edges   []float64
		quorum  int
		reports []availability.Report
		want    string // of each span
	}{
		{"no report", []float64{0, 60}, 1, nil, "0/0/0/60 0"},
		{"a report speaks for its interval", []float64{0, 60}, 1, []availability.Report{report(20, up)}, "10/0/0/50 1"},
		{"each outcome", []float64{0, 40}, 1, []availability.Report{report(0, up), report(10, degraded), report(20, down), report(30, unknown)}, "10/10/10/10 4"},
		{"cut at the next slot", []float64{0, 60}, 1, []availability.Report{report(0, down), report(4, up)}, "10/0/4/46 2"},
		{"an unknown report cuts too", []float64{0, 60}, 1, []availability.Report{report(0, up), report(4, unknown)}, "4/0/0/56 2"},
		{"a gap is unknown", []float64{0, 60}, 1, []availability.Report{report(0, up), report(30, up)}, "20/0/0/40 2"},
		{"clipped at both edges", []float64{5, 25}, 1, []availability.Report{report(0, down), report(10, up), report(20, down)}, "10/0/10/0 2"},
		{"a report from before counts for no report", []float64{5, 8}, 1, []availability.Report{report(0, up)}, "3/0/0/0 0"},
		{"the newest from before speaks", []float64{30, 40}, 1, []availability.Report{report(0, up), report(10, down), report(25, degraded)}, "0/5/0/5 0"},
		{"one at the end is not in it", []float64{0, 20}, 1, []availability.Report{report(0, up), report(10, up), report(20, down)}, "20/0/0/0 2"},
		{"split over spans", []float64{0, 5, 15, 60}, 1, []availability.Report{report(0, up), report(10, down)}, "5/0/0/0 1 5/0/5/0 1 0/0/5/40 0"},
		{"a report on an edge is of the span after it", []float64{0, 10, 20}, 1, []availability.Report{report(10, up)}, "0/0/0/10 0 10/0/0/0 1"},
		{"a span without width has nothing", []float64{0, 5, 5, 10}, 1, []availability.Report{report(5, up)}, "0/0/0/5 0 0/0/0/0 0 5/0/0/0 1"},
		{"over many spans", []float64{0, 10, 20, 30, 40}, 1, []availability.Report{every(time.Minute, report(5, up))}, "5/0/0/5 1 10/0/0/0 0 10/0/0/0 0 10/0/0/0 0"},
		{"a longer interval from then on", []float64{0, 60}, 1, []availability.Report{report(0, up), every(30*time.Second, report(10, up))}, "40/0/0/20 2"},
		{"without an interval it says nothing", []float64{0, 60}, 1, []availability.Report{every(0, report(10, up))}, "0/0/0/60 1"},
		{
			"down if one location says so",
			[]float64{0, 30},
			1,
			[]availability.Report{report(0, up), elsewhere(2, report(5, down)), report(10, up), elsewhere(2, report(15, up)), report(20, up)},
			"20/0/10/0 5",
		},
		{
			"degraded goes before up, down before degraded",
			[]float64{0, 20},
			1,
			[]availability.Report{report(0, up), elsewhere(2, report(2, degraded)), elsewhere(3, report(4, down))},
			"2/2/10/6 3",
		},
		{
			"one location knows, the other does not",
			[]float64{0, 20},
			1,
			[]availability.Report{report(0, unknown), elsewhere(2, report(0, up)), report(10, up), elsewhere(2, report(10, unknown))},
			"20/0/0/0 4",
		},
		{
			"a quorum of two",
			[]float64{0, 20},
			2,
			[]availability.Report{report(0, down), elsewhere(2, report(2, up)), elsewhere(3, report(5, down))},
			"5/0/5/10 3",
		},
		{
			"below the quorum nothing else is known",
			[]float64{0, 10},
			2,
			[]availability.Report{report(0, down)},
			"0/0/0/10 1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var edges []time.Time
			for _, e := range tt.edges {
				edges = append(edges, at(e))
			}
			s := availability.NewSweep(edges, availability.Options{Terms: quorum(tt.quorum)})
			for _, r := range tt.reports {
				if err := s.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, p := range s.Finish() {
				got = append(got, show(p.Sum))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSweepNeedsOrder(t *testing.T) {
	s := availability.NewSweep([]time.Time{at(0), at(60)}, availability.Options{})
	for i, step := range []struct {
		r       availability.Report
		inOrder bool
	}{{report(10, up), true}, {elsewhere(2, report(10, up)), true}, {report(9, down), false}, {report(20, down), true}} {
		err := s.Add(step.r)
		if ok := err == nil; ok != step.inOrder || !ok && !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("report %d: error %v", i, err)
		}
	}
	if got, want := show(s.Finish()[0].Sum), "10/0/10/40 3"; got != want {
		t.Errorf("got %s, want %s: what is out of order changes nothing", got, want)
	}
}

func TestSweepWithoutSpans(t *testing.T) {
	for _, edges := range [][]time.Time{nil, {at(0)}} {
		s := availability.NewSweep(edges, availability.Options{})
		if err := s.Add(report(0, up)); err != nil {
			t.Error(err)
		}
		if got := s.Finish(); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	}
}

func TestSweepDoesNotAllocatePerReport(t *testing.T) {
	edges := []time.Time{at(0), at(1000), at(2000)}
	s := availability.NewSweep(edges, availability.Options{})
	r := report(0, up)
	if n := testing.AllocsPerRun(100, func() {
		r.Slot = r.Slot.Add(10 * time.Second)
		if err := s.Add(r); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for a report", n)
	}
}

// BenchmarkSweep is 90 days of a site that is probed every 30 s, in a hundred
// buckets.
func BenchmarkSweep(b *testing.B) {
	const n = 260_000
	rnd := rand.New(rand.NewPCG(13, 14))
	reports := make([]availability.Report, n)
	for i := range reports {
		reports[i] = availability.Report{
			Location: 1, Slot: start.Add(time.Duration(i) * 30 * time.Second), Interval: 30 * time.Second,
			Outcome: up, Duration: time.Duration(rnd.ExpFloat64() * float64(50*time.Millisecond)),
		}
		if rnd.IntN(100) == 0 {
			reports[i].Outcome = down
		}
	}
	var edges []time.Time
	for i := range 101 {
		edges = append(edges, start.Add(time.Duration(i)*n/100*30*time.Second))
	}
	for name, opts := range map[string]availability.Options{"sums": {}, "percentiles": {Percentiles: true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := availability.NewSweep(edges, opts)
				for i := range reports {
					if err := s.Add(reports[i]); err != nil {
						b.Fatal(err)
					}
				}
				s.Finish()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/report")
		})
	}
}
