package web_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// statusStore is a store with two status pages: one for everybody, one not.
func statusStore() *apiStore {
	f := newAPIStore()
	f.documents = map[string]sitemon.Document{"sites.yaml": {
		Source: "sites.yaml",
		StatusPages: []sitemon.StatusPage{
			{Path: "public", Title: "Example services", Description: "What you use.", Groups: []string{"public"}, Public: true, Timezone: "Europe/Berlin", Logo: "data:image/svg+xml;base64,PHN2Zy8+"},
			{Path: "all", Title: "Everything"},
		},
		Maintenance: []sitemon.Maintenance{
			{Title: "Upgrade", Start: "2026-11-24T10:30:00", Duration: time.Hour, Timezone: "Europe/Berlin", Sites: []string{"docs"}},
			{Title: "Next", Start: "2026-12-01T22:00:00", Duration: 3 * time.Hour, Timezone: "Europe/Berlin", Groups: []string{"public"}},
			{Title: "Nobody's", Start: "2026-12-01T22:00:00", Duration: time.Hour, Sites: []string{"new"}},
		},
	}}
	return f
}

func TestStatusPage(t *testing.T) {
	text := page(t, newServer(t, statusStore()), "/status/public", 200)
	said := words(text)
	for _, want := range []string{
		"Example services What you use.", "1 of 2 components down", "2026-11-24 11:00:00 CET", "public 2 components, 1 down",
		"docs Up 100 %", "shop/checkout Down 99.79 %", "Upgrade Maintenance until its end: 2026-11-24 10:30 to 11:30 CET docs",
		"shop/checkout is down Unexpected status code, since 2026-11-24 10:59 CET, for 22 s", "Planned maintenance Next 2026-12-01 22:00 to 2026-12-02 01:00 CET docs, shop/checkout",
		"Tuesday, 24 November 2026 docs was down for 1 h Connecting timed out. Resolved 2026-11-24 08:59 to 09:59 CET", "Days and times are in Europe/Berlin.",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q; it says\n%s", want, said)
		}
	}
	// Nothing that is nobody's business.
	for _, bad := range []string{"hunter2", "k3y", "example.org", "status 503", "no connection within", "tcp://", "Nobody's", "/monitors", "192.0.2.7", "data-events=\"/api"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page tells %q", bad)
		}
	}
	if got := words(page(t, newServer(t, statusStore()), "/status/all", 200)); !strings.Contains(got, "3 components") {
		t.Errorf("a page without a selection does not show all sites: %s", got)
	}
	if w := ask(newServer(t, statusStore()), "GET", "/status/public/logo"); body(w) != "<svg/>" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the logo is %q under %q", body(w), w.Header().Get("Content-Security-Policy"))
	}
	for _, missing := range []string{"/status/none", "/status/all/logo", "/status/", "/status/public/x", "/status/none.json"} {
		wantStatus(t, ask(newServer(t, statusStore()), "GET", missing), 404)
	}
}

func TestStatusPagesAreForWhomTheyAre(t *testing.T) {
	s := guarded(t, statusStore())
	for _, c := range []struct {
		target  string
		headers []string
		want    int
	}{
		{"/status/public", nil, 200},
		{"/status/public.json", nil, 200},
		{"/status/public/feed.atom", nil, 200},
		{"/status/public/feed.rss", nil, 200},
		{"/status/public/maintenance.ics", nil, 200},
		{"/status/public/embed", nil, 200},
		{"/badge/docs/status.svg", nil, 200},
		{"/status/all", nil, 404},
		{"/status/all.json", nil, 404},
		{"/status/all/feed.atom", nil, 404},
		{"/status/all/embed", nil, 404},
		{"/badge/new/status.svg", nil, 404},
		{"/status/all", []string{viewerToken}, 200},
		{"/badge/new/status.svg", []string{viewerToken}, 200},
		{"/sites/docs", nil, 303},
		{"/api/v1/sites/docs", nil, 401},
	} {
		if w := ask(s, "GET", c.target, c.headers...); w.Code != c.want {
			t.Errorf("%s %q: got status %d, want %d", c.target, c.headers, w.Code, c.want)
		}
	}
	if a, b := body(ask(s, "GET", "/status/all")), body(ask(s, "GET", "/status/none")); a != b {
		t.Error("a page that is not for strangers is another 404 than none")
	}
	embed := ask(s, "GET", "/status/public/embed")
	if csp := embed.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors *") || embed.Header().Get("X-Frame-Options") != "" {
		t.Errorf("what is to be embedded can't be: %s", csp)
	}
	if csp := ask(s, "GET", "/status/all/embed", viewerToken).Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("what is not public can be framed: %s", csp)
	}
}

// evilText is what must be shown as text everywhere.
const evilText = "<script>alert(1)</script>]]>&\"'\x01\x1b[31m\u202e\nBEGIN:VEVENT;,\\"

func TestStatusFeeds(t *testing.T) {
	store := statusStore()
	doc := store.documents["sites.yaml"]
	doc.StatusPages[0].Title, doc.Maintenance[0].Title = evilText, evilText
	store.sites[0].Name, store.incidents[1].Site = evilText, evilText
	doc.Maintenance[0].Sites = []string{evilText}
	s := newServer(t, store)
	for _, target := range []string{"/status/public/feed.atom", "/status/public/feed.rss"} {
		w := ask(s, "GET", target)
		wantStatus(t, w, 200)
		raw := body(w)
		entries := 0
		for d := xml.NewDecoder(strings.NewReader(raw)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v in\n%s", target, err, raw)
			}
			if e, ok := token.(xml.StartElement); ok {
				switch e.Name.Local {
				case "entry", "item":
					entries++
				case "script":
					t.Errorf("%s has a script", target)
				}
			}
		}
		if entries != 4 {
			t.Errorf("%s has %d entries, want 2 incidents and 2 maintenances", target, entries)
		}
		wantStatus(t, ask(s, "GET", target, "If-None-Match: "+w.Header().Get("ETag")), 304)
		later := newServer(t, store, func(o *web.Options) { o.Now = func() time.Time { return testNow.Add(20 * time.Hour) } })
		for name, s := range map[string]*web.Server{"a day later": later, "under another name": s} {
			entries := regexp.MustCompile(`<(id|guid[^>]*|updated|pubDate)>[^<]*`)
			again := ask(s, "GET", target, "Host: 127.0.0.1:99")
			had := entries.FindAllString(raw, -1)
			for _, got := range entries.FindAllString(body(again), -1) { // the first maintenance is over by then
				if !slices.Contains(had, got) {
					t.Errorf("%s %s has %s, which is not among %q", target, name, got, had)
				}
			}
		}
		wantStatus(t, ask(s, "GET", target, `If-None-Match: "other"`), 200)
	}
	text := page(t, s, "/status/public", 200)
	if strings.Contains(text, "<script>alert") || strings.Contains(text, "ZgotmplZ") {
		t.Error("the page holds a script")
	}
	var model struct {
		Title      string
		Components []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(body(ask(s, "GET", "/status/public.json"))), &model); err != nil || model.Title != evilText || model.Components[0].Name != evilText {
		t.Errorf("the JSON says %+v: %v", model, err)
	}
	calendar := ask(s, "GET", "/status/public/maintenance.ics").Body.String()
	lines := strings.Split(strings.TrimSuffix(calendar, "\r\n"), "\r\n")
	events := 0
	for _, l := range lines {
		if len(l) > 75 || !utf8.ValidString(l) || strings.ContainsAny(l, "\n\x01\x1b") {
			t.Errorf("a line of the calendar is %q", l)
		}
		if l == "BEGIN:VEVENT" {
			events++
		}
	}
	if events != 2 || lines[0] != "BEGIN:VCALENDAR" || lines[len(lines)-1] != "END:VCALENDAR" {
		t.Errorf("the calendar has %d events:\n%s", events, calendar)
	}
	for _, want := range []string{"DTSTART:20261124T093000Z", "DTEND:20261124T103000Z", "SUMMARY:Next", `\;\,\\`} {
		if !strings.Contains(calendar, want) {
			t.Errorf("the calendar does not hold %s:\n%s", want, calendar)
		}
	}
}

// A page outlives its database: what was shown last is shown, with a word about it,
// also after a restart.
func TestStatusPagesOutliveTheDatabase(t *testing.T) {
	store, dir, now := statusStore(), t.TempDir(), testNow
	open := func() *web.Server {
		return newServer(t, store, func(o *web.Options) { o.DataDir, o.Now = dir, func() time.Time { return now } })
	}
	s := open()
	page(t, s, "/status/public", 200)
	store.err = errors.New("the database is away")
	now = now.Add(4 * time.Second)
	if text := words(page(t, s, "/status/public", 200)); strings.Contains(text, "not available") {
		t.Errorf("a page that was just made says %s", text)
	}
	now = now.Add(time.Hour)
	for name, s := range map[string]*web.Server{"later": s, "after a restart": open()} {
		text := words(page(t, s, "/status/public", 200))
		if !strings.Contains(text, "As of 2026-11-24 11:00:00 CET : live data is not available at the moment.") || !strings.Contains(text, "shop/checkout is down") {
			t.Errorf("%s it says %s", name, text)
		}
		wantStatus(t, ask(s, "GET", "/status/public/feed.atom"), 200)
		wantStatus(t, ask(s, "GET", "/status/none"), 404)
	}
	if w := ask(newServer(t, store), "GET", "/status/public"); w.Code < 500 {
		t.Errorf("with nothing from before the status is %d", w.Code)
	}
	store.err = nil
	now = now.Add(10 * time.Second)
	if text := words(page(t, s, "/status/public", 200)); strings.Contains(text, "not available") {
		t.Errorf("with the database back it says %s", text)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %q: %v", files, err)
	}
}

// hangingStore does not answer until it is given up.
type hangingStore struct{ *apiStore }

func (hangingStore) Documents(ctx context.Context) (map[string]sitemon.Document, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Visitors do not queue up before a database that hangs: with a page from before they
// see that, and without one they wait together, once.
func TestStatusPagesOfADatabaseThatHangs(t *testing.T) {
	for name, dir := range map[string]string{"with a page from before": t.TempDir(), "without one": ""} {
		t.Run(name, func(t *testing.T) {
			if dir != "" {
				page(t, newServer(t, statusStore(), func(o *web.Options) { o.DataDir = dir }), "/status/public", 200)
			}
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, statusStore(), func(o *web.Options) {
					o.Documents, o.DataDir, o.Now = hangingStore{}, dir, time.Now
				})
				began := time.Now()
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() { ask(s, "GET", "/status/public") })
				}
				wg.Wait()
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("the last of ten visitors waited %s", took)
				}
			})
		})
	}
}

func TestWhatIsNotForEverybodyIsKeptByNobody(t *testing.T) {
	s := guarded(t, statusStore())
	for target, private := range map[string]bool{
		"/status/public.json": false, "/status/public/feed.atom": false, "/badge/docs/status.svg": false,
		"/status/all.json": true, "/status/all/feed.rss": true, "/status/all/maintenance.ics": true, "/badge/new/status.svg": true,
	} {
		if got := ask(s, "GET", target, viewerToken).Header().Get("Cache-Control"); strings.HasPrefix(got, "private") != private {
			t.Errorf("%s may be kept as %q", target, got)
		}
	}
}

// countingStore counts how often days are read.
type countingStore struct {
	*apiStore
	reads int
}

func (c *countingStore) Series(ctx context.Context, q availability.SeriesQuery) (map[string][]availability.SeriesBucket, error) {
	c.reads++
	return c.apiStore.Series(ctx, q)
}

// However many look, the database is asked once in a while.
func TestManyLookAtAStatusPage(t *testing.T) {
	store := &countingStore{apiStore: statusStore()}
	now := testNow
	s := newServer(t, store.apiStore, func(o *web.Options) { o.History, o.Now = store, func() time.Time { return now } })
	for range 200 {
		page(t, s, "/status/public", 200)
	}
	if store.reads != 2 {
		t.Errorf("200 visits read the days %d times, want once for each of the two pages", store.reads)
	}
	now = now.Add(5 * time.Second)
	page(t, s, "/status/public", 200)
	if store.reads != 4 {
		t.Errorf("5 s later they were read %d times, want 4", store.reads)
	}
}
