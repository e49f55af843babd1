package web_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sitemon/availability"
	"sitemon/web"
)

func TestBadParametersAreNamed(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, c := range []struct{ path, query, parameter string }{
		{"sites", "limit=0", "limit"},
		{"sites", "limit=10001", "limit"},
		{"sites", "limit=ten", "limit"},
		{"sites", "limit=1&limit=2", "limit"},
		{"sites", "removed=yes", "removed"},
		{"sites", "status=UP", "status"},
		{"sites", "cursor=!", "cursor"},
		{"sites", "q=%ff", "q"},
		{"sites", "q=%00", "q"},
		{"sites", "foo=1", "foo"},
		{"sites/docs", "limit=1", "limit"},
		{"sites/docs/reports", "from=yesterday", "from"},
		{"sites/docs/reports", "to=2026-11-24", "to"},
		{"sites/docs/reports", "from=-1h&to=-2h", "from"},
		{"sites/docs/reports", "from=1969-12-31T23:59:59Z", "from"},
		{"sites/docs/reports", "from=-24", "from"},
		{"sites/docs/reports", "outcome=paused", "outcome"},
		{"sites/docs/reports", "cursor=x", "cursor"},
		{"sites/docs/availability", "step=59s", "step"},
		{"sites/docs/availability", "step=367d", "step"},
		{"sites/docs/availability", "step=60", "step"},
		{"sites/docs/availability", "step=-1h", "step"},
		{"sites/docs/availability", "from=-60d&step=1m", "step"},
		{"sites/docs/availability", "from=-1h&to=-1h", "from"},
		{"sites/docs/availability", "from=2026-11-24T10:00:01Z", "from"},
		{"sites/docs/availability", "from=-90d&to=-100d", "from"},
		{"sites/docs/availability", "from=-100000d", "from"},
		{"sites/docs/availability", "from=-30000d", "from"},
		{"sites/docs/availability", "to=1970-01-01T12:00:00Z", "from"},
		{"sites/docs/availability", "tz=Mars/Olympus", "tz"},
		{"sites/docs/availability", "tz=Local", "tz"},
		{"sites/docs/availability", "tz=../../etc/passwd", "tz"},
		{"sites/docs/availability", "tz=Europe/Berlin&step=1h", "tz"},
		{"config", "limit=-1", "limit"},
		{"monitors", "site=docs", "site"},
	} {
		t.Run(c.path+"?"+c.query, func(t *testing.T) {
			w := ask(s, "GET", "/api/v1/"+c.path+"?"+c.query)
			wantStatus(t, w, 400)
			var p struct{ Parameter, Detail string }
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if p.Parameter != c.parameter || !strings.HasPrefix(p.Detail, c.parameter+": ") {
				t.Errorf("got parameter %q, detail %q, want parameter %q", p.Parameter, p.Detail, c.parameter)
			}
		})
	}
	wantStatus(t, ask(s, "GET", "/api/v1/sites?q=%zz"), 400)
}

func TestWindow(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	store := newAPIStore()
	s := newServer(t, store)
	for _, c := range []struct {
		name, query string
		want        availability.Query
	}{
		{"the last day", "", availability.Query{From: testNow.Add(-day), To: testNow, Step: 15 * time.Minute}},
		{"relative", "from=-7d&to=-1d12h", availability.Query{From: testNow.Add(-7 * day), To: testNow.Add(-36 * time.Hour), Step: time.Hour}},
		{"to now", "from=-1h&to=now", availability.Query{From: testNow.Add(-time.Hour), To: testNow, Step: time.Minute}},
		{"ends now at the latest", "from=-90d&to=2030-01-01T00:00:00Z", availability.Query{From: testNow.Add(-90 * day), To: testNow, Step: day}},
		{"only to", "to=2026-11-01T00:00:00Z", availability.Query{From: at("2026-10-31T00:00:00Z"), To: at("2026-11-01T00:00:00Z"), Step: 15 * time.Minute}},
		{"offsets", "from=2026-11-24T09:00:00%2B02:00&to=2026-11-24T10:00:00+02:00&step=90s", availability.Query{From: at("2026-11-24T07:00:00Z"), To: at("2026-11-24T08:00:00Z"), Step: 90 * time.Second}},
		{"years", "from=1970-01-01T00:00:00Z", availability.Query{From: time.Unix(0, 0).UTC(), To: testNow, Step: 30 * day}},
		{"a month of minutes", "from=-30d&step=1m", availability.Query{From: testNow.Add(-30 * day), To: testNow, Step: time.Minute}},
		{"local midnights", "from=-1d&tz=Europe/Berlin", availability.Query{From: testNow.Add(-day), To: testNow, Step: day, Zone: berlin}},
		{"local weeks", "from=-30d&tz=Europe/Berlin&step=1w", availability.Query{From: testNow.Add(-30 * day), To: testNow, Step: 7 * day, Zone: berlin}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, ask(s, "GET", "/api/v1/sites/docs/availability?"+c.query), 200)
			c.want.Site = "docs"
			sameZone := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
			if diff := cmp.Diff(c.want, store.window, sameZone, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("query of the store (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond, "0s": 0, "1d12h": 36 * time.Hour,
		"": -1, "30": -1, "s": -1, "1y": -1, "-1h": -1, "1 h": -1, "1h ": -1, "1e3s": -1, ".s": -1, "1..2s": -1, "99999999999d": -1, "∞s": -1,
	} {
		d, err := web.ParseDuration(text)
		if want < 0 {
			if err == nil {
				t.Errorf("%q: got %v, want an error", text, d)
			}
			continue
		}
		if err != nil || d != want {
			t.Errorf("%q: got %v, %v, want %v", text, d, err, want)
		}
	}
}

// FuzzQuery holds every route to this: whatever the query, the answer is whole
// JSON with status 200 or 400, and what reaches the store is sane.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		"", "limit=5&cursor=bmV3", "from=-24h&to=now&step=1h&tz=Europe/Berlin", "group=&tag=x&status=down&q=é&removed=true",
		"from=2026-11-24T10:00:00+01:00&outcome=up", "%zz", "a=%ff", "step=1d12h&from=1970-01-01T00:00:00Z", ";", "from=9999-12-31T23:59:59.999Z",
	} {
		f.Add(q)
	}
	store := newAPIStore()
	s := newServer(f, store)
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"/api/v1/sites", "/api/v1/sites/docs/reports", "/api/v1/sites/docs/availability", "/api/v1/config"} {
			r := httptest.NewRequest("GET", "http://localhost"+path, nil)
			r.URL = &url.URL{Path: path, RawQuery: query}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 400 {
				t.Fatalf("%s: status %d: %s", path, w.Code, w.Body)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s: not JSON: %s", path, w.Body)
			}
		}
		if q := store.window; q.Site != "" && (!q.From.Before(q.To) || q.To.After(testNow) || q.Step < time.Minute || q.To.Sub(q.From)/q.Step > availability.MaxBuckets) {
			t.Fatalf("bad window: %+v", q)
		}
	})
}
