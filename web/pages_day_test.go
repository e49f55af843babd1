package web_test

import (
	"context"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// minutesStore is up in every minute but those that bad names; before kept it has but
// sums of hours.
type minutesStore struct {
	*apiStore
	bad  map[string]availability.Bucket // by the minute, in UTC
	kept time.Time
}

func (f minutesStore) Availability(_ context.Context, q availability.Query) (availability.Result, error) {
	step := q.Step
	if q.From.Before(f.kept) {
		step = time.Hour
	}
	var spans []availability.Bucket
	total := availability.Bucket{}
	for at := q.From; at.Before(q.To); at = at.Add(step) {
		b, ok := f.bad[at.UTC().Format("15:04")]
		if !ok {
			b = availability.Bucket{Up: step, Reports: 1, Latency: &availability.Latency{Max: 20 * time.Millisecond}}
		}
		b.Start = at
		total.Up, total.Down = total.Up+b.Up, total.Down+b.Down
		spans = append(spans, b)
	}
	return availability.Result{From: q.From, To: q.To, Total: total, Buckets: spans}, nil
}

func dayServer(t *testing.T, bad map[string]availability.Bucket, kept time.Time) *web.Server {
	store := minutesStore{newAPIStore(), bad, kept}
	return newServer(t, store.apiStore, func(o *web.Options) { o.History = store })
}

// A day has a row for each of its hours, in any time zone, also where the clock is
// changed.
func TestDayRows(t *testing.T) {
	s := dayServer(t, nil, time.Time{})
	clock := regexp.MustCompile(`data-clock-text="([^"]*)"`)
	for _, c := range []struct {
		name, query       string
		rows              int
		first, third, end string
	}{
		{"UTC", "day=2026-10-25", 24, "00:00", "02:00", "23:00"},
		{"an hour more", "day=2026-10-25&tz=Europe/Berlin", 25, "00:00", "02:00", "23:00"},
		{"an hour less", "day=2026-03-29&tz=Europe/Berlin", 23, "00:00", "03:00", "23:00"},
		{"no midnight", "day=2026-09-06&tz=America/Santiago", 23, "01:00", "03:00", "23:00"},
		{"half an hour more", "day=2026-04-05&tz=Australia/Lord_Howe", 25, "00:00", "01:30", "23:30"},
		{"today", "day=2026-11-24", 24, "00:00", "02:00", "23:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var clocks []string
			for _, m := range clock.FindAllStringSubmatch(page(t, s, "/sites/docs?parts=minutes&"+c.query, 200), -1) {
				clocks = append(clocks, html.UnescapeString(m[1]))
			}
			if len(clocks) != c.rows || clocks[0] != c.first || clocks[2] != c.third || clocks[len(clocks)-1] != c.end {
				t.Errorf("got the rows %q, want %d of them with %s, %s and %s", clocks, c.rows, c.first, c.third, c.end)
			}
		})
	}
	twice := page(t, s, "/sites/docs?parts=minutes&day=2026-10-25&tz=Europe/Berlin", 200)
	if !strings.Contains(html.UnescapeString(twice), `data-clock-text="02:00 +01:00"`) {
		t.Error("the hour that is there twice is not told from the first")
	}
	if today := page(t, s, "/sites/docs?parts=minutes&day=2026-11-24", 200); strings.Contains(today, "day=2026-11-25") {
		t.Error("a day to come can be opened")
	}
	if closed := page(t, s, "/sites/docs?parts=minutes", 200); !strings.Contains(closed, " hidden") || strings.Contains(closed, "data-cells") {
		t.Errorf("no day is open, but the page has one: %s", closed)
	}
}

// Each minute is the worst that the site was in it, with why.
func TestDaySquares(t *testing.T) {
	store := minutesStore{newAPIStore(), map[string]availability.Bucket{
		"03:05": {Up: 30 * time.Second, Down: 30 * time.Second}, "03:06": {Down: time.Minute},
		"03:07": {Degraded: time.Minute, Latency: &availability.Latency{Max: 2 * time.Second}},
		"03:08": {Maintenance: time.Minute}, "03:09": {Unknown: time.Minute},
	}, time.Time{}}
	store.reports = append(store.reports, sitemon.Report{
		Site: "docs", Slot: time.Date(2026, 11, 23, 3, 6, 12, 0, time.UTC), Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonConnectRefused,
	})
	s := newServer(t, store.apiStore, func(o *web.Options) { o.History = store })
	text := page(t, s, "/sites/docs?parts=minutes&day=2026-11-23", 200)
	cells := firstMatch(t, `data-cells="([^"]*)" data-clock-text="03:00"`, text)
	want := "5 up 20000\n1 down 0\n1 down 0 Connection refused\n1 degraded 2000000\n1 maintenance 0\n1 unknown 0\n50 up 20000"
	if cells != want {
		t.Errorf("got the cells %q, want %q", cells, want)
	}
	for _, want := range []string{`<path class="bar-down" d="M5 0h1v12h-1zM6 0h1v12h-1z"/>`, "down 1 min, degraded 1 min, in maintenance 1 min, slowest 2.00 s", `href="/sites/docs?day=2026-11-23&from=2026-11-23T03%3A00%3A00Z`} {
		if !strings.Contains(strings.ReplaceAll(text, "&amp;", "&"), want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
}

// Of a day without reports the squares are as wide as its sums, and the page says so.
func TestDayOfSums(t *testing.T) {
	s := dayServer(t, nil, testNow.AddDate(0, 0, -30))
	text := page(t, s, "/sites/docs?parts=minutes&day=2026-09-01", 200)
	if !strings.Contains(text, "no longer kept") || !strings.Contains(text, `data-cells="60 up 20000"`) {
		t.Errorf("got %s", words(text))
	}
	if text := page(t, s, "/sites/docs?parts=minutes&day=2026-11-20", 200); strings.Contains(text, "no longer kept") {
		t.Error("a day whose reports are kept is said to have none")
	}
}

// Each of the bars opens its day, and keeps what else is in the address.
func TestBarsOpenDays(t *testing.T) {
	text := page(t, newServer(t, newAPIStore()), "/sites/docs?parts=bars&range=7d&day=2026-11-23", 200)
	links := regexp.MustCompile(`<a href="([^"]*)" data-open-day[^>]*`).FindAllString(text, -1)
	if len(links) != 90 {
		t.Fatalf("got %d links, want 90", len(links))
	}
	open := slices.IndexFunc(links, func(l string) bool { return strings.Contains(l, `aria-current="date"`) })
	if open != 88 || !strings.Contains(links[open], "day=2026-11-23&amp;range=7d") {
		t.Errorf("link %d is the open day's: %q", open, links[88:])
	}
}
