package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
)

const (
	// DefaultSpoolBytes is the size of a spool where none is set: about 3 million
	// reports.
	DefaultSpoolBytes int64 = 1 << 30

	maxSegmentBytes = 4 << 20
	chunkBytes      = 256 << 10
	// maxMemoryBytes bounds what waits while the disk cannot be written, beside
	// maxWaiting.
	maxMemoryBytes = 64 << 20

	// writeDelay is how long a report waits for others before they are written
	// together; with the writing itself it stays below 50 ms.
	writeDelay = 25 * time.Millisecond
	syncEvery  = time.Second
	// diskRetry is the time between two attempts on a disk that failed.
	diskRetry = time.Second
)

// Message is one report on its way: the key is its site's name, the value its
// JSON ([sitemon.Report.MarshalJSON]).
type Message struct{ Key, Value []byte }

// Deliverer takes messages, in order. When Deliver returns nil all of them are
// elsewhere for good, and their memory is used again. After an error all are
// given again, so some may arrive twice; until ctx ends it is not given up.
type Deliverer interface {
	Deliver(ctx context.Context, messages []Message) error
}

// SpooledOptions is what a [Spooled] is made of. Dir, Deliverer, Logger and Sink
// are required.
type SpooledOptions struct {
	// Dir is the folder of the spool's files, made if it is missing. No other
	// process may use it at the same time.
	Dir string
	// MaxBytes bounds the files; beyond it the oldest reports go. 0:
	// [DefaultSpoolBytes].
	MaxBytes   int64
	Deliverer  Deliverer
	Logger     *slog.Logger
	Registerer prometheus.Registerer // may be nil
	// Sink is the label of its errors in the metrics: "kafka" or "postgres".
	Sink string
}

// Spooled hands reports on to a [Deliverer] by way of the disk: they are in a
// file within 50 ms, so that killing the process costs no older ones, and on the
// medium within a second or so. Their order is kept. Of more than fit the oldest
// go, and the next report of their sites says so ([sitemon.GapSpoolFull]). While
// the disk cannot be written they wait in memory instead, up to a bound. Evidence is
// several times as long as a report: while half of the room is taken, reports go
// without theirs, so that more of them fit.
type Spooled struct {
	opts    SpooledOptions
	log     *slog.Logger
	metrics *spoolMetrics

	wake  chan struct{} // holds one token when there is something to write
	ready chan struct{} // likewise to deliver
	dirty chan struct{} // likewise to sync

	files      sync.Mutex // guards what follows; taken before mu
	spool      *spool
	flying     *batch // is being delivered
	spare      *batch
	broken     error // why the disk cannot be written
	retryAt    time.Time
	marksSaved bool // the file of marks is there

	mu       sync.Mutex
	mem      memory
	waiting  int       // reports in memory, on disk, and being delivered
	oldest   time.Time // when the oldest of them came; set when it is read
	marks    marks
	crowded  bool // more than half of the files' room is taken
	overfull bool // said that the oldest reports go
	unsaved  bool // marks has sites that its file has not

	away bool // said that the deliverer fails; Run's, then Flush's
}

// NewSpooled opens the spool and finds in it what an earlier process left. What
// is damaged there is logged and left out. [Spooled.Run] makes it work.
func NewSpooled(opts SpooledOptions) (*Spooled, error) { return newSpooled(opts, systemDisk{}) }

func newSpooled(opts SpooledOptions, d disk) (*Spooled, error) {
	if opts.Dir == "" || opts.Deliverer == nil || opts.Logger == nil || opts.Sink == "" {
		return nil, fmt.Errorf("open the spool: %w: folder, deliverer, logger and sink are required", sitemon.ErrInvalid)
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = DefaultSpoolBytes
	}
	s := &Spooled{
		opts: opts, log: opts.Logger.With("component", "spool"),
		wake: make(chan struct{}, 1), ready: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		marks: marks{},
	}
	var err error
	if s.spool, err = openSpool(opts.Dir, min(maxSegmentBytes, opts.MaxBytes/8), d, s.log); err != nil {
		return nil, err
	}
	s.metrics = newSpoolMetrics(opts.Registerer, opts.Sink, s.Waiting)
	s.mem = memory{next: s.spool.next(), chunkBytes: int(min(chunkBytes, s.spool.segmentBytes))}
	if s.waiting = s.spool.waiting(); s.waiting > 0 {
		s.oldest = time.Now() // until the first is read
		s.log.Info("reports of an earlier run wait in the spool", "reports", s.waiting)
	}
	s.loadMarks()
	if _, err := s.peek(); err != nil {
		s.log.Warn("the spool could not be read yet", "err", err)
	}
	return s, nil
}

// signal leaves a token in c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write takes a report. It waits for neither disk nor network, and never fails.
func (s *Spooled) Write(_ context.Context, r sitemon.Report) error {
	if r.Evidence != "" && s.halfFull() {
		r.Evidence = ""
	}
	value, err := r.MarshalJSON()
	if err == nil && (bodyMin+len(r.Site)+len(value) > bodyMax || len(r.Site) > keyMax) {
		err = fmt.Errorf("%w: %d bytes are too many", sitemon.ErrInvalid, len(value))
	}
	if err != nil {
		s.metrics.lost.Inc()
		s.log.Error("a report that cannot be written is dropped", "site", r.Site, "slot", r.Slot, "err", err)
		return nil
	}
	s.mu.Lock()
	now := time.Now()
	if s.waiting == 0 {
		s.oldest = now
	}
	s.waiting++
	s.mem.add(now, r.Site, value)
	if s.mem.reports > maxWaiting || s.mem.bytes > maxMemoryBytes {
		s.dropFromMemory()
	}
	s.mu.Unlock()
	signal(s.wake)
	return nil
}

// halfFull reports whether half of the room is taken.
func (s *Spooled) halfFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crowded || s.mem.bytes > maxMemoryBytes/2
}

// dropFromMemory makes room for new reports and remembers whose are lost. The
// caller holds mu.
func (s *Spooled) dropFromMemory() {
	c := s.mem.takeFirst()
	s.mem.next = c.first // the numbers are free again
	s.marks.lower(c.first)
	number(c.buf, c.first)
	records(c.buf, c.first, func(r record) { s.marks.add(r.key, c.first) })
	s.unsaved = true
	s.mem.release(c)
	s.lose(c.reports)
	s.overflows()
}

// overflows says once that reports are dropped until none wait any more. The
// caller holds mu.
func (s *Spooled) overflows() {
	if !s.overfull {
		s.overfull = true
		s.log.Error("more reports wait than fit: the oldest are dropped", "reports", s.waiting)
	}
}

// lose counts reports that are not coming any more. The caller holds mu.
func (s *Spooled) lose(n int) {
	s.waiting -= n
	s.metrics.lost.Add(float64(n))
}

// Run writes and delivers reports until ctx ends and returns nil. What waits then
// is for [Spooled.Flush].
func (s *Spooled) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.storeLoop(ctx) })
	wg.Go(func() { s.syncLoop(ctx) })
	s.deliverLoop(ctx)
	wg.Wait()
	return nil
}

// Waiting returns how many reports are not delivered yet, and for how long the
// oldest of them has waited.
func (s *Spooled) Waiting() (reports int, oldest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting <= 0 {
		return 0, 0
	}
	return s.waiting, max(0, time.Since(s.oldest))
}

// Close puts on disk what is not there yet and closes the files. It must be
// called after Run has returned. An error says how many reports are lost.
func (s *Spooled) Close() error {
	err := s.persist()
	s.files.Lock()
	defer s.files.Unlock()
	s.spool.close()
	return err
}

// persist writes and syncs all that is in memory.
func (s *Spooled) persist() error {
	err := s.store(true)
	s.files.Lock()
	n := 0
	if b := s.flying; b != nil && !b.onDisk {
		if saveErr := s.save(b); saveErr != nil {
			err, n = errors.Join(err, saveErr), len(b.messages)
		}
	}
	s.files.Unlock()
	s.sync()
	s.mu.Lock()
	n += s.mem.reports
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%d reports are in memory only: %w", n, err)
	}
	return nil
}
