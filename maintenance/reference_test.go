package maintenance_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// reference is a rule, judged for one local minute at a time. It shares no code
// with what it is compared with.
type reference struct {
	start  time.Time // local, as if it were UTC
	parts  map[string]string
	freq   string
	every  int
	minute int
	values map[string][]string
}

func newReference(t testing.TB, m sitemon.Maintenance) *reference {
	t.Helper()
	start, err := time.Parse("2006-01-02T15:04:05", m.Start)
	if err != nil {
		t.Fatal(err)
	}
	ref := &reference{start: start, parts: map[string]string{}, every: 1, minute: start.Minute(), values: map[string][]string{}}
	for part := range strings.SplitSeq(m.RRule, ";") {
		name, value, _ := strings.Cut(part, "=")
		ref.parts[name] = value
		ref.values[name] = strings.Split(value, ",")
	}
	ref.freq = ref.parts["FREQ"]
	if v, ok := ref.parts["INTERVAL"]; ok {
		ref.every, _ = strconv.Atoi(v)
	}
	if v, ok := ref.parts["BYMINUTE"]; ok {
		ref.minute, _ = strconv.Atoi(v)
	}
	return ref
}

// matches reports whether a local minute is one of the rule, its end aside.
func (ref *reference) matches(local time.Time) bool {
	if ref.freq == "" {
		return local.Equal(ref.start)
	}
	if local.Before(ref.start) || local.Minute() != ref.minute {
		return false
	}
	last := time.Date(local.Year(), local.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	is := func(name string, or bool, values ...int) bool {
		list, ok := ref.values[name]
		if !ok {
			return or
		}
		return slices.ContainsFunc(values, func(v int) bool { return slices.Contains(list, strconv.Itoa(v)) })
	}
	_, days := ref.parts["BYDAY"]
	_, dates := ref.parts["BYMONTHDAY"]
	free := days || dates
	monthly := ref.freq == "MONTHLY" || ref.freq == "YEARLY"
	_, months := ref.parts["BYMONTH"]
	return is("BYHOUR", ref.freq == "HOURLY" || local.Hour() == ref.start.Hour(), local.Hour()) &&
		is("BYMONTH", ref.freq != "YEARLY" || free || months || local.Month() == ref.start.Month(), int(local.Month())) &&
		is("BYMONTHDAY", free || !monthly || local.Day() == ref.start.Day(), local.Day(), local.Day()-last-1) &&
		ref.weekday(local, last) && ref.inInterval(local)
}

// weekday judges BYDAY.
func (ref *reference) weekday(local time.Time, last int) bool {
	list, ok := ref.values["BYDAY"]
	if !ok {
		return ref.freq != "WEEKLY" || local.Weekday() == ref.start.Weekday()
	}
	name := strings.ToUpper(local.Weekday().String()[:2])
	first, fromEnd := (local.Day()-1)/7+1, (last-local.Day())/7+1
	return slices.Contains(list, name) || slices.Contains(list, strconv.Itoa(first)+name) || slices.Contains(list, strconv.Itoa(-fromEnd)+name)
}

// inInterval judges INTERVAL.
func (ref *reference) inInterval(local time.Time) bool {
	day := func(t time.Time) int { return int(t.Unix() / 86400) }
	monday := func(t time.Time) int { return (day(t) + 3) / 7 } // 1970-01-01 was a Thursday
	var passed int
	switch ref.freq {
	case "YEARLY":
		passed = local.Year() - ref.start.Year()
	case "MONTHLY":
		passed = local.Year()*12 + int(local.Month()) - ref.start.Year()*12 - int(ref.start.Month())
	case "WEEKLY":
		passed = monday(local) - monday(ref.start)
	case "DAILY":
		passed = day(local) - day(ref.start)
	case "HOURLY":
		passed = int(local.Unix()/3600 - ref.start.Unix()/3600)
	}
	return passed%ref.every == 0
}

// instants are those of the local minutes from from to to: the first one at which
// the clock shows it, and where it never does the one that is as far after the change
// as it would have been.
func instants(from, to time.Time, zone *time.Location) map[time.Time]time.Time {
	all := map[time.Time]time.Time{}
	var before time.Time
	for u := from.Add(-16 * time.Hour); u.Before(to.Add(16 * time.Hour)); u = u.Add(time.Minute) {
		in := u.In(zone)
		wall := time.Date(in.Year(), in.Month(), in.Day(), in.Hour(), in.Minute(), 0, 0, time.UTC)
		if _, twice := all[wall]; !twice {
			all[wall] = u
		}
		for skipped := before.Add(time.Minute); !before.IsZero() && skipped.Before(wall); skipped = skipped.Add(time.Minute) {
			all[skipped] = u.Add(skipped.Sub(before) - time.Minute)
		}
		before = wall
	}
	return all
}

// startsByMinutes looks at every minute and returns the starts after after and
// before before.
func startsByMinutes(t testing.TB, m sitemon.Maintenance, after, before time.Time, zone *time.Location) []time.Time {
	t.Helper()
	ref := newReference(t, m)
	from := ref.start
	count, _ := strconv.Atoi(ref.parts["COUNT"])
	if early := after.Add(-48 * time.Hour).Truncate(time.Minute); count == 0 && from.Before(early) {
		from = early
	}
	clock := instants(after.Add(-48*time.Hour).Truncate(time.Minute), before.Add(48*time.Hour), zone)
	var starts []time.Time
	for local, n := from, 0; local.Before(before.Add(48 * time.Hour)); local = local.Add(time.Minute) {
		if !ref.matches(local) {
			continue
		}
		if n++; count > 0 && n > count {
			break
		}
		if at, ok := clock[local]; ok && at.After(after) && at.Before(before) && ref.inTime(t, local, at) {
			starts = append(starts, at)
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	return slices.CompactFunc(starts, time.Time.Equal)
}

// inTime judges UNTIL.
func (ref *reference) inTime(t testing.TB, local, at time.Time) bool {
	t.Helper()
	until, ok := ref.parts["UNTIL"]
	if !ok {
		return true
	}
	form, what := "20060102T150405", local
	switch {
	case strings.HasSuffix(until, "Z"):
		form, what = form+"Z", at
	case len(until) == 8:
		until += "T235959"
	}
	end, err := time.Parse(form, until)
	if err != nil {
		t.Fatal(err)
	}
	return !what.After(end)
}
