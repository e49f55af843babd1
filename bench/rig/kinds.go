package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The kinds' run: sites of all kinds at once, against servers of this process, and
// Redis, Postgres and Kafka where they are on this machine. What the daemon recorded
// is the measure, so that also the kinds count that no server of ours sees.

// kind is one kind of site, and what answers it.
type kind struct {
	name  string
	share int                 // of 100 sites, where all kinds take part
	site  func(id int) string // the keys of a site beside its name, as YAML
}

// fleet is one run.
type fleet struct {
	options
	dir    string
	file   string
	api    string
	kinds  []kind
	daemon *running
	closes []func() error
}

// kindsRun measures the daemon with sites of mixed kinds.
func kindsRun(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		return fmt.Errorf("make a folder for the run: %w", err)
	}
	f := &fleet{options: o, dir: dir, file: filepath.Join(dir, "sites.yaml")}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.serve(ctx); err != nil {
		return err
	}
	if len(f.kinds) == 0 {
		return fmt.Errorf("no kind of %q is there", o.only)
	}
	m, err := daemonIn(dir, []byte("sites: []\n"))
	if err != nil {
		return err
	}
	f.api = strings.TrimSuffix(m.metrics, "/metrics")
	m.command = append([]string{"env", tokenName + "=" + token}, m.command...)
	if f.daemon, err = start(m, o.log); err != nil {
		return err
	}
	return f.run(ctx)
}

// close ends the daemon where it runs, and the servers.
func (f *fleet) close() error {
	var errs []error
	if f.daemon != nil {
		errs = append(errs, f.daemon.end())
	}
	for _, c := range f.closes {
		errs = append(errs, c())
	}
	return errors.Join(append(errs, os.RemoveAll(f.dir))...)
}

// run has three parts: without sites, with them, and without them again.
func (f *fleet) run(ctx context.Context) error {
	fmt.Printf("%d sites of %d kinds every %s (%.0f probes/s), warm-up %s, measured %s\n",
		f.sites, len(f.kinds), f.interval, float64(f.sites)/f.interval.Seconds(), f.warmUp(), f.dur)
	if err := f.daemon.wait(ctx, 3*time.Second); err != nil {
		return err
	}
	empty, err := f.vitals()
	if err != nil {
		return err
	}
	if err := f.save(f.document()); err != nil {
		return err
	}
	if err := f.daemon.wait(ctx, 3*time.Second); err != nil { // a heartbeat needs its site
		return err
	}
	if fault, err := (editor{api: f.api}).fault(ctx); err != nil || fault != "" {
		return errors.Join(err, fmt.Errorf("the daemon refused the sites: %s", fault))
	}
	calls, stop := context.WithCancel(ctx)
	called := make(chan int, 1)
	go func() { called <- f.call(calls) }()
	from, spent, full, err := f.measure(ctx)
	stop()
	if failed := <-called; failed > 0 {
		fmt.Printf("%d heartbeats were refused or lost\n", failed)
	}
	if err != nil {
		return err
	}
	if err := f.save([]byte("sites: []\n")); err != nil {
		return err
	}
	if err := f.daemon.wait(ctx, f.timeout()+5*time.Second); err != nil { // probes in flight end
		return err
	}
	after, err := f.vitals()
	if err != nil {
		return err
	}
	if err := f.daemon.end(); err != nil {
		return err
	}
	f.daemon = nil
	if err := f.count(ctx, from, spent); err != nil {
		return err
	}
	fmt.Printf("goroutines: %.0f before, %.0f with the sites, %.0f when they were gone; open files %.0f, %.0f, %.0f; heap %.0f, %.0f, %.0f MB; highest resident %.0f MB, %.1f KB a site\n",
		empty.goroutines, full.goroutines, after.goroutines, empty.files, full.files, after.files,
		empty.heap/1e6, full.heap/1e6, after.heap/1e6, float64(spent.rss)/1e6, float64(spent.rss)/1e3/float64(f.sites))
	return nil
}

// measure lets the warm-up and the measured time pass.
func (f *fleet) measure(ctx context.Context) (from time.Time, spent usage, full vitals, err error) {
	if err := f.daemon.wait(ctx, f.warmUp()); err != nil {
		return from, spent, full, err
	}
	from = time.Now()
	before := f.daemon.usage()
	for time.Since(from) < f.dur {
		if err := f.daemon.wait(ctx, max(0, min(time.Second, f.dur-time.Since(from)))); err != nil {
			return from, spent, full, err
		}
		spent.rss = max(spent.rss, f.daemon.usage().rss)
	}
	spent.cpu = f.daemon.usage().cpu - before.cpu
	if full, err = f.vitals(); err != nil {
		return from, spent, full, err
	}
	// The last slots' probes end, and are recorded.
	return from, spent, full, f.daemon.wait(ctx, f.timeout()+2*time.Second)
}

// kindOf is the kind of a site, by the shares of the kinds that there are.
func (f *fleet) kindOf(id int) kind {
	whole := 0
	for _, k := range f.kinds {
		whole += k.share
	}
	place := id % whole
	for _, k := range f.kinds {
		if place -= k.share; place < 0 {
			return k
		}
	}
	return kind{} // not reached: the places are the sum of the shares
}

// document is the sites file.
func (f *fleet) document() []byte {
	b := fmt.Appendf(nil, "defaults: { interval: %s, timeout: %s }\nsites:\n", f.interval, f.timeout())
	for id := range f.sites {
		b = fmt.Appendf(b, "  - { name: %s, %s }\n", siteName(id), f.kindOf(id).site(id))
	}
	return b
}

// save puts a sites file in the place of the one before.
func (f *fleet) save(text []byte) error {
	if err := os.WriteFile(f.file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(f.file+".new", f.file)
}

// call sends heartbeats for the sites that need them, each once an interval, the
// first within seconds, until ctx ends. It returns how many were not taken.
func (f *fleet) call(ctx context.Context) (failed int) {
	var ids []int
	for id := range f.sites {
		if f.kindOf(id).name == "heartbeat" {
			ids = append(ids, id)
		}
	}
	pace := 3 * time.Second / time.Duration(max(len(ids), 1))
	for len(ids) > 0 {
		for _, id := range ids {
			select {
			case <-ctx.Done():
				return failed
			case <-time.After(pace):
			}
			if err := f.beat(ctx, id); err != nil && ctx.Err() == nil {
				failed++
			}
		}
		pace = f.interval / time.Duration(len(ids))
	}
	return failed
}

func (f *fleet) beat(ctx context.Context, id int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.api+"/heartbeat/"+siteName(id), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("heartbeat of %s: %s", siteName(id), resp.Status)
	}
	return nil
}
