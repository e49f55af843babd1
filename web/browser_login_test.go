package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"sitemon/internal/testkit"
	"sitemon/web"
	"sitemon/web/auth"
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

// The provider is another origin, to which the browser must let itself be led.
func TestBrowserGoesToTheProvider(t *testing.T) {
	var provider *httptest.Server
	provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%s/authorize","token_endpoint":"%[2]s/token","jwks_uri":"%[2]s/keys"}`, provider.URL, provider.URL)
			return
		}
		fmt.Fprint(w, "<!doctype html><h1>Who are you?</h1>")
	}))
	t.Cleanup(provider.Close)
	gate, err := auth.New(auth.Options{OIDC: &auth.OIDC{Issuer: provider.URL, ClientID: "sitemon", ClientSecret: "s", RolesClaim: "groups", Viewers: []string{"staff"}}})
	if err != nil {
		t.Fatal(err)
	}
	store := newAPIStore()
	b := newTab(t, testkit.Browser(t), store, func(http.Handler) http.Handler {
		return newServer(t, store, func(o *web.Options) { o.Auth = gate }).Handler()
	})
	b.do(chromedp.Navigate(b.server.URL + "/monitors"))
	b.wait(`location.pathname === "/login"`)
	b.do(chromedp.Click(chromedp.CSS("[action='/login/provider'] button")))
	b.wait(`document.querySelector("h1")?.innerText === "Who are you?" && location.pathname === "/authorize" && new URLSearchParams(location.search).get("code_challenge_method") === "S256"`)
}
