package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// recorder is a Recorder that keeps what it is given, and fails while told to.
type recorder struct {
	mu      sync.Mutex
	fail    error
	batches [][]sitemon.Report
	at      []time.Time
}

func (r *recorder) Record(_ context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return sitemon.Recorded{}, r.fail
	}
	kept := append([]sitemon.Report(nil), reports...)
	r.batches, r.at = append(r.batches, kept), append(r.at, time.Now())
	return sitemon.Recorded{New: kept, Duplicates: 1}, nil
}

func (r *recorder) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

func (r *recorder) all() (out []sitemon.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.batches {
		out = append(out, b...)
	}
	return out
}

// run starts a Local in the bubble; stop ends Run and flushes.
func run(t *testing.T, rec *recorder, reg prometheus.Registerer) (l *sinks.Local, stop func() error) {
	l = sinks.NewLocal(sinks.LocalOptions{Recorder: rec, Logger: slog.New(slog.DiscardHandler), Registerer: reg})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return l.Flush(ctx)
	})
	t.Cleanup(func() { _ = stop() })
	return l, stop
}

func write(l *sinks.Local, site string, n int) {
	for i := range n {
		_ = l.Write(context.Background(), sitemon.Report{Site: site, Slot: time.UnixMilli(int64(i))})
	}
}

func TestReportsAreRecordedInOrderWithinAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		reg := prometheus.NewPedanticRegistry()
		l, _ := run(t, rec, reg)
		began := time.Now()
		write(l, "a", 5000)
		time.Sleep(150 * time.Millisecond)
		got := rec.all()
		if len(got) != 5000 {
			t.Fatalf("%d reports recorded 150 ms after they were written, want 5000", len(got))
		}
		for i, r := range got {
			if r.Slot != time.UnixMilli(int64(i)) {
				t.Fatalf("report %d has slot %s: out of order", i, r.Slot)
			}
		}
		if wait := rec.at[0].Sub(began); wait > 150*time.Millisecond {
			t.Errorf("the first batch waited %s", wait)
		}
		if n, _ := l.Waiting(); n != 0 {
			t.Errorf("%d reports wait after all were recorded", n)
		}
		want := "# HELP sitemon_writer_reports_total Reports that the writer dealt with, by result.\n# TYPE sitemon_writer_reports_total counter\n" +
			"sitemon_writer_reports_total{result=\"dead\"} 0\nsitemon_writer_reports_total{result=\"duplicate\"} " + fmt.Sprint(len(rec.batches)) +
			"\nsitemon_writer_reports_total{result=\"expired\"} 0\nsitemon_writer_reports_total{result=\"recorded\"} 5000\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sitemon_writer_reports_total"); err != nil {
			t.Error(err)
		}
	})
}

func TestFailingRecorderLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{fail: errors.New("disk full")}
		reg := prometheus.NewPedanticRegistry()
		l, _ := run(t, rec, reg)
		for range 60 {
			write(l, "a", 10)
			time.Sleep(time.Second)
		}
		if n, oldest := l.Waiting(); n == 0 || oldest == 0 {
			t.Errorf("waiting: %d reports for %s, want some", n, oldest)
		}
		n, _ := l.Waiting()
		want := "# HELP sitemon_writer_lag Reports that the writer has yet to record: of its partitions, or inside one process those that wait before it.\n" +
			"# TYPE sitemon_writer_lag gauge\nsitemon_writer_lag " + fmt.Sprint(n) + "\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sitemon_writer_lag"); err != nil {
			t.Error(err)
		}
		rec.set(nil)
		time.Sleep(10 * time.Second)
		if got := len(rec.all()); got != 600 {
			t.Errorf("%d reports recorded after the recovery, want 600", got)
		}
	})
}

func TestFlushAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{}
		l, stop := run(t, rec, nil)
		write(l, "a", 7)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := len(rec.all()); got != 7 {
			t.Errorf("%d reports recorded at the end, want 7", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{fail: errors.New("disk full")}
		l, stop := run(t, rec, nil)
		write(l, "a", 7)
		defer func() {
			if n, _ := l.Waiting(); n != 7 {
				t.Errorf("%d reports wait after a flush that failed, want all 7", n)
			}
		}()
		if err := stop(); err == nil || !strings.Contains(err.Error(), "7 reports") || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("error %v, want one that says what was lost and why", err)
		}
	})
}

func TestEvidenceIsDroppedBeforeReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{fail: errors.New("disk full")}
		l, _ := run(t, rec, nil)
		const n = 11_000
		for i := range n {
			_ = l.Write(t.Context(), sitemon.Report{Site: "a", Slot: time.UnixMilli(int64(i)), Evidence: `{"a":1}`})
		}
		rec.set(nil)
		time.Sleep(time.Minute)
		got := rec.all()
		if len(got) != n || got[9_999].Evidence == "" || got[10_000].Evidence != "" || got[n-1].Evidence != "" {
			t.Errorf("of %d reports not just the first 10,000 have their evidence", len(got))
		}
	})
}

func TestMoreThanFitsDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &recorder{fail: errors.New("disk full")}
		l, _ := run(t, rec, nil)
		write(l, "old", 1)
		time.Sleep(time.Second) // taken by Run, which keeps trying: not dropped
		write(l, "lost", 500)
		write(l, "kept", 100_000)
		rec.set(nil)
		time.Sleep(time.Minute)
		write(l, "lost", 1)
		time.Sleep(time.Second)
		got := rec.all()
		if len(got) >= 100_502 || len(got) < 99_000 {
			t.Errorf("%d reports recorded, want about the 100,000 that fit", len(got))
		}
		if last := got[len(got)-1]; last.Site != "lost" || last.Gap != sitemon.GapSpoolFull {
			t.Errorf("the next report of the site that lost some is %+v, want its gap to say so", last)
		}
	})
}
