package web_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"sitemon/internal/testkit"
)

// Fingers zoom the charts, and scroll the page over them.
func TestBrowserTouch(t *testing.T) {
	browser := testkit.Browser(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *tab)
	}{
		{"one finger sideways", touchSideways},
		{"two fingers apart", touchApart},
		{"two fingers together", touchTogether},
		{"one finger upwards", touchUpwards},
		{"a tap", touchTap},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTab(t, browser, newAPIStore(), unchanged)
			b.do(chromedp.EmulateViewport(360, 800, chromedp.EmulateMobile, chromedp.EmulateTouch), chromedp.Navigate(b.server.URL+"/sites/shop%2Fcheckout"))
			b.wait(charted)
			b.wait(`(window.opened = true)`)
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-chart] .u-over").scrollIntoView({ block: "center" })`))
			c.test(t, b)
			b.clean()
		})
	}
}

// finger is where a finger is: at a share of the chart's width, and that many pixels
// below its upper edge.
type finger struct{ share, y float64 }

// touch puts fingers on the first chart, moves them from place to place in a few
// steps, and takes them away.
func (b *tab) touch(places ...[]finger) {
	b.t.Helper()
	box, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]float64](`(({ left, top, width }) => [left, top, width])(document.querySelector("[data-chart] .u-over").getBoundingClientRect())`))
	if err != nil {
		b.t.Fatalf("find the chart: %v", err)
	}
	send := func(kind input.DispatchTouchEventType, fingers []finger) {
		points := []*input.TouchPoint{}
		for i, f := range fingers {
			points = append(points, &input.TouchPoint{X: box[0] + f.share*box[2], Y: box[1] + f.y, ID: new(float64(i))})
		}
		b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
			return err
		}))
	}
	send(input.DispatchTouchEventTypeTouchStart, places[0])
	for i, to := range places[1:] {
		const steps = 5
		for step := 1.0; step <= steps; step++ {
			between := make([]finger, len(to))
			for k, from := range places[i] {
				between[k] = finger{from.share + (to[k].share-from.share)*step/steps, from.y + (to[k].y-from.y)*step/steps}
			}
			send(input.DispatchTouchEventTypeTouchMove, between)
		}
	}
	send(input.DispatchTouchEventTypeTouchEnd, nil)
}

// window waits for a window in the address that begins and ends within given hours, as
// 2006-01-02T15.
func (b *tab) window(from, to string) {
	b.t.Helper()
	b.wait(`new URLSearchParams(location.search).get("from")?.startsWith("` + from + `") && new URLSearchParams(location.search).get("to")?.startsWith("` + to + `")`)
	b.wait(`document.querySelector("[data-zoom=Reset]").href && ` + charted)
}

// The window goes from 10:00 to 10:00 of the 24th.
func touchSideways(_ *testing.T, b *tab) {
	b.touch([]finger{{0.26, 50}}, []finger{{0.76, 60}})
	b.window("2026-11-23T16", "2026-11-24T04")
	b.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	b.wait(`location.search === "" && ` + charted)
}

func touchApart(_ *testing.T, b *tab) {
	b.touch([]finger{{0.4, 50}, {0.6, 50}}, []finger{{0.2, 50}, {0.8, 50}})
	b.window("2026-11-23T18", "2026-11-24T02") // a third of 24 hours, in its middle
}

func touchTogether(_ *testing.T, b *tab) {
	b.touch([]finger{{0.2, 50}, {0.8, 50}}, []finger{{0.35, 50}, {0.65, 50}})
	b.window("2026-11-22T1", "2026-11-24T10:00:00Z") // 48 hours, which end now at the latest
}

// A finger that goes upwards scrolls the page, and marks nothing.
func touchUpwards(_ *testing.T, b *tab) {
	b.wait(`(window.was = scrollY) > 0`)
	b.touch([]finger{{0.5, 150}}, []finger{{0.52, 30}}, []finger{{0.9, -200}})
	b.wait(`scrollY > window.was + 100`)
	b.wait(`location.search === "" && [...document.querySelectorAll(".u-select")].every((e) => e.clientWidth === 0)`)
}

// A tap says what is under it.
func touchTap(_ *testing.T, b *tab) {
	b.touch([]finger{{0.5, 50}})
	b.wait(`!document.querySelector(".chart-tip").hidden`)
	b.wait(`location.search === ""`)
}
