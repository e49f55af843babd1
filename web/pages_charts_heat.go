package web

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"sitemon/availability"
)

const (
	// heatRows is how many rows the heatmap has at most before its rows are made wider.
	heatRows = 32
	// heatLevels is how many colours there are.
	heatLevels = 5
)

// heatShares are the shares of a step's answers up to which the levels go.
var heatShares = [heatLevels]float64{0.02, 0.10, 0.25, 0.50, 1}

// heatmap is how the latencies of each step are distributed: a column for each step,
// a row for each band of latency on a logarithmic scale, the darker the more of the
// step's answers took that long.
type heatmap struct {
	Rows   int    // the height of the drawing
	Levels []heat // from the least
	Bottom string // the latency at the lower edge
	Top    string // at the upper
	Text   string
}

// heat is all that is drawn in one colour.
type heat struct {
	Level int    // from 1 on
	D     string // a path
}

// heatScale divides latencies into rows. An octave has four rows, two, or one.
type heatScale struct{ shift int }

// row is the row of a latency.
func (s heatScale) row(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 1))
	octave := bits.Len64(us) - 1
	part := int((us - 1<<octave) * 10 >> octave) // as a histogram divides it
	quarter := [10]int{0, 0, 1, 1, 2, 2, 2, 3, 3, 3}[part]
	return (octave*4 + quarter) >> s.shift
}

// from is the least latency of a row.
func (s heatScale) from(row int) time.Duration {
	quarters := row << s.shift
	tenths := [4]int64{10, 12, 14, 17}[quarters%4]
	return time.Duration(tenths<<(quarters/4)) * time.Microsecond / 10
}

// newHeatScale is the finest scale with few enough rows for latencies between two.
func newHeatScale(least, most time.Duration) heatScale {
	var s heatScale
	for s.shift < 2 && s.row(most)-s.row(least) >= heatRows {
		s.shift++
	}
	return s
}

// newHeatmap is nil where there are no histograms.
func newHeatmap(r availability.Result) *heatmap {
	var least, most time.Duration
	var all availability.Histogram
	for _, b := range r.Buckets {
		if b.Latency == nil {
			continue
		}
		for bin := range b.Latency.Durations.Bins() {
			if least == 0 || bin.From < least {
				least = max(bin.From, time.Microsecond)
			}
			most = max(most, bin.From)
		}
		all = all.Merge(b.Latency.Durations)
	}
	if all.Count() == 0 {
		return nil
	}
	scale := newHeatScale(least, most)
	low, high := scale.row(least), scale.row(most)
	h := &heatmap{Rows: high - low + 1, Bottom: latencyText(scale.from(low)), Top: latencyText(scale.from(high + 1)), Text: heatText(all)}
	levels := make([][]int, len(r.Buckets)) // by bucket and row, counted from 1
	for i, b := range r.Buckets {
		levels[i] = make([]int, h.Rows)
		if b.Latency != nil {
			heatColumn(levels[i], b.Latency.Durations, scale, low)
		}
	}
	var paths [heatLevels + 1]strings.Builder
	for row := range h.Rows {
		for i, first := 1, 0; i <= len(levels); i++ { // neighbours of one level are one shape
			if i < len(levels) && levels[i][row] == levels[first][row] {
				continue
			}
			if level := levels[first][row]; level > 0 {
				x, end := chartX(r, r.Buckets[first].Start), chartX(r, bucketEnd(r, i-1))
				fmt.Fprintf(&paths[level], "M%.1f %dh%.1fv1h-%.1[3]fz", x, h.Rows-1-row, end-x)
			}
			first = i
		}
	}
	for level := range paths {
		if paths[level].Len() > 0 {
			h.Levels = append(h.Levels, heat{level, paths[level].String()})
		}
	}
	return h
}

// heatColumn fills in the levels of a step's rows.
func heatColumn(levels []int, h availability.Histogram, scale heatScale, low int) {
	total := 0
	for bin := range h.Bins() {
		levels[scale.row(bin.From)-low] += bin.Count
		total += bin.Count
	}
	for row, count := range levels {
		if count == 0 {
			continue
		}
		levels[row] = 1
		for levels[row] < heatLevels && float64(count) > heatShares[levels[row]-1]*float64(total) {
			levels[row]++
		}
	}
}

// heatText says what most answers took.
func heatText(all availability.Histogram) string {
	return fmt.Sprintf("Distribution of %d latencies: half of them from %s to %s, 99 of 100 up to %s.",
		all.Count(), latencyText(all.Percentile(25)), latencyText(all.Percentile(75)), latencyText(all.Percentile(99)))
}
