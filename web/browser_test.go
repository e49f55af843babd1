package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/web"
)

// liveStore is an apiStore that can be changed while a server reads it.
type liveStore struct{ *apiStore }

func (f liveStore) change(edit func(*apiStore)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit(f.apiStore)
}

func (f liveStore) Reports(ctx context.Context, q sitemon.ReportQuery) ([]sitemon.Report, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apiStore.Reports(ctx, q)
}

func (f liveStore) Reloads(ctx context.Context, limit int) ([]sitemon.Reload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apiStore.Reloads(ctx, limit)
}

func (f liveStore) Running() (sitemon.Generation, *sitemon.Reload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apiStore.Running()
}

// tab is one page of the browser on a server of its own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	store  liveStore
	hub    *web.Hub
	server *httptest.Server

	mu       sync.Mutex
	messages []string // of the console, that are errors or warnings
}

// open opens path in a new tab, and waits until it is live.
func open(t *testing.T, browser context.Context, store *apiStore, path string) *tab {
	t.Helper()
	b := newTab(t, browser, store, func(h http.Handler) http.Handler { return h })
	b.do(chromedp.Navigate(b.server.URL + path))
	b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
	b.wait(`(window.opened = true)`) // gone after a reload
	return b
}

// newTab opens an empty tab beside a server, whose handler wrap may change.
func newTab(t *testing.T, browser context.Context, store *apiStore, wrap func(http.Handler) http.Handler) *tab {
	t.Helper()
	b := &tab{t: t, store: liveStore{store}, hub: web.NewHub()}
	b.server = httptest.NewServer(wrap(newServer(t, store, func(o *web.Options) {
		o.Sites, o.History, o.Operations, o.Reloader, o.Hub = b.store, b.store, b.store, b.store, b.hub
	}).Handler()))
	t.Cleanup(b.server.Close)
	t.Cleanup(b.server.CloseClientConnections) // streams would hold Close up
	ctx, stop := chromedp.NewContext(browser)
	t.Cleanup(stop)
	b.ctx = ctx
	console := chromedp.Console(ctx)
	go func() { // ends with ctx
		for m, err := range console {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" || m.Type == "warning" {
				b.mu.Lock()
				b.messages = append(b.messages, fmt.Sprintf("%s %s", m, m.URL))
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("drive the browser: %v", err)
	}
}

// wait waits until the expression is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	var err error
	for ok := false; !ok; {
		if ok, err = chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`)); ctx.Err() != nil {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
			b.t.Fatalf("not true in time: %s (%v); the page says:\n%s", expression, err, text)
		}
	}
}

// text is what the first element that matches says.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return b.eval(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// eval returns what a script says.
func (b *tab) eval(script string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatalf("run %s: %v", script, err)
	}
	return v
}

func (b *tab) want(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// clean fails where the page was loaded anew or the console has complaints,
// violations of the content security policy among them.
func (b *tab) clean() {
	b.t.Helper()
	b.wait(`window.opened`)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		b.t.Errorf("the console says: %s", m)
	}
}

const docsRow = `document.querySelector("[data-part='row:docs']")`

// goDown makes the site docs down.
func goDown(b *tab) {
	b.store.change(func(f *apiStore) {
		s := &f.sites[0]
		s.Status, s.Reason, s.Error = sitemon.StatusDown, sitemon.ReasonConnectRefused, "connection refused"
	})
	b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDown, Since: testNow, Reason: sitemon.ReasonConnectRefused})
}

func TestBrowser(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"status", browserStatus},
		{"before the stream", browserBeforeTheStream},
		{"latency", browserLatency},
		{"banner", browserBanner},
		{"filters", browserFilters},
		{"first site", browserFirstSite},
		{"site", browserSite},
		{"removed site", browserRemovedSite},
		{"incidents", browserIncidents},
		{"incident", browserIncident},
		{"without scripts", browserWithoutScripts},
		{"reconnect", browserReconnect},
		{"keys and theme", browserKeysAndTheme},
		{"policy", browserPolicy},
		{"words", browserWords},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// A change of status shows without a reload, where the row stands.
func browserStatus(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	b.want("heading", b.text("h1"), "1 of 3 sites down, 1 unknown")
	b.wait(`(window.before = ` + docsRow + `.getBoundingClientRect().top) > 0`)
	goDown(b)
	b.wait(docsRow + `.className.includes("is-down")`)
	b.wait(docsRow + `.innerText.includes("Connection refused")`)
	b.wait(docsRow + `.getBoundingClientRect().top === window.before`)
	b.want("heading", b.text("h1"), "2 of 3 sites down, 1 unknown")
	b.want("chip", b.text("[data-filter-status=down] b"), "2")
	b.wait(`document.title === "2 of 3 sites down, 1 unknown · SiteMon"`)
	b.clean()
}

// What changes after the page was made and before its stream is open shows too.
func browserBeforeTheStream(t *testing.T, browser context.Context) {
	b := newTab(t, browser, newAPIStore(), same)
	b.store.afterSites = func(f *apiStore) {
		f.sites[0].Status = sitemon.StatusDown
		b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDown, Since: testNow})
	}
	b.do(chromedp.Navigate(b.server.URL + "/"))
	b.wait(docsRow + `?.className.includes("is-down") && (window.opened = true)`)
	b.clean()
}

// A report shows its latency in the site's row.
func browserLatency(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	b.hub.Report(sitemon.Report{Site: "docs", Location: "default", Slot: testNow, Outcome: sitemon.OutcomeUp, Duration: 1234 * time.Millisecond})
	b.wait(docsRow + `.querySelector("[data-latency]").innerText === "1.23 s"`)
	b.clean()
}

// The banner comes and goes with the refused file.
func browserBanner(t *testing.T, browser context.Context) {
	store := newAPIStore()
	refused, good := store.reloads[0], store.reloads[1:]
	store.reloads = good
	b := open(t, browser, store, "/config") // it does not poll
	b.want("banner", b.text("[data-part=banner]"), "")
	b.store.change(func(f *apiStore) { f.reloads = append([]sitemon.Reload{refused}, good...) })
	b.hub.Config(refused)
	b.wait(`document.querySelector("[data-part=banner]").innerText.includes("the running sites go on")`)
	b.wait(`document.querySelector("[data-part=banner]").innerText.includes("sites.yaml:7:15")`)
	b.store.change(func(f *apiStore) { f.reloads = good })
	b.hub.Config(good[0])
	b.wait(`document.querySelector("[data-part=banner]").innerText === ""`)
	b.clean()
}

// Filters are in the address, work without a reload, and with the way back.
func browserFilters(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	rows := func(n int) {
		b.t.Helper()
		b.wait(fmt.Sprintf(`document.querySelectorAll("tr[data-part]").length === %d`, n))
	}
	rows(3)
	b.do(chromedp.Click(chromedp.CSS("[data-filter-status=down]")))
	b.wait(`location.search === "?status=down"`)
	rows(1)
	goDown(b) // joins the list
	rows(2)
	b.do(chromedp.SendKeys(chromedp.CSS("[data-search]"), "CHECK"))
	b.wait(`location.search === "?status=down&q=CHECK"`)
	rows(1)
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.wait(`location.search === ""`)
	rows(3)
	b.wait(`document.querySelector("[data-search]").value === ""`)
	b.clean()

	b = open(t, browser, newAPIStore(), "/?group=public&q=docs")
	rows(1)
	b.wait(`document.querySelector("[data-search]").value === "docs" && document.querySelector("[name=group]").value === "public"`)
	b.clean()
}

// The first site of all appears on the page that says how to add one.
func browserFirstSite(t *testing.T, browser context.Context) {
	store := newAPIStore()
	sites := store.sites
	store.sites = nil
	b := open(t, browser, store, "/")
	b.want("heading", b.text("h1"), "No sites yet")
	b.store.change(func(f *apiStore) { f.sites = sites[:1] })
	b.hub.Config(store.reloads[1])
	b.wait(docsRow)
	b.wait(`document.querySelector("[data-search]").checkVisibility()`)
	b.want("heading", b.text("h1"), "1 site up")
	b.clean()
}

// A site's page has its chart, follows its reports, and keeps the range in the
// address.
func browserSite(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.wait(`document.querySelector("[data-chart] canvas")`)
	r := b.store.reports[0]
	r.Slot, r.Outcome, r.Error, r.StatusCode = testNow, sitemon.OutcomeDown, "status 418, expected 200-299", 418
	b.store.change(func(f *apiStore) {
		f.reports = append([]sitemon.Report{r}, f.reports...)
		f.sites[2].LastReport, f.sites[2].Error = &r, r.Error
	})
	b.hub.Report(r)
	for _, part := range []string{"state", "last", "reports"} {
		b.wait(fmt.Sprintf(`document.querySelector("[data-part=%s]").innerText.includes("418")`, part))
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("[data-range]")[2].click()`))
	b.wait(`location.search === "?range=7d"`)
	b.wait(`document.querySelector("[data-chart] canvas") && document.querySelector("[data-charts]").dataset.charts.includes("from=-7d")`)
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.wait(`document.querySelector("[data-chart] canvas") && document.querySelector("[data-charts]").dataset.charts.includes("from=-24h")`)
	b.clean()
}

// The page of a site that was removed says so.
func browserRemovedSite(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/docs")
	b.store.change(func(f *apiStore) { f.sites = f.sites[1:] })
	b.hub.Config(b.store.reloads[1])
	b.wait(`document.querySelector("h1").innerText === "Not Found"`)
}

// A page that has lost its stream says so, comes back, and makes up for what it
// missed.
func browserReconnect(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	b.server.CloseClientConnections()
	b.wait(`document.querySelector("[data-live]").dataset.state === "reconnecting"`)
	b.store.change(func(f *apiStore) { f.sites[0].Status = sitemon.StatusDegraded })
	b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDegraded, Since: testNow})
	b.want("indicator", b.text("[data-live]"), "Reconnecting")
	b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
	b.wait(docsRow + `.className.includes("is-degraded")`)
	b.wait(`window.opened`)
}

// The slash goes to the search; the theme stays after a reload.
func browserKeysAndTheme(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	b.do(chromedp.KeyEvent("/"))
	b.wait(`document.activeElement.matches("[data-search]")`)
	b.wait(`(window.shown = document.documentElement.dataset.shown)`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-theme-toggle]").click()`))
	b.wait(`document.documentElement.dataset.theme && document.documentElement.dataset.theme !== window.shown`)
	b.wait(`localStorage.getItem("theme") === document.documentElement.dataset.theme`)
	b.clean()
	b.do(chromedp.Reload())
	b.wait(`document.documentElement.dataset.theme === localStorage.getItem("theme")`)
	b.do(chromedp.Evaluate[chromedp.Void](`localStorage.removeItem("theme")`))
}

// Every page loads without a complaint of the browser.
func browserPolicy(t *testing.T, browser context.Context) {
	for _, path := range []string{"/", "/sites/shop%2Fcheckout?range=1h", "/sites/new", "/incidents", "/incidents/42", "/config", "/monitors"} {
		b := open(t, browser, newAPIStore(), path)
		b.wait(`document.readyState === "complete"`)
		b.wait(`document.documentElement.scrollWidth <= innerWidth`)
		b.clean()
	}
}

// Scripts and server say durations in the same words.
func browserWords(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	say := func(module, call string) string {
		t.Helper()
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(
			`import(document.querySelector("script[type=module]").src.replace("app.js", %q)).then((m) => m.%s)`, module, call), chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("evaluate %s: %v", call, err)
		}
		return v
	}
	for _, c := range ageCases {
		b.want(c.short, say("times.js", fmt.Sprintf("ageText(%g, false)", c.age.Seconds())), c.short)
		b.want(c.long, say("times.js", fmt.Sprintf("ageText(%g, true)", c.age.Seconds())), c.long)
	}
	for _, c := range latencyCases {
		b.want(c.want, say("text.js", fmt.Sprintf("latencyText(%d)", c.latency.Microseconds())), c.want)
	}
	b.clean()
}
