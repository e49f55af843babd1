package web

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// The size of the drawings' coordinates; the page stretches them.
const (
	chartWidth  = 1000
	chartHeight = 240
	stripWidth  = 1000
)

// chartView is what a site's latency was over time, drawn by the server for readers
// without scripts; charts.js puts interactive charts in its place, from the same
// figures.
type chartView struct {
	Source   string // where the figures are
	Step     int    // in seconds
	From, To timeView
	Ranges   []windowLink
	Zoom     zoomLinks
	// Percentiles.
	Top           string // the latency at the upper edge, "" where nothing is known
	P50, P95, P99 string // paths
	Bands         []chartBand
	Marks         []chartMark
	Summary       string // for who can't see it
	// Phases and Heat are nil where nothing is known.
	Phases *phaseChart
	Heat   *heatmap
	Rows   []chartRow
}

// chartBand is a part of time, as high as its share of a bucket.
type chartBand struct {
	Class               string
	X, Y, Width, Height string
}

// chartMark is something that happened, for the charts to show: an incident, which
// lasts, or a moment such as that of a reload.
type chartMark struct {
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"` // zero: a moment
	Kind  string    `json:"kind"`           // "incident" or "reload"
	Text  string    `json:"text"`
	Href  string    `json:"href,omitempty"` // where there is more of it
}

// newChartView draws the buckets of a window.
func newChartView(site string, query url.Values, w chartWindow, r availability.Result, marks []chartMark) chartView {
	c := chartView{
		Source: w.source(site), Step: int(w.step / time.Second), From: newTimeView(r.From), To: newTimeView(r.To),
		Ranges: w.rangeLinks(site, query), Zoom: w.zoomLinks(site, query), Marks: marks,
	}
	var top, p95 time.Duration
	failed := 0
	for _, b := range r.Buckets {
		if b.Latency != nil {
			top, p95 = max(top, b.Latency.P99), max(p95, b.Latency.P95)
		}
		if b.Down > 0 {
			failed++
		}
	}
	p99 := top
	if top > 0 {
		top += top / 10
		c.Top = latencyText(top)
		c.P50 = chartPath(r, top, func(l *availability.Latency) time.Duration { return l.P50 })
		c.P95 = chartPath(r, top, func(l *availability.Latency) time.Duration { return l.P95 })
		c.P99 = chartPath(r, top, func(l *availability.Latency) time.Duration { return l.P99 })
	}
	c.Bands = chartBands(r)
	c.Summary = fmt.Sprintf("Latency over %s: p95 at most %s, p99 at most %s; down in %d of %d steps.", w.text(), latencyText(p95), latencyText(p99), failed, len(r.Buckets))
	c.Phases, c.Heat, c.Rows = newPhaseChart(r), newHeatmap(r), chartRows(r)
	return c
}

// PhaseNames are those of the legend.
func (chartView) PhaseNames() []string { return sitemon.PhaseNames }

// Marked reports whether there are marks of a kind.
func (c chartView) Marked(kind string) bool {
	return slices.ContainsFunc(c.Marks, func(m chartMark) bool { return m.Kind == kind })
}

// MarksJSON are the marks for the script.
func (c chartView) MarksJSON() (string, error) {
	b, err := json.Marshal(c.Marks)
	return string(b), err
}

// Shapes are the marks as the drawing has them: from X on, Width wide.
func (c chartView) Shapes() []chartBand {
	from, errFrom := time.Parse(time.RFC3339Nano, c.From.Machine)
	to, errTo := time.Parse(time.RFC3339Nano, c.To.Machine)
	if errFrom != nil || errTo != nil {
		return nil
	}
	r := availability.Result{From: from, To: to}
	var shapes []chartBand
	for _, m := range c.Marks {
		x := chartX(r, m.At)
		width := 2.0
		if !m.Until.IsZero() {
			width = max(chartX(r, m.Until)-x, 3)
		}
		height := 7.0
		if m.Kind != "incident" {
			height = chartHeight
		}
		shapes = append(shapes, newChartBand("mark-"+m.Kind, min(x, chartWidth-width), 0, width, height))
	}
	return shapes
}

// chartX is where a moment is on the drawing.
func chartX(r availability.Result, t time.Time) float64 {
	x := chartWidth * float64(t.Sub(r.From)) / float64(max(r.To.Sub(r.From), 1))
	return min(max(x, 0), chartWidth)
}

// bucketEnd is where a bucket of a window ends.
func bucketEnd(r availability.Result, i int) time.Time {
	if i+1 < len(r.Buckets) {
		return r.Buckets[i+1].Start
	}
	return r.To
}

// chartPath draws a line through the middles of the buckets, broken where one has no
// latency. A bucket alone is a dot.
func chartPath(r availability.Result, top time.Duration, of func(*availability.Latency) time.Duration) string {
	var b strings.Builder
	pen := "M"
	for i, k := range r.Buckets {
		if k.Latency == nil || of(k.Latency) == 0 { // sums of old reports have no percentiles
			pen = "M"
			continue
		}
		x := (chartX(r, k.Start) + chartX(r, bucketEnd(r, i))) / 2
		y := chartHeight - chartHeight*float64(of(k.Latency))/float64(top)
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x, y)
		if pen == "M" {
			b.WriteString("h1")
		}
		pen = "L"
	}
	return b.String()
}

// chartBands draws down time, from the lower edge up, maintenance, from the upper
// edge down, and the steps of which nothing is known between the first and the last
// known one.
func chartBands(r availability.Result) []chartBand {
	first, last := -1, -1
	for i, k := range r.Buckets {
		if k.Coverage > 0 || k.Maintenance > 0 {
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	var bands []chartBand
	for i, k := range r.Buckets {
		x := chartX(r, k.Start)
		width := chartX(r, bucketEnd(r, i)) - x
		known := k.Up + k.Degraded + k.Down
		var planned float64
		if k.Maintenance > 0 {
			planned = max(chartHeight*float64(k.Maintenance)/float64(known+k.Unknown+k.Maintenance), 6)
			bands = append(bands, newChartBand("band-maintenance", x, 0, width, planned))
		}
		switch {
		case k.Down > 0:
			height := max(chartHeight*float64(k.Down)/float64(known), 6)
			bands = append(bands, newChartBand("band-down", x, chartHeight-height, width, height))
		case known == 0 && i > first && i < last && planned < chartHeight:
			bands = append(bands, newChartBand("band-unknown", x, planned, width, chartHeight-planned))
		}
	}
	return bands
}

func newChartBand(class string, x, y, width, height float64) chartBand {
	f := func(v float64) string { return fmt.Sprintf("%.1f", v) }
	return chartBand{class, f(x), f(y), f(width), f(height)}
}

// chartRow is a step in figures, for who can't see the charts.
type chartRow struct {
	At            timeView
	Share         string // "99.98 %", "in maintenance" or "unknown"
	P50, P95, P99 string
	Phases        string // "resolve 3 ms, connect 12 ms, …"
}

// chartRows are the steps of which anything is known, the newest first.
func chartRows(r availability.Result) []chartRow {
	var rows []chartRow
	for _, b := range slices.Backward(r.Buckets) {
		row := chartRow{At: newTimeView(b.Start), P50: "–", P95: "–", P99: "–"}
		switch {
		case b.Availability != nil:
			row.Share = percentText(*b.Availability, 2)
		case b.Maintenance > 0:
			row.Share = "in maintenance"
		default:
			continue
		}
		if l := b.Latency; l != nil {
			row.P50, row.P95, row.P99 = latencyText(l.P50), latencyText(l.P95), latencyText(l.P99)
			row.Phases = newPhaseStrip(l.Phases).Title
		}
		rows = append(rows, row)
	}
	return rows
}

// phaseStrip is a report's phases side by side; empty where none took place.
type phaseStrip struct {
	Phases []phaseView
	Title  string // "resolve 3 ms, connect 12 ms, …"
}

// phaseView is one phase that took place.
type phaseView struct {
	Name     string
	Text     string // "12 ms"
	X, Width int    // in thousandths of the strip
}

func newPhaseStrip(p sitemon.Phases) phaseStrip {
	var total time.Duration
	for _, d := range p.All() {
		total += d
	}
	var s phaseStrip
	if total <= 0 {
		return s
	}
	var passed time.Duration
	var title []string
	for i, d := range p.All() {
		if d <= 0 {
			continue
		}
		x := int(stripWidth * passed / total)
		passed += d
		width := int(stripWidth*passed/total) - x
		name, text := sitemon.PhaseNames[i], latencyText(d)
		s.Phases = append(s.Phases, phaseView{name, text, x, width})
		title = append(title, name+" "+text)
	}
	s.Title = strings.Join(title, ", ")
	return s
}
