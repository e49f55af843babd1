package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// rawWorkers is how many goroutines the bare loop uses.
const rawWorkers = 8

// rawLoop is the floor for a monitor in Go: some goroutines with one http.Client
// that fetch a page at a steady pace and match a regular expression on it. It has
// no schedule of its own, no phases, no history. It runs until ctx ends.
func rawLoop(ctx context.Context, o options) error {
	want := regexp.MustCompile(`site-[0-9]+ is up`)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: !o.keepAlive, DisableCompression: true, MaxIdleConnsPerHost: rawWorkers,
	}}
	defer client.CloseIdleConnections()
	fetch := func(url string) bool {
		res, err := client.Get(url)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		page, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		return err == nil && res.StatusCode == http.StatusOK && want.Match(page)
	}
	var failed atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	for w := range rawWorkers {
		workers.Go(func() {
			for i := w; ctx.Err() == nil; i += rawWorkers {
				due := start.Add(time.Duration(float64(i) / o.rate * float64(time.Second)))
				time.Sleep(time.Until(due)) // cheaper than a timer that ctx could stop; it is short
				if !fetch(fmt.Sprintf("%s/s/%d", o.base, i%o.sites)) {
					failed.Add(1)
				}
			}
		})
	}
	workers.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d requests failed", n)
	}
	return nil
}
