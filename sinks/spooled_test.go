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
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() { s.stop(t) })
	return s
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

func TestSpooledDeliversInOrderWithinAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, settings{})
		for round := range 3 {
			s.write("a", 5000*round, 5000*(round+1))
			time.Sleep(60 * time.Millisecond)
			wantRow(t, slots(s.to.all(), "a"), 0, 5000*(round+1))
		}
		if n, oldest := s.Waiting(); n != 0 || oldest != 0 {
			t.Errorf("%d reports wait for %s after all were delivered", n, oldest)
		}
		calls := s.to.called()
		time.Sleep(24 * time.Hour)
		if s.to.called() != calls {
			t.Error("an idle spool calls its deliverer")
		}
	})
}

func TestSpooledKeepsTheOrderOfConcurrentWriters(t *testing.T) {
	const writers, each = 8, 3000
	s := start(t, settings{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { s.write(fmt.Sprint("site ", w), 0, each) })
	}
	wg.Wait()
	if err := s.flush(t); err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		wantRow(t, slots(s.to.all(), fmt.Sprint("site ", w)), 0, each)
	}
}

func TestSpooledTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, settings{to: &deliverer{fail: errAway}})
		for i := range 60 {
			s.write("a", 10*i, 10*i+10)
			time.Sleep(time.Second)
		}
		// 0.1 + 0.2 + … + 3.2 s, then each 5 s.
		calls := s.to.called()
		if calls < 15 || calls > 20 {
			t.Errorf("%d attempts within a minute", calls)
		}
		if n, oldest := s.Waiting(); n != 600 || oldest.Round(time.Second) != time.Minute {
			t.Errorf("%d reports wait for %s, want 600 for a minute", n, oldest)
		}
		if n := s.metric(t, "sitemon_spool_reports"); n != 600 {
			t.Errorf("sitemon_spool_reports is %v", n)
		}
		if d := s.metric(t, "sitemon_spool_oldest_seconds"); d < 59 || d > 61 {
			t.Errorf("sitemon_spool_oldest_seconds is %v", d)
		}
		want := fmt.Sprintf("# HELP sitemon_sink_errors_total Batches that a sink could not hand on, each tried again.\n"+
			"# TYPE sitemon_sink_errors_total counter\nsitemon_sink_errors_total{sink=\"kafka\"} %d\n", calls)
		if err := testutil.GatherAndCompare(s.reg, strings.NewReader(want), "sitemon_sink_errors_total"); err != nil {
			t.Error(err)
		}
		s.to.set(nil)
		time.Sleep(6 * time.Second)
		wantRow(t, slots(s.to.all(), "a"), 0, 600)
		if said, again := s.log.count("could not be delivered"), s.log.count("delivered again"); said != 1 || again != 1 {
			t.Errorf("said %d times that it fails and %d times that it works again, want once each", said, again)
		}
	})
}

func TestSpooledFlush(t *testing.T) {
	t.Run("delivers what waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, settings{})
			s.write("a", 0, 7)
			if err := s.flush(t); err != nil {
				t.Error(err)
			}
			wantRow(t, slots(s.to.all(), "a"), 0, 7)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("leaves on disk what it cannot deliver", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			s := start(t, settings{dir: dir, to: &deliverer{fail: errAway}})
			s.write("a", 0, 7)
			err := s.flush(t)
			if !errors.Is(err, errAway) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "7 wait in the spool") {
				t.Errorf("error %v, want one that says what waits, where, and why", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			s = start(t, settings{dir: dir})
			if n, _ := s.Waiting(); n != 7 {
				t.Errorf("%d reports wait after the restart, want 7", n)
			}
			s.write("a", 7, 9)
			time.Sleep(time.Second)
			wantRow(t, slots(s.to.all(), "a"), 0, 9)
		})
	})
	t.Run("without Run", func(t *testing.T) {
		s := open(t, settings{})
		s.write("a", 0, 5000)
		if err := s.flush(t); err != nil {
			t.Error(err)
		}
		wantRow(t, slots(s.to.all(), "a"), 0, 5000)
	})
	t.Run("nothing to do", func(t *testing.T) {
		s := open(t, settings{to: &deliverer{fail: errAway}})
		if err := s.flush(t); err != nil {
			t.Error(err)
		}
	})
}

func TestSpooledRemovesWhatIsDelivered(t *testing.T) {
	dir := t.TempDir()
	s := open(t, settings{dir: dir, maxBytes: 80_000})
	for i := range 40 {
		s.write("a", 250*i, 250*i+250)
		if err := s.flush(t); err != nil {
			t.Fatal(err)
		}
	}
	if size := folderSize(t, dir); size > 80_000 {
		t.Errorf("the folder of a spool of at most 80 kB has %d bytes", size)
	}
	wantRow(t, slots(s.to.all(), "a"), 0, 10_000)
	if lost := s.metric(t, "sitemon_spool_dropped_reports_total"); lost != 0 {
		t.Errorf("%v reports lost", lost)
	}
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

func TestSpooledRefusesWhatIsNotThere(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for name, opts := range map[string]sinks.SpooledOptions{
		"no folder":    {Deliverer: &deliverer{}, Logger: log, Sink: "kafka"},
		"no deliverer": {Dir: t.TempDir(), Logger: log, Sink: "kafka"},
		"no sink":      {Dir: t.TempDir(), Deliverer: &deliverer{}, Logger: log},
		"a file":       {Dir: file, Deliverer: &deliverer{}, Logger: log, Sink: "kafka"},
	} {
		if _, err := sinks.NewSpooled(opts); err == nil {
			t.Errorf("%s: no error", name)
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
