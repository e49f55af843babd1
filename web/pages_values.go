package web

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

const (
	// valueWidth and valueHeight are the size of a value's drawing; the page stretches it.
	valueWidth  = 300
	valueHeight = 40
)

// valueView is one of the values of a site's newest reports, over their slots.
type valueView struct {
	Name     string
	Newest   string // "–" where the newest report does not have it
	Min, Max string
	From, To timeView // the slots at its edges
	D        string   // the line, in a box of [valueWidth] by [valueHeight]
	Text     string   // for who can't see it
}

// valueViews are at most [sitemon.MaxValues] values by name, of reports that may be in
// any order. A line is broken where a report of its location lacks the value, and each
// location has a line of its own.
func valueViews(reports []sitemon.Report) []valueView {
	reports = slices.Clone(reports)
	slices.SortStableFunc(reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	reports = slices.CompactFunc(reports, func(a, b sitemon.Report) bool { return a.Slot.Equal(b.Slot) && a.Location == b.Location })
	var views []valueView
	for _, name := range valueNames(reports) {
		views = append(views, newValueView(name, reports))
	}
	return views
}

// valueNames prefers the names of newer reports, and sorts what it takes.
func valueNames(reports []sitemon.Report) []string {
	var names []string
	for _, r := range slices.Backward(reports) {
		for name := range r.Values.All() {
			if len(names) < sitemon.MaxValues && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func newValueView(name string, reports []sitemon.Report) valueView {
	v := valueView{Name: name, From: newTimeView(reports[0].Slot), To: newTimeView(reports[len(reports)-1].Slot)}
	var least, most float64
	points := 0
	for _, r := range reports {
		n, ok := r.Values.Get(name)
		if !ok {
			v.Newest = "–"
			continue
		}
		if points++; points == 1 {
			least, most = n, n
		}
		least, most = min(least, n), max(most, n)
		v.Newest = valueNumber(n)
	}
	v.Min, v.Max = valueNumber(least), valueNumber(most)
	v.D = valuePath(name, reports, least, most)
	v.Text = fmt.Sprintf("%s: newest %s, from %s to %s in %s", name, v.Newest, v.Min, v.Max, plural(points, "report"))
	return v
}

// valueNumber is a number to three decimals, or six digits where it is very small or
// very large.
func valueNumber(n float64) string {
	if size := math.Abs(n); size >= 0.1 && size < 1e12 {
		return strconv.FormatFloat(math.Round(n*1000)/1000, 'f', -1, 64)
	}
	return strconv.FormatFloat(n, 'g', 6, 64)
}

// valuePath draws a line for each location from the least value, below, to the most.
// What never changes is a line amid the drawing.
func valuePath(name string, reports []sitemon.Report, least, most float64) string {
	var b strings.Builder
	var locations []string
	for _, r := range reports {
		if !slices.Contains(locations, r.Location) {
			locations = append(locations, r.Location)
		}
	}
	from := reports[0].Slot
	span := max(reports[len(reports)-1].Slot.Sub(from), 1)
	for _, location := range locations {
		pen := "M"
		for _, r := range reports {
			if r.Location != location {
				continue
			}
			n, ok := r.Values.Get(name)
			if !ok {
				pen = "M"
				continue
			}
			// Halves, as the difference of two finite numbers need not be finite.
			share := 0.5
			if most > least {
				share = (n/2 - least/2) / (most/2 - least/2)
			}
			x := (valueWidth - 1) * float64(r.Slot.Sub(from)) / float64(span)
			fmt.Fprintf(&b, "%s%.1f %.1f", pen, x, 2+(valueHeight-4)*(1-share))
			if pen == "M" {
				b.WriteString("h1") // one alone is a dot
			}
			pen = "L"
		}
	}
	return b.String()
}
