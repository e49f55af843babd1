package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sitemon"
	"sitemon/broker"
	"sitemon/config"
	"sitemon/store/postgres"
	"sitemon/web"
	"sitemon/writer"
)

// How long each part may take to stop. Together they stay under the 10 s that
// people and service managers wait; only closing the store has no bound.
const (
	budgetShort  = 200 * time.Millisecond
	budgetLeave  = 3 * time.Second
	budgetProbes = 3 * time.Second
	budgetFlush  = 1200 * time.Millisecond
	budgetWriter = time.Second
)

const (
	// gcPercent keeps the memory near what is live. Much of that is long-lived, a
	// few KB a site, and collecting it more often costs under 2 % of a core with
	// 10,000 sites; GOGC in the environment goes before it.
	gcPercent = 50
	// manySites is where it pays to return the memory of parsing at once.
	manySites = 1000
	// storePatience is how long a start waits for a database before it goes on
	// without.
	storePatience = 3 * time.Second
)

// daemon is every part of a running SiteMon.
type daemon struct {
	settings config.Settings
	log      *slog.Logger
	registry *prometheus.Registry
	store    store
	shared   *postgres.DB   // the store, where it is one that processes share
	broker   *broker.Broker // nil: reports stay inside this process
	hub      *web.Hub
	monitor  *monitor       // nil: it is not the role of this process
	writer   *writer.Writer // nil: likewise, or there is no Kafka
	alerting *alerting      // nil: others tell people of trouble
	receiver *receiving     // nil: others receive the heartbeats of sites
	server   *web.Server

	started time.Time
	results struct{ recorded, duplicate, expired atomic.Int64 } // of the reports that this process recorded

	newest    atomic.Pointer[sitemon.Generation] // of the store, where page or API show it
	skew      atomic.Int64                       // of this machine's clock against the store's, in nanoseconds
	failingMu sync.Mutex
	failing   map[string]bool // the housekeeping that failed last time
}

// runDaemon runs all parts until ctx ends or one of them fails.
func runDaemon(ctx context.Context, s config.Settings, stderr io.Writer) (err error) {
	log := newLogger(stderr, s.Log)
	slog.SetDefault(log)                     // for libraries that know no other way
	http.DefaultClient.Timeout = time.Minute // likewise: some services of the notification library wait for ever
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log.Info("sitemon starts", "version", version().Version, "role", s.Role.String(), "sites", s.Sites, "data", s.DataDir, "pid", os.Getpid())

	if err := somethingToRun(s); err != nil {
		return err
	}
	unlock, err := lockDataDir(s.DataDir, s.Role)
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
	d.logRunning(listener.Addr())
	d.notify(systemd.SdNotifyReady)
	err = life.wait(ctx)
	d.notify(systemd.SdNotifyStopping)
	log.Info("sitemon stops")
	return err
}

// logRunning says that all parts are up, and where the page is.
func (d *daemon) logRunning(addr net.Addr) {
	args := []any{"role", d.settings.Role.String()}
	if d.settings.Role.Page() {
		args = append(args, "page", pageURL(d.settings, addr))
	} else {
		args = append(args, "health", pageURL(d.settings, addr)+"readyz")
	}
	if m := d.monitor; m != nil {
		args = append(args, "sites", d.running().Sites, "enabled", m.scheduler.Sites())
	}
	d.log.Info("sitemon runs", args...)
}

// somethingToRun fails where there is neither a sites file nor a store that may
// know sites from before, so that a start in the wrong folder leaves nothing
// there.
func somethingToRun(s config.Settings) error {
	if !s.Role.Has(config.RoleMonitor) || s.Sites == "" {
		return nil
	}
	_, err := readDocument(s)
	if _, missing := errors.AsType[noSitesFileError](err); !missing {
		return nil // another fault: the store may know sites from before
	}
	if s.Postgres.DSN != "" {
		return fmt.Errorf("%w; --sites '' takes the sites from Postgres alone", err)
	}
	if _, statErr := os.Stat(databasePath(s)); statErr == nil {
		return nil
	}
	return err
}

// build makes all parts in the order of their dependencies, and starts none of
// them; only SQLite's file is opened.
func build(ctx context.Context, s config.Settings, log *slog.Logger) (_ *daemon, err error) {
	d := &daemon{settings: s, log: log, started: time.Now(), registry: newRegistry(), hub: web.NewHub(), failing: map[string]bool{}}
	if err := d.openStore(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.store.Close())
		}
	}()
	if len(s.Kafka.Brokers) > 0 {
		if d.broker, err = newBroker(s, log); err != nil {
			return nil, err
		}
	}
	if s.Role.Has(config.RoleMonitor) {
		if d.monitor, err = d.newMonitor(); err != nil {
			return nil, err
		}
	}
	if d.broker != nil && s.Role.Has(config.RoleWriter) {
		d.writer = d.newWriter()
	}
	if s.Role.Has(config.RoleWriter) {
		d.alerting = d.newAlerting()
	}
	if err := d.newServer(); err != nil {
		return nil, err
	}
	return d, nil
}

// newServer makes the server of page and API.
func (d *daemon) newServer() error {
	s, log := d.settings, d.log
	if s.Role.Page() {
		d.receiver = d.newReceiving()
	}
	o := web.Options{
		Sites: d.store, History: d.store, Incidents: d.store, Operations: d.store, Documents: d.store, DataDir: s.DataDir, Reloader: reloads{d}, Ready: d.ready, Hub: d.hub,
		Logger: log, Gatherer: d.registry, Registerer: d.registry, HealthOnly: !s.Role.Page(),
		Hosts: s.Web.Hosts, AnyHost: s.InsecureNoAuth, Version: version().Version,
	}
	o.Definitions = definitions{d.store}
	if d.monitor != nil {
		o.Prober = prober{d}
	}
	var err error
	if o.Auth, err = newGate(s); err != nil {
		return err
	}
	if s.BeyondLoopback() && s.Auth.Required() && s.Web.TLSCertFile == "" {
		log.Warn("passwords and tokens come in plain http; set web.tls_cert_file, or put a proxy with TLS in front", "listen", s.Listen)
	}
	if s.Web.TLSCertFile != "" {
		if o.TLS, err = web.TLSConfig(s.Web.TLSCertFile, s.Web.TLSKeyFile, log); err != nil {
			return err
		}
	}
	if d.receiver != nil {
		o.Heartbeats, o.Callers = d.store, &d.receiver.callers
	}
	d.server = web.New(o)
	return nil
}

// start runs the parts in such an order that stopping them in the opposite one
// goes against the flow of the data: what makes reports ends first, what keeps
// them last.
func (d *daemon) start(ctx context.Context, life *lifecycle, listener net.Listener) error {
	life.onStop("store", 0, func(context.Context) error { return d.store.Close() })
	if d.shared != nil {
		life.start("database", budgetShort, d.prepare)
	}
	life.start("http server", budgetShort, func(ctx context.Context) error { return d.server.Serve(ctx, listener) })
	life.onStop("goodbye", budgetShort, d.signOff)
	life.start("housekeeping", budgetShort, d.keepHouse)
	if d.receiver != nil {
		life.start("heartbeats of sites", budgetShort, d.receiver.run)
	}
	if d.settings.Role.Has(config.RoleWriter) {
		life.start("rollups and retention", budgetShort, d.tidy)
		life.start("notifications", budgetShort, d.alerting.deliver)
		life.start("alerts", budgetShort, d.alerting.decide)
	}
	if d.shared != nil && d.settings.Role.Page() {
		life.start("events of other processes", budgetShort, d.followEvents)
	}
	if d.broker != nil {
		life.onStop("broker", budgetShort, func(context.Context) error { d.broker.Close(); return nil })
		life.start("topics", budgetShort, d.makeTopics)
	}
	if d.writer != nil {
		life.start("writer", budgetWriter, d.write)
	}
	if d.monitor != nil {
		if err := d.startMonitor(ctx, life); err != nil {
			return err
		}
	}
	life.start("watchdog", budgetShort, d.feedWatchdog)
	return nil
}

// prepare waits for the database and then until ctx ends.
func (d *daemon) prepare(ctx context.Context) error {
	err := d.shared.Prepare(ctx)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		<-ctx.Done()
	}
	return err
}

// awaitStore gives a database a moment to be there, before a monitor goes on with
// its file and what it last knew.
func (d *daemon) awaitStore(ctx context.Context) {
	if d.shared == nil {
		return
	}
	select {
	case <-d.shared.Prepared():
	case <-ctx.Done():
	case <-time.After(storePatience):
	}
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
			d.notify(systemd.SdNotifyReloading)
			_, _ = d.reload(ctx) // the reloader logs and shows the error
			d.notify(systemd.SdNotifyReady)
		}
	}
}

// reloaded tells the pages of a reload. Parsing many sites takes a multiple of
// the memory that they need later, which goes back to the system here.
func (d *daemon) reloaded(r sitemon.Reload) {
	if d.shared == nil { // else everybody follows the store
		d.hub.Config(r)
	}
	if r.Added+r.Changed+r.Unchanged > manySites {
		debug.FreeOSMemory()
	}
}

// recorded tells pages and log what came of a batch of reports.
func (d *daemon) recorded(rec sitemon.Recorded) {
	d.results.recorded.Add(int64(len(rec.New)))
	d.results.duplicate.Add(int64(rec.Duplicates))
	d.results.expired.Add(int64(rec.Expired))
	for i := range rec.New {
		d.hub.Report(rec.New[i])
	}
	d.changed(rec.Changes)
}

// changed tells pages and log about changes of status that this process has seen.
func (d *daemon) changed(changes []sitemon.StatusChange) {
	for _, c := range changes {
		if d.shared == nil { // else everybody follows the store
			d.hub.Status(c)
		}
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

// pageURL is where a person finds the page of a listener.
func pageURL(s config.Settings, addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("%s://localhost:%d/", scheme(s), tcp.Port)
	}
	return scheme(s) + "://" + addr.String() + "/"
}
