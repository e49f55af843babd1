package heartbeat_test

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // so that no machine lacks the zones

	"sitemon"
	"sitemon/heartbeat"
)

// nextOf is the first time of a schedule after t.
func nextOf(t *testing.T, schedule, zone string) func(time.Time) time.Time {
	t.Helper()
	rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Schedule: schedule, Timezone: zone}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return func(after time.Time) time.Time { return rule.Next(sitemon.HeartbeatState{Since: after}) }
}

// TestClockChangesEverywhere compares schedules with every minute around the changes of
// a year, in zones in which clocks change at midnight, by half an hour, or at 2:45.
func TestClockChangesEverywhere(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "America/Santiago",
		"Africa/Casablanca", "America/St_Johns", "Pacific/Chatham", "Antarctica/Troll", "America/Havana",
	}
	schedules := map[string]func(time.Time) bool{
		"30 2 * * *":   func(t time.Time) bool { return t.Hour() == 2 && t.Minute() == 30 },
		"0 0 * * *":    func(t time.Time) bool { return t.Hour() == 0 && t.Minute() == 0 },
		"15 0 * * *":   func(t time.Time) bool { return t.Hour() == 0 && t.Minute() == 15 },
		"*/7 * * * *":  func(t time.Time) bool { return t.Minute()%7 == 0 },
		"@hourly":      func(t time.Time) bool { return t.Minute() == 0 },
		"45 1,2 * * *": func(t time.Time) bool { return t.Minute() == 45 && (t.Hour() == 1 || t.Hour() == 2) },
		"0 */3 * * *":  func(t time.Time) bool { return t.Minute() == 0 && t.Hour()%3 == 0 },
		"0 3 * * 7":    func(t time.Time) bool { return t.Minute() == 0 && t.Hour() == 3 && t.Weekday() == time.Sunday },
	}
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		_, change := time.Date(2023, 1, 1, 0, 0, 0, 0, zone).ZoneBounds()
		for ; !change.IsZero() && change.Year() < 2024; _, change = change.In(zone).ZoneBounds() {
			from, until := change.Add(-30*time.Hour).UTC(), change.Add(80*time.Hour)
			for schedule, matches := range schedules {
				want, next := minutes(from, until, zone, matches), nextOf(t, schedule, name)
				var got []time.Time
				for at := next(from); at.Before(until); at = next(at) {
					got = append(got, at)
				}
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Errorf("%s in %s around %s:\n got %v\nwant %v", schedule, name, change.UTC(), got, want)
				}
			}
		}
	}
}

// minutes are those between two moments at which the clock shows what matches, for the
// first time.
func minutes(from, until time.Time, zone *time.Location, matches func(time.Time) bool) (list []time.Time) {
	shown := map[string]bool{}
	for at := from.Add(-3 * time.Hour).Truncate(time.Minute); at.Before(until); at = at.Add(time.Minute) {
		local := at.In(zone)
		text := local.Format("2006-01-02 15:04")
		if !shown[text] && matches(local) && at.After(from) {
			list = append(list, at)
		}
		shown[text] = true
	}
	return list
}

func TestSundayIsSeven(t *testing.T) {
	monday := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ seven, zero string }{
		{"0 3 * * 7", "0 3 * * 0"},
		{"0 3 * * 5-7", "0 3 * * 5,6,0"},
		{"0 3 * * 1,7-7", "0 3 * * 1,0"},
		{"0 3 * * sat-7", "0 3 * * 6,0"},
	} {
		seven, zero := nextOf(t, c.seven, ""), nextOf(t, c.zero, "")
		for at, n := monday, 0; n < 10; at, n = zero(at), n+1 {
			if got, want := seven(at), zero(at); !got.Equal(want) {
				t.Errorf("%s: after %s comes %s, want %s", c.seven, at, got, want)
			}
		}
	}
}
