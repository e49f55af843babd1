// Package status decides a site's present state from its reports: rows of failed
// and good ones against thresholds for each location ([Track]), silence, and all
// locations together ([Combine]). It is pure: a store keeps the tracks and says
// what time it is, this package decides.
//
// A location is down after as many failed reports in a row as the site's failure
// threshold says, and leaves that after as many good ones as its success
// threshold says. Degraded reports are good; up and degraded follow each other
// at once. Unknown reports and gaps neither count nor break a row. Where nothing
// is known for a while the location is unknown, and has no vote.
package status

import (
	"time"

	"sitemon"
)

// Thresholds are how many reports in a row it takes to be down and to leave that.
// Values below 1 count as 1.
type Thresholds struct{ Failure, Success int }

// Cause is why a report is not up.
type Cause struct {
	Reason sitemon.Reason
	Error  string // in words, for a person
}

// Track is everything remembered about one site at one location in order to
// judge its next report. Its zero value is a location without a report. All
// fields are exported so that a store can keep them; only this package changes
// them.
type Track struct {
	// Slot and Interval are those of the newest report of any outcome.
	Slot     time.Time
	Interval time.Duration
	// Silent is what [Track.SilentAt] returns.
	Silent time.Time

	// Outcome is that of the newest report that is not unknown. It belongs to a
	// row of Failures failed or Successes good reports (one of the two is 0) that
	// began at slot Row.
	Outcome   sitemon.Outcome
	Failures  int
	Successes int
	Row       time.Time

	// Status is up, degraded, down or unknown by the reports alone, silence left
	// aside; "" before the first report. Since is the slot of the first report of
	// those that led to it.
	Status sitemon.Status
	Since  time.Time

	// Fault is the cause of the newest report that is down or degraded. Blind is
	// that of the newest report if it is unknown, and zero if it is not.
	Fault Cause
	Blind Cause
}

// Advance takes the next report of the location and reports whether Status
// changed. A report that is not newer than the newest one changes nothing: late
// reports are history and never turn the present back.
func (t *Track) Advance(r sitemon.Report, th Thresholds) (changed bool) {
	if !r.Slot.After(t.Slot) {
		return false
	}
	t.Slot, t.Interval = r.Slot, r.Interval
	first := t.Status == ""
	if first {
		t.Status, t.Since = sitemon.StatusUnknown, r.Slot
	}
	t.Blind = Cause{}
	switch r.Outcome {
	case sitemon.OutcomeDown:
		if t.Failures == 0 {
			t.Successes, t.Row = 0, r.Slot
		}
		t.Failures++
	case sitemon.OutcomeUp, sitemon.OutcomeDegraded:
		if t.Successes == 0 {
			t.Failures, t.Row = 0, r.Slot
		}
		t.Successes++
	default:
		t.Blind = Cause{r.Reason, r.Error}
		return first
	}
	t.Outcome = r.Outcome
	t.Silent = r.Slot.Add(r.Interval + Grace(r.Interval))
	if r.Outcome != sitemon.OutcomeUp {
		t.Fault = Cause{r.Reason, r.Error}
	}
	return t.Judge(th) || first
}

// Judge decides Status again and reports whether it changed. It is for thresholds
// that a reload changed; [Track.Advance] judges by itself. A threshold that became
// lower takes effect on the row at hand, from the row's first report on. One that
// became higher does not take back what was decided.
func (t *Track) Judge(th Thresholds) (changed bool) {
	down := t.Status == sitemon.StatusDown
	switch {
	case t.Failures > 0 && !down && t.Failures >= th.Failure:
		t.Status, t.Since = sitemon.StatusDown, t.Row
	case t.Successes > 0 && down && t.Successes >= th.Success:
		t.Status, t.Since = sitemon.Status(t.Outcome), t.Row
	case t.Successes > 0 && !down && t.Status != sitemon.Status(t.Outcome):
		t.Status, t.Since = sitemon.Status(t.Outcome), t.Slot
	default:
		return false
	}
	return true
}

// Forget makes the track unknown since the given moment and ends its row, but
// keeps the newest slot, so that late reports still count for nothing. It is for
// a site that was paused: what it was before says nothing of it afterwards.
func (t *Track) Forget(at time.Time) {
	*t = Track{Slot: t.Slot, Interval: t.Interval, Status: sitemon.StatusUnknown, Since: at}
}

// Standing says whether the location is down by its reports, and how many reports in
// a row speak for a change of that.
func (t *Track) Standing() (down bool, row int) {
	if t.Status == sitemon.StatusDown {
		return true, t.Successes
	}
	return false, t.Failures
}

// Grace is how long after the end of its interval a report may still be the
// newest before its location counts as silent: two intervals, at least 30 s and
// at most 5 min.
func Grace(interval time.Duration) time.Duration {
	return max(30*time.Second, min(2*interval, 5*time.Minute))
}

// SilentAt returns the moment at which the location becomes unknown unless it
// hears something before: slot + interval + [Grace] of the newest report that is
// not unknown. Reports that are unknown do not put it off, as a monitor that
// cannot tell knows no more than one that says nothing. The zero time means that
// the location is unknown already, whatever the time.
func (t Track) SilentAt() time.Time { return t.Silent }

// At returns the status at a moment, silence taken into account.
func (t Track) At(now time.Time) sitemon.Status {
	if t.Status == "" || !now.Before(t.Silent) {
		return sitemon.StatusUnknown
	}
	return t.Status
}

// Steady reports whether a track says after a report what it said before, so that
// a store may leave its row as it is: only the newest slot is another, which the
// newest report tells, or a row of reports is longer that is long enough already.
func Steady(before, after *Track) bool {
	if before.Status != after.Status || before.Outcome != after.Outcome || !before.Row.Equal(after.Row) ||
		!before.Since.Equal(after.Since) || before.Fault != after.Fault || before.Blind != after.Blind {
		return false
	}
	down := after.Status == sitemon.StatusDown
	return after.Failures == 0 && after.Successes == 0 || after.Failures > 0 && down || after.Successes > 0 && !down
}
