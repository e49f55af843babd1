package web_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

var barPaths = regexp.MustCompile(`<path class="bar-([a-z]+)" d="([^"]*)"`)

// rowOf is the row of a site in a page.
func rowOf(t *testing.T, text, site string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, `<tr data-part="row:`+html.EscapeString(site)+`"`)
	if !ok {
		t.Fatalf("there is no row of %s", site)
	}
	row, _, _ := strings.Cut(rest, "</tr>")
	return row
}

func TestRowsShowDaysAndHours(t *testing.T) {
	text := page(t, newServer(t, newAPIStore()), "/", 200)
	paths := map[string]string{}
	for _, m := range barPaths.FindAllStringSubmatch(rowOf(t, text, "shop/checkout"), -1) {
		paths[m[1]] = m[2]
	}
	// Half an hour of a day is less than a pixel, and is drawn nevertheless.
	if got := strings.Count(paths["down"], "M"); got != 9 || !strings.HasPrefix(paths["down"], "M3 18h1v6h-1z") {
		t.Errorf("got %d days with downtime: %s", got, paths["down"])
	}
	if got := strings.Count(paths["up"], "M"); got != 18+1 || !strings.HasPrefix(paths["up"], "M0 0h3v24h-3zM3 0h1v18h-1z") {
		t.Errorf("days that look alike are %d shapes: %s", got, paths["up"])
	}
	row := html.UnescapeString(rowOf(t, text, "shop/checkout"))
	for _, want := range []string{
		`aria-label="90 days: 99.79 % available, downtime on 9 days, most on 2026-08-30: 30 min"`, `data-bars="2026-08-27"`,
		"data-notes=\"3 97.91 %, down 30 min\n13 97.91 %, down 30 min", `aria-label="latency over 24 h: 20 ms to 20 ms"`,
	} {
		if !strings.Contains(row, want) {
			t.Errorf("the row does not hold %s; it is %s", want, row)
		}
	}
	if got := rowOf(t, text, "docs"); strings.Contains(got, "data-notes") || strings.Count(got, "bar-") != 1 || !strings.Contains(got, "no day with downtime") {
		t.Errorf("days that were all up are not one quiet shape: %s", got)
	}
	if got := rowOf(t, text, "new"); !strings.Contains(got, `class="bar-unknown"`) || !strings.Contains(got, "nothing known") || strings.Contains(got, "spark") {
		t.Errorf("a new site is not shown as unknown: %s", got)
	}
}

// Every part of a day has its share of the bar, and they fill it.
func TestBarsFillTheirDay(t *testing.T) {
	const hour = time.Hour
	for name, c := range map[string]struct {
		day  availability.SeriesBucket
		want map[string]string
	}{
		"a quarter each": {availability.SeriesBucket{Up: 6 * hour, Down: 6 * hour, Degraded: 6 * hour, Unknown: 6 * hour}, map[string]string{
			"down": "M0 18h1v6h-1z", "degraded": "M0 12h1v6h-1z", "up": "M0 6h1v6h-1z", "unknown": "M0 0h1v6h-1z",
		}},
		"a second of downtime": {availability.SeriesBucket{Up: 24*hour - time.Second, Down: time.Second}, map[string]string{
			"down": "M0 18h1v6h-1z", "up": "M0 0h1v18h-1z",
		}},
		"maintenance": {availability.SeriesBucket{Up: 12 * hour, Maintenance: 12 * hour}, map[string]string{
			"maintenance": "M0 12h1v12h-1z", "up": "M0 0h1v12h-1z",
		}},
		"nothing": {availability.SeriesBucket{}, map[string]string{"unknown": "M0 0h1v24h-1z"}},
	} {
		t.Run(name, func(t *testing.T) {
			store := newAPIStore()
			store.series = func(availability.SeriesQuery) []availability.SeriesBucket { return []availability.SeriesBucket{c.day} }
			got := map[string]string{}
			for _, m := range barPaths.FindAllStringSubmatch(rowOf(t, page(t, newServer(t, store), "/", 200), "docs"), -1) {
				got[m[1]] = m[2]
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestSitesSorted(t *testing.T) {
	store := manySites(4, map[int]sitemon.Status{2: sitemon.StatusDown})
	for i, ms := range []int{30, 10, 0, 20} {
		store.sites[i].Since = testNow.Add(-time.Duration(i) * time.Hour)
		store.sites[i].LastReport.Duration = time.Duration(ms) * time.Millisecond
	}
	store.figures = map[string]float64{"site-00000": 0.5, "site-00001": 0.9, "site-00002": 0.7, "site-00003": 1}
	s := newServer(t, store)
	for key, want := range map[string][]int{
		"name": {0, 1, 2, 3}, "-name": {3, 2, 1, 0}, "latency": {1, 3, 0, 2}, "-latency": {0, 3, 1, 2},
		"24h": {0, 2, 1, 3}, "-30d": {3, 1, 2, 0}, "since": {3, 2, 1, 0}, "": {2, 0, 3, 1},
	} {
		t.Run(key, func(t *testing.T) {
			var names []string
			for _, i := range want {
				names = append(names, fmt.Sprintf("site-%05d", i))
			}
			if got := rowsOf(page(t, s, "/?sort="+key, 200)); !slices.Equal(got, names) {
				t.Errorf("got %q, want %q", got, names)
			}
		})
	}
	text := page(t, s, "/?sort=-latency&q=site", 200)
	for _, want := range []string{`aria-sort="descending"><a href="/?q=site&amp;sort=latency" data-sort>Latency`, `<a href="/?q=site&amp;sort=name" data-sort>Site`} {
		if !strings.Contains(text, want) {
			t.Errorf("the headings do not hold %s", want)
		}
	}
	if w := ask(s, "GET", "/?sort=size"); w.Code != 400 {
		t.Errorf("an unknown order: got status %d, want 400", w.Code)
	}
}

func TestGroupsFold(t *testing.T) {
	store := manySites(2*web.SitesShown+3, map[int]sitemon.Status{1000: sitemon.StatusDown}) // of group b
	s := newServer(t, store)
	text := page(t, s, "/", 200)
	if got := rowsOf(text); len(got) != 334 || got[0] != "site-01000" {
		t.Errorf("got %d rows from %s on, want those of the one group that is not healthy", len(got), got[0])
	}
	for _, want := range []string{`<a href="/?folded=b" data-fold aria-expanded="true">`, `<a href="/?open=a" data-fold aria-expanded="false">`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	if got := rowsOf(page(t, s, "/?open=a&folded=b", 200)); len(got) != 335 || got[0] != "site-00000" {
		t.Errorf("got %d rows from %q on, want those of group a", len(got), got[:1])
	}
	if got := rowsOf(page(t, s, "/?status=up&group=a", 200)); len(got) != 335 {
		t.Errorf("what is looked for is folded: %d rows", len(got))
	}
	small := page(t, newServer(t, manySites(6, nil)), "/?folded=a", 200)
	if got := rowsOf(small); len(got) != 4 || !strings.Contains(small, `<a href="/?open=a" data-fold aria-expanded="false">`) {
		t.Errorf("a small list folds a group to %q", got)
	}
}

func TestMatrix(t *testing.T) {
	store := manySites(14, map[int]sitemon.Status{4: sitemon.StatusDown, 6: sitemon.StatusPaused})
	store.sites[1].Name, store.sites[2].Group = `</script><b>"`, ""
	store.sites[4].Reason, store.sites[5].Reason = sitemon.ReasonConnectRefused, sitemon.ReasonStatus // of which one is up again
	text := page(t, newServer(t, store), "/?status=down", 200)
	_, rest, _ := strings.Cut(text, "data-cells>")
	raw, _, _ := strings.Cut(rest, "</script>")
	var got struct {
		Statuses []sitemon.Status
		Why      map[string]sitemon.Reason
		Reasons  map[sitemon.Reason]string
		Groups   []struct {
			Title string
			Sites []string
			Cells string
		}
	}
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	var titles, cells []string
	for _, g := range got.Groups {
		titles, cells = append(titles, g.Title), append(cells, g.Cells)
	}
	if !slices.Equal(titles, []string{"a", "b", "c", ""}) || !slices.Equal(cells, []string{"55455", "50555", "555", "5"}) {
		t.Errorf("got the groups %q with the cells %q of %s", titles, cells, got.Statuses)
	}
	if got.Why["site-00004"] != sitemon.ReasonConnectRefused || len(got.Why) != 1 || got.Reasons[sitemon.ReasonConnectRefused] != "Connection refused" {
		t.Errorf("got the reasons %v, in words %v", got.Why, got.Reasons)
	}
	if got.Groups[1].Sites[0] != `</script><b>"` {
		t.Errorf("got the names %q", got.Groups[1].Sites)
	}
	if strings.Contains(page(t, newServer(t, manySites(12, nil)), "/", 200), "data-cells") {
		t.Error("a few sites have a matrix")
	}
}

// assetURL is what a page or one of its files loads.
var assetURL = regexp.MustCompile(`(?:(?:href|src)="|(?:from|import\() ?")((?:/static/|\./)[^"#]+\.(?:css|js|svg))"`)

// A page weighs little, with all that it loads, also with thousands of sites.
func TestOverviewWeighsLittle(t *testing.T) {
	for _, c := range []struct{ sites, page, all int }{{500, 60_000, 100_000}, {5000, 120_000, 160_000}} {
		s := newServer(t, manySites(c.sites, map[int]sitemon.Status{1: sitemon.StatusDown, 2: sitemon.StatusDegraded, 3: sitemon.StatusDown}))
		weigh := func(path string) int {
			w := ask(s, "GET", path, "Accept-Encoding: gzip")
			wantStatus(t, w, 200)
			return w.Body.Len()
		}
		weight := weigh("/")
		if w := ask(s, "GET", "/", "Accept-Encoding: gzip"); w.Header().Get("Content-Encoding") != "gzip" || weight > c.page {
			t.Errorf("%d sites: the page takes %d bytes, want at most %d", c.sites, weight, c.page)
		}
		total := weight
		seen := map[string]bool{}
		var load func(base, text string)
		load = func(base, text string) {
			for _, m := range assetURL.FindAllStringSubmatch(text, -1) {
				file := path.Join(base, m[1])
				if strings.HasPrefix(m[1], "/") {
					file = m[1]
				}
				if seen[file] {
					continue
				}
				seen[file] = true
				total += weigh(file)
				load(path.Dir(file), body(ask(s, "GET", file)))
			}
		}
		load("/", body(ask(s, "GET", "/")))
		if len(seen) < 10 || total > c.all {
			t.Errorf("%d sites: %d bytes with %d files, want at most %d with 10 at least", c.sites, total, len(seen), c.all)
		}
		t.Logf("%d sites: %d bytes, with %d files %d", c.sites, weight, len(seen), total)
	}
}

func BenchmarkOverview(b *testing.B) {
	for _, n := range []int{12, 500, 5000} {
		b.Run(fmt.Sprintf("sites=%d", n), func(b *testing.B) {
			s := newServer(b, manySites(n, map[int]sitemon.Status{1: sitemon.StatusDown}))
			for b.Loop() {
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/", nil))
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
