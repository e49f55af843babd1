package writer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// batchesInHand is one that is filled, one that waits and one that is recorded.
	batchesInHand = 3
	// commitEvery is the least often that Kafka is told how far the writer is, while
	// it has a backlog: telling takes as long as recording some hundred reports.
	commitEvery = time.Second
	// finish is how long a transaction that has begun may go on when the partitions
	// are to be given back. The others wait that long for them.
	finish = 2 * time.Second
)

// generation is a stretch of time in which the writer has the same partitions.
// One goroutine for each reads it, one gathers batches, one records them, and one
// looks each second how far they are.
type generation struct {
	w       *Writer
	log     *slog.Logger
	of      *kafka.Generation
	assigns []kafka.PartitionAssignment

	in   chan kafka.Message
	full chan *batch // to be recorded
	free chan *batch // to be filled

	// lost is set when what the group knows of a partition may not hold any more;
	// then nothing is committed.
	lost      atomic.Bool
	committed time.Time
	uncounted map[int]int64 // recorded, and not committed

	mu      sync.Mutex
	readers map[int]*kafka.Reader
	marks   map[int]mark  // how far each partition is recorded
	anew    map[int]bool  // partitions whose log is another one
	trouble map[int]error // partitions that can't be read
}

func newGeneration(w *Writer, of *kafka.Generation) *generation {
	g := &generation{
		w: w, of: of, log: w.log, assigns: of.Assignments[w.opts.Topic],
		in: make(chan kafka.Message, 100), full: make(chan *batch, 1), free: make(chan *batch, batchesInHand),
		uncounted: map[int]int64{}, readers: map[int]*kafka.Reader{}, marks: map[int]mark{}, anew: map[int]bool{}, trouble: map[int]error{},
		committed: time.Now(),
	}
	for range batchesInHand {
		g.free <- newBatch()
	}
	for _, a := range g.assigns {
		g.marks[a.ID] = mark{next: a.Offset}
	}
	return g
}

// ids returns the numbers of the partitions.
func (g *generation) ids() []int {
	ids := make([]int, len(g.assigns))
	for i, a := range g.assigns {
		ids[i] = a.ID
	}
	slices.Sort(ids)
	return ids
}

// run works until ctx ends, or until the group must be asked anew: a function of
// a generation that returns ends it. It must not take long once ctx has ended, as
// everybody waits for it.
func (g *generation) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer g.restart()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, a := range g.assigns {
		r := g.reader(ctx, a)
		wg.Go(func() {
			defer func() { _ = r.Close() }() // always nil
			g.read(ctx, cancel, r, a)
		})
	}
	wg.Go(func() { g.collect(ctx) })
	wg.Go(func() { g.watch(ctx, cancel) })
	g.record(ctx)
}

// reader returns what reads a partition until ctx ends.
func (g *generation) reader(ctx context.Context, a kafka.PartitionAssignment) *kafka.Reader {
	b := g.w.opts.Broker
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: b.Addresses(), Dialer: dialerUntil(ctx, b.Dialer()), Topic: g.w.opts.Topic, Partition: a.ID,
		QueueCapacity: 20, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond,
		ReadLagInterval: -1, OffsetOutOfRangeError: true, ErrorLogger: b.ErrorLogger(),
	})
	_ = r.SetOffset(a.Offset) // it fails for a closed Reader only
	g.mu.Lock()
	defer g.mu.Unlock()
	g.readers[a.ID] = r
	return r
}

// read hands on the messages of one partition until ctx ends.
func (g *generation) read(ctx context.Context, cancel context.CancelFunc, r *kafka.Reader, a kafka.PartitionAssignment) {
	next := a.Offset // below 0: wherever the log begins
	for {
		m, err := r.FetchMessage(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return
		case errors.Is(err, kafka.OffsetOutOfRange): // it lies behind the log's end
			g.madeAnew(cancel, a.ID)
			return
		case err != nil: // the Reader tries again by itself, once a second at most
			g.troubled(a.ID, err)
			continue
		}
		g.troubled(a.ID, nil)
		if next >= 0 && m.Offset > next {
			g.w.metrics.skipped.Add(float64(m.Offset - next))
			g.log.Error("messages are gone: Kafka dropped them before they were read",
				"partition", a.ID, "offset", next, "messages", m.Offset-next)
		}
		next = m.Offset + 1
		select {
		case g.in <- m:
		case <-ctx.Done():
			return
		}
	}
}

// troubled notes that a partition can't be read, or that it can.
func (g *generation) troubled(partition int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		delete(g.trouble, partition)
		return
	}
	if g.trouble[partition] == nil {
		g.log.Warn("a partition can't be read: it is tried again", "partition", partition, "err", err)
	}
	g.trouble[partition] = err
}

// troubles says which partitions can't be read.
func (g *generation) troubles() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, p := range slices.Sorted(maps.Keys(g.trouble)) {
		all = append(all, fmt.Sprintf("partition %d can't be read: %v", p, g.trouble[p]))
	}
	return all
}

// madeAnew notes that a partition's log is not the one that the group knows, and
// ends the generation.
func (g *generation) madeAnew(cancel context.CancelFunc, partition int) {
	g.lost.Store(true)
	g.mu.Lock()
	g.anew[partition] = true
	g.mu.Unlock()
	cancel()
}

// restart makes the next generation read the partitions that were made anew from
// their beginning, whoever gets them.
func (g *generation) restart() {
	if len(g.anew) == 0 {
		return
	}
	offsets := map[int]int64{}
	for p := range g.anew {
		offsets[p] = 0
		g.log.Warn("the topic was made anew: its partition is read from the start", "partition", p, "offset_before", g.marks[p].next)
	}
	if err := g.commitOffsets(offsets); err != nil { // then it is noticed again
		g.log.Debug("the start could not be committed", "err", err)
	}
}

// collect reads messages into batches, so that the next one is ready when the
// store is.
func (g *generation) collect(ctx context.Context) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	zone, now := g.w.opts.Zone, g.w.opts.Now
	for {
		var b *batch
		select {
		case <-ctx.Done():
			return
		case b = <-g.free:
		}
		select {
		case <-ctx.Done():
			return
		case m := <-g.in:
			b.add(m, zone, now())
		}
		timer.Reset(gather)
		for waiting := true; waiting && !b.full(); {
			select {
			case <-ctx.Done():
				return
			case m := <-g.in:
				b.add(m, zone, now())
			case <-timer.C:
				waiting = false
			}
		}
		select {
		case <-ctx.Done():
			return
		case g.full <- b:
		}
	}
}

// record records batches until ctx ends. A batch that it does not finish is
// neither recorded nor committed: the next owner reads it again.
func (g *generation) record(ctx context.Context) {
	late, cancel := lasting(ctx, finish)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			g.commit()
			return
		case b := <-g.full:
			if ctx.Err() != nil {
				continue
			}
			begun := time.Now()
			if err := g.batch(ctx, late, b); err != nil {
				g.log.Debug("a batch is given up: it will be read again", "reports", b.len(), "err", err)
				g.commit()
				return
			}
			g.w.metrics.batches.Observe(time.Since(begun).Seconds())
			g.done(b)
			if len(g.full) > 0 && time.Since(g.committed) < commitEvery {
				continue
			}
			if !g.commit() {
				return
			}
		}
	}
}

// done notes how far a batch has brought the partitions, and frees it.
func (g *generation) done(b *batch) {
	g.mu.Lock()
	for p, m := range b.marks {
		m.at = later(m.at, g.marks[p].at)
		g.marks[p], g.uncounted[p] = m, m.next
	}
	g.mu.Unlock()
	b.reset()
	g.free <- b
}

// commit tells Kafka how far the partitions are recorded. It returns false if the
// next generation has to find that out.
func (g *generation) commit() bool {
	if g.moved() {
		return false
	}
	if err := g.commitOffsets(g.uncounted); err != nil {
		g.log.Debug("how far the writer is could not be committed", "err", err)
		return false
	}
	clear(g.uncounted)
	g.committed = time.Now()
	return true
}

func (g *generation) commitOffsets(offsets map[int]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	return g.of.CommitOffsets(map[string]map[int]int64{g.w.opts.Topic: offsets})
}

// moved reports whether a partition was taken from its Reader: its leader is
// another broker, or its topic was deleted. Only the group's offsets tell which.
func (g *generation) moved() bool {
	if g.lost.Load() {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.readers {
		if r.Stats().Rebalances > 0 {
			g.lost.Store(true)
		}
	}
	return g.lost.Load()
}

// lasting returns a context that ends some time after ctx.
func lasting(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-late.Done():
		case <-time.After(grace):
			cancel()
		}
	})
	return late, func() { stop(); cancel() }
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
