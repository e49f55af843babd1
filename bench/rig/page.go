package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pageRounds is how often each page is asked for, each time of another site.
const pageRounds = 60

// pageRun measures a site's page over HTTP, while the daemon probes the sites of
// the same store: months of sums, and as many days of reports as are kept. Where
// there is a store already, as the run before has left it, it is not filled again.
func pageRun(ctx context.Context, o options) (err error) {
	dir := o.data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sitemon-page-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return err
	}
	fleet := demoFleet(o.sites)
	store := filepath.Join(dir, "data", "sitemon.db")
	if _, err := os.Stat(store); err != nil {
		if err := fillPast(ctx, store, fleet, o); err != nil {
			return fmt.Errorf("make the past: %w", err)
		}
	}
	web := httptest.NewServer(http.HandlerFunc(pictured))
	defer web.Close()
	daemon, err := daemonIn(dir, demoFile(fleet, web.URL, o.interval))
	if err != nil {
		return err
	}
	daemon.command = append(daemon.command, "--instance", "host-1")
	d, err := start(daemon, o.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.wait(ctx, o.warmUp()); err != nil {
		return err
	}
	return askPages(ctx, strings.TrimSuffix(daemon.metrics, "/metrics"), d.cmd.Process.Pid, fleet, time.Now().UTC())
}

// askPages asks for the pages of many sites, one after the other. What of the daemon's
// CPU falls to its probes meanwhile is counted too.
func askPages(ctx context.Context, base string, pid int, fleet []demoSite, now time.Time) error {
	for _, query := range []string{
		"", "range=1h", "range=7d", "range=30d", "range=90d", "range=1y",
		"day=" + now.AddDate(0, 0, -3).Format(time.DateOnly), "outcome=down", "parts=chart", "parts=state%2Cbars%2Clast%2Creports",
	} {
		var took []time.Duration
		var weight int64
		before := tree(pid).cpu
		for round := range pageRounds {
			site := fleet[(round*97+31)%len(fleet)].name
			one, n, err := askOnce(ctx, base+"/sites/"+url.PathEscape(site)+"?"+query)
			if err != nil {
				return err
			}
			took, weight = append(took, one), weight+n
		}
		cpu := (tree(pid).cpu - before) / pageRounds
		slices.Sort(took)
		round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
		fmt.Printf("GET /sites/{name}?%s: median %s, p95 %s, at most %s of %d; %s of CPU; %d bytes compressed\n", query,
			round(took[len(took)/2]), round(took[len(took)*95/100]), round(took[len(took)-1]), len(took), round(cpu), weight/pageRounds)
	}
	return nil
}

// askOnce asks for one page, and returns how long that took and its weight.
func askOnce(ctx context.Context, address string) (took time.Duration, weight int64, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Accept-Encoding", "gzip") // and so it is not unpacked
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for %s: %w", address, err)
	}
	weight, err = io.Copy(io.Discard, answer.Body)
	took = time.Since(began)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("ask for %s: %s: %w", address, answer.Status, err)
	}
	return took, weight, nil
}
