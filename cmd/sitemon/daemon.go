package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sitemon"
	"sitemon/config"
	"sitemon/probes"
	"sitemon/reload"
	"sitemon/scheduler"
	"sitemon/sinks"
	"sitemon/store/sqlite"
	"sitemon/web"
)

// How long each part may take to stop. Together they stay under the 10 s that
// people and service managers wait; only closing the store has no bound.
const (
	budgetShort  = 200 * time.Millisecond
	budgetProbes = 4 * time.Second
	budgetFlush  = 1500 * time.Millisecond
)

const (
	// gcPercent keeps the memory near what is live. Much of that is long-lived, a
	// few KB a site, and collecting it more often costs under 2 % of a core with
	// 10,000 sites; GOGC in the environment goes before it.
	gcPercent = 50
	// manySites is where it pays to return the memory of parsing at once.
	manySites = 1000
)

// daemon is every part of a running SiteMon.
type daemon struct {
	settings  config.Settings
	log       *slog.Logger
	registry  *prometheus.Registry
	db        *sqlite.DB
	hub       *web.Hub
	sink      *sinks.Local
	probes    *probes.Set
	scheduler *scheduler.Scheduler
	reloader  *reload.Reloader
	server    *web.Server
}

// runDaemon runs all parts until ctx ends or one of them fails.
func runDaemon(ctx context.Context, s config.Settings, stderr io.Writer) (err error) {
	log := newLogger(stderr, s.Log)
	slog.SetDefault(log) // for libraries that know no other way
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log.Info("sitemon starts", "version", version().Version, "sites", s.Sites, "data", s.DataDir, "pid", os.Getpid())

	if err := somethingToRun(s); err != nil {
		return err
	}
	unlock, err := lockDataDir(s.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	// The port is taken before anything else happens, so that a mistake with it
	// costs nothing.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen for the page and the API: %w (another address: --listen)", err)
	}
	defer listener.Close() // closed already after a good run, which does no harm

	d, err := build(ctx, s, log)
	if err != nil {
		return err
	}
	life := newLifecycle(log)
	defer func() { err = errors.Join(err, life.stop()) }()
	if err := d.start(ctx, life, listener); err != nil {
		return err
	}
	gen, _ := d.reloader.Running()
	log.Info("sitemon runs", "page", pageURL(listener.Addr()), "sites", gen.Sites, "enabled", d.scheduler.Sites())
	err = life.wait(ctx)
	log.Info("sitemon stops")
	return err
}

// somethingToRun fails where there is neither a sites file nor a store that may
// know sites from before, so that a start in the wrong folder leaves nothing
// there.
func somethingToRun(s config.Settings) error {
	_, err := readDocument(s)
	if _, missing := errors.AsType[noSitesFileError](err); !missing {
		return nil // another fault: the store may know sites from before
	}
	if _, statErr := os.Stat(databasePath(s)); statErr == nil {
		return nil
	}
	return err
}

// build makes all parts in the order of their dependencies. It is one straight
// line, and the only place that knows every part; only the store is opened, the
// rest starts nothing.
func build(ctx context.Context, s config.Settings, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{settings: s, log: log, registry: newRegistry(), hub: web.NewHub()}
	if d.db, err = sqlite.Open(ctx, databasePath(s), sqlite.Options{
		Logger: log, Retention: s.Retention.Reports, HourRetention: s.Retention.Availability1h,
	}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.db.Close())
		}
	}()
	d.sink = sinks.NewLocal(sinks.LocalOptions{Recorder: d.db, Logger: log, Registerer: d.registry, Recorded: d.recorded})
	d.probes = newProbes(s, log)
	canaries, err := canarySites(s.Scheduler.Canaries)
	if err != nil {
		return nil, err
	}
	d.scheduler, err = scheduler.New(scheduler.Options{
		Location: s.Location, Monitor: s.Instance, Prober: d.probes, Sink: d.sink, Logger: log,
		Registerer: d.registry, SiteMetrics: s.Metrics.PerSite,
		Concurrency: s.Scheduler.Concurrency, PerHost: s.Scheduler.PerHost, Canaries: canaries,
	})
	if err != nil {
		return nil, err
	}
	d.reloader = reload.New(reload.Options{
		Path:  s.Sites,
		Read:  func() (reload.Content, error) { return readDocument(s) },
		Known: func(ctx context.Context) ([]sitemon.Site, sitemon.Generation, error) { return knownSites(ctx, d.db) },
		Store: d.db, Scheduler: d.scheduler, Logger: log, Registerer: d.registry, Reloaded: d.reloaded,
	})
	d.server = web.New(web.Options{
		Sites: d.db, History: d.db, Operations: d.db, Reloader: d.reloader, Ready: d.ready, Hub: d.hub,
		Logger: log, Gatherer: d.registry, Registerer: d.registry,
		Hosts: s.Web.Hosts, AnyHost: s.InsecureNoAuth, Version: version().Version,
	})
	return d, nil
}

// start runs the parts in such an order that stopping them in the opposite one
// goes against the flow of the data: what makes reports ends first, what keeps
// them last.
func (d *daemon) start(ctx context.Context, life *lifecycle, listener net.Listener) error {
	life.onStop("store", 0, func(context.Context) error { return d.db.Close() })
	life.start("housekeeping", budgetShort, d.keepHouse)
	life.start("rollups and retention", budgetShort, d.tidy)
	life.start("http server", budgetShort, func(ctx context.Context) error { return d.server.Serve(ctx, listener) })
	life.onStop("last reports", budgetFlush, d.sink.Flush)
	life.start("sink", budgetFlush, d.sink.Run)
	life.onStop("kept connections", budgetShort, func(context.Context) error { d.probes.Close(); return nil })
	life.onStop("probes in flight", budgetProbes, d.drain)
	life.start("scheduler", budgetShort, d.scheduler.Run)
	if err := d.reloader.Start(ctx); err != nil {
		return fmt.Errorf("no sites to run, neither from the file nor from before:\n%w", err)
	}
	life.start("reloader", budgetShort, d.reloader.Run)
	life.start("file watch", budgetShort, func(ctx context.Context) error {
		return config.Watch(ctx, d.settings.Sites, config.WatchOptions{Logger: d.log}, func(string) { d.reloader.Hint() })
	})
	life.start("reload signal", budgetShort, d.followSignal)
	return nil
}

// drain waits for the probes in flight. Those that outlast the budget are cut
// off, which is no failure: their slots become a gap.
func (d *daemon) drain(ctx context.Context) error {
	err := d.scheduler.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("probes were cut off, their slots have no report", "after", budgetProbes)
		return nil
	}
	return err
}

// followSignal reloads at each SIGHUP.
func (d *daemon) followSignal(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			d.log.Info("SIGHUP: the sites file is read again")
			_, _ = d.reloader.Reload(ctx) // the reloader logs and shows the error
		}
	}
}

// reloaded tells the pages of a reload. Parsing many sites takes a multiple of
// the memory that they need later, which goes back to the system here.
func (d *daemon) reloaded(r sitemon.Reload) {
	d.hub.Config(r)
	if r.Added+r.Changed+r.Unchanged > manySites {
		debug.FreeOSMemory()
	}
}

// recorded tells pages and log what came of a batch of reports.
func (d *daemon) recorded(rec sitemon.Recorded) {
	for i := range rec.New {
		d.hub.Report(rec.New[i])
	}
	d.changed(rec.Changes)
}

// changed tells pages and log about changes of status.
func (d *daemon) changed(changes []sitemon.StatusChange) {
	for _, c := range changes {
		d.hub.Status(c)
		level, args := slog.LevelInfo, []any{"site", c.Site, "status", c.Status}
		if c.Reason != "" {
			args = append(args, "reason", c.Reason, "error", c.Error)
		}
		if c.Status == sitemon.StatusDown {
			level = slog.LevelWarn
		}
		d.log.Log(context.Background(), level, "status changed", args...)
	}
}

// newProbes returns the probes that the settings describe.
func newProbes(s config.Settings, log *slog.Logger) *probes.Set {
	return probes.New(probes.Options{
		Expander: config.NewExpander(s.Environ.Lookup, nil, nil),
		Deny:     s.Probes.Deny, Allow: s.Probes.Allow, Logger: log,
		UserAgent: "SiteMon/" + version().Version,
	})
}

// canarySites makes sites of the canaries' URLs.
func canarySites(urls []string) ([]sitemon.Site, error) {
	canaries := make([]sitemon.Site, 0, len(urls))
	for _, u := range urls {
		site, err := config.SiteFromURL(u)
		if err != nil {
			return nil, fmt.Errorf("scheduler.canaries: %w", err)
		}
		canaries = append(canaries, site)
	}
	return canaries, nil
}

// newRegistry returns a registry with what Go and the process tell of themselves.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sitemon_build_info", Help: "The version that runs, as labels of a 1.",
		ConstLabels: prometheus.Labels{"version": version().Version, "revision": version().Commit, "goversion": version().Go},
	})
	info.Set(1)
	reg.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// databasePath is where the settings keep SQLite's file.
func databasePath(s config.Settings) string { return filepath.Join(s.DataDir, "sitemon.db") }

// pageURL is where a person finds the page of a listener.
func pageURL(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d/", tcp.Port)
	}
	return "http://" + addr.String() + "/"
}
