package web_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sitemon"
	"sitemon/internal/testkit"
)

func TestBrowserOverview(t *testing.T) {
	browser := testkit.Browser(t)
	store := manySites(24, map[int]sitemon.Status{0: sitemon.StatusPaused})

	t.Run("a site goes down in the matrix", func(t *testing.T) {
		b := open(t, browser, store, "/")
		b.wait(`document.querySelectorAll("site-matrix canvas").length === 3`)
		b.wait(`(window.before = document.querySelector("site-matrix canvas").toDataURL()) !== ""`)
		b.store.change(func(f *apiStore) { f.sites[3].Status = sitemon.StatusDown })
		b.hub.Status(sitemon.StatusChange{Site: "site-00003", Status: sitemon.StatusDown, Since: testNow})
		b.wait(`document.querySelector("site-matrix canvas").toDataURL() !== before`)
		b.wait(`document.querySelector("[data-part='row:site-00003'].is-down")`)
		b.wait(`document.querySelector("h1").innerText.startsWith("1 of 24 sites down")`)
		b.clean()
	})
	t.Run("a cell says and opens its site", func(t *testing.T) {
		b := open(t, browser, store, "/")
		b.wait(`(() => {
			const c = document.querySelector("site-matrix canvas");
			const { left, top } = c.getBoundingClientRect();
			c.dispatchEvent(new PointerEvent("pointermove", { clientX: left + 5, clientY: top + 5, bubbles: true }));
			return document.querySelector(".tip:not([hidden])")?.innerText.startsWith("site-00000");
		})()`)
		b.clean()
		b.wait(`(() => {
			const c = document.querySelector("site-matrix canvas");
			const { left, top } = c?.getBoundingClientRect() ?? {};
			c?.dispatchEvent(new MouseEvent("click", { clientX: left + 5, clientY: top + 5, bubbles: true }));
			return location.pathname === "/sites/site-00000";
		})()`)
	})
	t.Run("keys go from cell to cell", func(t *testing.T) {
		b := open(t, browser, store, "/")
		b.store.change(func(f *apiStore) {
			f.sites[5].Status, f.sites[5].Reason = sitemon.StatusDown, sitemon.ReasonConnectRefused
		})
		defer b.store.change(func(f *apiStore) { f.sites[5].Status, f.sites[5].Reason = sitemon.StatusUp, "" })
		b.hub.Status(sitemon.StatusChange{Site: "site-00005", Status: sitemon.StatusDown, Reason: sitemon.ReasonConnectRefused, Since: testNow})
		b.wait(`document.querySelector("[data-part='row:site-00005'].is-down")`)
		b.do(chromedp.Focus(chromedp.CSS(".filters select")))
		for _, c := range []struct{ key, want string }{
			{kb.Tab, "site-00003, Down"}, // the first of the worst
			{kb.ArrowRight, "site-00006, Up"},
			{kb.End, "site-00023, Up"},
			{kb.Home, "site-00000, Paused"},
			{kb.ArrowDown, "site-00001, Up"}, // each group is one row
			{kb.ArrowLeft, "site-00021, Up"},
			{kb.End, "site-00023, Up"},
			{kb.ArrowUp, "site-00022, Up"},
			{kb.ArrowRight, "site-00002, Up"},
			{kb.ArrowRight, "site-00005, Down: Connection refused"},
		} {
			b.do(chromedp.KeyEvent(c.key))
			b.wait(fmt.Sprintf(`document.querySelector("site-matrix [role='status']").textContent === %q`, c.want))
		}
		b.wait(`document.querySelector(".tip:not([hidden])").innerText === "site-00005 Down: Connection refused"`)
		b.clean()
		b.do(chromedp.KeyEvent(kb.Enter))
		b.wait(`location.pathname === "/sites/site-00005"`)
	})
	t.Run("cells are as the server says, also when events were missed", func(t *testing.T) {
		b := open(t, browser, store, "/")
		drawn := `document.querySelectorAll("site-matrix canvas")[1].toDataURL()`
		b.wait(`(window.before = ` + drawn + `) !== ""`)
		b.hub.Status(sitemon.StatusChange{Site: "site-00007", Status: sitemon.StatusDown, Since: testNow})
		b.wait(drawn + ` !== before`)
		b.hub.Config(sitemon.Reload{Applied: true}) // that it is up again was missed
		b.wait(drawn + ` === before`)
		b.clean()
	})
	t.Run("rows in view are fetched where reports are too many to follow", func(t *testing.T) {
		busy := manySites(100, nil)
		for i := range busy.sites {
			busy.sites[i].Interval, busy.sites[i].Enabled = time.Second, true
		}
		b := newTab(t, browser, busy, func(h http.Handler) http.Handler { return h })
		b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // ten seconds take less
			_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
				Source: `{ const every = setInterval; setInterval = (run, wait) => every(run, wait / 10); }`,
			})
			return err
		}), chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.server.URL+"/"))
		b.wait(`performance.getEntriesByType("resource").some((r) => r.name.includes("parts=banner"))`)
		b.wait(`(window.opened = true)`)
		b.store.change(func(f *apiStore) {
			for i := range f.sites {
				f.sites[i].LastReport.Duration = 777 * time.Millisecond
			}
		})
		row := func(name string) string {
			return `document.querySelector("[data-part='row:` + name + `'] [data-latency]").innerText`
		}
		b.wait(row("site-00000") + ` === "777 ms"`)
		b.want("a row out of view", b.eval(row("site-00098")), "20 ms")
		b.clean()
	})
	t.Run("days say how they were", func(t *testing.T) {
		b := open(t, browser, newAPIStore(), "/")
		say := func(day string) string {
			return b.eval(`(() => {
				const svg = document.querySelector("[data-part='row:shop/checkout'] [data-bars]");
				const { left, top, width } = svg.getBoundingClientRect();
				svg.dispatchEvent(new PointerEvent("pointermove", { clientX: left + width * (` + day + ` + 0.5) / 90, clientY: top + 5, bubbles: true }));
				return document.querySelector(".tip").innerText;
			})()`)
		}
		b.want("a day with downtime", say("3"), "2026-08-30 97.91 %, down 30 min")
		b.want("a day without", say("4"), "2026-08-31 up all day")
		b.clean()
	})
	t.Run("folds and orders are in the address", func(t *testing.T) {
		b := open(t, browser, store, "/")
		rows := `document.querySelectorAll("tr[data-part]").length`
		b.wait(rows + ` === 24`)
		b.do(chromedp.Click(chromedp.CSS(`[data-fold][href="/?folded=a"]`)))
		b.wait(rows + ` === 16 && location.search === "?folded=a"`)
		b.do(chromedp.Click(chromedp.CSS(`[data-sort][href*="sort=name"]`)))
		b.wait(rows + ` === 24 && location.search === "?folded=a&sort=name"`)
		b.wait(`document.querySelector("th[aria-sort]").innerText.startsWith("Site")`)
		b.wait(`document.querySelector("tr[data-part]").dataset.part === "row:site-00000"`)
		b.wait(`history.back() || true`)
		b.wait(rows + ` === 16 && location.search === "?folded=a"`)
		b.clean()
		b.do(chromedp.Reload())
		b.wait(rows + ` === 16 && document.querySelector("[data-live]").dataset.state === "live"`)
	})
	t.Run("nothing moves while the page comes up", func(t *testing.T) {
		b := open(t, browser, store, "/")
		b.wait(`(new PerformanceObserver((l) => { window.shift = (window.shift ?? 0) + l.getEntries().reduce((s, e) => s + e.value, 0); })
			.observe({ type: "layout-shift", buffered: true }), true)`)
		b.wait(`document.fonts.status === "loaded" && document.querySelector("site-matrix canvas").height > 0`)
		b.wait(`(requestAnimationFrame(() => requestAnimationFrame(() => (window.drawn = true))), true)`)
		b.wait(`window.drawn`)
		b.want("what the layout shifted", b.eval(`(window.shift ?? 0) < 0.01 ? "nothing" : String(window.shift)`), "nothing")
		b.clean()
	})
}
