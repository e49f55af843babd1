package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	uiRounds = 30 // how often the overview is asked for
	uiGroups = 25 // of the fleet
)

// watched is what a page noted of itself while it was open.
type watched struct {
	Tasks   int     `json:"tasks"` // longer than 50 ms
	Longest float64 `json:"longest"`
	Heap    float64 `json:"heap"` // bytes
	Shift   float64 `json:"shift"`
}

// uiRun measures the overview of many sites while their reports come in: how long
// it takes to answer, what it weighs, and what it does to a browser.
func uiRun(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "sitemon-ui-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	t, err := newTarget("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer t.close()
	var doc strings.Builder
	fmt.Fprintf(&doc, "defaults: { interval: %s }\nsites:\n", o.interval)
	for i := range o.sites {
		fmt.Fprintf(&doc, "  - { name: %s, group: Group %d, url: %q }\n", siteName(i), i%uiGroups, fmt.Sprintf("%s/s/%d", t.base, i))
	}
	daemon, err := daemonIn(dir, []byte(doc.String()))
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(daemon.metrics, "/metrics")
	d, err := start(daemon, o.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.wait(ctx, o.warmUp()); err != nil {
		return err
	}
	fmt.Printf("%d sites every %s, %.0f reports/s\n", o.sites, o.interval, float64(o.sites)/o.interval.Seconds())
	for _, path := range []string{"/", "/?open=Group+1&open=Group+2", "/?parts=summary,chips,matrix", "/sites/" + siteName(1)} {
		if err := askOften(ctx, base, path); err != nil {
			return err
		}
	}
	return watchPage(ctx, base, o)
}

// askOften measures the answers to one request.
func askOften(ctx context.Context, base, path string) error {
	var took []time.Duration
	var weight int64
	for range uiRounds {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Accept-Encoding", "gzip") // and so it is not unpacked
		began := time.Now()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return fmt.Errorf("ask for %s: %w", path, err)
		}
		weight, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("ask for %s: %s: %w", path, answer.Status, err)
		}
		took = append(took, time.Since(began))
		time.Sleep(200 * time.Millisecond)
	}
	first := took[0]
	slices.Sort(took)
	fmt.Printf("GET %s: %d bytes compressed; first %s, median %s, at most %s\n", path, weight,
		first.Round(100*time.Microsecond), took[len(took)/2].Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond))
	return nil
}

// watchPage leaves the overview open in a browser.
func watchPage(ctx context.Context, base string, o options) error {
	ctx, stop := newBrowser(ctx)
	defer stop()
	const observe = `window.seen = { tasks: 0, longest: 0, shift: 0 };
new PerformanceObserver((list) => { for (const e of list.getEntries()) { seen.tasks++; seen.longest = Math.max(seen.longest, e.duration); } }).observe({ type: "longtask" });
new PerformanceObserver((list) => { for (const e of list.getEntries()) seen.shift += e.value; }).observe({ type: "layout-shift", buffered: true });
true`
	err := chromedp.Do(ctx, chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(base+"/"), chromedp.Sleep(3*time.Second))
	if err != nil {
		return fmt.Errorf("open the overview: %w", err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](observe)); err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.Sleep(o.dur)); err != nil {
		return err
	}
	seen, err := chromedp.Run(ctx, chromedp.Evaluate[watched](`Object.assign(seen, { heap: performance.memory.usedJSHeapSize })`))
	if err != nil {
		return err
	}
	fmt.Printf("open for %s: %d tasks of more than 50 ms (%.2f a second), the longest %.0f ms; %.1f MB of heap; layout shift %.4f\n",
		o.dur, seen.Tasks, float64(seen.Tasks)/o.dur.Seconds(), seen.Longest, seen.Heap/1e6, seen.Shift)
	return nil
}

// newBrowser starts a browser; the function ends it.
func newBrowser(ctx context.Context) (context.Context, func()) {
	ctx, end := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(cmp.Or(os.Getenv("BROWSER"), "chromium")), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("enable-precise-memory-info", true))...)
	ctx, stop := chromedp.NewContext(ctx)
	return ctx, func() {
		stop()
		end()
	}
}
