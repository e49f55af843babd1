package maintenance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"sitemon"
)

const (
	// minDuration and maxDuration bound a maintenance; maxRepeated one that comes
	// again.
	minDuration = time.Minute
	maxDuration = 366 * 24 * time.Hour
	maxRepeated = 31 * 24 * time.Hour

	firstYear = 1970
)

// lastYear is after every maintenance that there can be.
var lastYear = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// Error says what is wrong with one key of a maintenance. It is a
// [sitemon.ErrInvalid].
type Error struct {
	Key     string // as it is in the sites file: start, duration, timezone or rrule
	Message string
}

// Error returns the key and what is wrong with it.
func (e *Error) Error() string { return e.Key + ": " + e.Message }

// Is makes every Error an [sitemon.ErrInvalid].
func (e *Error) Is(target error) bool { return target == sitemon.ErrInvalid }

func fault(key, format string, args ...any) error {
	return &Error{key, fmt.Sprintf(format, args...)}
}

// startForms are the ways to write a local time.
var startForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// ParseStart reads the local time at which a maintenance begins, and returns it as
// [sitemon.Maintenance] has it. The error is an [*Error].
func ParseStart(text string) (string, error) {
	local, err := parseStart(text)
	if err != nil {
		return "", err
	}
	return local.Format(startForms[0]), nil
}

func parseStart(text string) (time.Time, error) {
	for _, form := range startForms {
		if local, err := time.Parse(form, text); err == nil && local.Nanosecond() == 0 {
			if local.Year() < firstYear || !local.Before(lastYear) {
				return local, fault("start", "the year must be between %d and %d", firstYear, lastYear.Year()-1)
			}
			return local, nil
		}
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00"} {
		if _, err := time.Parse(form, text); err == nil {
			return time.Time{}, fault("start", "it is a local time; take out the Z or the offset at its end and name the zone as timezone")
		}
	}
	return time.Time{}, fault("start", "%q is no local time; write for example 2026-12-01T22:00:00", text)
}

// Parse reads a maintenance. The error is an [*Error].
func Parse(m sitemon.Maintenance) (*Window, error) {
	w := &Window{duration: m.Duration, zone: time.UTC, sites: m.Sites, groups: m.Groups, tags: m.Tags}
	var err error
	if w.start, err = parseStart(m.Start); err != nil {
		return nil, err
	}
	if w.zone, err = parseZone(m.Timezone); err != nil {
		return nil, err
	}
	switch {
	case m.Duration < minDuration:
		return nil, fault("duration", "it must be at least 1m")
	case m.Duration > maxDuration:
		return nil, fault("duration", "it must be at most %d days", maxDuration/(24*time.Hour))
	case m.RRule == "":
		return w, nil
	case m.Duration > maxRepeated:
		return nil, fault("duration", "with a rule it must be at most %d days", maxRepeated/(24*time.Hour))
	}
	if err := w.repeat(m.RRule); err != nil {
		return nil, fault("rrule", "%v", err)
	}
	return w, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || strings.TrimSpace(name) != name {
		return nil, fault("timezone", "%q is no time zone; write a name such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}

// repeat reads the rule. A COUNT becomes the end that it means, so that no question
// has to count again.
func (w *Window) repeat(text string) error {
	o, until, err := parseRule(text)
	if err != nil {
		return err
	}
	count := o.Count
	o.Count = 0
	rule := explicit(*o, w.start)
	w.rule, w.until = &rule, until
	found := time.Time{}
	horizon := w.start.AddDate(horizonYears, 0, 0)
	next := rrule.Next(iterate(rule, w.start, w.start))
	for i := range max(count, 1) {
		local, ok := next()
		if i == 0 && (!ok || local.After(horizon)) {
			return errors.New("it never comes to be")
		}
		if !ok || local.After(lastYear) {
			break
		}
		found = local
	}
	switch {
	case w.ended(resolve(found, w.zone), found) && count == 0:
		return errors.New("it ends (UNTIL) before it first comes to be")
	case count > 0:
		w.until = limit{local: found}
	}
	return nil
}

// horizonYears is how long after its start a maintenance has to come to be: long
// enough for a 29 February on a given weekday.
const horizonYears = 40
