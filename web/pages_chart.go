package web

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// The size of the drawing's coordinates; the page stretches it.
const (
	chartWidth  = 1000
	chartHeight = 240
	stripWidth  = 1000
)

// chartView is a site's latency and failures over time, drawn by the server for
// readers without scripts; site.js puts an interactive one in its place, from the
// same figures.
type chartView struct {
	Source   string // where the figures are
	Step     int    // in seconds
	From, To timeView
	Top      string // the latency at the upper edge, "" where nothing is known
	P50, P95 string // paths
	Bands    []chartBand
	Summary  string // for who can't see it
}

// chartBand is a part of time, as high as its share of a bucket.
type chartBand struct {
	Class               string
	X, Y, Width, Height string
}

// newChartView draws the buckets of a window.
func newChartView(site string, shown chartRange, r availability.Result) chartView {
	c := chartView{
		Source: "/api/v1/sites/" + url.PathEscape(site) + "/availability?" +
			url.Values{"from": {"-" + shown.key}, "step": {fmt.Sprintf("%dm", shown.step/time.Minute)}}.Encode(),
		Step: int(shown.step / time.Second), From: newTimeView(r.From), To: newTimeView(r.To),
	}
	var top time.Duration
	failed := 0
	for _, b := range r.Buckets {
		if b.Latency != nil {
			top = max(top, b.Latency.P95)
		}
		if b.Down > 0 {
			failed++
		}
	}
	if top > 0 {
		top += top / 10
		c.Top = latencyText(top)
		c.P50 = chartPath(r, top, func(l *availability.Latency) time.Duration { return l.P50 })
		c.P95 = chartPath(r, top, func(l *availability.Latency) time.Duration { return l.P95 })
	}
	c.Bands = chartBands(r, shown.step)
	c.Summary = fmt.Sprintf("Latency over %s: p95 at most %s; down in %d of %d steps.", shown.name, latencyText(top*10/11), failed, len(r.Buckets))
	return c
}

// chartX is where a moment is on the drawing.
func chartX(r availability.Result, t time.Time) float64 {
	x := chartWidth * float64(t.Sub(r.From)) / float64(max(r.To.Sub(r.From), 1))
	return min(max(x, 0), chartWidth)
}

// chartPath draws a line through the buckets, broken where one has no latency. A
// bucket alone is a dot.
func chartPath(r availability.Result, top time.Duration, of func(*availability.Latency) time.Duration) string {
	var b strings.Builder
	pen := "M"
	for _, k := range r.Buckets {
		if k.Latency == nil || of(k.Latency) == 0 { // sums of old reports have no percentiles
			pen = "M"
			continue
		}
		x := chartX(r, k.Start)
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
func chartBands(r availability.Result, step time.Duration) []chartBand {
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
		width := chartX(r, k.Start.Add(step)) - x
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
