// Command rig measures the whole daemon from outside: how exactly it keeps the
// slots of many sites, as the probed server sees it, and what that costs, as
// /proc sees it. Linux only; nothing leaves the loopback interface.
//
//	go run ./bench/rig peers  -sites 10000 -interval 10s    the daemon and a bare client loop at one rate
//	go run ./bench/rig limits                               the highest rates
//	go run ./bench/rig kinds  -sites 10000 -interval 60s    sites of all kinds at once
//	go run ./bench/rig edits  -sites 10000 -interval 10s    edits of the running daemon's sites file
//	go run ./bench/rig writer -sites 10000 -messages 1000000  a backlog in Kafka becomes rows in Postgres
//	go run ./bench/rig history -sites 1000 -interval 60s -days 90  months of reports in Postgres, rolled up and read
//	go run ./bench/rig ui -sites 5000 -interval 10s         the overview under live updates, in a browser
//	go run ./bench/rig page -sites 1000 -interval 60s -days 90  a site's page, from months in SQLite
//	go run ./bench/rig pictures -sites 24 -width 1440       the pages as pictures
//	go run ./bench/rig demo                                 monitors, Kafka, writer, Postgres to play with
//	go run ./bench/rig sites  -sites 10 -base URL           print a sites.yaml
//	go run ./bench/rig target -addr 127.0.0.1:8070          serve the sites for a run by hand
//
// The daemon is the program named by SITEMON, by default bin/sitemon. Other
// monitors take part when GATUS, CLOUDPROBER, or BLACKBOX and PROMETHEUS name
// their programs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// options are the flags, the same for every subcommand.
type options struct {
	sites     int
	interval  time.Duration
	warm      time.Duration // before the measured time; 0: two intervals, 5 to 60 s
	dur       time.Duration // the measured time
	keepAlive bool
	base      string // sites, raw: the target's URL
	addr      string // target: where to listen
	rate      float64
	messages  int    // writer: the backlog
	rows      int    // writer: how many rows the table has before the second backlog; 0: there is none
	days      int    // history: of how many days
	data      string // page: folder of a store that stays
	buffers   string // writer: shared_buffers of a Postgres of its own; empty: that of the tests
	only      string // kinds: which ones, with commas between them; empty: all
	log       string // where the monitors' own output goes
	out       string // pictures: the folder that they go to
	full      bool   // pictures: of whole pages
	widths    widths // pictures: of the window
}

// widths are those of a flag that may be repeated.
type widths []int64

func (w *widths) String() string { return fmt.Sprint(*w) }

// Set implements [flag.Value].
func (w *widths) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	*w = append(*w, n)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: rig peers|limits|kinds|edits|writer|history|ui|page|pictures|demo|sites|target|raw [flags]")
	}
	var o options
	f := flag.NewFlagSet("rig", flag.ContinueOnError)
	f.IntVar(&o.sites, "sites", 10000, "number of sites")
	f.DurationVar(&o.interval, "interval", 10*time.Second, "their interval")
	f.DurationVar(&o.warm, "warm", 0, "time before measuring (0: two intervals, 5 s to 60 s)")
	f.DurationVar(&o.dur, "duration", 60*time.Second, "measured time")
	f.BoolVar(&o.keepAlive, "keep-alive", false, "keep connections (default: a fresh one per probe)")
	f.StringVar(&o.base, "base", "http://127.0.0.1:8070", "URL of the target (sites, raw)")
	f.StringVar(&o.addr, "addr", "127.0.0.1:8070", "address to serve (target)")
	f.Float64Var(&o.rate, "rate", 1000, "probes per second (raw), reports per second (history)")
	f.IntVar(&o.messages, "messages", 1_000_000, "reports that wait in Kafka (writer)")
	f.IntVar(&o.rows, "rows", 0, "measure again when the table has this many rows (writer)")
	f.IntVar(&o.days, "days", 90, "days of reports (history, page)")
	f.StringVar(&o.data, "data", "", "folder whose store is used again, or filled (page; empty: one that is deleted)")
	f.StringVar(&o.buffers, "shared-buffers", "", "start a Postgres with this setting (writer)")
	f.StringVar(&o.only, "kinds", "", "which kinds take part, such as http,dns (kinds; empty: all)")
	f.StringVar(&o.out, "out", "docs/screenshots", "folder of the pictures (pictures)")
	f.BoolVar(&o.full, "full", false, "take whole pages (pictures)")
	f.Var(&o.widths, "width", "width of the window, repeatable (pictures)")
	f.StringVar(&o.log, "log", "", "file for the monitors' own output")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "peers":
		return peers(ctx, o)
	case "limits":
		return limits(ctx, o)
	case "kinds":
		return kindsRun(ctx, o)
	case "edits":
		return edits(ctx, o)
	case "writer":
		return writerRun(ctx, o)
	case "history":
		return historyRun(ctx, o)
	case "demo":
		return demo(ctx, o)
	case "ui":
		return uiRun(ctx, o)
	case "page":
		return pageRun(ctx, o)
	case "pictures":
		return pictures(ctx, o)
	case "sites":
		_, err := os.Stdout.Write(sitemonFile(o))
		return err
	case "raw":
		return rawLoop(ctx, o)
	case "target":
		return serveTarget(ctx, o.addr)
	}
	return fmt.Errorf("unknown subcommand %q", args[0])
}

// serveTarget serves the sites until ctx ends.
func serveTarget(ctx context.Context, addr string) error {
	t, err := newTarget(addr)
	if err != nil {
		return err
	}
	defer t.close()
	fmt.Println(t.base)
	<-ctx.Done()
	return nil
}

// warmUp is the time before measuring.
func (o options) warmUp() time.Duration {
	if o.warm > 0 {
		return o.warm
	}
	return min(max(2*o.interval, 5*time.Second), time.Minute)
}
