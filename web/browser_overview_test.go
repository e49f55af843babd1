package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

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
