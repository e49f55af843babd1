package maintenance_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that no machine lacks the zones

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/maintenance"
)

func mustParse(t testing.TB, m sitemon.Maintenance) *maintenance.Window {
	t.Helper()
	w, err := maintenance.Parse(m)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	return w
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestBetween(t *testing.T) {
	berlin := func(start, rule string, d time.Duration) sitemon.Maintenance {
		return sitemon.Maintenance{Start: start, Duration: d, Timezone: "Europe/Berlin", RRule: rule}
	}
	tests := []struct {
		name     string
		m        sitemon.Maintenance
		from, to string
		want     []string // starts
	}{
		{"once", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z", []string{"2026-12-01T22:00:00Z"}},
		{"once in a zone", berlin("2026-12-01T22:00", "", time.Hour), "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z", []string{"2026-12-01T21:00:00Z"}},
		{"its end is no part of it", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}, "2026-12-01T23:00:00Z", "2026-12-02T00:00:00Z", nil},
		{"the window's end is no part of it", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}, "2026-12-01T21:00:00Z", "2026-12-01T22:00:00Z", nil},
		{"it goes on", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}, "2026-12-01T22:59:59Z", "2026-12-01T23:00:00Z", []string{"2026-12-01T22:00:00Z"}},
		{"no window", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}, "2026-12-01T22:30:00Z", "2026-12-01T22:30:00Z", nil},
		{"the first one by the rule, not the start", berlin("2026-12-01T22:00:00", "FREQ=WEEKLY;BYDAY=SU", 2*time.Hour), "2026-12-01T00:00:00Z", "2026-12-14T00:00:00Z", []string{"2026-12-06T21:00:00Z", "2026-12-13T21:00:00Z"}},
		{"the local time stays in summer", berlin("2026-01-04T22:00:00", "FREQ=WEEKLY", time.Hour), "2026-03-22T00:00:00Z", "2026-03-30T00:00:00Z", []string{"2026-03-22T21:00:00Z", "2026-03-29T20:00:00Z"}},
		{"a time that is skipped moves forward", berlin("2026-03-28T02:30:00", "FREQ=DAILY", time.Minute), "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"a time that comes twice is the first", berlin("2026-10-24T02:30:00", "FREQ=DAILY", time.Minute), "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z", []string{"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"two that the skipped hour makes one", berlin("2026-03-29T01:00:00", "FREQ=HOURLY", time.Minute), "2026-03-29T00:00:00Z", "2026-03-29T02:30:00Z", []string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"months without a 31st", sitemon.Maintenance{Start: "2026-01-31T08:00:00", Duration: time.Hour, RRule: "FREQ=MONTHLY"}, "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", []string{"2026-01-31T08:00:00Z", "2026-03-31T08:00:00Z", "2026-05-31T08:00:00Z"}},
		{"the last Friday, long after", sitemon.Maintenance{Start: "1999-01-01T08:00:00", Duration: time.Hour, RRule: "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR"}, "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", []string{"2026-01-30T08:00:00Z", "2026-03-27T08:00:00Z", "2026-05-29T08:00:00Z"}},
		{"a count", berlin("2026-01-01T10:00:00", "FREQ=DAILY;COUNT=3", time.Minute), "2026-01-02T12:00:00Z", "2027-01-01T00:00:00Z", []string{"2026-01-03T09:00:00Z"}},
		{"until a day, which is in it", berlin("2026-01-01T23:30:00", "FREQ=DAILY;UNTIL=20260103", time.Minute), "2026-01-02T12:00:00Z", "2027-01-01T00:00:00Z", []string{"2026-01-02T22:30:00Z", "2026-01-03T22:30:00Z"}},
		{"until a local time, which is in it", berlin("2026-01-01T23:30:00", "FREQ=DAILY;UNTIL=20260102T233000", time.Minute), "2026-01-02T12:00:00Z", "2027-01-01T00:00:00Z", []string{"2026-01-02T22:30:00Z"}},
		{"until an instant, which is in it", berlin("2026-01-01T23:30:00", "FREQ=DAILY;UNTIL=20260102T223000Z", time.Minute), "2026-01-02T12:00:00Z", "2027-01-01T00:00:00Z", []string{"2026-01-02T22:30:00Z"}},
		{"until the second before", berlin("2026-01-01T23:30:00", "FREQ=DAILY;UNTIL=20260102T222959Z", time.Minute), "2026-01-02T12:00:00Z", "2027-01-01T00:00:00Z", nil},
		{"a rule as it is pasted", berlin("2026-01-01T10:00:00", " RRULE:freq=weekly; byday=TU,TH; ", time.Minute), "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", []string{"2026-01-06T09:00:00Z", "2026-01-08T09:00:00Z"}},
		{"a day that Samoa had not", sitemon.Maintenance{Start: "2011-12-29T12:00:00", Duration: time.Hour, Timezone: "Pacific/Apia", RRule: "FREQ=DAILY"}, "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z", []string{"2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := mustParse(t, tt.m)
			var got []string
			for _, o := range w.Between(at(t, tt.from), at(t, tt.to)) {
				got = append(got, o.Start.Format(time.RFC3339))
				if o.End.Sub(o.Start) != tt.m.Duration {
					t.Errorf("%s takes %s, want %s", o.Start, o.End.Sub(o.Start), tt.m.Duration)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("starts (-want +got):\n%s", d)
			}
		})
	}
}

func TestFirst(t *testing.T) {
	w := mustParse(t, sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: 2 * time.Hour, Timezone: "Europe/Berlin", RRule: "FREQ=WEEKLY;BYDAY=SU"})
	want := maintenance.Occurrence{Start: at(t, "2026-12-06T21:00:00Z"), End: at(t, "2026-12-06T23:00:00Z")}
	if got := w.First(); !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
		t.Errorf("First() = %v, want %v", got, want)
	}
}

func TestCovers(t *testing.T) {
	some := sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour, Sites: []string{"a"}, Groups: []string{"g"}, Tags: []string{"t", "u"}}
	all := sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour}
	tests := []struct {
		name        string
		m           sitemon.Maintenance
		site, group string
		tags        []string
		want        bool
	}{
		{"all", all, "x", "", nil, true},
		{"by name", some, "a", "", nil, true},
		{"by group", some, "x", "g", nil, true},
		{"by tag", some, "x", "", []string{"s", "u"}, true},
		{"none", some, "x", "", []string{"a", "g"}, false},
		{"a name is no group", some, "g", "a", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustParse(t, tt.m).Covers(tt.site, tt.group, tt.tags); got != tt.want {
				t.Errorf("Covers = %t, want %t", got, tt.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	rule := func(r string) sitemon.Maintenance {
		return sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour, RRule: r}
	}
	tests := []struct {
		name string
		m    sitemon.Maintenance
		want string
	}{
		{"no start", sitemon.Maintenance{Duration: time.Hour}, `start: "" is no local time; write for example 2026-12-01T22:00:00`},
		{"a start with a zone", sitemon.Maintenance{Start: "2026-12-01T22:00:00Z", Duration: time.Hour}, "start: it is a local time; take out the Z or the offset at its end and name the zone as timezone"},
		{"no such day", sitemon.Maintenance{Start: "2026-02-30T22:00:00", Duration: time.Hour}, `start: "2026-02-30T22:00:00" is no local time; write for example 2026-12-01T22:00:00`},
		{"a year long ago", sitemon.Maintenance{Start: "0026-12-01T22:00:00", Duration: time.Hour}, "start: the year must be between 1970 and 2199"},
		{"no duration", sitemon.Maintenance{Start: "2026-12-01T22:00:00"}, "duration: it must be at least 1m"},
		{"years", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: 400 * 24 * time.Hour}, "duration: it must be at most 366 days"},
		{"months, again and again", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: 40 * 24 * time.Hour, RRule: "FREQ=YEARLY"}, "duration: with a rule it must be at most 31 days"},
		{"zone", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour, Timezone: "CEST"}, `timezone: "CEST" is no time zone; write a name such as Europe/Berlin or UTC`},
		{"the machine's zone", sitemon.Maintenance{Start: "2026-12-01T22:00:00", Duration: time.Hour, Timezone: "Local"}, `timezone: "Local" is no time zone; write a name such as Europe/Berlin or UTC`},
		{"words", rule("every sunday"), `rrule: "EVERYSUNDAY" is no part of a rule; write for example FREQ=WEEKLY;BYDAY=SU`},
		{"no frequency", rule("BYDAY=SU"), "rrule: the rule has no FREQ; write for example FREQ=WEEKLY"},
		{"unknown frequency", rule("FREQ=FORTNIGHTLY"), "rrule: FREQ must be YEARLY, MONTHLY, WEEKLY, DAILY or HOURLY, not FORTNIGHTLY"},
		{"too often", rule("FREQ=SECONDLY"), "rrule: FREQ=SECONDLY is too often; HOURLY is the most"},
		{"too often by minutes", rule("FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=0,10,20,30,40"), "rrule: the rule leads to more than 24 times a day"},
		{"seconds", rule("FREQ=DAILY;BYSECOND=1"), "rrule: BYSECOND is not understood; the parts are FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS, WKST"},
		{"its own start", rule("DTSTART=20260101T000000;FREQ=DAILY"), "rrule: DTSTART is not understood; the parts are FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS, WKST"},
		{"twice", rule("FREQ=DAILY;FREQ=WEEKLY"), "rrule: FREQ is there twice"},
		{"no number", rule("FREQ=DAILY;INTERVAL=two"), `rrule: "TWO" is no whole number`},
		{"interval", rule("FREQ=DAILY;INTERVAL=0"), "rrule: INTERVAL must be between 1 and 1000"},
		{"count", rule("FREQ=DAILY;COUNT=5000"), "rrule: COUNT must be between 1 and 1000"},
		{"two ends", rule("FREQ=DAILY;COUNT=5;UNTIL=20280101"), "rrule: COUNT can't stand beside UNTIL; take one of them out"},
		{"until", rule("FREQ=DAILY;UNTIL=2028-01-01"), "rrule: UNTIL=2028-01-01 is no time; write 20271231, 20271231T220000 (local) or 20271231T220000Z (UTC)"},
		{"weekday", rule("FREQ=WEEKLY;BYDAY=SO"), `rrule: "SO" is no weekday; they are MO, TU, WE, TH, FR, SA, SU`},
		{"month", rule("FREQ=YEARLY;BYMONTH=13"), "rrule: BYMONTH must be between 1 and 12"},
		{"the second Sunday of a week", rule("FREQ=WEEKLY;BYDAY=2SU"), "rrule: BYDAY=+2SU: a number before the weekday is for FREQ=MONTHLY and YEARLY"},
		{"the sixth Sunday of a month", rule("FREQ=MONTHLY;BYDAY=-6SU"), "rrule: BYDAY=-6SU: the number must be between 1 and 5, or -1 and -5"},
		{"hours of an hour", rule("FREQ=HOURLY;INTERVAL=2;BYHOUR=3"), "rrule: BYHOUR can't stand beside FREQ=HOURLY"},
		{"positions of nothing", rule("FREQ=MONTHLY;BYSETPOS=1"), "rrule: BYSETPOS needs another BY… beside it"},
		{"never", rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rrule: it never comes to be"},
		{"over before it begins", rule("FREQ=DAILY;UNTIL=20261201T215959"), "rrule: it ends (UNTIL) before it first comes to be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := maintenance.Parse(tt.m)
			if err == nil || err.Error() != tt.want || !errors.Is(err, sitemon.ErrInvalid) {
				t.Errorf("error %v\nwant  %s", err, tt.want)
			}
		})
	}
}

func TestParseStart(t *testing.T) {
	for _, text := range []string{"2026-12-01T22:00:00", "2026-12-01T22:00", "2026-12-01 22:00:00", "2026-12-01 22:00"} {
		if got, err := maintenance.ParseStart(text); err != nil || got != "2026-12-01T22:00:00" {
			t.Errorf("ParseStart(%q) = %q, %v", text, got, err)
		}
	}
}

// TestAgainstMinutes compares with a look at every minute by itself.
func TestAgainstMinutes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 11))
	for range 50 {
		m := randomMaintenance(r)
		w, err := maintenance.Parse(m)
		if err != nil {
			continue // it never comes to be
		}
		begin, zone := windowStart(t, r, m)
		end := begin.Add(time.Duration(1+r.IntN(40*24)) * time.Hour)
		want := startsByMinutes(t, m, begin.Add(-m.Duration), end, zone)
		var got []time.Time
		for _, o := range w.Between(begin, end) {
			got = append(got, o.Start)
		}
		if !slices.EqualFunc(want, got, time.Time.Equal) {
			t.Fatalf("%+v between %s and %s:\nwant %v\ngot  %v", m, begin, end, want, got)
		}
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomMaintenance(r *rand.Rand) sitemon.Maintenance {
	m := sitemon.Maintenance{
		Start:    fmt.Sprintf("%d-%02d-%02dT%02d:%02d:00", 2024+r.IntN(2), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), pick(r, 0, 30, 17)),
		Duration: time.Duration(1+r.IntN(300)) * time.Minute,
		Timezone: pick(r, "", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"),
	}
	freq := pick(r, "", "YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
	if freq == "" {
		return m
	}
	parts := []string{"FREQ=" + freq}
	add := func(often int, format string, args ...any) {
		if r.IntN(often) == 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(2, "INTERVAL=%d", 1+r.IntN(4))
	add(4, "BYMONTH=%d,%d", pick(r, 1, 3, 4, 9), pick(r, 10, 11))
	days := pick(r, "MO", "SU", "TU,TH", "SA,SU")
	if freq == "MONTHLY" {
		days = pick(r, "1MO", "-1SU", "2TU,4TU", "FR")
	}
	add(2, "BYDAY=%s", days)
	if freq == "MONTHLY" || freq == "DAILY" {
		add(4, "BYMONTHDAY=%d,%d", 1+r.IntN(31), -1-r.IntN(5))
	}
	if freq != "HOURLY" {
		add(4, "BYHOUR=%d,%d", r.IntN(12), 12+r.IntN(12))
	}
	add(5, "BYMINUTE=%d", r.IntN(60))
	switch r.IntN(5) {
	case 0:
		parts = append(parts, fmt.Sprintf("COUNT=%d", 1+r.IntN(60)))
	case 1:
		parts = append(parts, fmt.Sprintf("UNTIL=%d%02d%02d%s", 2025+r.IntN(2), 1+r.IntN(12), 1+r.IntN(28), pick(r, "", "T120000", "T010000Z")))
	}
	m.RRule = strings.Join(parts, ";")
	return m
}

// windowStart chooses the begin of a window, often near a change of the clock.
func windowStart(t *testing.T, r *rand.Rand, m sitemon.Maintenance) (time.Time, *time.Location) {
	t.Helper()
	zone, err := time.LoadLocation(m.Timezone)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(3*365*24*60)) * time.Minute)
	if _, end := begin.In(zone).ZoneBounds(); !end.IsZero() && r.IntN(2) == 0 {
		begin = end.UTC().Add(-time.Duration(r.IntN(72*60)) * time.Minute)
	}
	return begin, zone
}
