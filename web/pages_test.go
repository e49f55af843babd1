package web_test

import (
	"fmt"
	"html"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/web"
)

// page asks for a page and returns it.
func page(t *testing.T, s *web.Server, target string, want int) string {
	t.Helper()
	w := ask(s, "GET", target)
	text := body(w)
	if w.Code != want {
		t.Fatalf("%s: got status %d, want %d: %s", target, w.Code, want, text)
	}
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("%s: got content type %q", target, got)
	}
	return text
}

var (
	tags    = regexp.MustCompile(`<[^>]*>`)
	spaces  = regexp.MustCompile(`\s+`)
	heading = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	rowName = regexp.MustCompile(`<tr data-part="row:([^"]*)"`)
)

// words is what a piece of HTML says.
func words(piece string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(piece, " ")), " "))
}

func headingOf(text string) string {
	if m := heading.FindStringSubmatch(text); m != nil {
		return words(m[1])
	}
	return ""
}

func rowsOf(text string) []string {
	var names []string
	for _, m := range rowName.FindAllStringSubmatch(text, -1) {
		names = append(names, html.UnescapeString(m[1]))
	}
	return names
}

// manySites makes a store of n sites, of which some have other statuses.
func manySites(n int, statuses map[int]sitemon.Status) *apiStore {
	f := &apiStore{running: sitemon.Generation{Number: 1}}
	for i := range n {
		s := sitemon.SiteState{Name: fmt.Sprintf("site-%05d", i), URL: fmt.Sprintf("https://%d.example.org/", i), Kind: sitemon.KindHTTP, Status: sitemon.StatusUp, Since: testNow.Add(-time.Hour)}
		s.Group = []string{"a", "b", "c"}[i%3]
		if st, ok := statuses[i]; ok {
			s.Status = st
		}
		s.LastReport = &sitemon.Report{Site: s.Name, Location: "default", Slot: testNow, Outcome: sitemon.OutcomeUp, Duration: 20 * time.Millisecond}
		f.sites = append(f.sites, s)
	}
	return f
}

func TestSitesSentence(t *testing.T) {
	down, degraded, unknown, paused := sitemon.StatusDown, sitemon.StatusDegraded, sitemon.StatusUnknown, sitemon.StatusPaused
	for _, c := range []struct {
		name     string
		sites    int
		statuses map[int]sitemon.Status
		want     string
	}{
		{"none", 0, nil, "No sites yet"},
		{"one", 1, nil, "1 site up"},
		{"one down", 1, map[int]sitemon.Status{0: down}, "1 site down"},
		{"all up", 12, nil, "All 12 sites up"},
		{"all down", 2, map[int]sitemon.Status{0: down, 1: down}, "All 2 sites down"},
		{"some down", 418, map[int]sitemon.Status{0: down, 7: down, 8: degraded, 9: degraded, 10: degraded}, "2 of 418 sites down, 3 degraded"},
		{"degraded", 5, map[int]sitemon.Status{1: degraded}, "1 of 5 sites degraded"},
		{"at the start", 3, map[int]sitemon.Status{0: unknown, 1: unknown, 2: unknown}, "All 3 sites unknown"},
		{"paused is no trouble", 4, map[int]sitemon.Status{0: paused}, "All 3 sites up, 1 paused"},
		{"all paused", 2, map[int]sitemon.Status{0: paused, 1: paused}, "All 2 sites paused"},
		{"maintenance is no trouble", 4, map[int]sitemon.Status{0: sitemon.StatusMaintenance, 1: paused}, "All 2 sites up, 1 in maintenance, 1 paused"},
		{"all in maintenance", 2, map[int]sitemon.Status{0: sitemon.StatusMaintenance, 1: sitemon.StatusMaintenance}, "All 2 sites in maintenance"},
		{"maintenance beside trouble", 4, map[int]sitemon.Status{0: sitemon.StatusMaintenance, 1: down}, "1 of 4 sites down, 1 in maintenance"},
		{"paused beside trouble", 4, map[int]sitemon.Status{0: paused, 1: down}, "1 of 4 sites down, 1 paused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := page(t, newServer(t, manySites(c.sites, c.statuses)), "/", 200)
			if got := headingOf(text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if !strings.Contains(text, "<title>"+c.want+" · SiteMon</title>") {
				t.Errorf("the title does not say %q", c.want)
			}
		})
	}
}

func TestSitesOrderAndFilters(t *testing.T) {
	store := manySites(7, map[int]sitemon.Status{4: sitemon.StatusDown, 2: sitemon.StatusDegraded, 6: sitemon.StatusPaused})
	store.sites[5].Group = ""
	s := newServer(t, store)
	name := func(is ...int) []string {
		var names []string
		for _, i := range is {
			names = append(names, fmt.Sprintf("site-%05d", i))
		}
		return names
	}
	for _, c := range []struct {
		name, target string
		want         []string
	}{
		{"worst group first, in it the worst site", "/", name(4, 1, 2, 6, 0, 3, 5)},
		{"status", "/?status=down", name(4)},
		{"group", "/?group=a", name(6, 0, 3)},
		{"without a group last among equals", "/?status=up", name(0, 3, 1, 5)},
		{"group and status", "/?group=a&status=up", name(0, 3)},
		{"text in the name, letter case aside", "/?q=SITE-00003", name(3)},
		{"text in the address", "/?q=5.example", name(5)},
		{"none", "/?q=nothing", nil},
		{"rows alone", "/?parts=rows&site=site-00003&site=gone", name(3)},
		{"from", "/?from=5", name(3, 5)},
		{"from beyond the end", "/?from=99", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rowsOf(page(t, s, c.target, 200)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	text := page(t, s, "/?status=down&group=b&q=site", 200)
	for _, want := range []string{`href="/?group=b&amp;q=site" data-filter-status=""`, `value="site"`, `<option selected>b</option>`, `name="status" value="down"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the filters do not have %s", want)
		}
	}
	if !strings.Contains(page(t, s, "/?q=nothing", 200), "No site matches") {
		t.Error("an empty list does not say why")
	}
}

func TestSitesAreShownInPages(t *testing.T) {
	store := manySites(2*web.SitesShown+3, map[int]sitemon.Status{1000: sitemon.StatusDown})
	for i := range store.sites {
		store.sites[i].Group = ""
	}
	s := newServer(t, store)
	seen := map[string]bool{}
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`)
	target := "/"
	for i, want := range []string{"1 to 500 of 1003 sites", "501 to 1000 of 1003 sites", "1001 to 1003 of 1003 sites"} {
		text := page(t, s, target, 200)
		rows := rowsOf(text)
		if i == 0 && rows[0] != "site-01000" {
			t.Errorf("the first site is %s, want the one that is down", rows[0])
		}
		for _, r := range rows {
			if seen[r] {
				t.Fatalf("%s is shown twice", r)
			}
			seen[r] = true
		}
		if !strings.Contains(text, want) {
			t.Errorf("page %d does not say %q", i, want)
		}
		if previous := strings.Contains(text, `rel="prev"`); previous != (i > 0) {
			t.Errorf("page %d has a way back: %t", i, previous)
		}
		if m := next.FindStringSubmatch(text); (m != nil) != (i < 2) {
			t.Fatalf("page %d has a way on: %q", i, m)
		} else if m != nil {
			target = html.UnescapeString(m[1])
		}
	}
	if len(seen) != len(store.sites) {
		t.Errorf("got %d sites on all pages, want %d", len(seen), len(store.sites))
	}
	if got := len(store.figureCalls[0]); got != web.SitesShown {
		t.Errorf("the first page read the figures of %d sites, want only those it shows", got)
	}
}

func TestPagesTellNoSecretsAndEscape(t *testing.T) {
	store := newAPIStore()
	evil := `<i>"x"&</i>`
	store.sites[0].Name, store.sites[0].Error, store.sites[0].Status = evil, "<script>alert(1)</script>", sitemon.StatusDown
	s := newServer(t, store)
	for _, target := range []string{"/", "/?q=hunter2", "/sites/shop%2Fcheckout", "/sites/%3Ci%3E%22x%22&%3C%2Fi%3E", "/config", "/monitors", "/sites/%3Cscript%3E"} {
		w := ask(s, "GET", target)
		text := body(w)
		for _, bad := range []string{"hunter2@", "k3y", "<script>alert", "<i>", "<script>\"", "ZgotmplZ"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", target, bad)
			}
		}
	}
	if got := rowsOf(page(t, s, "/?q=hunter2", 200)); got != nil {
		t.Errorf("a search for a password finds %q", got)
	}
	if got := rowsOf(page(t, s, "/", 200)); !slices.Contains(got, evil) {
		t.Errorf("got the rows %q, want %q among them", got, evil)
	}
}

func TestSitePage(t *testing.T) {
	s := newServer(t, newAPIStore())
	text := words(page(t, s, "/sites/shop%2Fcheckout", 200))
	for _, want := range []string{
		"Down for 22 s : Unexpected status code", "p95 40 ms in 24 h", "certificate ends in 39 d", "status 503, expected 200-299",
		"http, every 30 s, timeout 5 s", "Availability, 24 h 99.98 % 100 % known", "Availability, 90 d 99.98 % 25 % known", "Availability, 1 y 99.98 % 20 % known",
		"resolve 0.3 ms", "processing 15 ms", "192.0.2.7:443", "2026-11-24 09:59:37 UTC",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q; it says\n%s", want, text)
		}
	}
	raw := page(t, s, "/sites/shop%2Fcheckout?range=7d", 200)
	for _, want := range []string{
		`<path class="line line-p95" d="M`, `class="band-down"`, `aria-label="Latency over 7 d: p95 at most 40 ms, p99 at most 42 ms; down in 1 of 2 steps."`,
		`href="/sites/shop%2Fcheckout?range=7d" data-window data-range aria-current="true"`, `href="/sites/shop%2Fcheckout" data-window data-range>`,
		`data-charts="/api/v1/sites/shop%2Fcheckout/availability?from=-7d&amp;histogram=true&amp;step=120m"`,
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	if strings.Contains(raw, `href="https://probe`) {
		t.Error("an address with credentials is a link")
	}
	if text := words(page(t, s, "/sites/new", 200)); !strings.Contains(text, "There is no report yet") {
		t.Errorf("a site without reports does not say so: %s", text)
	}
}

func TestSitePageTurnsOverReports(t *testing.T) {
	store := newAPIStore()
	first := store.reports[0]
	for i := range 60 {
		r := first
		r.Slot = first.Slot.Add(-time.Duration(i) * time.Minute)
		store.reports = append(store.reports, r)
	}
	s := newServer(t, store)
	text := page(t, s, "/sites/shop%2Fcheckout?range=1h", 200)
	if want := `href="/sites/shop%2Fcheckout?before=second&amp;range=1h#reports" data-reports>Older reports`; !strings.Contains(text, want) {
		t.Fatalf("the page does not hold %s", want)
	}
	text = page(t, s, "/sites/shop%2Fcheckout?range=1h&before=second", 200)
	for _, want := range []string{`href="/sites/shop%2Fcheckout?range=1h#reports" data-reports>Newest reports`, "data-old"} {
		if !strings.Contains(text, want) {
			t.Errorf("the second page does not hold %s", want)
		}
	}
}

func TestPageErrors(t *testing.T) {
	for _, c := range []struct {
		name, target string
		edit         func(*apiStore)
		status       int
		want         string
	}{
		{"no such page", "/nothing", nil, 404, "404 Not Found there is nothing at this address"},
		{"no such site", "/sites/nothing", nil, 404, "404 Not Found there is no such site"},
		{"bad status", "/?status=broken", nil, 400, `there is no status "broken"`},
		{"bad from", "/?from=-1", nil, 400, `"-1" is not a number of sites`},
		{"bad range", "/sites/docs?range=2d", nil, 400, `"2d" is none of 1h, 24h, 7d, 30d`},
		{"bad cursor", "/sites/docs?before=x", nil, 400, "cursor"},
		{"bad part", "/?parts=layout", nil, 400, `page sites has no part "layout"`},
		{"store fails", "/", func(f *apiStore) { f.err = io.ErrUnexpectedEOF }, 500, "the log says why"},
		{"handler panics", "/", func(f *apiStore) { f.panicOnSites = true }, 500, "the log says why"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			if c.edit != nil {
				c.edit(store)
			}
			text := words(page(t, newServer(t, store), c.target, c.status))
			if !strings.Contains(text, c.want) || !strings.Contains(text, "All sites") {
				t.Errorf("got %q, want it to say %q and to lead back", text, c.want)
			}
		})
	}
}

func TestPartsAreFetchedAlone(t *testing.T) {
	store := newAPIStore()
	s := newServer(t, store)
	part := regexp.MustCompile(`data-part="(\w+)"`)
	for target, want := range map[string][]string{
		"/?parts=banner,summary":               {"banner", "summary"},
		"/?parts=tools,list":                   {"tools", "chips", "list", "found"},
		"/sites/docs?parts=state,shares,chart": {"state", "day", "shares", "chart"},
		"/sites/docs?parts=last,reports":       {"last", "reports"},
		"/incidents?parts=summary,tools,list":  {"summary", "tools", "chips", "list"},
		"/incidents/42?parts=state,facts":      {"state", "facts"},
		"/config?parts=config":                 {"config"},
		"/monitors?parts=monitors":             {"monitors"},
	} {
		var got []string
		text := page(t, s, target, 200)
		for _, m := range part.FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) || strings.Contains(text, "<html") {
			t.Errorf("%s: got the parts %q, want %q", target, got, want)
		}
	}
	store.figureCalls = nil
	page(t, newServer(t, store), "/?parts=summary,chips", 200)
	if len(store.figureCalls) > 0 {
		t.Error("a part without figures read figures")
	}
}

// With very many reports the list follows the statuses alone.
func TestSitesOfManyReports(t *testing.T) {
	for interval, want := range map[time.Duration]string{time.Minute: `data-events="/api/v1/events" `, time.Second: `data-events="/api/v1/events?types=status,incident,config,notices" `} {
		store := manySites(100, nil)
		for i := range store.sites {
			store.sites[i].Interval, store.sites[i].Enabled = interval, true
		}
		if text := page(t, newServer(t, store), "/", 200); !strings.Contains(text, want) {
			t.Errorf("every %s: the page does not hold %s", interval, want)
		} else if busy := strings.Contains(text, " data-busy"); busy != (interval == time.Second) {
			t.Errorf("every %s: got a page that asks for its rows: %t", interval, busy)
		}
	}
}

func BenchmarkSitesPage(b *testing.B) {
	for _, n := range []int{12, 500, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := newServer(b, manySites(n, map[int]sitemon.Status{3: sitemon.StatusDown}))
			for b.Loop() {
				if w := ask(s, "GET", "/"); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

func TestConfigPageSaysWhatIsNotStored(t *testing.T) {
	f := newAPIStore()
	if text := words(page(t, newServer(t, f), "/config", 200)); !strings.Contains(text, "Generation 17 ") {
		t.Errorf("the running generation is not in %q", text)
	}
	f.running.Unstored = true
	s := newServer(t, f)
	if text := words(page(t, s, "/config", 200)); !strings.Contains(text, "Generation not stored yet") {
		t.Errorf("that it is not stored is not in %q", text)
	}
	if text := body(ask(s, "GET", "/api/v1/config")); !strings.Contains(text, `"stored":false`) {
		t.Errorf("that it is not stored is not in %s", text)
	}
}
