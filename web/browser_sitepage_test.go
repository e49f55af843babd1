package web_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sitemon/internal/testkit"
)

// unchanged is a server's handler as it is.
func unchanged(h http.Handler) http.Handler { return h }

func TestBrowserSitePage(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"charts that were", browserChartsThatWere},
		{"place in a day", browserPlaceInADay},
		{"unfolded", browserUnfolded},
		{"long names", browserLongNames},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// Charts of another window take the place of those that were, which are gone: none
// listens or shares the cursor any more.
func browserChartsThatWere(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.wait(charted)
	b.do(chromedp.Evaluate[chromedp.Void](`window.firstChart = document.querySelector("[data-chart] canvas")`))
	for _, key := range []string{"7d", "30d"} {
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-range][href*='range=` + key + `']").click()`))
		b.wait(`document.querySelector("[data-charts]").dataset.charts.includes("from=-` + key + `") && !window.firstChart.isConnected && ` + charted)
		b.do(chromedp.Evaluate[chromedp.Void](`window.firstChart = document.querySelector("[data-chart] canvas")`))
	}
	b.wait(`uPlot.sync("site").plots.length === 3`)
	b.clean()
}

// The keyboard's place in a day stays where it is while the day goes on, and is
// forgotten on another day.
func browserPlaceInADay(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout?day=2026-11-23")
	b.do(chromedp.Focus(chromedp.CSS("[data-minutes]")))
	b.keys(kb.ArrowRight + kb.ArrowDown)
	b.wait(`document.querySelector("[data-said]").textContent.startsWith("01:01 ")`)
	b.do(chromedp.Evaluate[chromedp.Void](`import(document.querySelector("script[type=module]").src.replace("app.js", "fragments.js")).then((m) => m.fetchParts(location.href, ["minutes"])).then(() => (window.fetched = true))`))
	b.wait(`window.fetched`)
	b.wait(`!document.querySelector(".minute-cursor").hidden && document.querySelector("[data-said]").textContent.startsWith("01:01 ")`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#minutes header a").click()`))
	b.wait(`document.querySelector("#minutes-title").innerText === "Sunday, 22 November 2026" && document.querySelector("[data-said]").textContent.startsWith("00:00 ")`)
	b.clean()
}

// Names and groups of 200 characters without a space make nothing scroll sideways.
func browserLongNames(t *testing.T, browser context.Context) {
	store := newAPIStore()
	long := strings.Repeat("LongNameX", 22)
	store.sites[2].Name, store.sites[2].Group = long, long
	for i := range store.reports {
		store.reports[i].Site = long
	}
	for i := range store.incidents {
		store.incidents[i].Site = long
	}
	for _, width := range []int64{360, 768, 1440} {
		b := newTab(t, browser, store, unchanged)
		b.do(chromedp.EmulateViewport(width, 800), chromedp.Navigate(b.server.URL+"/sites/"+url.PathEscape(long)))
		b.wait(`document.readyState === "complete" && document.querySelector("h1").innerText.startsWith("LongName")`)
		b.want("what is wider than the window", b.eval(`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .chips, nav, svg, .hidden-text")).map((e) => e.tagName + " " + e.className).join("; ")`), "")
		b.wait(`document.documentElement.scrollWidth <= innerWidth`)
	}
}

// What the reader has unfolded stays so while the page follows.
func browserUnfolded(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/shop%2Fcheckout")
	b.do(chromedp.Click(chromedp.CSS(".figures summary")))
	b.wait(`document.querySelector(".figures").open`)
	b.do(chromedp.Evaluate[chromedp.Void](`import(document.querySelector("script[type=module]").src.replace("app.js", "fragments.js")).then((m) => m.fetchParts(location.href, ["chart"])).then(() => (window.fetched = true))`))
	b.wait(`window.fetched`)
	b.wait(`document.querySelector(".figures").open`)
	b.clean()
}
