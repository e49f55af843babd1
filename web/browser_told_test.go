package web_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sitemon"
	"sitemon/internal/testkit"
)

func TestBrowserTold(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"a heartbeat that is missing", browserBeatInMatrix},
		{"events that a page does not show", browserCountsAll},
		{"fetches say what was told", browserTellsEvent},
		{"not all pages at once", browserSpreads},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// Of a site that calls us the matrix says what is wrong in its own words, also where an
// event says so.
func browserBeatInMatrix(t *testing.T, browser context.Context) {
	store := manySites(14, map[int]sitemon.Status{1: sitemon.StatusDown})
	for i := range 2 {
		store.sites[i].Kind, store.sites[i].Reason, store.sites[i].Group = sitemon.KindHeartbeat, sitemon.ReasonProcessingTimeout, "a"
	}
	b := open(t, browser, store, "/")
	said := func(want string) {
		t.Helper()
		b.wait(`document.querySelector("site-matrix [role='status']").textContent === "` + want + `"`)
	}
	b.do(chromedp.Focus(chromedp.CSS("site-matrix")))
	b.keys(kb.Home + kb.ArrowRight)
	said("site-00001, Down: Heartbeat missing")
	b.hub.Status(sitemon.StatusChange{Site: "site-00000", Status: sitemon.StatusDown, Since: testNow, Reason: sitemon.ReasonProcessingTimeout})
	b.hub.Status(sitemon.StatusChange{Site: "site-00003", Status: sitemon.StatusDown, Since: testNow, Reason: sitemon.ReasonProcessingTimeout})
	b.wait(`performance.getEntriesByType("resource").some((r) => r.name.includes("site=site-00003"))`)
	b.keys(kb.Home)
	said("site-00000, Down: Heartbeat missing")
	b.keys(kb.ArrowRight + kb.ArrowRight)
	said("site-00003, Down: No answer in time")
	b.clean()
}

// An event that a page does not show counts as seen.
func browserCountsAll(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/certificates")
	b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDown, Since: testNow})
	b.wait(`document.body.dataset.seen === "` + b.hub.Seen() + `"`)
	b.server.CloseClientConnections()
	b.wait(`document.querySelector("[data-live]").dataset.state === "reconnecting"`)
	b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
	b.want("what was fetched", b.eval(fetched), "")
	b.wait(`window.opened`)
}

// A fetch says which event the page was told of last: another process may answer it.
func browserTellsEvent(t *testing.T, browser context.Context) {
	var told atomic.Value
	b := newTab(t, browser, newAPIStore(), func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Query().Get("parts"), "rows") {
				told.Store(r.Header.Get("Last-Event-ID"))
			}
			h.ServeHTTP(w, r)
		})
	})
	b.do(chromedp.Navigate(b.server.URL + "/"))
	b.wait(`document.querySelector("[data-live]")?.dataset.state === "live" && (window.opened = true)`)
	goDown(b)
	b.wait(docsRow + `.className.includes("is-down")`)
	if got := told.Load(); got != b.hub.Seen() {
		t.Errorf("the fetch says %q, want %q", got, b.hub.Seen())
	}
	b.clean()
}

// Pages whose fetches fail at the same time do not try again at the same time.
func browserSpreads(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/config")
	b.do(chromedp.Evaluate[chromedp.Void](`(async () => {
		const { throttled } = await import(document.querySelector("script[src$='/app.js']").src.replace("app.js", "fragments.js"));
		const [random, later, pauses] = [Math.random, window.setTimeout, []];
		const now = Date.now();
		Date.now = () => now;
		for (const r of [0, 0.5, 1]) {
			Math.random = () => r;
			await new Promise((done) => {
				let failures = 0;
				window.setTimeout = (f, ms) => {
					if (failures > 0) pauses.push(ms);
					if (failures < 2) later(f, 0);
					else done();
				};
				throttled(async () => {
					failures++;
					throw new Error("away");
				}, 0)();
			});
		}
		Object.assign(window, { setTimeout: later });
		Math.random = random;
		window.pauses = pauses.join(" ");
	})(), undefined`))
	b.wait(`window.pauses`)
	b.want("the pauses", b.eval(`window.pauses`), "1500 3000 2000 4000 2500 5000")
}
