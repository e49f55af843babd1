package web_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sitemon"
	"sitemon/internal/testkit"
)

// The main acts of a site's reports, definition and probe, in a browser.
func TestBrowserReports(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"report", browserReport},
		{"report without scripts", browserReportWithoutScripts},
		{"probe", browserProbe},
		{"probe barriers", browserProbeBarriers},
		{"probe refused", browserProbeRefused},
		{"definition", browserDefinition},
		{"direction", browserDirection},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

const openedRow = `document.querySelector("table.list tr.opened")`

// A report opens by the keyboard alone, its address opens it again, and the way back
// closes it; what comes meanwhile leaves it open.
func browserReport(t *testing.T, browser context.Context) {
	store := newAPIStore()
	store.incidents[0].Evidence[0].Details = richEvidence
	b := open(t, browser, store, "/sites/shop%2Fcheckout")
	b.do(chromedp.Focus(chromedp.CSS("table.list th a")), chromedp.KeyEvent("\r"))
	b.wait(openedRow + `?.innerText.includes("Evidence")`)
	b.wait(`document.activeElement.getAttribute("aria-expanded") === "true"`)
	b.wait(`new URL(location.href).searchParams.get("report") === "2026-11-24T09:59:37.250Z"`)
	b.wait(`[...` + openedRow + `.querySelectorAll(".waterfall rect")].length === 5`)
	b.wait(openedRow + `.querySelector(".expectations").innerText.includes("Not met")`)
	b.store.change(func(f *apiStore) {
		r := f.reports[0]
		r.Slot = r.Slot.Add(30 * time.Second)
		f.reports = append([]sitemon.Report{r}, f.reports...)
	})
	b.hub.Report(b.store.reports[0])
	b.wait(`document.querySelectorAll("table.list th a").length === 3`)
	b.wait(openedRow + `.previousElementSibling === document.querySelectorAll("table.list tbody tr")[1]`)
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.wait(`!` + openedRow + ` && !location.search`)
	b.do(chromedp.Evaluate[chromedp.Void](`history.forward()`))
	b.wait(openedRow)
	b.do(chromedp.Click(chromedp.CSS(`#reports .chips a[href*="outcome=up"]`)))
	b.wait(`document.querySelectorAll("table.list th a").length === 1 && location.search === "?outcome=up"`)
	b.clean()
}

func browserReportWithoutScripts(t *testing.T, browser context.Context) {
	b := newTab(t, browser, newAPIStore(), withoutScripts)
	b.do(chromedp.Navigate(b.server.URL + "/sites/shop%2Fcheckout?range=7d"))
	b.do(chromedp.Click(chromedp.CSS("table.list th a")))
	b.wait(openedRow + `?.innerText.includes("Expectations") && location.hash === "#reports"`)
	b.do(chromedp.Click(chromedp.CSS("table.list .is-open th a")))
	b.wait(`!` + openedRow + ` && location.search === "?range=7d"`)
	b.do(chromedp.Click(chromedp.CSS("[data-probe] button")))
	b.wait(`location.pathname === "/sites/shop%2Fcheckout/probe" && document.body.innerText.includes("Too slow")`)
}

// A probe is shown in its place, and the button keeps the focus.
func browserProbe(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/docs")
	b.do(chromedp.Focus(chromedp.CSS("[data-probe] button")), chromedp.KeyEvent("\r"))
	b.wait(`document.querySelector("#probe .waterfall") && document.querySelector("#probe .expectations").innerText.includes("at most 2s")`)
	b.want("button", b.text("[data-probe] button"), "Probe again")
	b.want("said", b.text("[data-probe-said]"), "Degraded at 2026-11-24 10:00:00, in 2.50 s")
	b.wait(`document.activeElement === document.querySelector("[data-probe] button")`)
	b.clean()
}

// The page of a probe, and the part that is put into a site's page, have no barrier.
func browserProbeBarriers(t *testing.T, browser context.Context) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatalf("read axe-core: %v", err)
	}
	b := open(t, browser, newAPIStore(), "/sites/docs")
	for _, look := range looks {
		b.do(chromedp.EmulateViewport(look.width, 900), themed(look.theme))
		b.do(chromedp.Evaluate[chromedp.Void](string(axe) + `;document.querySelector("#definition details").open = true; document.querySelector("[data-probe] button").click()`))
		b.wait(`document.querySelector("#probe .expectations")`)
		for _, text := range b.barriers() {
			t.Errorf("%s, %d px: %s", look.theme, look.width, text)
		}
	}
}

// What keeps a probe from being made is said.
func browserProbeRefused(t *testing.T, browser context.Context) {
	store := newAPIStore()
	b := newTab(t, browser, store, keep)
	b.do(chromedp.Navigate(b.server.URL + "/sites/docs"))
	b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
	b.do(chromedp.Click(chromedp.CSS("[data-probe] button")))
	b.wait(`document.querySelector("#probe .waterfall")`)
	b.do(chromedp.Click(chromedp.CSS("[data-probe] button")))
	b.wait(`!document.querySelector("[data-probe-error]").hidden`)
	if got := b.text("[data-probe-error]"); !strings.Contains(got, "this site was probed a moment ago") {
		t.Errorf("the error says %q", got)
	}
}

// A reload that changes the site shows without a reload of the page.
func browserDefinition(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/sites/docs")
	b.wait(`document.querySelector("#definition table").innerText.includes("sites.yaml:7:5")`)
	b.wait(`!document.querySelector("#definition .history").innerText.includes("generation 16")`)
	b.store.change(func(f *apiStore) { f.reloads = []sitemon.Reload{changedSite()} })
	b.hub.Config(changedSite())
	b.wait(`document.querySelector("#definition .history").innerText.includes("Changed with generation 16")`)
	b.wait(`document.querySelector("#happened").innerText.includes("Definition changed: interval")`)
	b.do(chromedp.Click(chromedp.CSS("#definition summary")))
	b.wait(`document.querySelector("#definition details").innerText.includes("GET")`)
	b.clean()
}

// hostile turns the direction of what follows, and never turns it back.
const hostile = "a\u202eb"

// A name or an error that turns the direction of writing does not turn what is around
// it: on every page that has them, what follows in the same line stays right of it.
func browserDirection(t *testing.T, browser context.Context) {
	store := newAPIStore()
	s := &store.sites[2]
	s.Name, s.Group, s.Error, s.Tags = hostile, "g"+hostile, "e"+hostile, []string{hostile}
	s.LastReport.Site, s.LastReport.Error = hostile, "e"+hostile
	for i := range store.reports {
		store.reports[i].Site = hostile
	}
	store.reports[0].Error = "e" + hostile
	i := &store.incidents[0]
	i.Site, i.Group, i.Error = hostile, "g"+hostile, "e"+hostile
	i.Timeline[0].Text, i.Evidence[0].Details = "e"+hostile, `{"reason":"status","error":"e`+hostile+`"}`
	b := newTab(t, browser, store, keep)
	site := "/sites/" + url.PathEscape(hostile)
	for _, path := range []string{"/", "/incidents", "/incidents/42", site, site + "?report=2026-11-24T09:59:37.250Z", "/certificates"} {
		b.do(chromedp.Navigate(b.server.URL + path))
		b.wait(`document.querySelector("main")`)
		// An unclosed override in a text reaches as far as its line, unless an element
		// isolates it: so each is put beside a mark of its own.
		if got := b.eval(turned); got != "" {
			t.Errorf("%s: what turns the direction is not isolated in: %s", path, got)
		}
	}
}

// turned lists the texts with an override that are in no element which keeps it in, and
// have something beside them.
const turned = `(() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    if (!/\u202e/.test(n.data) || /\u2069/.test(n.data) || n.parentElement.closest("script, option, textarea, [hidden]")) continue;
    let at = n.parentElement;
    if (getComputedStyle(at).display === "none" || !at.checkVisibility()) continue;
    while (at && getComputedStyle(at).display === "inline" && getComputedStyle(at).unicodeBidi === "normal") at = at.parentElement;
    if (getComputedStyle(at).unicodeBidi.includes("isolate") && getComputedStyle(at).display === "inline") continue;
    if (at.textContent.trim() === n.data.trim()) continue; // nothing is beside it
    found.push(at.outerHTML.slice(0, 300));
  }
  return found.join("\n");
})()`

// keep leaves a handler as it is.
func keep(h http.Handler) http.Handler { return h }
