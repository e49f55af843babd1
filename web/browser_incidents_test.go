package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"sitemon"
)

// The list of incidents and the page of all sites follow what begins and ends.
func browserIncidents(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/incidents")
	b.want("heading", b.text("h1"), "1 incident is open")
	var over sitemon.Incident
	b.store.change(func(f *apiStore) {
		i := &f.incidents[0]
		i.EndedAt, i.End = testNow, sitemon.EndRecovered
		over = *i
	})
	b.hub.Incident(over)
	b.wait(`document.querySelector("h1").innerText === "No incident is open"`)
	b.wait(`document.querySelectorAll("tr.is-resolved").length === 2 && !document.querySelector("tr.is-open")`)
	b.wait(`document.title === "No incident is open · SiteMon"`)
	b.clean()

	b = open(t, browser, newAPIStore(), "/")
	b.want("link", b.text("[data-part=summary] a"), "1 open incident")
	b.store.change(func(f *apiStore) { f.incidents = f.incidents[1:] })
	b.hub.Incident(over)
	b.wait(`!document.querySelector("[data-part=summary] a")`)
	b.clean()
}

// An incident is acknowledged and commented without leaving its page, and what
// others say of it shows there too.
func browserIncident(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/incidents/42")
	other := open(t, browser, newAPIStore(), "/incidents/42")
	other.want("who", other.text("[data-part=acknowledged]"), "Nobody has acknowledged it yet.")
	other.store.change(func(f *apiStore) {
		f.incidents[0].AcknowledgedAt, f.incidents[0].AcknowledgedBy = testNow, "ann"
		other.hub.Incident(f.incidents[0])
	})
	other.wait(`document.querySelector("[data-part=acknowledged]").innerText === "Acknowledged by ann"`)
	other.clean()

	b.do(
		chromedp.SendKeys(chromedp.CSS("#by"), "bob"),
		press("[data-part=acknowledge] button"),
	)
	b.wait(`document.querySelector("[data-part=acknowledged]").innerText === "Acknowledged by bob"`)
	b.wait(`!document.querySelector("[data-part=acknowledge] button")`)
	b.wait(`document.querySelector("[data-part=facts]").innerText.includes("Acknowledged")`)
	b.do(
		chromedp.SendKeys(chromedp.CSS("#text"), "the <b>disk</b> is full"),
		press(".remark > .actions > button"),
	)
	b.wait(`document.querySelector("[data-part=timeline]").innerText.includes("the <b>disk</b> is full")`)
	b.wait(`document.querySelector("#text").value === "" && document.querySelector("#by").value === "bob"`)
	b.wait(`document.querySelector("[data-markdown]").value.includes("the <b>disk</b> is full")`)
	b.clean()

	b.store.change(func(f *apiStore) { f.incidents = nil })
	b.do(
		chromedp.SendKeys(chromedp.CSS("#text"), "lost?"),
		press(".remark > .actions > button"),
	)
	b.wait(`document.querySelector(".form-error").innerText === "It was not saved: there is no such incident"`)
	b.want("comment", b.value("#text"), "lost?")
}

// press clicks on what a selector finds at that moment: parts of the page are
// exchanged while a test looks for them.
func press(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).click()", selector))
}

func (b *tab) value(selector string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Value(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("read the value of %s: %v", selector, err)
	}
	return v
}

// withoutScripts answers with pages that may run none.
func withoutScripts(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.Header().Add("Content-Security-Policy", "script-src 'none'")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// Without scripts everything can be read, and the forms work.
func browserWithoutScripts(t *testing.T, browser context.Context) {
	store := newAPIStore()
	store.incidents[0].Evidence[0].Details = richEvidence
	b := newTab(t, browser, store, withoutScripts)
	b.do(chromedp.Navigate(b.server.URL + "/incidents"))
	b.do(chromedp.Click(chromedp.CSS("tr.is-open th a")))
	b.wait(`location.pathname === "/incidents/42" && document.body.innerText.includes("503 Service Unavailable")`)
	b.wait(`document.documentElement.dataset.js === undefined && getComputedStyle(document.querySelector("[data-copy]")).display === "none"`)
	b.do(
		chromedp.SendKeys(chromedp.CSS("#by"), "ann"),
		chromedp.SendKeys(chromedp.CSS("#text"), "first line"),
		chromedp.Click(chromedp.CSS("[data-part=acknowledge] button")),
	)
	b.wait(`document.querySelector("[data-part=acknowledged]")?.innerText === "Acknowledged by ann"`)
	b.wait(`document.querySelector("[data-part=timeline]").innerText.includes("first line")`)
	b.do(
		chromedp.SendKeys(chromedp.CSS("#text"), "second line"),
		chromedp.Click(chromedp.CSS(".remark > .actions > button")),
	)
	b.wait(`location.hash === "#timeline" && document.querySelector("[data-part=timeline]").innerText.includes("second line")`)
	b.do(
		chromedp.Click(chromedp.CSS("summary")),
		chromedp.Click(chromedp.CSS(".markdown a")),
	)
	b.wait(`location.pathname === "/incidents/42.md" && document.body.innerText.startsWith("# Incident 42: ")`)
}
