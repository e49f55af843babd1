package web_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sitemon/availability"
	"sitemon/web"
)

// Badges of sites on public pages outlive the database as the pages do.
func TestBadgesOutliveTheDatabase(t *testing.T) {
	store, dir := statusStore(), t.TempDir()
	open := func(dir string) *web.Server {
		return guarded(t, store, func(o *web.Options) { o.DataDir = dir })
	}
	badges := map[string]string{"/badge/docs/status.svg": "status: up", "/badge/docs/uptime.svg": "uptime 30d: 99.98%", "/badge/docs/latency.svg": "latency 24h: 20 ms"}
	s := open(dir)
	for target, says := range badges {
		if text := body(ask(s, "GET", target)); !strings.Contains(text, says) {
			t.Fatalf("%s says %s, want %s", target, text, says)
		}
	}
	store.err = errors.New("the database is away")
	for target, says := range badges {
		if text := body(ask(s, "GET", target)); !strings.Contains(text, says) {
			t.Errorf("without the database %s says %s, want %s", target, text, says)
		}
	}
	again := open(dir) // it knows the page alone
	for target, says := range map[string]string{
		"/badge/docs/status.svg": "status: up", "/badge/docs/uptime.svg": "uptime 30d: 100%", "/badge/docs/latency.svg": "latency 24h: unknown",
	} {
		if text := body(ask(again, "GET", target)); !strings.Contains(text, says) {
			t.Errorf("after a restart %s says %s, want %s", target, text, says)
		}
	}
	for name, w := range map[string]int{
		"a site that is on no public page": ask(s, "GET", "/badge/new/status.svg", viewerToken).Code,
		"nothing is known":                 ask(open(""), "GET", "/badge/docs/status.svg", viewerToken).Code,
	} {
		if w < 500 {
			t.Errorf("%s: got status %d", name, w)
		}
	}
}

func TestStatusJSONSaysThatItIsStale(t *testing.T) {
	store, now := statusStore(), testNow
	s := newServer(t, store, func(o *web.Options) { o.Now = func() time.Time { return now } })
	said := func() string { return body(ask(s, "GET", "/status/public.json")) }
	if text := said(); !strings.HasSuffix(text, `"stale":false}`) {
		t.Errorf("at once it says %s", text)
	}
	store.err = errors.New("the database is away")
	// A database that is away for a moment is nothing to tell of: the age decides.
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{29 * time.Second, `"stale":false}`}, {31 * time.Second, `"stale":true}`}} {
		now = testNow.Add(c.after)
		if text := said(); !strings.HasSuffix(text, c.want) {
			t.Errorf("after %s it says %s, want %s", c.after, text[max(0, len(text)-40):], c.want)
		}
		if told := strings.Contains(page(t, s, "/status/public", 200), "live data is not available"); told != strings.Contains(c.want, "true") {
			t.Errorf("after %s the page tells of it: %t", c.after, told)
		}
	}
}

// A day has 23 or 25 hours now and then, and is one bar all the same.
func TestStatusBarsOfADayOf25Hours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	store := statusStore()
	store.series = func(q availability.SeriesQuery) (days []availability.SeriesBucket) {
		if q.Zone == nil || q.Zone.String() != "Europe/Berlin" {
			return nil // the other page
		}
		for at := q.From; at.Before(q.To); {
			next := time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, berlin)
			days = append(days, availability.SeriesBucket{Start: at, Up: min(next.Sub(at), q.To.Sub(at)) - time.Hour, Down: time.Hour})
			at = next
		}
		return days
	}
	for name, c := range map[string]struct {
		now   time.Time
		day   string
		hours float64
	}{
		"in autumn": {testNow, "2026-10-25T00:00:00+02:00", 25},
		"in spring": {time.Date(2027, 4, 2, 12, 0, 0, 0, time.UTC), "2027-03-28T00:00:00+01:00", 23},
		"today":     {time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC), "2026-10-25T00:00:00+02:00", 14},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, store, func(o *web.Options) { o.Now = func() time.Time { return c.now } })
			var m struct {
				Components []struct {
					Days []struct {
						Start string
						Up    float64 `json:"up_s"`
						Down  float64 `json:"down_s"`
					}
				}
			}
			if err := json.Unmarshal([]byte(body(ask(s, "GET", "/status/public.json"))), &m); err != nil {
				t.Fatal(err)
			}
			days := m.Components[0].Days
			if len(days) != 90 {
				t.Fatalf("there are %d days", len(days))
			}
			for i, d := range days {
				if !strings.Contains(d.Start, "T00:00:00+0") || i > 0 && d.Start[:10] == days[i-1].Start[:10] {
					t.Errorf("day %d begins at %s", i, d.Start)
				}
				if d.Start == c.day && d.Up+d.Down != c.hours*3600 {
					t.Errorf("%s has %v s, want %v hours", d.Start, d.Up+d.Down, c.hours)
				}
			}
			text := page(t, s, "/status/public", 200)
			if !strings.Contains(text, `viewBox="0 0 90 24"`) || !strings.Contains(text, `data-bars="`+days[0].Start[:10]) {
				t.Errorf("the bars are not 90 from %s on", days[0].Start)
			}
		})
	}
}

// Names that turn the direction of writing do not turn what stands around them.
func TestNamesOfAnyDirection(t *testing.T) {
	const name = "\u202eevil \u05d0\u05d1\u2069"
	store := statusStore()
	store.sites[0].Name, store.incidents[1].Site = name, name
	doc := store.documents["sites.yaml"]
	doc.StatusPages[0].Title, doc.Maintenance[0].Sites = name, []string{name}
	s := newServer(t, store)
	text := page(t, s, "/status/public", 200)
	for i, rest := 0, text; ; i++ {
		at := strings.Index(rest, "\u202e")
		if at < 0 {
			if i < 4 {
				t.Errorf("the page has the name %d times", i)
			}
			break
		}
		before := rest[max(0, at-len("<bdi>")):at]
		if before != "<bdi>" && !strings.HasSuffix(rest[:at], "<title>") && !strings.HasSuffix(rest[:at], `title="`) && !strings.HasSuffix(rest[:at], `aria-label="`) {
			t.Errorf("a name is not apart from its surroundings: %q", rest[max(0, at-60):at+20])
		}
		rest = rest[at+len("\u202e"):]
	}
	for _, feed := range []string{"feed.atom", "feed.rss"} {
		raw := body(ask(s, "GET", "/status/public/"+feed))
		if want := "\u2068evil \u05d0\u05d1\u2069 was down"; !strings.Contains(raw, want) {
			t.Errorf("%s does not hold %q:\n%s", feed, want, raw)
		}
	}
}
