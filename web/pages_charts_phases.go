package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// phaseChart is where the time of the answers went: the means of the phases of each
// step, one upon the other.
type phaseChart struct {
	Top    string // the latency at the upper edge
	Phases []phaseColumns
	Text   string
}

// phaseColumns is one phase in all steps.
type phaseColumns struct {
	Name string
	D    string // a path
}

// newPhaseChart is nil where no phase is known.
func newPhaseChart(r availability.Result) *phaseChart {
	var top time.Duration
	var sum sitemon.Phases
	steps := 0
	for _, b := range r.Buckets {
		if b.Latency == nil {
			continue
		}
		top = max(top, phaseTotal(b.Latency.Phases))
		sum.Resolve += b.Latency.Phases.Resolve
		sum.Connect += b.Latency.Phases.Connect
		sum.TLS += b.Latency.Phases.TLS
		sum.Processing += b.Latency.Phases.Processing
		sum.Transfer += b.Latency.Phases.Transfer
		steps++
	}
	if top <= 0 {
		return nil
	}
	top += top / 10
	c := &phaseChart{Top: latencyText(top), Text: phaseText(sum, steps)}
	paths := make([]strings.Builder, len(sitemon.PhaseNames))
	for i, b := range r.Buckets {
		if b.Latency == nil {
			continue
		}
		x := chartX(r, b.Start)
		width := chartX(r, bucketEnd(r, i)) - x
		y := float64(chartHeight)
		for j, d := range b.Latency.Phases.All() {
			if d <= 0 {
				continue
			}
			height := chartHeight * float64(d) / float64(top)
			y -= height
			fmt.Fprintf(&paths[j], "M%.1f %.1fh%.1fv%.1fh-%.1[3]fz", x, y, width, height)
		}
	}
	for i := range paths {
		if paths[i].Len() > 0 {
			c.Phases = append(c.Phases, phaseColumns{sitemon.PhaseNames[i], paths[i].String()})
		}
	}
	return c
}

func phaseTotal(p sitemon.Phases) (total time.Duration) {
	for _, d := range p.All() {
		total += d
	}
	return total
}

// phaseText says which phases took the most, over all steps.
func phaseText(sum sitemon.Phases, steps int) string {
	type named struct {
		name string
		mean time.Duration
	}
	var all []named
	for i, d := range sum.All() {
		if mean := d / time.Duration(max(steps, 1)); mean > 0 {
			all = append(all, named{sitemon.PhaseNames[i], mean})
		}
	}
	slices.SortStableFunc(all, func(a, b named) int { return int(b.mean - a.mean) })
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = n.name + " " + latencyText(n.mean)
	}
	return "Mean time of the phases: " + strings.Join(texts, ", ") + "."
}
