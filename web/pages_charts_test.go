package web_test

import (
	"context"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// firstMatch is what the pattern's group is in the page.
func firstMatch(t *testing.T, pattern, page string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("nothing in the page is like %s", pattern)
	}
	return html.UnescapeString(m[1])
}

// The window of the charts is a range or between two moments, and ends now at the
// latest; what can't be shown is refused.
func TestChartWindow(t *testing.T) {
	for _, c := range []struct {
		name, query string
		status      int
		want        string // from, to and step, or what the refusal says
	}{
		{"standard", "", 200, "2026-11-23T10:00:00Z 2026-11-24T10:00:00Z 15m0s"},
		{"a year", "range=1y", 200, "2025-11-24T10:00:00Z 2026-11-24T10:00:00Z 96h0m0s"},
		{"between moments", "from=2026-11-20T01:02:03Z&to=2026-11-20T04:00:00Z", 200, "2026-11-20T01:02:00Z 2026-11-20T04:00:00Z 2m0s"},
		{"before now", "from=-36h", 200, "2026-11-22T22:00:00Z 2026-11-24T10:00:00Z 30m0s"},
		{"a day up to a moment", "to=2026-11-20T04:00:00Z", 200, "2026-11-19T04:00:00Z 2026-11-20T04:00:00Z 15m0s"},
		{"moments go before a range", "range=7d&from=-1h", 200, "2026-11-24T09:00:00Z 2026-11-24T10:00:00Z 1m0s"},
		{"to in the future", "from=-1h&to=2027-01-01T00:00:00Z", 200, "2026-11-24T09:00:00Z 2026-11-24T10:00:00Z 1m0s"},
		{"too short", "from=2026-11-20T01:00:00Z&to=2026-11-20T01:01:00Z", 200, "2026-11-20T00:55:00Z 2026-11-20T01:05:00Z 1m0s"},
		{"too short at the end", "from=-1m", 200, "2026-11-24T09:50:00Z 2026-11-24T10:00:00Z 1m0s"},
		{"unknown range", "range=2d", 400, "none of 1h, 24h, 7d, 30d, 90d, 1y"},
		{"no moment", "from=yesterday", 400, "neither a time"},
		{"backwards", "from=-1h&to=-2h", 400, "is not before to"},
		{"in the future", "from=2027-01-01T00:00:00Z", 400, "is not before to, or not before now"},
		{"too long", "from=-10000d", 400, "more than five years"},
		{"no zone", "day=2026-11-20&tz=Moon/Crater", 400, "is not a time zone"},
		{"no day", "day=2026-11-31", 400, "is not a day such as"},
		{"a day to come in every zone", "day=2026-11-26", 400, "is not between the year 1971 and today"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			s := newServer(t, store)
			text := page(t, s, "/sites/docs?parts=chart&"+c.query, c.status)
			if c.status != 200 {
				if !strings.Contains(html.UnescapeString(text), c.want) {
					t.Errorf("the refusal does not say %q: %s", c.want, words(text))
				}
				return
			}
			w := store.window
			if got := w.From.Format(time.RFC3339) + " " + w.To.Format(time.RFC3339) + " " + w.Step.String(); got != c.want {
				t.Errorf("got the window %s, want %s", got, c.want)
			}
			// The script asks the API for the same.
			source := firstMatch(t, `data-charts="([^"]*)"`, text)
			if got := ask(s, "GET", source); got.Code != 200 {
				t.Errorf("%s: status %d: %s", source, got.Code, body(got))
			}
			if a := store.window; !a.From.Equal(w.From) || !a.To.Equal(w.To) || a.Step != w.Step {
				t.Errorf("the API is asked for %s to %s by %s, the page for %s", a.From, a.To, a.Step, c.want)
			}
		})
	}
}

// The buttons lead to windows beside, within and around; what is in the address
// besides stays in it.
func TestChartWindowLinks(t *testing.T) {
	s := newServer(t, newAPIStore())
	link := func(page, name string) string {
		u, err := url.Parse(firstMatch(t, `<a class="button"(?: href="([^"]*)")?[^>]*data-zoom="`+name+`"`, page))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		return strings.Trim(strings.Join([]string{q.Get("range"), q.Get("from"), q.Get("to"), q.Get("day")}, " "), " ")
	}
	for _, c := range []struct{ name, query, button, want string }{
		{"earlier", "range=24h&day=2026-11-20", "Earlier", "24h 2026-11-22T22:00:00Z 2026-11-23T22:00:00Z 2026-11-20"},
		{"nothing is later than now", "", "Later", ""},
		{"later", "from=2026-11-20T00:00:00Z&to=2026-11-20T02:00:00Z", "Later", "2026-11-20T01:00:00Z 2026-11-20T03:00:00Z"},
		{"later up to now", "from=2026-11-24T00:00:00Z&to=2026-11-24T09:00:00Z", "Later", "2026-11-24T01:00:00Z 2026-11-24T10:00:00Z"},
		{"in", "from=2026-11-20T00:00:00Z&to=2026-11-20T02:00:00Z", "Zoom in", "2026-11-20T00:30:00Z 2026-11-20T01:30:00Z"},
		{"no further in", "from=2026-11-20T00:00:00Z&to=2026-11-20T00:10:00Z", "Zoom in", ""},
		{"out", "from=2026-11-20T00:00:00Z&to=2026-11-20T02:00:00Z", "Zoom out", "2026-11-19T23:00:00Z 2026-11-20T03:00:00Z"},
		{"out at the end", "from=2026-11-24T08:00:00Z&to=2026-11-24T10:00:00Z", "Zoom out", "2026-11-24T06:00:00Z 2026-11-24T10:00:00Z"},
		{"reset", "range=7d&from=2026-11-24T08:00:00Z", "Reset", "7d"},
		{"nothing to reset", "range=7d", "Reset", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := link(page(t, s, "/sites/docs?"+c.query, 200), c.button); got != c.want {
				t.Errorf("%s leads to %q, want %q", c.button, got, c.want)
			}
		})
	}
}

// The heatmap has a cell for each band of latency of each step, the darker the more
// answers are in it, and says in words what it shows.
func TestHeatmap(t *testing.T) {
	ms := time.Millisecond
	of := func(d ...time.Duration) availability.Bucket {
		return availability.Bucket{Figure: availability.Figure{Coverage: 1}, Up: time.Minute, Reports: len(d), Latency: &availability.Latency{
			Mean: d[0], P50: d[0], P95: d[0], P99: d[0], Max: d[0], Durations: availability.HistogramOf(d...),
		}}
	}
	for _, c := range []struct {
		name    string
		buckets []availability.Bucket
		rows    string
		want    []string // by level
		text    string
	}{
		{"one step", []availability.Bucket{of(10*ms, 10*ms)}, "1", []string{"5 M0.0 0h1000.0v1h-1000.0z"}, "half of them from 10 ms to 10 ms"},
		{"neighbours are one shape", []availability.Bucket{of(10 * ms), of(10 * ms)}, "1", []string{"5 M0.0 0h1000.0v1h-1000.0z"}, "Distribution of 2 latencies"},
		{
			"by share",
			[]availability.Bucket{of(slices.Concat(slices.Repeat([]time.Duration{10 * ms}, 79), slices.Repeat([]time.Duration{15 * ms}, 20), []time.Duration{20 * ms})...)},
			"5",
			[]string{"1 M0.0 0h1000.0v1h-1000.0z", "3 M0.0 2h1000.0v1h-1000.0z", "5 M0.0 4h1000.0v1h-1000.0z"},
			"99 of 100 up to 15 ms",
		},
		{"from µs to minutes", []availability.Bucket{of(3*time.Microsecond, 90*time.Second)}, "26", []string{"4 M0.0 25h1000.0v1h-1000.0zM0.0 0h1000.0v1h-1000.0z"}, ""},
		{"a step without answers", []availability.Bucket{of(10 * ms), {Unknown: time.Minute}, of(10 * ms)}, "1", []string{"5 M0.0 0h333.3v1h-333.3zM666.7 0h333.3v1h-333.3z"}, ""},
		{"nothing", []availability.Bucket{{Unknown: time.Minute}}, "", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := thirdsStore{newAPIStore(), c.buckets}
			s := newServer(t, store.apiStore, func(o *web.Options) { o.History = store })
			text := page(t, s, "/sites/docs?parts=chart", 200)
			var got []string
			for _, m := range regexp.MustCompile(`<path class="heat-(\d)" d="([^"]*)"`).FindAllStringSubmatch(text, -1) {
				got = append(got, m[1]+" "+m[2])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got the cells %q, want %q", got, c.want)
			}
			if c.rows == "" {
				return
			}
			if rows := firstMatch(t, `class="heat" viewBox="0 0 1000 (\d+)"`, text); rows != c.rows {
				t.Errorf("got %s rows, want %s", rows, c.rows)
			}
			if label := firstMatch(t, `class="heat"[^>]*aria-label="([^"]*)"`, text); !strings.Contains(label, c.text) {
				t.Errorf("it says %q, want it to say %q", label, c.text)
			}
		})
	}
}

// thirdsStore divides every window into the same buckets.
type thirdsStore struct {
	*apiStore
	buckets []availability.Bucket
}

func (f thirdsStore) Availability(_ context.Context, q availability.Query) (availability.Result, error) {
	r := availability.Result{From: q.From, To: q.To, Buckets: slices.Clone(f.buckets)}
	for i := range r.Buckets {
		r.Buckets[i].Start = q.From.Add(time.Duration(i) * q.To.Sub(q.From) / time.Duration(len(f.buckets)))
	}
	return r, nil
}

// The phases of a step stand one upon the other, and add up.
func TestPhaseChart(t *testing.T) {
	ms := time.Millisecond
	b := availability.Bucket{Up: time.Minute, Figure: availability.Figure{Availability: new(1.0), Coverage: 1}, Latency: &availability.Latency{
		Mean: 100 * ms, Max: 100 * ms, Phases: sitemon.Phases{Connect: 10 * ms, Processing: 90 * ms},
	}}
	store := thirdsStore{newAPIStore(), []availability.Bucket{b, {}}}
	text := page(t, newServer(t, store.apiStore, func(o *web.Options) { o.History = store }), "/sites/docs?parts=chart", 200)
	for _, want := range []string{
		`<path class="fill-connect" d="M0.0 218.2h500.0v21.8h-500.0z"/><path class="fill-processing" d="M0.0 21.8h500.0v196.4h-500.0z"/>`,
		`aria-label="Mean time of the phases: processing 90 ms, connect 10 ms."`,
		`<td class="small">connect 10 ms, processing 90 ms</td>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
}

// What happened is marked, for the eye and for the script.
func TestChartMarks(t *testing.T) {
	store := newAPIStore()
	s := newServer(t, store)
	text := page(t, s, "/sites/shop%2Fcheckout?parts=chart", 200)
	var marks []struct {
		At, Until time.Time
		Kind      string
		Href      string
	}
	if err := json.Unmarshal([]byte(firstMatch(t, `data-marks="([^"]*)"`, text)), &marks); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(marks, func(m struct {
		At, Until time.Time
		Kind      string
		Href      string
	},
	) bool {
		return m.Kind == "incident" && m.Href == "/incidents/42"
	})
	if i < 0 || !marks[i].At.Equal(store.incidents[0].StartedAt) || !marks[i].Until.Equal(testNow) {
		t.Errorf("the open incident is not marked up to now: %+v", marks)
	}
	if !strings.Contains(text, `<rect class="mark-incident" x="`) {
		t.Error("no incident is drawn")
	}
}
