package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/sinks"
)

var errAway = errors.New("the broker is away")

// deliverer is a Deliverer that keeps the reports that it is given, and fails
// while told to.
type deliverer struct {
	mu      sync.Mutex
	fail    error
	failed  func() // called when it does, if set
	calls   int
	reports []sitemon.Report
}

func (d *deliverer) Deliver(_ context.Context, messages []sinks.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.fail != nil {
		if d.failed != nil {
			d.failed()
		}
		return d.fail
	}
	for _, m := range messages {
		var r sitemon.Report
		if err := r.UnmarshalJSON(m.Value); err != nil || r.Site != string(m.Key) {
			return fmt.Errorf("message %q %q: %w", m.Key, m.Value, err)
		}
		d.reports = append(d.reports, r)
	}
	return nil
}

func (d *deliverer) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = err
}

func (d *deliverer) called() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

func (d *deliverer) all() []sitemon.Report {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]sitemon.Report(nil), d.reports...)
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// spool is a Spooled under test with what is around it.
type spool struct {
	*sinks.Spooled
	to   *deliverer
	log  *lines
	reg  *prometheus.Registry
	end  context.CancelFunc
	done chan error
}

type settings struct {
	dir      string
	maxBytes int64
	to       sinks.Deliverer // default: a deliverer
	fault    func() error    // of the disk
}

// open opens a Spooled without running it.
func open(t testing.TB, c settings) *spool {
	t.Helper()
	s := &spool{log: &lines{}, reg: prometheus.NewPedanticRegistry()}
	if c.to == nil {
		s.to = &deliverer{}
		c.to = s.to
	}
	if s.to == nil {
		s.to, _ = c.to.(*deliverer)
	}
	if c.dir == "" {
		c.dir = t.TempDir()
	}
	opts := sinks.SpooledOptions{
		Dir: c.dir, MaxBytes: c.maxBytes, Deliverer: c.to, Sink: "kafka",
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), Registerer: s.reg,
	}
	var err error
	if c.fault == nil {
		s.Spooled, err = sinks.NewSpooled(opts)
	} else {
		s.Spooled, err = sinks.NewSpooledOn(opts, sinks.FaultyDisk{Fault: c.fault})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start opens a Spooled and runs it until stop, or until the test ends.
func start(t testing.TB, c settings) *spool {
	t.Helper()
	s := open(t, c)
	s.run(t)
	return s
}

// run runs a Spooled that is open.
func (s *spool) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() { s.stop(t) })
}

// stop ends Run.
func (s *spool) stop(t testing.TB) {
	t.Helper()
	if s.end == nil {
		return
	}
	s.end()
	s.end = nil
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// flush ends Run and flushes within a while.
func (s *spool) flush(t testing.TB) error {
	t.Helper()
	s.stop(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.Flush(ctx)
}

// write writes reports of a site with the slots [from, to).
func (s *spool) write(site string, from, to int) {
	for i := from; i < to; i++ {
		_ = s.Write(context.Background(), sitemon.Report{
			Site: site, Location: "default", Slot: time.UnixMilli(int64(i)), Interval: time.Second,
			Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 1234 * time.Microsecond,
		})
	}
}

// metric is the value of a metric that has one.
func (s *spool) metric(t testing.TB, name string) float64 {
	t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric(); f.GetName() == name && len(m) == 1 {
			return m[0].GetCounter().GetValue() + m[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// slots lists the slots of a site's reports, in the order in which they came.
func slots(reports []sitemon.Report, site string) (out []int) {
	for _, r := range reports {
		if r.Site == site {
			out = append(out, int(r.Slot.UnixMilli()))
		}
	}
	return out
}

// wantRow checks that got is from, from+1, … to-1.
func wantRow(t testing.TB, got []int, from, to int) {
	t.Helper()
	if len(got) != to-from {
		t.Fatalf("%d reports came, want %d", len(got), to-from)
	}
	for i, slot := range got {
		if slot != from+i {
			t.Fatalf("report %d has slot %d, want %d", i, slot, from+i)
		}
	}
}

// flushNow flushes until the deliverer fails.
func (s *spool) flushNow() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.to.failed = cancel
	return s.Flush(ctx)
}

func folderSize(t testing.TB, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}
