package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"sitemon/internal/testkit"
)

func TestBrowserSignIn(t *testing.T) {
	browser := testkit.Browser(t)
	store := newAPIStore()
	b := newTab(t, browser, store, func(http.Handler) http.Handler { return http.NotFoundHandler() })
	b.server.Close()
	b.server = httptest.NewServer(guarded(t, store).Handler())
	t.Cleanup(b.server.Close)
	t.Cleanup(b.server.CloseClientConnections)

	// A stranger is led to sign in, and then to what they wanted.
	b.do(chromedp.Navigate(b.server.URL + "/incidents/42"))
	b.wait(`location.pathname === "/login" && document.activeElement.id === "username"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#username"), "vic"), chromedp.SendKeys(chromedp.CSS("#password"), "wrong\r"))
	b.wait(`document.querySelector(".login [role=alert]")?.innerText === "User name or password is not right."`)
	b.want("the name", b.eval(`document.querySelector("#username").value`), "vic")
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), "correct horse\r"))
	b.wait(`location.pathname === "/incidents/42" && document.querySelector("[data-live]").dataset.state === "live"`)

	// A viewer sees no form, and what a script of theirs sends is refused.
	b.want("forms of a viewer", b.eval(`String(document.querySelectorAll("main form").length)`), "0")
	b.wait(`(fetch("/incidents/42/acknowledge", { method: "POST" }).then((a) => (window.refused = a.status)), true)`)
	b.wait(`window.refused === 403`)

	b.do(chromedp.Click(chromedp.CSS(".user button")))
	b.wait(`location.pathname === "/login" && !document.querySelector(".user")`)
	b.do(chromedp.Navigate(b.server.URL + "/monitors"))
	b.wait(`location.pathname === "/login"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#username"), "ann"), chromedp.SendKeys(chromedp.CSS("#password"), "correct horse\r"))
	b.wait(`location.pathname === "/monitors" && document.querySelector(".user").innerText.startsWith("ann")`)
	b.do(chromedp.Navigate(b.server.URL + "/incidents/42"))
	b.do(chromedp.Click(chromedp.CSS("[formaction$=acknowledge]")))
	b.wait(`document.querySelector("[data-part=acknowledged]").innerText.includes("ann")`)
}
