package slo_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"sitemon/availability"
	"sitemon/slo"
)

// figure is that of a window of which a part is known and a part of that was down.
func figure(coverage, down float64) availability.Figure {
	a := 1 - down
	return availability.Figure{Availability: &a, Coverage: coverage}
}

var month = slo.Objective{Target: 99.9, Window: 30 * 24 * time.Hour}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestBudget(t *testing.T) {
	if got := month.Budget().Round(time.Second); got != 43*time.Minute+12*time.Second {
		t.Errorf("99.9%% in 30 days allow %s, want 43m12s", got)
	}
	for name, c := range map[string]struct {
		f    availability.Figure
		left float64
	}{
		"nothing known":    {availability.Figure{}, 1},
		"all good":         {figure(1, 0), 1},
		"half":             {figure(1, 0.0005), 0.5},
		"all of it":        {figure(1, 0.001), 0},
		"twice":            {figure(1, 0.002), -1},
		"new, a tenth old": {figure(0.1, 0.001), 0.9},
	} {
		t.Run(name, func(t *testing.T) {
			if got := month.Left(c.f); !near(got, c.left) {
				t.Errorf("left %g, want %g", got, c.left)
			}
		})
	}
}

// TestBurnRates checks table 5-4 of the workbook: burn rates of an objective of
// 99.9 %, with their error rates and the time until the budget is gone.
func TestBurnRates(t *testing.T) {
	for _, c := range []struct {
		rate, errors float64
		exhausted    time.Duration
	}{
		{1, 0.001, 720 * time.Hour},
		{2, 0.002, 360 * time.Hour},
		{10, 0.01, 72 * time.Hour},
		{1000, 1, 43*time.Minute + 12*time.Second},
	} {
		t.Run(fmt.Sprint(c.rate), func(t *testing.T) {
			got := month.BurnRate(figure(1, c.errors))
			if !near(got, c.rate) {
				t.Fatalf("burn rate %g, want %g", got, c.rate)
			}
			if d := time.Duration(float64(month.Window) / got).Round(time.Second); d != c.exhausted {
				t.Errorf("gone after %s, want %s", d, c.exhausted)
			}
		})
	}
}

// TestRules checks table 5-8 of the workbook: which share of the budget is gone
// when a rule begins to hold.
func TestRules(t *testing.T) {
	want := []float64{0.02, 0.05, 0.1}
	for i, r := range slo.Rules() {
		if got := r.Rate * float64(r.Long) / float64(month.Window); !near(got, want[i]) {
			t.Errorf("%s: %g of the budget, want %g", r.Long, got, want[i])
		}
		if r.Long != 12*r.Short {
			t.Errorf("%s: the short window is %s, want a twelfth", r.Long, r.Short)
		}
		for _, w := range []time.Duration{r.Long, r.Short} {
			if !slices.Contains(slo.Windows(), w) {
				t.Errorf("window %s is missing", w)
			}
		}
	}
}

func TestAlerts(t *testing.T) {
	type windows = map[time.Duration]float64 // share of down time
	const m, h = time.Minute, time.Hour
	for name, c := range map[string]struct {
		down windows
		want []float64 // rates of the rules that hold
	}{
		"nothing":           {windows{5 * m: 0, 30 * m: 0, h: 0, 6 * h: 0, 72 * h: 0}, nil},
		"fast":              {windows{5 * m: 1, 30 * m: .02, h: .0145, 6 * h: .0024, 72 * h: .0002}, []float64{14.4}},
		"just below":        {windows{5 * m: 1, 30 * m: 0, h: .01439, 6 * h: 0, 72 * h: 0}, nil},
		"fast, but over":    {windows{5 * m: 0, 30 * m: .02, h: .0145, 6 * h: .0024, 72 * h: .0002}, nil},
		"short, but little": {windows{5 * m: 1, 30 * m: .002, h: .001, 6 * h: .0002, 72 * h: .00002}, nil},
		"slow":              {windows{5 * m: .01, 30 * m: .01, h: .01, 6 * h: .0061, 72 * h: .0006}, []float64{6}},
		"very slow":         {windows{5 * m: 0, 30 * m: 0, h: 0, 6 * h: .0011, 72 * h: .0011}, []float64{1}},
		"everything":        {windows{5 * m: 1, 30 * m: 1, h: 1, 6 * h: 1, 72 * h: 1}, []float64{14.4, 6, 1}},
		"a window missing":  {windows{h: 1, 30 * m: 1, 6 * h: 1}, []float64{6}},
	} {
		t.Run(name, func(t *testing.T) {
			figures := map[time.Duration]availability.Figure{}
			for w, down := range c.down {
				figures[w] = figure(1, down)
			}
			var got []float64
			for _, a := range month.Alerts(figures) {
				got = append(got, a.Rate)
				if a.LongRate <= a.Rate || a.ShortRate <= a.Rate {
					t.Errorf("%+v does not hold", a)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
