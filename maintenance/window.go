// Package maintenance works out when a planned maintenance takes place, and for
// which sites. It is pure: it reads no clock and keeps nothing.
//
//	w, err := maintenance.Parse(sitemon.Maintenance{
//		Title: "Upgrade", Start: "2026-12-01T22:00:00", Duration: 2 * time.Hour,
//		Timezone: "Europe/Berlin", RRule: "FREQ=WEEKLY;BYDAY=SU", Groups: []string{"public"},
//	})
//	…
//	for _, o := range w.Between(from, to) { … }
//
// Times are local to the maintenance's zone, also across changes of the clock: an
// occurrence at 22:00 is at 22:00 in summer and in winter. A local time that the
// clock skips is taken with the offset from before the change, so it comes as much
// later as the clock skips; one that comes twice is the first. A duration is
// elapsed time.
package maintenance

import (
	"slices"
	"time"

	"github.com/teambition/rrule-go"
)

// slack is more than the offsets of one zone ever differ by (Samoa has skipped a
// whole day).
const slack = 49 * time.Hour

// Window is a planned maintenance, ready to be asked. It is immutable and safe for
// concurrent use.
type Window struct {
	start    time.Time // local, written as if it were UTC
	duration time.Duration
	zone     *time.Location
	rule     *rrule.ROption // nil: once
	until    limit

	sites, groups, tags []string
}

// limit is the end of a repetition, inclusive: an instant or a local time; none if
// both are zero.
type limit struct{ instant, local time.Time }

// Occurrence is one time that a maintenance takes place.
type Occurrence struct{ Start, End time.Time }

// Between returns the occurrences that touch the time from from (inclusive) to to
// (exclusive), in the order of their starts, in UTC.
func (w *Window) Between(from, to time.Time) []Occurrence {
	if !from.Before(to) {
		return nil
	}
	first := from.Add(-w.duration)
	var starts []time.Time
	w.each(floating(first, w.zone).Add(-slack), floating(to, w.zone).Add(slack), func(local time.Time) bool {
		if at := resolve(local, w.zone); at.After(first) && at.Before(to) && !w.ended(at, local) {
			starts = append(starts, at)
		}
		return true
	})
	slices.SortFunc(starts, time.Time.Compare) // a skipped hour can turn two around, or make them one
	starts = slices.CompactFunc(starts, time.Time.Equal)
	occurrences := make([]Occurrence, len(starts))
	for i, at := range starts {
		occurrences[i] = Occurrence{at, at.Add(w.duration)}
	}
	return occurrences
}

// First returns the first occurrence of all, in UTC.
func (w *Window) First() Occurrence {
	var first time.Time
	w.each(w.start, lastYear, func(local time.Time) bool {
		first = resolve(local, w.zone)
		return false
	})
	return Occurrence{first, first.Add(w.duration)}
}

// Covers reports whether the maintenance is for a site of its document: one that it
// names, or that is in a group or has a tag that it names. One that names nothing is
// for all.
func (w *Window) Covers(name, group string, tags []string) bool {
	if len(w.sites)+len(w.groups)+len(w.tags) == 0 {
		return true
	}
	return slices.Contains(w.sites, name) || group != "" && slices.Contains(w.groups, group) ||
		slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(w.tags, t) })
}

// ended reports whether an occurrence comes after the end of the repetition.
func (w *Window) ended(at, local time.Time) bool {
	return !w.until.instant.IsZero() && at.After(w.until.instant) || !w.until.local.IsZero() && local.After(w.until.local)
}

// each calls yield with the local starts from from to to, both inclusive, in their
// order, until it returns false. Some after the end of the repetition may be among
// them.
func (w *Window) each(from, to time.Time, yield func(local time.Time) bool) {
	if w.rule == nil {
		if !w.start.Before(from) && !w.start.After(to) {
			yield(w.start)
		}
		return
	}
	if to.Before(w.start) || w.over(from) {
		return
	}
	next := iterate(*w.rule, w.start, from)
	for local, ok := next(); ok && !local.After(to); local, ok = next() {
		if !local.Before(from) && !yield(local) {
			return
		}
	}
}

// over reports whether the repetition has surely ended before a local time.
func (w *Window) over(local time.Time) bool {
	end := w.until.local
	if !w.until.instant.IsZero() {
		end = floating(w.until.instant, w.zone)
	}
	return !end.IsZero() && local.After(end.Add(slack))
}

// floating is the local time of an instant, written as if it were UTC.
func floating(at time.Time, zone *time.Location) time.Time {
	at = at.In(zone)
	y, m, d := at.Date()
	return time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
}

// resolve is the instant of a floating local time.
func resolve(local time.Time, zone *time.Location) time.Time {
	_, before := local.Add(-slack).In(zone).Zone()
	_, after := local.Add(slack).In(zone).Zone()
	// With the offset from before a change it is the first of two, and what RFC 5545
	// takes for one that does not exist.
	early := local.Add(-time.Duration(before) * time.Second)
	late := local.Add(-time.Duration(after) * time.Second)
	if !floating(early, zone).Equal(local) && floating(late, zone).Equal(local) {
		return late
	}
	return early
}
