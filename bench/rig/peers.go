package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

func siteName(id int) string { return fmt.Sprintf("site-%05d", id) }

// scene is what a run needs: a folder of its own, the server that is probed, and
// the daemon that is to probe it.
type scene struct {
	options // with the target's URL
	dir     string
	target  *target
	daemon  measured
}

func setUp(o options) (*scene, error) {
	dir, err := os.MkdirTemp("", "rig")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the run: %w", err)
	}
	t, err := newTarget("127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	o.base = t.base
	s := &scene{options: o, dir: dir, target: t}
	if s.daemon, err = daemonIn(dir, sitemonFile(o)); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *scene) close() {
	s.target.close()
	os.RemoveAll(s.dir)
}

// peers measures the bare loop, the daemon, what other monitors are named by the
// environment, and the bare loop again, all at the same rate.
func peers(ctx context.Context, o options) error {
	s, err := setUp(o)
	if err != nil {
		return err
	}
	defer s.close()
	o = s.options
	loop, err := bareLoop(o)
	if err != nil {
		return err
	}
	others, err := otherMonitors(s.dir, o)
	if err != nil {
		return err
	}
	runs := append(append([]measured{loop, s.daemon}, others...), loop)
	fmt.Printf("%d sites every %s (%.0f probes/s), keep-alive %t, warm-up %s, measured %s\n",
		o.sites, o.interval, float64(o.sites)/o.interval.Seconds(), o.keepAlive, o.warmUp(), o.dur)
	results := make([]result, 0, len(runs))
	for _, m := range runs {
		r, err := measure(ctx, o, s.target, m)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	return show(os.Stdout, o, results)
}

// show writes the table. The ratio is against the mean of the bare loops.
func show(w io.Writer, o options, results []result) error {
	var loopCPU time.Duration
	var loopProbes int
	for _, r := range results {
		if r.name == "raw loop" {
			loopCPU += r.cpu
			loopProbes += r.probes
		}
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "program\tprobes/s\tCPU ms/probe\tratio\tmissed\tof slots\textra\tlate p50 ms\tp99 ms\tRSS MB\tKB/site\t")
	for _, r := range results {
		ratio := "-"
		if loopProbes > 0 {
			ratio = fmt.Sprintf("%.2f", r.cpuPerProbe().Seconds()/(loopCPU.Seconds()/float64(loopProbes)))
		}
		fmt.Fprintf(tab, "%s\t%.0f\t%.3f\t%s\t%d\t%d\t%d\t%.2f\t%.2f\t%.0f\t%.1f\t\n", r.name, float64(r.probes)/o.dur.Seconds(),
			1000*r.cpuPerProbe().Seconds(), ratio, r.missed, r.planned, r.extra, 1000*r.p50.Seconds(), 1000*r.p99.Seconds(),
			float64(r.rss)/1e6, float64(r.rss)/1e3/float64(o.sites))
	}
	if err := tab.Flush(); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	for _, r := range results {
		if r.metrics != "" {
			fmt.Fprintf(w, "%s about itself: %s\n", r.name, r.metrics)
		}
	}
	return nil
}

// limits measures the daemon alone at rising rates.
func limits(ctx context.Context, o options) error {
	for _, step := range []struct {
		sites    int
		interval time.Duration
	}{{10000, 10 * time.Second}, {10000, 5 * time.Second}, {10000, 2 * time.Second}, {10000, time.Second}, {100000, 5 * time.Minute}} {
		o := o
		o.sites, o.interval = step.sites, step.interval
		o.dur = max(o.dur, o.interval*11/10)
		if err := limit(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func limit(ctx context.Context, o options) error {
	s, err := setUp(o)
	if err != nil {
		return err
	}
	defer s.close()
	r, err := measure(ctx, s.options, s.target, s.daemon)
	if err != nil {
		return err
	}
	fmt.Printf("\n%d sites every %s: %.1f of 100 slots missed\n", o.sites, o.interval, 100*float64(r.missed)/float64(max(r.planned, 1)))
	return show(os.Stdout, o, []result{r})
}

func bareLoop(o options) (measured, error) {
	self, err := os.Executable()
	if err != nil {
		return measured{}, fmt.Errorf("find this program: %w", err)
	}
	return measured{name: "raw loop", command: []string{
		self, "raw", "-base", o.base, "-sites", fmt.Sprint(o.sites),
		"-rate", fmt.Sprint(float64(o.sites) / o.interval.Seconds()), fmt.Sprintf("-keep-alive=%t", o.keepAlive),
	}}, nil
}

// daemonIn prepares the daemon with its sites and data in dir.
func daemonIn(dir string, file []byte) (measured, error) {
	addr, err := freeAddr()
	if err != nil {
		return measured{}, err
	}
	sites := filepath.Join(dir, "sites.yaml")
	if err := os.WriteFile(sites, file, 0o644); err != nil {
		return measured{}, fmt.Errorf("write the sites: %w", err)
	}
	return measured{name: "sitemon", slots: true, metrics: "http://" + addr + "/metrics", command: []string{
		binary(), "--sites", sites, "--data-dir", filepath.Join(dir, "data"), "--listen", addr,
	}}, nil
}

// freeAddr is an address on the loopback interface that is free now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
