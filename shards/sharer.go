package shards

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon/broker"
)

const (
	// grace is how long a shard that another member has got is probed on, until
	// that one has surely begun.
	grace = time.Second
	// closeTimeout is how long the end of [Sharer.Run] waits for the group to hear
	// that the member is gone. One that does not hear it notices by itself.
	closeTimeout = 150 * time.Millisecond
)

// Options is what a [Sharer] is made of. All but Partitions and Registerer are
// required.
type Options struct {
	Broker *broker.Broker
	// Topic has the shards as its partitions, Group is the monitors of one location.
	Topic string
	Group string
	// Partitions is how many the topic is made with; 0: [broker.ShardPartitions]. Where
	// it has another number, that number holds.
	Partitions int
	// File is where the share is kept between runs.
	File string
	// Own is told the share to be probed: first when Run begins, then whenever it
	// changes. It is called by one goroutine, one call after the other.
	Own        func(Share)
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
}

// Sharer is one member of the group that divides the sites. Create one with
// [New], start it with [Sharer.Run], end it with [Sharer.Leave].
type Sharer struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	balancer *sticky
	saved    kept // the content of the file; of Run's goroutine
	of       int  // partitions of the topic, as far as known; of the group's goroutine

	changed chan struct{} // capacity 1: next is another
	leaving chan struct{} // closed: Leave was called
	left    chan struct{} // closed: the others have the share
	gone    chan struct{} // closed: Leave is over
	ended   chan struct{} // closed: Run is over
	once    struct{ leaving, gone sync.Once }

	mu       sync.Mutex
	share    Share // what Own was told
	next     order // what Own is to be told
	fresh    bool  // it has not been told yet
	member   bool  // the group counts on this member
	failures int   // in a row, to reach the group
}

// order is a share to be probed from now on.
type order struct {
	share Share
	keep  kept          // what to write into the file; zero: nothing
	hold  time.Duration // how long to probe on what is not in the share any more
}

// New returns a sharer that has the kept share, or everything where there is
// none.
func New(opts Options) *Sharer {
	opts.Partitions = cmp.Or(opts.Partitions, broker.ShardPartitions)
	s := &Sharer{
		opts: opts, log: opts.Logger.With("component", "shards"), metrics: newMetrics(opts.Registerer),
		balancer: &sticky{topic: opts.Topic},
		changed:  make(chan struct{}, 1),
		leaving:  make(chan struct{}), left: make(chan struct{}), gone: make(chan struct{}), ended: make(chan struct{}),
		share: All(opts.Partitions),
	}
	k, ok, err := load(opts.File, opts.Topic, opts.Group)
	switch {
	case err != nil:
		s.log.Warn("the share of the last run is not known: all sites are probed until the group answers", "err", err)
	case ok:
		s.share, s.saved = k.share(), k
		s.balancer.set(k.Generation, k.Shards)
	}
	return s
}

// Share returns the share that is to be probed now.
func (s *Sharer) Share() Share {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.share
}

// Run is a member of the group until ctx ends or [Sharer.Leave] is over. It
// returns an error only where the group's settings are wrong. Run may be called
// once.
func (s *Sharer) Run(ctx context.Context) error {
	defer close(s.ended)
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	s.metrics.own(s.Share())
	s.opts.Own(s.Share())
	failed := make(chan error, 1)
	group.Go(func() {
		if err := s.join(ctx); err != nil {
			failed <- err
		}
	})
	return s.obey(ctx, failed)
}

// obey tells Own what is to be probed, as the group decides it.
func (s *Sharer) obey(ctx context.Context, failed <-chan error) error {
	over := time.NewTimer(0) // what another has got is held no longer
	over.Stop()
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.gone:
			return nil
		case err := <-failed:
			return err
		case <-over.C:
			s.tell(s.ordered().share)
		case <-s.changed:
			o := s.ordered()
			over.Stop()
			if o.hold == 0 {
				s.tell(o.share)
			} else if both := s.Share().with(o.share); both == o.share {
				s.tell(o.share)
			} else {
				s.tell(both)
				over.Reset(o.hold)
			}
			s.keep(o.keep)
		}
	}
}

// give makes an order the one that Own is told next.
func (s *Sharer) give(o order) {
	s.mu.Lock()
	if s.fresh && s.next.hold == 0 {
		o.hold = 0 // what was to be dropped at once is not held after all
	}
	s.next, s.fresh = o, true
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // Own is busy, and will be told the newest
	}
}

// ordered returns the newest order.
func (s *Sharer) ordered() order {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = false
	return s.next
}

// tell makes share the one that is probed.
func (s *Sharer) tell(share Share) {
	s.mu.Lock()
	same := s.share == share
	s.share = share
	s.mu.Unlock()
	if same {
		return
	}
	s.metrics.own(share)
	s.log.Info("this monitor's share of the sites", "share", share.String())
	s.opts.Own(share)
}

// keep writes the file, if it would say something new.
func (s *Sharer) keep(k kept) {
	if k.Of == 0 || k.equal(s.saved) {
		return
	}
	if err := k.save(s.opts.File); err != nil {
		s.log.Warn("a restart while the broker is away would begin with an older share", "err", err)
		return
	}
	s.saved = k
}

// Leave hands the share over: it tells the group that this member leaves, waits
// until the others have its share, and a second more, in which Own's share is to
// be probed on. After it the caller stops probing, and Run returns. Where nobody
// is left to take the share it returns at once. It waits no longer than until ctx
// ends, or the others have noticed by themselves that the member is gone; its
// error is then context.DeadlineExceeded or the one of ctx.
func (s *Sharer) Leave(ctx context.Context) error {
	s.balancer.leave()
	s.once.leaving.Do(func() { close(s.leaving) })
	defer s.once.gone.Do(func() { close(s.gone) })
	s.mu.Lock()
	member := s.member
	s.mu.Unlock()
	if !member {
		return nil // nobody counts on it
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTimeout+rebalanceTimeout)
	defer cancel()
	select {
	case <-s.left:
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hand the share of the sites over: %w", ctx.Err())
	}
	if s.balancer.isLast() {
		return nil
	}
	select {
	case <-time.After(grace):
	case <-ctx.Done(): // the others have it all the same
	}
	return nil
}
