package sinks_test

import (
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

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sitemon/sinks"
)

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
			s = open(t, settings{dir: dir})
			if n, _ := s.Waiting(); n != 7 {
				t.Errorf("%d reports wait after the restart, want 7", n)
			}
			s.run(t)
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
		if n := len(segments(t, dir)); n != 1 {
			t.Fatalf("%d segments when all is delivered, want only the one that is written to", n)
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
