package web_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/web"
)

// looks are the ways in which every page is looked at.
var looks = []struct {
	theme string
	width int64
}{{"light", 1440}, {"dark", 1440}, {"dark", 360}, {"light", 360}}

// everyPage lists all pages, in all their states.
func everyPage(t *testing.T) []lookedAt {
	known := newAPIStore()
	known.incidents[0].Evidence[0].Details = withSteps(richEvidence)
	open := newServer(t, known)
	refused := newAPIStore() // its sites file was refused: there is a banner
	fine := newAPIStore()
	fine.reloads = fine.reloads[1:]
	edited := newAPIStore()
	edited.reloads = []sitemon.Reload{changedSite()}
	nothing := newAPIStore()
	nothing.sites, nothing.incidents, nothing.monitors = nil, nil, nil
	down := map[int]sitemon.Status{3: sitemon.StatusDown, 4: sitemon.StatusDegraded, 5: sitemon.StatusMaintenance, 6: sitemon.StatusPaused, 7: sitemon.StatusUnknown}
	return []lookedAt{
		{"overview", open, "/"},
		{"overview with filters", open, "/?q=shop&status=down&group=public&sort=name"},
		{"overview where nothing is found", open, "/?q=nothing"},
		{"overview with a refused file", newServer(t, refused), "/"},
		{"overview without sites", newServer(t, nothing), "/"},
		{"overview of one site", newServer(t, manySites(1, nil)), "/"},
		{"overview of 12 sites", newServer(t, manySites(12, down)), "/"},
		{"overview of 500 sites", newServer(t, manySites(500, down)), "/"},
		{"site up", open, "/sites/docs"},
		{"site down", open, "/sites/shop%2Fcheckout?range=1h"},
		{"site over a year with a day open", open, "/sites/shop%2Fcheckout?range=1y&day=2026-11-23"},
		{"site zoomed", open, "/sites/docs?from=2026-11-23T01:00:00Z&to=2026-11-23T02:00:00Z&day=2026-10-25&tz=Europe/Berlin"},
		{"site new", open, "/sites/new"},
		{"site with values", newServer(t, valued(`{"depth":12.5,"users":3}`, `{"depth":8,"users":3}`)), "/sites/shop%2Fcheckout"},
		{"site with a report open", open, "/sites/shop%2Fcheckout?report=2026-11-24T09:59:37.250Z"},
		{"site with a report open beside the list", open, "/sites/shop%2Fcheckout?outcome=up&report=2026-11-24T09:59:37.250Z"},
		{"site whose definition changed", newServer(t, edited), "/sites/docs"},
		{"site that calls", beating(t, fixtureBeats()), "/sites/backup%2Fnightly"},
		{"site that calls and has not yet", beating(t, &beatStore{}), "/sites/backup%2Fnightly"},
		{"incidents", open, "/incidents"},
		{"no incidents", newServer(t, nothing), "/incidents"},
		{"incident", open, "/incidents/42"},
		{"configuration", open, "/config"},
		{"configuration without an error", newServer(t, fine), "/config"},
		{"monitors", open, "/monitors"},
		{"certificates", open, "/certificates"},
		{"no certificate", newServer(t, nothing), "/certificates"},
		{"no monitors", newServer(t, nothing), "/monitors"},
		{"sign-in", guarded(t, newAPIStore()), "/login"},
		{"status page", newServer(t, statusStore()), "/status/public"},
		{"error", open, "/sites/there-is-none"},
	}
}

type lookedAt struct {
	name   string
	server *web.Server
	path   string
}

// No page has a barrier that axe-core finds, scrolls sideways, or makes the browser
// complain: in both themes, on a wide and on a narrow window.
func TestBrowserBarriers(t *testing.T) {
	browser := testkit.Browser(t)
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatalf("read axe-core: %v", err)
	}
	t.Run("a barrier is found", func(t *testing.T) {
		b := open(t, browser, newAPIStore(), "/monitors")
		b.do(chromedp.Evaluate[chromedp.Void](string(axe) + `; document.querySelector("main").append(new Image()); void 0`))
		if found := b.barriers(); len(found) != 1 || !strings.HasPrefix(found[0], "image-alt: ") {
			t.Errorf("an image without words: got %q", found)
		}
	})
	t.Run("help", func(t *testing.T) {
		b := open(t, browser, newAPIStore(), "/")
		b.do(chromedp.EmulateViewport(360, 800), chromedp.Evaluate[chromedp.Void](string(axe)+";void 0"))
		b.keys("j")
		for _, text := range b.barriers() {
			t.Errorf("with a row marked: %s", text)
		}
		b.keys("?")
		for _, text := range b.barriers() {
			t.Errorf("with the help open: %s", text)
		}
	})
	for _, c := range everyPage(t) {
		t.Run(c.name, func(t *testing.T) { lookAt(t, browser, c, string(axe)) })
	}
}

func lookAt(t *testing.T, browser context.Context, c lookedAt, axe string) {
	b := newTab(t, browser, newAPIStore(), func(http.Handler) http.Handler { return c.server.Handler() })
	for i, look := range looks {
		b.do(chromedp.EmulateViewport(look.width, 900), themed(look.theme))
		if i == 0 {
			b.do(chromedp.Navigate(b.server.URL + c.path))
			b.wait(`document.readyState === "complete" && (!document.querySelector("[data-chart]") || document.querySelector("[data-chart] canvas, [data-chart] svg"))`)
			b.do(chromedp.Evaluate[chromedp.Void](axe + `;void 0`)) // as a debugger does: the policy is not asked
		}
		b.wait(fmt.Sprintf(`innerWidth === %d && document.documentElement.dataset.shown === %q`, look.width, look.theme))
		b.settle()
		b.want(fmt.Sprintf("scrolls sideways at %d px", look.width), b.eval(`document.documentElement.scrollWidth > innerWidth ? widest() : "";
			function widest() {
				return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 120)).join("\n");
			}`), "")
		found := b.barriers()
		for _, text := range found {
			t.Errorf("%s, %d px: %s", look.theme, look.width, text)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		if c.name != "error" { // its status is one
			t.Errorf("the console says: %s", m)
		}
	}
}

// barriers lists what axe-core finds on the page as it is.
func (b *tab) barriers() []string {
	b.t.Helper()
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`axe.run().then((r) => r.violations.flatMap((v) => v.nodes.slice(0, 3).map((n) =>
		v.id + ": " + v.help + "\n" + n.html.slice(0, 300) + "\n" + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("run axe-core: %v", err)
	}
	return found
}

// settle waits until what follows the size of the window has been drawn.
func (b *tab) settle() {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`, chromedp.EvalAwaitPromise)); err != nil {
		b.t.Fatalf("wait for what is drawn: %v", err)
	}
}

// themed makes the browser's system prefer a theme.
func themed(theme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return err
	})
}
