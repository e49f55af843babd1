package web_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sitemon"
	"sitemon/internal/testkit"
)

func TestBrowserFeel(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"keys alone", browserKeysAlone},
		{"help", browserHelp},
		{"time zones", browserZones},
		{"nothing moves", browserShifts},
		{"an error page stays", browserErrorStays},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// With keys alone, somebody goes from the overview to an incident and acknowledges it.
func browserKeysAlone(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	row := func(name string) {
		t.Helper()
		b.wait(fmt.Sprintf(`document.activeElement.closest("tr")?.dataset.part === "row:%s"`, name))
	}
	names := b.eval(`[...document.querySelectorAll("tr[data-part]")].map((tr) => tr.dataset.part.slice(4)).join(" ")`)
	b.want("rows", names, "shop/checkout docs new")
	b.keys("j")
	row("shop/checkout")
	b.keys("jj")
	row("new")
	b.keys("j")
	row("new") // it is the last
	b.keys("k")
	row("docs")
	b.keys("/")
	b.wait(`document.activeElement.matches("[data-search]")`)
	const empty = `document.querySelector("[data-search]").value = ""`
	b.do(chromedp.Evaluate[chromedp.Void](empty)) // what drives the browser types the slash all the same
	b.keys("jgi?")
	b.want("what is typed", b.value("[data-search]"), "jgi?")
	b.do(chromedp.Evaluate[chromedp.Void](empty), chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	b.keys("gi")
	b.wait(`location.pathname === "/incidents" && document.querySelector("[data-live]")?.dataset.state === "live"`)
	b.keys("j" + kb.Enter)
	b.wait(`location.pathname === "/incidents/42" && document.querySelector("[data-live]")?.dataset.state === "live"`)
	for range 40 {
		if b.eval(`document.activeElement.id`) == "by" {
			break
		}
		b.keys(kb.Tab)
	}
	b.keys("bob")
	for range 5 {
		if b.eval(`document.activeElement.getAttribute("formaction") ?? ""`) != "" {
			break
		}
		b.keys(kb.Tab)
	}
	b.keys(kb.Enter)
	b.wait(`document.querySelector("[data-part=acknowledged]").innerText === "Acknowledged by bob"`)
	for key, path := range map[string]string{"o": "/", "c": "/config", "m": "/monitors", "e": "/certificates"} {
		b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
		b.keys("g" + key)
		b.wait(fmt.Sprintf(`location.pathname === %q && document.querySelector("[data-live]")?.dataset.state === "live"`, path))
	}
}

// The help opens and closes by keys, gives the focus back, and switches the keys off.
func browserHelp(t *testing.T, browser context.Context) {
	const isOpen = `document.querySelector("[data-help-dialog]").open`
	b := open(t, browser, newAPIStore(), "/")
	b.keys("j?")
	b.wait(isOpen)
	b.keys("t")
	b.want("a theme that was chosen behind the help", b.eval(`document.documentElement.dataset.theme ?? ""`), "")
	b.keys(kb.Escape)
	b.wait(`!` + isOpen + ` && document.activeElement.closest("tr")`)
	b.keys("t")
	b.wait(`document.documentElement.dataset.theme`)
	b.do(press("[data-help]"))
	b.wait(isOpen)
	b.do(press("[data-keys-switch]"))
	b.keys(kb.Escape)
	b.wait(`!` + isOpen)
	b.do(chromedp.Reload())
	b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
	b.keys("t?/j")
	b.wait(`!` + isOpen + ` && document.activeElement === document.body`)
	b.do(press("[data-help]"), press("[data-keys-switch]"), press("[data-help-dialog] button"))
	b.wait(`!` + isOpen)
	b.keys("?")
	b.wait(isOpen)
	b.do(chromedp.Evaluate[chromedp.Void](`localStorage.clear()`))
}

// Times are shown in the browser's zone, or in one that is chosen and remembered.
func browserZones(t *testing.T, browser context.Context) {
	const started = `document.querySelector("tr.is-open time[data-clock]")`
	b := open(t, browser, newAPIStore(), "/incidents")
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
		return err
	}), chromedp.Reload())
	b.wait(started + `?.textContent === "2026-11-24 18:59:37"`)
	b.want("title", b.eval(started+`.title`), "2026-11-24 18:59:37 Asia/Tokyo\n2026-11-24 09:59:37 UTC")
	choose := func(zone string) {
		t.Helper()
		b.do(chromedp.Focus(chromedp.CSS("[data-zone]")))
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const s = document.querySelector("[data-zone]"); s.value = %q; s.dispatchEvent(new Event("change", { bubbles: true })); }`, zone)))
	}
	choose("America/New_York")
	b.wait(started + `.textContent === "2026-11-24 04:59:37"`)
	b.do(chromedp.Reload())
	b.wait(started + `?.textContent === "2026-11-24 04:59:37" && document.querySelector("[data-zone]").value === "America/New_York"`)
	choose("UTC")
	b.wait(started + `.textContent === "2026-11-24 09:59:37"`)
	b.do(chromedp.Navigate(b.server.URL + "/sites/shop%2Fcheckout"))
	b.wait(`document.querySelector("[data-chart] canvas")`)
	b.want("the chart's noon", b.noon(), "12")
	b.do(chromedp.Evaluate[chromedp.Void](`localStorage.setItem("zone", "Moon/Crater")`), chromedp.Reload())
	b.wait(`document.querySelector("[data-zone]")?.value === ""`)
	b.do(chromedp.Evaluate[chromedp.Void](`localStorage.clear()`))
}

// countShifts adds up what moves in a page, whose clock is the server's.
const countShifts = `
	Date.now = () => Date.UTC(2026, 10, 24, 10);
	window.shifted = 0;
	window.shifts = [];
	new PerformanceObserver((list) => {
		for (const e of list.getEntries()) {
			if (e.hadRecentInput) continue;
			shifted += e.value;
			shifts.push(e.value.toFixed(4) + " " + e.sources.map((s) => s.node?.outerHTML?.slice(0, 100) ?? s.node?.data).join(" | "));
		}
	}).observe({ type: "layout-shift", buffered: true });`

// Nothing moves on a page while it loads and while it follows ten updates.
func browserShifts(t *testing.T, browser context.Context) {
	for _, path := range []string{"/", "/sites/shop%2Fcheckout"} {
		for _, width := range []int64{1440, 360} {
			b := newTab(t, browser, newAPIStore(), same)
			b.do(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
				_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: countShifts})
				return err
			}), chromedp.Navigate(b.server.URL+path))
			b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
			for i := range 10 {
				status := []sitemon.Status{sitemon.StatusDegraded, sitemon.StatusUp}[i%2] // the order of the list stays
				b.store.change(func(f *apiStore) { f.sites[0].Status = status })
				b.wait(`(window.fetched = null, document.addEventListener("parts", () => (window.fetched = 1), { once: true }), true)`)
				b.hub.Status(sitemon.StatusChange{Site: "docs", Status: status, Since: testNow})
				b.hub.Status(sitemon.StatusChange{Site: "shop/checkout", Status: sitemon.StatusDown, Since: testNow})
				b.hub.Incident(b.store.incidents[0])
				b.wait(`window.fetched`)
			}
			b.settle()
			if b.eval(`String(shifted < 0.01)`) != "true" {
				t.Errorf("%s at %d px: what moved adds up to %s:\n%s", path, width, b.eval(`shifted.toFixed(4)`), b.eval(`shifts.join("\n")`))
			}
		}
	}
}

// A page that says that there is nothing is not loaded again and again.
func browserErrorStays(t *testing.T, browser context.Context) {
	b := newTab(t, browser, newAPIStore(), same)
	b.do(chromedp.Navigate(b.server.URL + "/sites/there-is-none"))
	b.wait(`document.readyState === "complete" && (window.opened = true)`)
	b.want("the stream of a page without parts", b.eval(`document.body.dataset.events`), "")
	b.want("heading", b.text("h1"), "Not Found")
}

// noon is which hour a chart calls noon in UTC.
func (b *tab) noon() string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`import(document.querySelector("script[type=module]").src.replace("app.js", "zone.js")).then((m) => m.wall(Date.UTC(2026, 10, 24, 12)).getHours() + "")`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("ask for the zone: %v", err)
	}
	return v
}

// same leaves a handler as it is.
func same(h http.Handler) http.Handler { return h }

// keys presses one key after the other.
func (b *tab) keys(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}
