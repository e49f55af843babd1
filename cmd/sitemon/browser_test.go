package main

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sitemon/internal/testkit"
)

// TestThePageFollowsTheFile edits sites.yaml while a browser has the page open,
// and sees each edit there without a reload.
func TestThePageFollowsTheFile(t *testing.T) {
	tab := testkit.Browser(t)
	dir, web := t.TempDir(), newTarget(t)
	one := fmt.Sprintf("sites:\n  - {name: one, url: %s/one, interval: 1s}\n", web.URL)
	save(t, dir, "sites.yaml", one)
	p := startDaemon(t, dir)

	see := func(what, expression string) {
		t.Helper()
		waitFor(t, what, func() bool {
			ctx, cancel := context.WithTimeout(tab, 10*time.Second)
			defer cancel()
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(`+expression+`)`))
			return err == nil && ok
		})
	}
	if err := chromedp.Do(tab, chromedp.Navigate(p.url+"/")); err != nil {
		t.Fatal(err)
	}
	see("the page is live", `document.querySelector("[data-live]").dataset.state === "live" && (window.opened = true)`)
	see("site one is up", `document.querySelector("[data-part='row:one']").className.includes("is-up")`)

	save(t, dir, "sites.yaml", one+fmt.Sprintf("  - {name: two, url: %s/two, interval: 1s}\n", web.URL))
	see("the added site is up", `document.querySelector("[data-part='row:two']")?.className.includes("is-up")`)

	web.answer("/two", http.StatusInternalServerError)
	see("the site that fails is down", `document.querySelector("[data-part='row:two']").className.includes("is-down")`)
	see("the state sentence says so", `document.querySelector("h1").innerText.includes("1 of 2 sites down")`)

	save(t, dir, "sites.yaml", one+"  - {name: two}\n")
	see("the fault is in the banner", `document.querySelector("[data-part=banner]").innerText.includes("sites.yaml:3:")`)

	save(t, dir, "sites.yaml", one)
	see("the banner is gone", `document.querySelector("[data-part=banner]").innerText === ""`)
	see("so is the removed site", `!document.querySelector("[data-part='row:two']")`)
	see("nothing was loaded anew", `window.opened`)
}
