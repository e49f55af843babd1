package maintenance_test

import (
	"testing"
	"time"

	"sitemon"
	"sitemon/maintenance"
)

// FuzzParse checks that no rule makes trouble: what Parse takes has a first time,
// and its times come in order, apart and within the window.
func FuzzParse(f *testing.F) {
	for _, rule := range []string{
		"", "FREQ=WEEKLY;BYDAY=SU", "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=3", "FREQ=YEARLY;BYWEEKNO=53,-53;BYDAY=MO", "FREQ=YEARLY;BYDAY=53MO,-53SU",
		"FREQ=YEARLY;BYYEARDAY=366,-366", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "FREQ=HOURLY;INTERVAL=1000;BYMONTHDAY=-31",
		"FREQ=WEEKLY;BYSETPOS=-1,2;BYDAY=MO,FR;WKST=SU", "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR;BYHOUR=1,2", "FREQ=YEARLY;BYMONTH=2;BYDAY=5MO;INTERVAL=4;COUNT=3",
		"FREQ=DAILY;UNTIL=20270101T000000Z", "FREQ=HOURLY;BYMINUTE=30", "FREQ=DAILY;INTERVAL=1000;BYMONTH=12;BYMONTHDAY=1",
	} {
		f.Add(rule, "2026-12-01T22:00:00", "Europe/Berlin", uint16(90), uint16(100))
	}
	f.Add("FREQ=MONTHLY", "1970-01-31T00:00", "Pacific/Apia", uint16(60000), uint16(0))
	f.Fuzz(func(t *testing.T, rule, start, zone string, minutes, days uint16) {
		w, err := maintenance.Parse(sitemon.Maintenance{Start: start, Duration: time.Duration(minutes) * time.Minute, Timezone: zone, RRule: rule})
		if err != nil {
			return
		}
		first := w.First()
		if got := w.Between(first.Start, first.End); len(got) == 0 {
			t.Errorf("nothing while the first one lasts, %v", first)
		}
		from := first.Start.AddDate(0, 0, int(days))
		to := from.AddDate(0, 0, 60)
		var last time.Time
		for _, o := range w.Between(from, to) {
			if !o.Start.Before(to) || !o.End.After(from) || !o.Start.After(last) {
				t.Errorf("%v is not between %s and %s, or not after %s", o, from, to, last)
			}
			last = o.Start
		}
	})
}

func BenchmarkBetween(b *testing.B) {
	for _, rule := range []string{"", "FREQ=WEEKLY;BYDAY=SU", "FREQ=HOURLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"} {
		b.Run(rule, func(b *testing.B) {
			m := sitemon.Maintenance{Start: "1996-01-01T22:00:00", Duration: time.Hour, Timezone: "Europe/Berlin", RRule: rule}
			now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
			for b.Loop() {
				mustParse(b, m).Between(now.Add(-time.Minute), now)
			}
		})
	}
}
