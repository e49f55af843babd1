// Package slo computes error budgets and how fast they burn, as chapter 5 of the
// Google SRE workbook has it. It is pure.
//
// An objective promises a share of good time in a window, such as 99.9 % in 30
// days; the rest is the error budget, 43 minutes and 12 seconds. A burn rate of 1
// spends exactly the budget in the window. Bad time is time that is known to be
// down; what is unknown, or in maintenance, spends nothing. So the budget of a
// site that is new is that of the whole window too.
//
// An [Alert] fires while both of its windows burn faster than its rate: the long
// one says that it matters, the short one that it goes on.
package slo

import (
	"time"

	"sitemon/availability"
)

// Objective is a promised availability.
type Objective struct {
	Target float64       // percent, above 0 and below 100
	Window time.Duration // that it is about
}

// Budget is how much bad time an objective allows in its window.
func (o Objective) Budget() time.Duration {
	return time.Duration(o.share() * float64(o.Window))
}

// share is the part of the time that may be bad.
func (o Objective) share() float64 { return (100 - o.Target) / 100 }

// Bad returns the part of a window that was down.
func Bad(f availability.Figure) float64 {
	if f.Availability == nil {
		return 0
	}
	return (1 - *f.Availability) * f.Coverage
}

// Left returns which part of the error budget is left after a window of the
// objective's length: 1 is all of it, 0 nothing, and less that it was overspent.
func (o Objective) Left(f availability.Figure) float64 { return 1 - Bad(f)/o.share() }

// BurnRate returns how many times too fast a window burned the budget.
func (o Objective) BurnRate(f availability.Figure) float64 { return Bad(f) / o.share() }

// Rule is a condition of burning too fast.
type Rule struct {
	Long, Short time.Duration
	Rate        float64 // that both exceed
}

// Rules returns the conditions, the most urgent first. With a window of 30 days
// they mean that 2 % of the budget burned in an hour, 5 % in six hours, 10 % in
// three days.
func Rules() []Rule {
	return []Rule{
		{Long: time.Hour, Short: 5 * time.Minute, Rate: 14.4},
		{Long: 6 * time.Hour, Short: 30 * time.Minute, Rate: 6},
		{Long: 72 * time.Hour, Short: 6 * time.Hour, Rate: 1},
	}
}

// Windows returns the windows that [Rules] look at, the shortest first.
func Windows() []time.Duration {
	return []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 72 * time.Hour}
}

// Alert is a rule that holds.
type Alert struct {
	Rule
	LongRate, ShortRate float64 // what burned in its windows
}

// Alerts returns the rules that hold, the most urgent first, by the figures of the
// windows that end now. A rule one of whose windows is missing does not hold.
func (o Objective) Alerts(figures map[time.Duration]availability.Figure) []Alert {
	var alerts []Alert
	for _, r := range Rules() {
		long, ok := figures[r.Long]
		short, ok2 := figures[r.Short]
		if !ok || !ok2 {
			continue
		}
		a := Alert{r, o.BurnRate(long), o.BurnRate(short)}
		if a.LongRate > r.Rate && a.ShortRate > r.Rate {
			alerts = append(alerts, a)
		}
	}
	return alerts
}
