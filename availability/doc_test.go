package availability_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
)

// tables returns the cells of the Markdown tables of a document, without their
// heads.
func tables(t *testing.T, path string) [][][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all [][][]string
	line := 0
	for text := range strings.Lines(string(b)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(text), "| ")
		if !ok {
			line = 0
			continue
		}
		switch line++; line {
		case 1:
			all = append(all, nil)
		case 2: // the rule below the head
		default:
			cells := strings.Split(strings.TrimSuffix(text, " |"), " | ")
			all[len(all)-1] = append(all[len(all)-1], cells)
		}
	}
	return all
}

// clock reads a time of the day of the tests.
func clock(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.DateTime, start.Format(time.DateOnly)+" "+s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// row writes a span as the document does.
func row(p availability.Span) string {
	b := p.Bucket()
	ratio := func(f float64) string {
		return strconv.FormatFloat(f, 'g', 4, 64)
	}
	return strings.Join([]string{
		p.From.Format(time.TimeOnly), p.To.Format(time.TimeOnly),
		fmt.Sprint(b.Up.Seconds()), fmt.Sprint(b.Degraded.Seconds()), fmt.Sprint(b.Down.Seconds()), fmt.Sprint(b.Unknown.Seconds()),
		fmt.Sprint(b.Reports), ratio(*b.Availability), ratio(b.Coverage),
		b.Latency.P50.String(), b.Latency.P95.String(), b.Latency.Max.String(),
	}, " | ")
}

// The example of docs/availability.md is true.
func TestDocumentedExample(t *testing.T) {
	all := tables(t, "../docs/availability.md")
	if len(all) < 2 {
		t.Fatalf("docs/availability.md has %d tables, want the reports and the buckets first", len(all))
	}
	var reports []availability.Report
	for _, cells := range all[0] {
		reports = append(reports, availability.Report{
			Slot: clock(t, cells[0]), Interval: duration(t, cells[1]),
			Outcome: sitemon.Outcome(cells[2]), Duration: duration(t, cells[3]),
		})
	}
	q := availability.Query{From: clock(t, "10:00:00"), To: clock(t, "10:04:00"), Step: 2 * time.Minute}
	opts := availability.Options{Percentiles: true}
	spans := availability.Spans(q.Edges(), opts, reports)
	spans = append(spans, availability.Spans([]time.Time{q.From, q.To}, opts, reports)...)
	if len(spans) != len(all[1]) {
		t.Fatalf("%d spans, the document has %d", len(spans), len(all[1]))
	}
	for i, p := range spans {
		if got, want := row(p), strings.Join(all[1][i], " | "); got != want {
			t.Errorf("line %d\n    got %s\n  wrote %s", i+1, got, want)
		}
	}
	for i, p := range spans[:2] {
		if p.Sum.Width() != q.Step {
			t.Errorf("bucket %d is %s wide", i, p.Sum.Width())
		}
	}
}

// So is the one with several locations.
func TestDocumentedTerms(t *testing.T) {
	all := tables(t, "../docs/availability.md")
	if len(all) < 6 {
		t.Fatalf("docs/availability.md has %d tables, want reports, votes, maintenance and buckets from the third on", len(all))
	}
	locations := map[string]int64{"east": 1, "west": 2}
	var reports []availability.Report
	for _, cells := range all[2] {
		reports = append(reports, availability.Report{
			Location: locations[cells[0]], Slot: clock(t, cells[1]), Interval: duration(t, cells[2]),
			Outcome: sitemon.Outcome(cells[3]), Duration: duration(t, cells[4]),
		})
	}
	var terms availability.Terms
	for _, cells := range all[3] {
		v := availability.Votes{From: clock(t, cells[0]), Quorum: sitemon.Majority}
		if n, err := strconv.Atoi(cells[1]); err == nil {
			v.Quorum = sitemon.Quorum(n)
		}
		if cells[2] != "all" {
			v.Locations = []int64{locations[cells[2]]}
		}
		terms.Votes = append(terms.Votes, v)
	}
	for _, cells := range all[4] {
		terms.Maintenance = append(terms.Maintenance, availability.Window{From: clock(t, cells[0]), To: clock(t, cells[1])})
	}
	for i, cells := range all[5] {
		edges := []time.Time{clock(t, cells[0]), clock(t, cells[1])}
		p := availability.Spans(edges, availability.Options{Terms: terms, Percentiles: true, Histogram: true}, reports)[0]
		if cells[2] == "include" {
			p.Sum = p.Sum.WithMaintenance()
		}
		b := strings.Split(row(p), " | ")
		got := strings.Join(slices.Concat(b[:2], cells[2:3], b[2:6], []string{fmt.Sprint(p.Sum.Maintenance.Seconds())}, b[6:]), " | ")
		if want := strings.Join(cells, " | "); got != want {
			t.Errorf("line %d\n    got %s\n  wrote %s", i+1, got, want)
		}
		if l := p.Bucket().Latency; off(p.Sum.Durations.Percentile(95), l.P95) > 0.05 {
			t.Errorf("line %d: the histogram's 95th percentile is %s", i+1, p.Sum.Durations.Percentile(95))
		}
	}
}
