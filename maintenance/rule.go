package maintenance

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

const (
	// maxPerDay bounds how often a maintenance comes in a day.
	maxPerDay = 24
	// maxCount and maxInterval bound what COUNT and INTERVAL may say.
	maxCount    = 1000
	maxInterval = 1000
	// maxNthInMonth is the most that a weekday comes in a month, and maxNthInYear in a
	// year.
	maxNthInMonth = 5
	maxNthInYear  = 53
)

// ruleParts are the parts of a rule that are understood. BYSECOND and the less
// common ones are left out.
var ruleParts = []string{
	"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSETPOS", "WKST",
}

// parseRule reads a recurrence rule. Its end is returned by itself, as it depends on
// the zone.
func parseRule(text string) (*rrule.ROption, limit, error) {
	rule := strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	rule = strings.TrimSuffix(strings.TrimPrefix(rule, "RRULE:"), ";")
	var kept []string
	var until limit
	seen := map[string]bool{}
	for part := range strings.SplitSeq(rule, ";") {
		name, value, ok := strings.Cut(part, "=")
		switch {
		case !ok || value == "":
			return nil, until, fmt.Errorf("%q is no part of a rule; write for example FREQ=WEEKLY;BYDAY=SU", part)
		case !slices.Contains(ruleParts, name):
			return nil, until, fmt.Errorf("%s is not understood; the parts are %s", name, strings.Join(ruleParts, ", "))
		case seen[name]:
			return nil, until, fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if name != "UNTIL" {
			kept = append(kept, part)
			continue
		}
		var err error
		if until, err = parseUntil(value); err != nil {
			return nil, until, err
		}
	}
	if !seen["FREQ"] {
		return nil, until, errors.New("the rule has no FREQ; write for example FREQ=WEEKLY")
	}
	if seen["COUNT"] && seen["UNTIL"] {
		return nil, until, errors.New("COUNT can't stand beside UNTIL; take one of them out")
	}
	o, err := rrule.StrToROptionInLocation(strings.Join(kept, ";"), time.UTC)
	if err != nil {
		return nil, until, ruleError(err)
	}
	if _, err := rrule.NewRRule(*o); err != nil {
		return nil, until, ruleError(err)
	}
	return o, until, checkRule(o, seen)
}

// ruleError says in our words what the library refuses.
func ruleError(err error) error {
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		return fmt.Errorf("%q is no whole number", number.Num)
	}
	if name, ok := strings.CutPrefix(err.Error(), "undefined frequency: "); ok {
		return fmt.Errorf("FREQ must be YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY, not %s", name)
	}
	if name, ok := strings.CutPrefix(err.Error(), "undefined weekday: "); ok {
		return fmt.Errorf("%q is no weekday; they are MO, TU, WE, TH, FR, SA, SU", name)
	}
	name, rest, _ := strings.Cut(err.Error(), " ")
	return fmt.Errorf("%s %s", strings.ToUpper(name), rest)
}

// parseUntil reads the end of a repetition: 20270101 is the end of that day.
func parseUntil(value string) (limit, error) {
	if at, err := time.Parse("20060102T150405Z", value); err == nil {
		return limit{instant: at}, nil
	}
	if local, err := time.Parse("20060102T150405", value); err == nil {
		return limit{local: local}, nil
	}
	day, err := time.Parse("20060102", value)
	if err != nil {
		return limit{}, fmt.Errorf("UNTIL=%s is no time; write 20271231, 20271231T220000 (local) or 20271231T220000Z (UTC)", value)
	}
	return limit{local: day.AddDate(0, 0, 1).Add(-time.Second)}, nil
}

// checkRule refuses what RFC 5545 does not allow, and what would be too much work.
func checkRule(o *rrule.ROption, has map[string]bool) error {
	for _, c := range []struct {
		name  string
		freqs []rrule.Frequency // that it may not stand with
	}{
		{"BYWEEKNO", []rrule.Frequency{rrule.MONTHLY, rrule.WEEKLY, rrule.DAILY, rrule.HOURLY}},
		{"BYYEARDAY", []rrule.Frequency{rrule.MONTHLY, rrule.WEEKLY, rrule.DAILY}},
		{"BYMONTHDAY", []rrule.Frequency{rrule.WEEKLY}},
		{"BYHOUR", []rrule.Frequency{rrule.HOURLY}},
		{"BYSETPOS", []rrule.Frequency{rrule.DAILY, rrule.HOURLY}},
	} {
		if has[c.name] && slices.Contains(c.freqs, o.Freq) {
			return fmt.Errorf("%s can't stand beside FREQ=%s", c.name, o.Freq)
		}
	}
	switch {
	case o.Freq > rrule.HOURLY:
		return fmt.Errorf("FREQ=%s is too often; HOURLY is the most", o.Freq)
	case has["INTERVAL"] && (o.Interval < 1 || o.Interval > maxInterval):
		return fmt.Errorf("INTERVAL must be between 1 and %d", maxInterval)
	case has["COUNT"] && (o.Count < 1 || o.Count > maxCount):
		return fmt.Errorf("COUNT must be between 1 and %d", maxCount)
	case has["BYSETPOS"] && !slices.ContainsFunc(ruleParts, func(p string) bool { return p != "BYSETPOS" && strings.HasPrefix(p, "BY") && has[p] }):
		return errors.New("BYSETPOS needs another BY… beside it")
	case o.Wkst.N() != 0:
		return errors.New("WKST must be a weekday such as MO")
	case perDay(o) > maxPerDay:
		return fmt.Errorf("the rule leads to more than %d times a day", maxPerDay)
	}
	return checkWeekdays(o, has)
}

// checkWeekdays judges the numbers before weekdays, as in 2SU.
func checkWeekdays(o *rrule.ROption, has map[string]bool) error {
	most := 0
	switch {
	case o.Freq == rrule.MONTHLY || o.Freq == rrule.YEARLY && has["BYMONTH"]:
		most = maxNthInMonth
	case o.Freq == rrule.YEARLY && !has["BYWEEKNO"]:
		most = maxNthInYear
	}
	for _, d := range o.Byweekday {
		switch n := max(d.N(), -d.N()); {
		case n > 0 && most == 0:
			return fmt.Errorf("BYDAY=%s: a number before the weekday is for FREQ=MONTHLY and YEARLY", d)
		case n > most:
			return fmt.Errorf("BYDAY=%s: the number must be between 1 and %d, or -1 and -%d", d, most, most)
		}
	}
	return nil
}

// perDay is the most times that a rule comes in a day.
func perDay(o *rrule.ROption) int {
	hours := max(len(o.Byhour), 1)
	if o.Freq == rrule.HOURLY {
		hours = max(1, 24/max(o.Interval, 1))
	}
	return hours * max(len(o.Byminute), 1)
}

// explicit writes into a rule what it takes from its start, so that the start can be
// moved.
func explicit(o rrule.ROption, start time.Time) rrule.ROption {
	if len(o.Byweekno)+len(o.Byyearday)+len(o.Bymonthday)+len(o.Byweekday) == 0 {
		switch o.Freq {
		case rrule.YEARLY:
			if len(o.Bymonth) == 0 {
				o.Bymonth = []int{int(start.Month())}
			}
			o.Bymonthday = []int{start.Day()}
		case rrule.MONTHLY:
			o.Bymonthday = []int{start.Day()}
		case rrule.WEEKLY:
			o.Byweekday = []rrule.Weekday{weekdays[(start.Weekday()+6)%7]}
		}
	}
	if len(o.Byhour) == 0 && o.Freq < rrule.HOURLY {
		o.Byhour = []int{start.Hour()}
	}
	if len(o.Byminute) == 0 {
		o.Byminute = []int{start.Minute()}
	}
	o.Bysecond = []int{start.Second()}
	o.Interval = max(o.Interval, 1)
	return o
}

// weekdays are those of the library, as it counts them.
var weekdays = [7]rrule.Weekday{rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU}

// iterate returns the local times of an [explicit] rule without COUNT, in their
// order, from its start on, or from a later one that is not after from: what lies
// long ago is not counted through again.
func iterate(o rrule.ROption, start, from time.Time) rrule.Next {
	o.Dtstart = start
	if later := forward(&o, start, from); later.After(start) {
		o.Dtstart = later
	}
	r, err := rrule.NewRRule(o)
	if err != nil { // it was judged by parseRule
		return func() (time.Time, bool) { return time.Time{}, false }
	}
	return r.Iterator()
}

// forward returns the newest moment, not after from, at which an interval of the
// rule begins.
func forward(o *rrule.ROption, start, from time.Time) time.Time {
	y, m, d := start.Date()
	fy, fm, _ := from.Date()
	begin := start
	length := time.Duration(o.Interval) * time.Hour
	switch o.Freq {
	case rrule.YEARLY:
		return time.Date(y+(fy-y)/o.Interval*o.Interval, 1, 1, 0, 0, 0, 0, time.UTC)
	case rrule.MONTHLY:
		months := (fy-y)*12 + int(fm-m)
		return time.Date(y, m+time.Month(months/o.Interval*o.Interval), 1, 0, 0, 0, 0, time.UTC)
	case rrule.WEEKLY:
		back := (int(start.Weekday()) + 6 - o.Wkst.Day() + 7) % 7
		begin = time.Date(y, m, d-back, 0, 0, 0, 0, time.UTC)
		length *= 24 * 7
	case rrule.DAILY:
		begin = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		length *= 24
	case rrule.HOURLY:
		begin = start.Truncate(time.Hour)
	}
	if from.Before(begin) {
		return start
	}
	return begin.Add(from.Sub(begin) / length * length)
}
