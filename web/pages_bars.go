package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon/availability"
)

const (
	// barDays is how many days a strip of bars shows, today among them.
	barDays = 90
	// barHeight is the height of a bar, in the units of its drawing.
	barHeight = 24
	// barLeast is how high the least of a day in which a site was down or degraded is
	// drawn, so that nobody overlooks it.
	barLeast = 6
)

// barClasses are what a bar is made of, from its bottom to its top.
var barClasses = [...]string{"down", "degraded", "maintenance", "up", "unknown"}

// dayBars is a strip of bars, one a day, each divided by the shares of what the site
// was. Bars that follow each other and look alike are one shape, so that the strips
// of hundreds of sites stay small.
type dayBars struct {
	From  string // the first day, "2006-01-02"
	Days  int
	Paths []barPath
	Text  string // what the strip says, in words
	// Notes are the days that were not all up or all unknown, for a script to show:
	// "offset text", one a line.
	Notes string
}

// barPath is all that is drawn in one colour.
type barPath struct{ Class, D string }

// newDayBars draws days that follow each other; none: nil.
func newDayBars(days []availability.SeriesBucket) *dayBars {
	if len(days) == 0 {
		return nil
	}
	days = days[max(0, len(days)-barDays):]
	b := &dayBars{From: days[0].Start.Format(time.DateOnly), Days: len(days), Text: barsText(days)}
	var paths [len(barClasses)]strings.Builder
	draw := func(from, to int, heights [len(barClasses)]int) {
		y := barHeight
		for i, h := range heights {
			if y -= h; h > 0 {
				fmt.Fprintf(&paths[i], "M%d %dh%dv%dh-%[3]dz", from, y, to-from, h)
			}
		}
	}
	from, last := 0, barHeights(days[0])
	for i, d := range days {
		if h := barHeights(d); h != last {
			draw(from, i, last)
			from, last = i, h
		}
	}
	draw(from, len(days), last)
	for i := range paths {
		if paths[i].Len() > 0 {
			b.Paths = append(b.Paths, barPath{barClasses[i], paths[i].String()})
		}
	}
	var notes strings.Builder
	for i, d := range days {
		if note := dayNote(d); note != "" {
			fmt.Fprintf(&notes, "%d %s\n", i, note)
		}
	}
	b.Notes = strings.TrimSuffix(notes.String(), "\n")
	return b
}

// barHeights divides a bar. Time in which a site was down or degraded, however
// short, is seen.
func barHeights(d availability.SeriesBucket) (heights [len(barClasses)]int) {
	times := [...]time.Duration{d.Down, d.Degraded, d.Maintenance, d.Up, d.Unknown}
	var width time.Duration
	for _, t := range times {
		width += t
	}
	if width <= 0 {
		heights[len(heights)-1] = barHeight
		return heights
	}
	left := barHeight
	for i, t := range times {
		heights[i] = int((t*barHeight + width/2) / width)
		if i < 2 && t > 0 {
			heights[i] = max(heights[i], barLeast)
		}
		left -= heights[i]
	}
	// What rounding left over, or took too much, is the highest part's.
	highest := 0
	for i := range heights {
		if heights[i] > heights[highest] {
			highest = i
		}
	}
	heights[highest] += left
	return heights
}

// dayNote says what a day was that was not all up, and not all unknown.
func dayNote(d availability.SeriesBucket) string {
	f := d.Figure()
	if f.Availability == nil {
		if d.Maintenance > 0 {
			return "in maintenance for " + ageText(d.Maintenance, true)
		}
		return ""
	}
	if d.Down == 0 && d.Degraded == 0 && d.Maintenance == 0 && f.Coverage > 0.9995 {
		return ""
	}
	parts := []string{percentText(*f.Availability, 2)}
	for _, p := range []struct {
		word string
		time time.Duration
	}{{"down", d.Down}, {"degraded", d.Degraded}, {"in maintenance", d.Maintenance}, {"unknown", d.Unknown}} {
		if p.time >= time.Second {
			parts = append(parts, p.word+" "+ageText(p.time, true))
		}
	}
	return strings.Join(parts, ", ")
}

// barsText says in words what the bars show: how many days were bad, and the worst.
func barsText(days []availability.SeriesBucket) string {
	var all availability.Sum
	var bad []availability.SeriesBucket
	for _, d := range days {
		all.Merge(availability.Sum{Up: d.Up, Degraded: d.Degraded, Down: d.Down, Unknown: d.Unknown, Maintenance: d.Maintenance})
		if d.Down > 0 {
			bad = append(bad, d)
		}
	}
	f := all.Figure(all.Width())
	if f.Availability == nil {
		return plural(len(days), "day") + ": nothing known"
	}
	text := plural(len(days), "day") + ": " + percentText(*f.Availability, 2) + " available"
	if len(bad) == 0 {
		return text + ", no day with downtime"
	}
	worst := slices.MaxFunc(bad, func(a, b availability.SeriesBucket) int { return cmp.Compare(a.Down, b.Down) })
	return fmt.Sprintf("%s, downtime on %s, most on %s: %s", text, plural(len(bad), "day"), worst.Start.Format(time.DateOnly), ageText(worst.Down, true))
}

// sparkline is a tiny drawing of latency.
type sparkline struct {
	D    string // the path, in a box of [sparkSteps] by [sparkHeight]
	Text string // "latency over 24 h: 12 ms to 40 ms"
}

const (
	// sparkHours is how many hours a sparkline shows.
	sparkHours  = 24
	sparkHeight = 20
)

// newSparkline draws mean latencies; nil where there are not two.
func newSparkline(hours []availability.SeriesBucket) *sparkline {
	least, most, known := time.Duration(0), time.Duration(0), 0
	for _, h := range hours {
		if h.Mean <= 0 {
			continue
		}
		if known++; known == 1 || h.Mean < least {
			least = h.Mean
		}
		most = max(most, h.Mean)
	}
	if known < 2 {
		return nil
	}
	var d strings.Builder
	pen := byte('M')
	for i, h := range hours {
		if h.Mean <= 0 {
			pen = 'M'
			continue
		}
		// From zero on: what hardly changes looks so.
		y := sparkHeight - 1 - float64(h.Mean)/float64(most)*(sparkHeight-3)
		d.WriteByte(pen)
		d.WriteString(strconv.Itoa(i) + " " + strconv.FormatFloat(y, 'f', 1, 64))
		if pen = 'L'; i+1 < len(hours) && hours[i+1].Mean <= 0 {
			d.WriteString("h.1") // a single hour is a dot
		}
	}
	return &sparkline{d.String(), "latency over 24 h: " + latencyText(least) + " to " + latencyText(most)}
}
