package heartbeat

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"sitemon"
)

// fields are those of a cron expression: minute, hour, day of month, month, day of
// week; or one of the names such as @daily.
const fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor

// parse reads a cron expression and its time zone. An expression that names a zone
// of its own, or an interval, is refused: there are keys for both.
func parse(schedule, timezone string) (cron.Schedule, *time.Location, error) {
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return nil, nil, fmt.Errorf("%w: unknown time zone %q", sitemon.ErrInvalid, timezone)
	}
	if strings.Contains(schedule, "TZ=") || strings.HasPrefix(schedule, "@every") || strings.HasPrefix(schedule, "@reboot") {
		return nil, nil, fmt.Errorf("%w: the cron expression %q holds a time zone or an interval, which have keys of their own", sitemon.ErrInvalid, schedule)
	}
	s, err := cron.NewParser(fields).Parse(withSunday(schedule))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the cron expression %q: %w", sitemon.ErrInvalid, schedule, err)
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, nil, fmt.Errorf("%w: the cron expression %q names no day that there is", sitemon.ErrInvalid, schedule)
	}
	return s, zone, nil
}

// withSunday writes Sunday as 0 where a cron expression has it as 7, as programs for
// such schedules take it: alone, or at the end of a range.
func withSunday(schedule string) string {
	parts := strings.Fields(schedule)
	if len(parts) != 5 {
		return schedule
	}
	days := strings.Split(parts[4], ",")
	for i, day := range days {
		from, isRange := strings.CutSuffix(day, "-7")
		switch {
		case day == "7":
			days[i] = "0"
		case isRange && from == "7":
			days[i] = "0"
		case isRange:
			days[i] = from + "-6,0"
		}
	}
	parts[4] = strings.Join(days, ",")
	return strings.Join(parts, " ")
}

// next is the first time of the schedule after t; zero: there is none. A local time
// that the clock skips is none, and of one that comes twice the first counts: that is
// when programs for such schedules run what they have to run once a day. The schedule
// is asked about the clock on the wall, as one that never changes: what the library
// makes of changes, times between them and days that begin late included, is wrong
// for some zones.
func (r Rule) next(t time.Time) time.Time {
	wall := onTheWall(t.In(r.zone))
	for {
		wall = r.schedule.Next(wall)
		if wall.IsZero() {
			return wall
		}
		if at, ok := firstTime(wall, r.zone); ok && at.After(t) {
			return at
		}
	}
}

// onTheWall is what a clock shows at a moment, as a time in UTC.
func onTheWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// firstTime is the first moment at which a clock shows a time; false: it skips it.
func firstTime(wall time.Time, zone *time.Location) (at time.Time, ok bool) {
	at = time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
	if !onTheWall(at).Equal(wall) {
		return at, false
	}
	changed, _ := at.ZoneBounds()
	if changed.IsZero() {
		return at, true
	}
	_, offset := at.Zone()
	_, before := changed.Add(-1).Zone()
	if earlier := at.Add(time.Duration(offset-before) * time.Second); earlier.Before(changed) && before > offset {
		return earlier, true
	}
	return at, true
}
