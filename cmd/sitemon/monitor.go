package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"sitemon"
	"sitemon/broker"
	"sitemon/config"
	"sitemon/fleet"
	"sitemon/probes"
	"sitemon/reload"
	"sitemon/scheduler"
	"sitemon/shards"
	"sitemon/sinks"
)

// monitor is the parts of a process that probe.
type monitor struct {
	sink      sink
	probes    *probes.Set
	scheduler *scheduler.Scheduler
	fleet     *fleet.Fleet     // nil: the sites are those of the file
	sharer    *shards.Sharer   // nil: all sites are this process's own
	reloader  *reload.Reloader // nil: the sites are those of the store
	documents *documents       // of a shared store; nil: there is none
}

// sink takes reports to where they are recorded.
type sink interface {
	scheduler.Sink
	Run(ctx context.Context) error
	Flush(ctx context.Context) error
	Waiting() (reports int, oldest time.Duration)
}

// newMonitor makes the parts that probe.
func (d *daemon) newMonitor() (_ *monitor, err error) {
	s := d.settings
	m := &monitor{probes: newProbes(s, d.log, d.store)}
	if m.sink, err = d.newSink(); err != nil {
		return nil, err
	}
	canaries, err := canarySites(s.Scheduler.Canaries)
	if err != nil {
		return nil, err
	}
	m.scheduler, err = scheduler.New(scheduler.Options{
		Location: s.Location, Monitor: s.Instance, Prober: m.probes, Sink: m.sink, Logger: d.log,
		Registerer: d.registry, SiteMetrics: s.Metrics.PerSite,
		Concurrency: s.Scheduler.Concurrency, PerHost: s.Scheduler.PerHost, Canaries: canaries,
	})
	if err != nil {
		return nil, err
	}
	if d.shared != nil {
		m.fleet = d.newFleet(m.scheduler)
	}
	if d.broker != nil {
		m.sharer = d.newSharer(m.fleet)
	}
	if s.Sites != "" {
		m.reloader = d.newReloader(m)
	}
	return m, nil
}

// newSink makes the way of the reports: inside the process to SQLite; over a
// spool on disk to Kafka or to Postgres.
func (d *daemon) newSink() (sink, error) {
	s := d.settings
	if d.shared == nil {
		return sinks.NewLocal(sinks.LocalOptions{Recorder: d.store, Logger: d.log, Registerer: d.registry, Recorded: d.recorded}), nil
	}
	var spooled *sinks.Spooled
	opts := sinks.SpooledOptions{
		Dir: filepath.Join(s.DataDir, "spool"), MaxBytes: s.Spool.MaxSize, Logger: d.log, Registerer: d.registry,
	}
	if d.broker != nil {
		opts.Sink = "kafka"
		opts.Deliverer = sinks.NewKafka(sinks.KafkaOptions{Broker: d.broker, Topic: s.Kafka.Topic, Logger: d.log, Registerer: d.registry})
	} else {
		opts.Sink = "postgres"
		opts.Deliverer = sinks.NewRecording(sinks.RecordingOptions{
			Recorder: d.shared, Logger: d.log, Registerer: d.registry, Recorded: d.recorded,
			Waiting: func() (int, time.Duration) { return spooled.Waiting() },
		})
	}
	var err error
	spooled, err = sinks.NewSpooled(opts)
	return spooled, err
}

// newFleet makes what follows the sites of a shared store.
func (d *daemon) newFleet(s *scheduler.Scheduler) *fleet.Fleet {
	decoder := config.NewDecoder()
	return fleet.New(fleet.Options{
		Store: sharedSites{d.shared, d.settings.ScanInterval}, Scheduler: s, Source: d.settings.Source,
		Decode: decoder.Decode, File: filepath.Join(d.settings.DataDir, "sites.json"), Logger: d.log,
	})
}

// newSharer makes what shares the sites with the other monitors of the location.
func (d *daemon) newSharer(f *fleet.Fleet) *shards.Sharer {
	s := d.settings
	sharer := shards.New(shards.Options{
		Broker: d.broker, Topic: broker.ShardsTopic(s.Kafka.Topic), Group: s.Kafka.Topic + ".monitors." + s.Location,
		File: filepath.Join(s.DataDir, "share.json"), Own: func(share shards.Share) { f.Own(share) },
		Logger: d.log, Registerer: d.registry,
	})
	f.Own(sharer.Share()) // the one it had before
	return sharer
}

// newReloader makes what applies the sites file.
func (d *daemon) newReloader(m *monitor) *reload.Reloader {
	s := d.settings
	opts := reload.Options{
		Path:      s.Sites,
		Read:      func() (reload.Content, error) { return readDocument(s) },
		Known:     func(ctx context.Context) ([]sitemon.Site, sitemon.Generation, error) { return knownSites(ctx, d.store) },
		Store:     d.store,
		Scheduler: m.scheduler, Logger: d.log, Registerer: d.registry, Reloaded: d.reloaded,
	}
	if m.fleet != nil {
		m.documents = &documents{DB: d.shared, source: s.Source, file: filepath.Join(s.DataDir, "document.json"), log: d.log}
		opts.Store, opts.Known, opts.Scheduler = m.documents, m.fleet.Known, m.fleet
	}
	return reload.New(opts)
}

// startMonitor starts the parts that probe, the sink first: stopped in the
// opposite order, what makes reports ends before what keeps them.
func (d *daemon) startMonitor(ctx context.Context, life *lifecycle) error {
	m := d.monitor
	if c, ok := m.sink.(interface{ Close() error }); ok {
		life.onStop("spool", budgetShort, func(context.Context) error { return c.Close() })
	}
	life.onStop("last reports", budgetFlush, d.flush)
	life.start("sink", budgetFlush, m.sink.Run)
	life.onStop("kept connections", budgetShort, func(context.Context) error { m.probes.Close(); return nil })
	life.onStop("probes in flight", budgetProbes, d.drain)
	life.start("scheduler", budgetShort, m.scheduler.Run)
	if m.fleet != nil { // these need no store, which may be away
		if err := m.fleet.Load(); err != nil {
			d.log.Warn("the last known sites are not known", "err", err)
		}
	}
	if m.sharer != nil {
		life.start("share of the sites", budgetShort, d.share)
		life.onStop("hand-over of the sites", budgetLeave, d.handOver)
	}
	d.awaitStore(ctx)
	if m.reloader != nil {
		if err := d.startReloader(ctx, life); err != nil {
			return err
		}
	}
	if m.fleet != nil {
		life.start("sites of the store", budgetShort, m.fleet.Run)
		life.start("wake-ups of the database", budgetShort, func(ctx context.Context) error { return d.shared.Listen(ctx, m.fleet.Wake) })
	}
	return nil
}

// startReloader applies the sites file and follows it.
func (d *daemon) startReloader(ctx context.Context, life *lifecycle) error {
	r := d.monitor.reloader
	if err := r.Start(ctx); err != nil {
		return fmt.Errorf("no sites to run, neither from the file nor from before:\n%w", err)
	}
	life.start("reloader", budgetShort, r.Run)
	life.start("file watch", budgetShort, func(ctx context.Context) error {
		return config.Watch(ctx, d.settings.Sites, config.WatchOptions{Logger: d.log}, func(string) { r.Hint() })
	})
	life.start("reload signal", budgetShort, d.followSignal)
	return nil
}

// share keeps this process's share of the sites until ctx ends, or the share has
// been handed over.
func (d *daemon) share(ctx context.Context) error {
	if err := d.monitor.sharer.Run(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// handOver gives the sites to the other monitors while they are still probed.
func (d *daemon) handOver(ctx context.Context) error {
	err := d.monitor.sharer.Leave(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("the other monitors have not taken the sites over in time: until they do, slots become a gap", "after", budgetLeave)
		return nil
	}
	return err
}

// flush hands on the reports that still wait. What a spool has to keep goes out at
// the next start, which is no failure.
func (d *daemon) flush(ctx context.Context) error {
	err := d.monitor.sink.Flush(ctx)
	if d.shared != nil && errors.Is(err, context.DeadlineExceeded) {
		waiting, _ := d.monitor.sink.Waiting()
		d.log.Warn("reports stay in the spool until the next start", "reports", waiting, "err", err)
		return nil
	}
	return err
}

// drain waits for the probes in flight. Those that outlast the budget are cut
// off, which is no failure: their slots become a gap.
func (d *daemon) drain(ctx context.Context) error {
	err := d.monitor.scheduler.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("probes were cut off, their slots have no report", "after", budgetProbes)
		return nil
	}
	return err
}

// newProbes returns the probes that the settings describe. Sites that call us are
// looked up in beats; nil: they can't be.
func newProbes(s config.Settings, log *slog.Logger, beats probes.Heartbeats) *probes.Set {
	return probes.New(probes.Options{
		Expander: config.NewExpander(s.Environ.Lookup, nil, nil),
		Deny:     s.Probes.Deny, Allow: s.Probes.Allow, Logger: log,
		UserAgent: userAgent(), Heartbeats: beats,
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
