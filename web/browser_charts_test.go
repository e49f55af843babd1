package web_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sitemon/internal/testkit"
)

func TestBrowserCharts(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"brush", browserBrush},
		{"keys", browserChartKeys},
		{"day", browserDay},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// charted waits until all charts of the window that the address asks for are drawn.
const charted = `document.querySelectorAll("[data-chart] canvas").length === 3`

// drag marks what is between a quarter and three quarters of the first chart, as a
// mouse does.
const drag = `{
	const over = document.querySelector("[data-chart] .u-over");
	over.scrollIntoView({ block: "center" });
	const box = over.getBoundingClientRect();
	const at = (type, share, target = over) => target.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: box.left + box.width * share, clientY: box.top + 50, button: 0, buttons: 1, movementX: 9 }));
	at("mousemove", 0.25); at("mousedown", 0.25); at("mousemove", 0.5); at("mousemove", 0.75); at("mouseup", 0.75, document);
}`

// What is marked on one chart is zoomed on all of them, in the address, and undone by
// the way back and by Escape.
func browserBrush(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.wait(charted)
	b.do(chromedp.Evaluate[chromedp.Void](drag))
	b.wait(`new URLSearchParams(location.search).get("from")?.startsWith("2026-11-23T") && new URLSearchParams(location.search).get("to")?.startsWith("2026-11-24T0")`)
	b.wait(`document.querySelector("[data-charts]").dataset.charts.includes(encodeURIComponent(new URLSearchParams(location.search).get("from"))) && document.querySelector("[data-zoom=Reset]").href && ` + charted)
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.wait(`location.search === "" && document.querySelector("[data-charts]").dataset.charts.includes("from=-24h") && ` + charted)
	b.do(chromedp.Evaluate[chromedp.Void](drag))
	b.wait(`location.search.includes("from=") && document.querySelector("[data-zoom=Reset]").href && ` + charted)
	b.do(chromedp.Focus(chromedp.CSS("[data-plots]")), chromedp.KeyEvent(kb.Escape))
	b.wait(`location.search === "" && document.querySelector("[data-charts]").dataset.charts.includes("from=-24h")`)
	b.wait(`window.opened`)
	b.clean()
}

// The charts go by keys: plus, minus and the arrows, and the focus stays.
func browserChartKeys(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.wait(charted)
	press := func(key, from, to string) {
		t.Helper()
		b.do(chromedp.KeyEvent(key))
		b.wait(`new URLSearchParams(location.search).get("from") === "` + from + `" && new URLSearchParams(location.search).get("to") === "` + to + `"`)
		b.wait(`document.querySelector("[data-charts]").dataset.charts.includes("` + from[:10] + `T` + from[11:13] + `%3A") && document.activeElement.matches("[data-plots]")`)
	}
	b.do(chromedp.Focus(chromedp.CSS("[data-plots]")))
	press("+", "2026-11-23T16:00:00Z", "2026-11-24T04:00:00Z")
	press(kb.ArrowLeft, "2026-11-23T10:00:00Z", "2026-11-23T22:00:00Z")  // left
	press(kb.ArrowRight, "2026-11-23T16:00:00Z", "2026-11-24T04:00:00Z") // right
	press("-", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z")
	b.clean()
}

// A bar opens its day by keys; in the grid the arrow keys go from minute to minute,
// and Enter shows the hour in the charts.
func browserDay(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-day-links] a:last-of-type").focus()`))
	b.keys(kb.ArrowLeft)
	b.wait(`document.activeElement.getAttribute("aria-label").startsWith("2026-11-23")`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, detail: 0 }))`))
	b.wait(`location.search === "?day=2026-11-23" && document.querySelector("#minutes-title").innerText === "Monday, 23 November 2026"`)
	b.wait(`document.activeElement.matches("[data-minutes]")`)
	b.keys(kb.ArrowRight)
	b.wait(`document.querySelector("[data-said]").textContent.startsWith("00:01 ")`)
	b.keys(kb.ArrowDown)
	b.wait(`document.querySelector("[data-said]").textContent.startsWith("01:01 ") && document.querySelector(".minute-cursor")`)
	b.keys(kb.Enter)
	b.wait(`new URLSearchParams(location.search).get("from") === "2026-11-23T01:00:00Z" && new URLSearchParams(location.search).get("day") === "2026-11-23"`)
	b.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#minutes header a")].at(-1).click()`))
	b.wait(`!location.search.includes("day=") && document.querySelector("#minutes").hidden`)
	b.wait(`window.opened`)
	b.clean()
}
