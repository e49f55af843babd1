package availability_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // so that the zones are there on every machine

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/recount"
)

const day = 24 * time.Hour

func TestDefaultStep(t *testing.T) {
	for _, tt := range []struct{ window, want time.Duration }{
		{0, time.Minute},
		{5 * time.Minute, time.Minute},
		{time.Hour, time.Minute},
		{6 * time.Hour, 5 * time.Minute},
		{day, 15 * time.Minute},
		{7 * day, 2 * time.Hour},
		{30 * day, 6 * time.Hour},
		{90 * day, day},
		{365 * day, 2 * day},
		{10 * 365 * day, 30 * day},
		{100 * 365 * day, 30 * day},
	} {
		if got := availability.DefaultStep(tt.window); got != tt.want {
			t.Errorf("of %s: %s, want %s", tt.window, got, tt.want)
		}
	}
	for window := 100 * time.Minute; window < 6*365*day; window += window / 7 {
		if n := float64(window) / float64(availability.DefaultStep(window)); n < 40 || n > 200 {
			t.Errorf("a window of %s has %.0f buckets", window, n)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		q    availability.Query
		want string // "" where nothing is wrong
	}{
		{"good", availability.Query{From: at(0), To: at(60), Step: time.Minute}, ""},
		{"empty window", availability.Query{From: at(0), To: at(0), Step: time.Minute}, "from 2026-11-24T10:00:00Z is not before to 2026-11-24T10:00:00Z"},
		{"backwards", availability.Query{From: at(60), To: at(0), Step: time.Minute}, "is not before"},
		{"no step", availability.Query{From: at(0), To: at(60)}, "step 0s is less than 1m0s"},
		{"a step too small", availability.Query{From: at(0), To: at(60), Step: 59 * time.Second}, "step 59s is less than 1m0s"},
		{"30 days of minutes", availability.Query{From: at(0), To: at(0).Add(30 * day), Step: time.Minute}, ""},
		{"a year of minutes", availability.Query{From: at(0), To: at(0).Add(365 * day), Step: time.Minute}, "makes more than 50000 buckets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.q.Check()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.want != "" && (!errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want ErrInvalid with %q", err, tt.want)
			}
		})
	}
}

func TestEdges(t *testing.T) {
	tests := []struct {
		name     string
		from, to string
		step     time.Duration
		zone     string
		want     string
	}{
		{"aligned", "2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z", time.Hour, "", "24T10:00 24T11:00 24T12:00"},
		{"clipped", "2026-11-24T10:20:00Z", "2026-11-24T12:10:00Z", time.Hour, "", "24T10:20 24T11:00 24T12:00 24T12:10"},
		{"within one step", "2026-11-24T10:20:00Z", "2026-11-24T10:40:00Z", time.Hour, "", "24T10:20 24T10:40"},
		{"a step that divides no hour", "2026-11-24T00:00:00Z", "2026-11-24T01:00:00Z", 25 * time.Minute, "", "24T00:00 24T00:10 24T00:35 24T01:00"},
		{"days in UTC", "2026-11-23T12:00:00Z", "2026-11-25T12:00:00Z", day, "", "23T12:00 24T00:00 25T00:00 25T12:00"},
		{"given in another zone", "2026-11-24T11:20:00+01:00", "2026-11-24T12:10:00+01:00", time.Hour, "", "24T10:20 24T11:00 24T11:10"},
		{"hours in a zone are those of UTC", "2026-11-24T10:20:00Z", "2026-11-24T12:00:00Z", time.Hour, "Asia/Kolkata", "24T10:20 24T11:00 24T12:00"},
		{"days in Berlin", "2026-11-23T12:00:00Z", "2026-11-25T12:00:00Z", day, "Europe/Berlin", "23T12:00 23T23:00 24T23:00 25T12:00"},
		{"a day of 23 hours", "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", day, "Europe/Berlin", "28T23:00 29T22:00 30T22:00"},
		{"a day of 25 hours", "2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z", day, "Europe/Berlin", "24T22:00 25T23:00 26T23:00"},
		{"days east of Greenwich", "2026-11-23T00:00:00Z", "2026-11-25T00:00:00Z", day, "Pacific/Auckland", "23T00:00 23T11:00 24T11:00 25T00:00"},
		{"days west of Greenwich", "2026-11-23T00:00:00Z", "2026-11-25T00:00:00Z", day, "America/Los_Angeles", "23T00:00 23T08:00 24T08:00 25T00:00"},
		// Summer time begins at midnight: 24:00 becomes 01:00.
		{"a midnight that does not exist", "2018-11-03T03:00:00Z", "2018-11-06T00:00:00Z", day, "America/Sao_Paulo", "03T03:00 04T03:00 05T02:00 06T00:00"},
		// Summer time ends one hour after midnight: 01:00 becomes 00:00.
		{"a midnight that exists twice", "2026-10-31T04:00:00Z", "2026-11-03T00:00:00Z", day, "America/Havana", "31T04:00 01T04:00 02T05:00 03T00:00"},
		// Samoa crossed the date line and left out 30 December.
		{"a day that does not exist", "2011-12-28T10:00:00Z", "2012-01-01T00:00:00Z", day, "Pacific/Apia", "28T10:00 29T10:00 30T10:00 31T10:00 01T00:00"},
		// 2026-11-19 is day 20,776 since 1970, a multiple of 7: a Thursday, as 1970 began.
		{"weeks", "2026-11-17T00:00:00Z", "2026-11-27T00:00:00Z", 7 * day, "Europe/Berlin", "17T00:00 18T23:00 25T23:00 27T00:00"},
		{"before 1970", "1969-12-30T12:00:00Z", "1970-01-02T00:00:00Z", day, "", "30T12:00 31T00:00 01T00:00 02T00:00"},
		{"before 1970 in a zone", "1969-12-30T12:00:00Z", "1970-01-02T00:00:00Z", day, "Europe/Berlin", "30T12:00 30T23:00 31T23:00 01T23:00 02T00:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := availability.Query{Step: tt.step}
			var err error
			if q.From, err = time.Parse(time.RFC3339, tt.from); err != nil {
				t.Fatal(err)
			}
			if q.To, err = time.Parse(time.RFC3339, tt.to); err != nil {
				t.Fatal(err)
			}
			if tt.zone != "" {
				if q.Zone, err = time.LoadLocation(tt.zone); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, e := range q.Edges() {
				got = append(got, e.Format("02T15:04"))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// In every zone and over years of clock changes the edges of days are ascending,
// each at the first moment of its local date.
func TestEdgesOfDaysInManyZones(t *testing.T) {
	for _, name := range []string{
		"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "America/Havana", "Asia/Tehran",
		"Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu", "America/Asuncion",
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		q := availability.Query{
			From: time.Date(2005, 1, 1, 12, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
			Step: day, Zone: zone,
		}
		edges := q.Edges()
		for i, e := range edges[1 : len(edges)-1] {
			before := edges[i]
			date, dateBefore := e.In(zone).Format(time.DateOnly), e.Add(-1).In(zone).Format(time.DateOnly)
			if width := e.Sub(before); i > 0 && (width < 22*time.Hour || width > 26*time.Hour) {
				t.Errorf("%s: a day of %s ends at %s", name, width, e)
			}
			if date <= dateBefore {
				t.Errorf("%s: %s is not where %s begins", name, e, date)
			}
		}
	}
}

func TestPercentiles(t *testing.T) {
	const n = 3000
	rnd := rand.New(rand.NewPCG(15, 16))
	orders := map[string]func(i int) int{
		"ascending":           func(i int) int { return i },
		"descending":          func(i int) int { return n - i },
		"equal":               func(int) int { return 7 },
		"two values":          func(i int) int { return i % 2 },
		"up and down":         func(i int) int { return min(i, n-i) },
		"random":              func(int) int { return rnd.IntN(1e6) },
		"one that stands out": func(i int) int { return i / (n - 1) },
	}
	for name, order := range orders {
		for _, n := range []int{1, 2, 3, 19, 20, 21, 99, 100, 101, n} {
			var reports []availability.Report
			var durations []time.Duration
			for i := range n {
				r := report(float64(i), up)
				r.Duration = time.Duration(order(i)) * time.Microsecond
				reports, durations = append(reports, r), append(durations, r.Duration)
			}
			slices.Sort(durations)
			p := availability.Spans([]time.Time{at(0), at(float64(n))}, availability.Options{Percentiles: true}, reports)[0]
			got := []time.Duration{p.P50, p.P95, p.P99}
			want := []time.Duration{recount.NearestRank(durations, 50), recount.NearestRank(durations, 95), recount.NearestRank(durations, 99)}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d values: got %v, want %v", name, n, got, want)
			}
		}
	}
}
