package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/web"
)

func TestBrowserLive(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, context.Context)
	}{
		{"nothing is fetched twice", browserFetchesOnce},
		{"a fetch that fails is made again", browserFetchesAgain},
		{"without a stream", browserWithoutStream},
		{"another version", browserAnotherVersion},
		{"groups are counted", browserGroupsCounted},
		{"a folded group that needs somebody unfolds", browserUnfolds},
		{"the focus stays with its site", browserFocusStays},
		{"rows are not hidden by their headings", browserRowsSeen},
		{"the group that is chosen", browserGroupChosen},
		{"what is read out", browserAnnounces},
		{"a page that could not be shown", browserComesBack},
		{"where one is", browserShowsPlace},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, browser) })
	}
}

// fetched lists the parts that the page has fetched, a line for each fetch.
const fetched = `performance.getEntriesByType("resource").map((r) => new URL(r.name).searchParams.get("parts")).filter(Boolean).join("\n")`

// A page that has just been made, or has missed nothing, does not fetch its parts.
func browserFetchesOnce(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	goDown(b)
	b.wait(docsRow + `.className.includes("is-down")`)
	b.want("what was fetched", b.eval(fetched), "summary,chips,found,rows")
	b.server.CloseClientConnections()
	b.wait(`document.querySelector("[data-live]").dataset.state === "reconnecting"`)
	b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
	b.store.change(func(f *apiStore) { f.sites[0].Status = sitemon.StatusUp })
	b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusUp, Since: testNow})
	b.wait(docsRow + `.className.includes("is-up")`)
	b.want("what was fetched after the stream was away", b.eval(fetched), "summary,chips,found,rows\nsummary,chips,found,rows")
	b.wait(`window.opened`)
}

// What could not be fetched is fetched a little later.
func browserFetchesAgain(t *testing.T, browser context.Context) {
	var fail atomic.Bool
	b := newTab(t, browser, newAPIStore(), func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("parts") && fail.CompareAndSwap(true, false) {
				http.Error(w, "away", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	b.do(chromedp.Navigate(b.server.URL + "/"))
	b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
	fail.Store(true)
	goDown(b)
	b.wait(docsRow + `.className.includes("is-down")`)
	if fail.Load() {
		t.Error("no fetch has failed")
	}
}

// A page that gets no stream follows all the same, more slowly.
func browserWithoutStream(t *testing.T, browser context.Context) {
	b := newTab(t, browser, newAPIStore(), func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/events") {
				http.Error(w, "there are too many", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	b.do(chromedp.Navigate(b.server.URL + "/"))
	b.wait(docsRow)
	b.store.change(func(f *apiStore) { f.sites[0].Status = sitemon.StatusDown })
	b.wait(docsRow + `.className.includes("is-down")`)
	b.want("the mark", b.text("[data-live]"), "Reconnecting")
}

// A page of another version loads itself again; one in which somebody writes does not.
func browserAnotherVersion(t *testing.T, browser context.Context) {
	for _, c := range []struct{ path, writes, want string }{
		{"/", "", "reload"},
		{"/incidents/42", `document.querySelector("[data-remark] textarea").value = "I am"`, "navigate"},
	} {
		var other atomic.Bool
		b := newTab(t, browser, newAPIStore(), func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/events") || !other.CompareAndSwap(true, false) {
					h.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprint(w, "event: hello\ndata: {\"version\":\"2.0.0\",\"pages\":\"000000000000\"}\nid: b-1\n\n")
			})
		})
		b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { // the page is a minute old
			_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
				Source: `{ const now = performance.now.bind(performance); performance.now = () => now() + 60_000; }`,
			})
			return err
		}), chromedp.Navigate(b.server.URL+c.path))
		b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
		if c.writes != "" {
			b.do(chromedp.Evaluate[chromedp.Void](c.writes))
		}
		other.Store(true)
		b.server.CloseClientConnections()
		how := `performance.getEntriesByType("navigation")[0].type`
		if c.want == "reload" {
			b.wait(how + ` === "reload"`)
			continue
		}
		b.wait(`document.querySelector("[data-live]").dataset.state === "reconnecting"`)
		b.wait(`document.querySelector("[data-live]").dataset.state === "live"`)
		b.want("how the page came", b.eval(how), c.want)
	}
}

// The heading of a group, folded or not, follows its sites.
func browserGroupsCounted(t *testing.T, browser context.Context) {
	b := open(t, browser, manySites(24, nil), "/?folded=a")
	for i, name := range []string{"site-00000", "site-00001"} { // of a and b
		b.store.change(func(f *apiStore) { f.sites[i].Status = sitemon.StatusDown })
		b.hub.Status(sitemon.StatusChange{Site: name, Status: sitemon.StatusDown, Since: testNow})
		b.wait(fmt.Sprintf(`document.querySelector("[data-part='group:%s']").innerText.includes("8 sites, 1 down")`, string(rune('a'+i))))
	}
	b.want("a", b.eval(`document.querySelector("[data-part='group:a'] [data-fold]").ariaExpanded`), "false")
	b.clean()
}

// Of very many sites the healthy groups are folded, until one of their sites is down.
func browserUnfolds(t *testing.T, browser context.Context) {
	b := open(t, browser, manySites(web.SitesShown+1, nil), "/")
	b.wait(`document.querySelectorAll("tr[data-part]").length === 0`)
	b.store.change(func(f *apiStore) { f.sites[4].Status = sitemon.StatusDown })
	b.hub.Status(sitemon.StatusChange{Site: "site-00004", Status: sitemon.StatusDown, Since: testNow})
	b.wait(`document.querySelector("tr[data-part]")?.matches("[data-part='row:site-00004'].is-down")`)
	b.clean()
}

// The focus stays with its site where sites before it go.
func browserFocusStays(t *testing.T, browser context.Context) {
	store := manySites(3, nil)
	for i := range store.sites {
		store.sites[i].Group = ""
	}
	b := open(t, browser, store, "/")
	b.do(chromedp.Focus(chromedp.CSS(`[data-part='row:site-00002'] a`)))
	b.store.change(func(f *apiStore) { f.sites = f.sites[1:] })
	b.hub.Config(sitemon.Reload{Applied: true})
	b.wait(`document.querySelectorAll("tr[data-part]").length === 2`)
	b.want("the row with the focus", b.eval(`document.activeElement.closest("tr")?.dataset.part ?? "none"`), "row:site-00002")
	b.clean()
}

// Keys that go up the list do not leave a row under the headings, which stay in view.
func browserRowsSeen(t *testing.T, browser context.Context) {
	b := newTab(t, browser, manySites(40, nil), same)
	b.do(chromedp.EmulateViewport(1200, 500), chromedp.Navigate(b.server.URL+"/"))
	b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
	b.keys(strings.Repeat("j", 30) + strings.Repeat("k", 20))
	b.wait(`document.activeElement.closest("tr")?.dataset.part === "row:site-00027"`)
	b.want("the row and its heading", b.eval(`(() => {
		const [row, head] = [document.activeElement.closest("tr"), document.querySelector("thead th")].map((e) => e.getBoundingClientRect());
		return row.top >= head.bottom - 1 ? "apart" : row.top + " < " + head.bottom;
	})()`), "apart")
}

// The group that is chosen stays chosen where groups come before it.
func browserGroupChosen(t *testing.T, browser context.Context) {
	b := open(t, browser, manySites(12, nil), "/")
	b.do(chromedp.Focus(chromedp.CSS("[name=group]")))
	b.keys("b")
	b.wait(`location.search === "?group=b" && document.querySelectorAll("tr[data-part]").length === 4`)
	b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	b.store.change(func(f *apiStore) { f.sites[0].Group = "0" })
	b.hub.Config(sitemon.Reload{Applied: true})
	b.wait(`document.querySelectorAll("[name=group] option").length === 5`)
	b.want("chosen", b.eval(`document.querySelector("[name=group]").value`), "b")
	b.clean()
}

// The heading is read out as it changes, once and then after a while; that the page is
// live is not.
func browserAnnounces(t *testing.T, browser context.Context) {
	b := open(t, browser, newAPIStore(), "/")
	const said = `document.querySelector("[data-announce]").textContent`
	b.want("said at first", b.eval(said), "")
	goDown(b)
	b.wait(said + ` === "2 of 3 sites down, 1 unknown"`)
	b.store.change(func(f *apiStore) { f.sites[0].Status = sitemon.StatusUp })
	b.hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusUp, Since: testNow})
	b.wait(`document.querySelector("h1").innerText === "1 of 3 sites down, 1 unknown"`)
	b.want("said a moment later", b.eval(said), "2 of 3 sites down, 1 unknown")
	b.clean()
}

// A page that could not be read from the store shows itself once it can be.
func browserComesBack(t *testing.T, browser context.Context) {
	store := newAPIStore()
	store.err = errors.New("away")
	b := newTab(t, browser, store, same)
	b.do(chromedp.Navigate(b.server.URL + "/"))
	b.wait(`document.querySelector("h1")?.innerText === "Internal Server Error" && document.querySelector("[data-again]").checkVisibility()`)
	b.store.change(func(f *apiStore) { f.err = nil })
	b.wait(docsRow)
}

// On a narrow page the entry of the navigation that one is at can be seen.
func browserShowsPlace(t *testing.T, browser context.Context) {
	b := newTab(t, browser, newAPIStore(), same)
	b.do(chromedp.EmulateViewport(320, 700), chromedp.Navigate(b.server.URL+"/certificates"))
	b.wait(`document.querySelector("[data-live]")?.dataset.state === "live"`)
	b.want("the entry's place", b.eval(`document.querySelector(".nav [aria-current]").getBoundingClientRect().right <= innerWidth ? "in view" : "beyond"`), "in view")
	b.want("the page", b.eval(`scrollX + " " + scrollY`), "0 0")
}
