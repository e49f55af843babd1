package web_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/web"
)

// hurry makes the page's clock for what it does again and again run fast: half a
// minute is over at once.
const hurry = `{ const real = window.setInterval; window.setInterval = (f, ms, ...rest) => real(f, Math.min(ms, 100), ...rest); }`

// A status page that is open says by itself that a component went down, and that it
// came back without being loaded anew.
func TestStatusPageInABrowser(t *testing.T) {
	browser := testkit.Browser(t)
	store := statusStore()
	store.sites[2].Status = sitemon.StatusUp // shop/checkout, of the same page
	store.incidents = nil
	var later atomic.Int64 // nanoseconds since testNow
	live := liveStore{store}
	s := newServer(t, store, func(o *web.Options) {
		o.Sites, o.History, o.Now = live, live, func() time.Time { return testNow.Add(time.Duration(later.Load())) }
	})
	b := newTab(t, browser, store, func(http.Handler) http.Handler { return s.Handler() })
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: hurry})
		return err
	}), chromedp.Navigate(b.server.URL+"/status/public"))
	b.wait(`document.querySelector(".state").className.includes("up") && (window.opened = true)`)

	change := func(status sitemon.Status) {
		live.change(func(f *apiStore) { f.sites[0].Status = status })
		later.Add(int64(10 * time.Second)) // the page that the server keeps is older than it may be
	}
	change(sitemon.StatusDown)
	b.wait(`document.querySelector("[role=status]").innerText.includes("1 of 2 components down")`)
	b.wait(`[...document.querySelectorAll(".component")].find((c) => c.innerText.includes("docs")).innerText.includes("Down")`)
	b.wait(`document.querySelector("link[data-icon]").href.includes("favicon-down")`)
	b.wait(`document.title.includes("1 of 2 components down")`)

	change(sitemon.StatusUp)
	b.wait(`!document.querySelector("[role=status]").innerText.includes("down")`)
	b.wait(`[...document.querySelectorAll(".component")].find((c) => c.innerText.includes("docs")).innerText.includes("Up")`)
	b.wait(`!document.title.includes("down")`)
	b.clean()
}
