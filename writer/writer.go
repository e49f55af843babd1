package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
)

// DefaultTopic is the topic of reports unless the settings name another.
const DefaultTopic = "monitor_reports"

// What was tried against a real broker: a writer that is killed is replaced
// within the session timeout.
const (
	sessionTimeout   = 6 * time.Second // the least that brokers accept
	heartbeat        = time.Second
	rebalanceTimeout = 3 * time.Second
	joinBackoff      = 500 * time.Millisecond
	requestTimeout   = 2 * time.Second

	// closeTimeout bounds the leaving of the group: a broker that accepts and
	// never answers would hold it up for longer.
	closeTimeout = 3 * time.Second
	// patience is how long a writer may be between two assignments before it says
	// that it is not ready.
	patience = 5 * time.Second
)

// Store is where reports are recorded.
type Store interface {
	// Record puts reports into the store. A report that is there already changes
	// nothing. An error that wraps [sitemon.ErrInvalid] is about one of the
	// reports; with any other the store is away, and the call is repeated.
	Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error)
	// ReadTo says up to which time this process has read partitions of the topic,
	// which has so many of them.
	ReadTo(ctx context.Context, topic string, partitions int, read map[int]time.Time) error
	// SeedSite returns the site that had this id in the original system. Its error
	// wraps [sitemon.ErrNotFound] if there is none.
	SeedSite(ctx context.Context, id int64) (name string, interval time.Duration, err error)
}

// Options is what a [Writer] is made of. Recorded, Zone, Registerer and Now may be
// left out.
type Options struct {
	Broker *broker.Broker
	Topic  string
	Group  string // see [GroupName]
	Store  Store
	// Recorded is called after each batch, from one goroutine at a time. The
	// reports it is given are its own only until it returns.
	Recorded   func(sitemon.Recorded)
	Zone       *time.Location // of the times in the original system's messages; nil: the process's own
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// GroupName returns the name of the consumer group of a topic's writers.
func GroupName(topic string) string {
	if topic == DefaultTopic {
		return "sitemon"
	}
	return "sitemon-" + topic
}

// Writer records the reports of a topic. Its methods are safe for concurrent use.
type Writer struct {
	opts    Options
	log     *slog.Logger
	metrics *metrics
	sites   *seedSites
	letters *letterbox
	buried  *burials

	kafka, topic, store, dead, told *outage

	lag atomic.Int64

	mu      sync.Mutex
	running bool
	gen     *generation // nil between two of them
	since   time.Time   // when gen became nil
}

// New returns a Writer; [Writer.Run] makes it work.
func New(opts Options) *Writer {
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	log := opts.Logger.With("component", "writer", "topic", opts.Topic)
	w := &Writer{opts: opts, log: log, sites: &seedSites{store: opts.Store, now: opts.Now}}
	w.kafka = newOutage(log, opts.Now, "Kafka does not answer")
	w.topic = newOutage(log, opts.Now, "the topic is missing")
	w.store = newOutage(log, opts.Now, "the store does not answer")
	w.told = newOutage(log, opts.Now, "the store is not told how far reports are read")
	w.dead = newOutage(log, opts.Now, "the topic of dead letters takes none")
	w.letters = &letterbox{broker: opts.Broker, topic: opts.Topic}
	w.buried = &burials{log: log}
	w.metrics = newMetrics(opts.Registerer, w)
	return w
}

// Run records what the group gives it until ctx ends, and returns nil then. A
// batch whose transaction has begun is finished and committed if that takes no
// longer than two seconds; else another writer reads it again. Run waits for
// whatever is away, and fails only if its options can't be used.
func (w *Writer) Run(ctx context.Context) error {
	w.setRunning(true)
	defer w.setRunning(false)
	if !w.awaitTopic(ctx) {
		return nil
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: w.opts.Group, Brokers: w.opts.Broker.Addresses(), Dialer: w.opts.Broker.Dialer(), Topics: []string{w.opts.Topic},
		SessionTimeout: sessionTimeout, HeartbeatInterval: heartbeat, RebalanceTimeout: rebalanceTimeout,
		JoinGroupBackoff: joinBackoff, Timeout: requestTimeout, StartOffset: kafka.FirstOffset,
		WatchPartitionChanges: true, PartitionWatchInterval: 5 * time.Second,
		ErrorLogger: w.opts.Broker.ErrorLogger(),
	})
	if err != nil {
		return fmt.Errorf("join the group %s of the topic %s: %w", w.opts.Group, w.opts.Topic, err)
	}
	var working sync.WaitGroup // a generation, which leaving the group ends
	defer w.letters.close()
	defer working.Wait()
	defer w.leave(group)
	for last := (time.Time{}); ; {
		gen, err := group.Next(ctx) // somebody must always wait here, or the group does not go on
		switch {
		case ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed):
			return nil
		case errors.Is(err, kafka.RebalanceInProgress): // others held up the join: it is tried again
			continue
		case err != nil:
			w.kafka.begin(err)
			continue
		}
		w.kafka.end()
		if time.Since(last) < joinBackoff && !w.pause(ctx) {
			return nil
		}
		last = time.Now()
		working.Add(1)
		gen.Start(func(ctx context.Context) {
			defer working.Done()
			w.work(ctx, gen)
		})
	}
}

// pause keeps generations apart that end as soon as they begin, as they do while
// the topic is missing. It returns false if ctx ends first.
func (w *Writer) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(joinBackoff / 5):
		return w.awaitTopic(ctx)
	}
}

// leave signs off from the group, so that the others have its partitions at once.
func (w *Writer) leave(group *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = group.Close() // always nil
	}()
	select {
	case <-left:
	case <-time.After(closeTimeout): // what is left of it ends with its last request
		w.log.Warn("leaving the group takes too long: the others take over after the session timeout", "group", w.opts.Group)
	}
}

// awaitTopic waits until the topic exists. It returns false if ctx ends first.
func (w *Writer) awaitTopic(ctx context.Context) bool {
	for {
		n, err := w.partitions(ctx)
		if ctx.Err() != nil {
			return false
		}
		switch {
		case n > 0:
			w.kafka.end()
			w.topic.end()
			return true
		case err == nil || errors.Is(err, sitemon.ErrNotFound):
			w.kafka.end()
			w.topic.begin(fmt.Errorf("topic %s: %w", w.opts.Topic, sitemon.ErrNotFound))
		default:
			w.kafka.begin(err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(joinBackoff):
		}
	}
}

// partitions returns how many partitions the topic has.
func (w *Writer) partitions(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return w.opts.Broker.Partitions(ctx, w.opts.Topic)
}

// work runs one generation: a stretch of time with the same partitions.
func (w *Writer) work(ctx context.Context, of *kafka.Generation) {
	g := newGeneration(w, of)
	w.setGeneration(g)
	defer w.setGeneration(nil)
	ids := g.ids()
	w.log.Info("partitions are assigned", "partitions", ids, "generation", of.ID)
	g.run(ctx)
	w.log.Debug("partitions are given back", "partitions", ids, "generation", of.ID)
}

func (w *Writer) setRunning(running bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.since = running, time.Time{}
}

func (w *Writer) setGeneration(g *generation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gen = g
	if g == nil {
		w.since = w.opts.Now()
		w.lag.Store(0)
	}
}

// Ready returns what keeps the writer from its work; nothing if it does it. A
// writer that is left without partitions because others have them all is ready.
func (w *Writer) Ready() []string {
	var missing []string
	for _, o := range []*outage{w.kafka, w.topic, w.store, w.told, w.dead} {
		if s := o.String(); s != "" {
			missing = append(missing, s)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.running:
		missing = append(missing, "the writer does not run")
	case w.gen == nil && w.opts.Now().Sub(w.since) > patience:
		missing = append(missing, "no partitions assigned")
	case w.gen != nil:
		missing = append(missing, w.gen.troubles()...)
	}
	return missing
}

// Lag returns how many messages of this writer's partitions it has yet to record,
// as of the last second in which Kafka answered.
func (w *Writer) Lag() int64 { return w.lag.Load() }

// Dead returns how many messages could not be used since the writer was made.
func (w *Writer) Dead() int64 { return w.metrics.reports.CountDead() }
