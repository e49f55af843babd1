package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sitemon"
	"sitemon/sinks"
)

// picky is a Recorder that refuses batches with certain slots for good, and is
// away after some calls.
type picky struct {
	bad      []int
	awayAt   int // the number of the call that fails, from 1
	calls    int
	recorded []int
}

func (p *picky) Record(_ context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	p.calls++
	if p.calls == p.awayAt {
		return sitemon.Recorded{}, errAway
	}
	got := slots(reports, "a")
	for _, slot := range got {
		if slices.Contains(p.bad, slot) {
			return sitemon.Recorded{}, fmt.Errorf("record: %w: bad text", sitemon.ErrInvalid)
		}
	}
	var done sitemon.Recorded
	for i, slot := range got {
		if slices.Contains(p.recorded, slot) {
			done.Duplicates++
			continue
		}
		p.recorded = append(p.recorded, slot)
		done.New = append(done.New, reports[i])
	}
	return done, nil
}

// messages makes n messages of site "a", of which some are no reports.
func messages(t *testing.T, n int, unreadable ...int) (out []sinks.Message) {
	t.Helper()
	for i := range n {
		value, err := sitemon.Report{Site: "a", Location: "default", Slot: time.UnixMilli(int64(i)), Outcome: sitemon.OutcomeUp}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(unreadable, i) {
			value = value[:len(value)-1]
		}
		out = append(out, sinks.Message{Key: []byte("a"), Value: value})
	}
	return out
}

func TestRecording(t *testing.T) {
	for name, c := range map[string]struct {
		n, calls         int
		unreadable, bad  []int
		awayAt           int // the first of two deliveries fails then
		dead, duplicates int
	}{
		"all good":                    {n: 100, calls: 1},
		"none":                        {n: 0},
		"one unreadable":              {n: 10, unreadable: []int{3}, calls: 1, dead: 1},
		"all unreadable":              {n: 3, unreadable: []int{0, 1, 2}, dead: 3},
		"one refused":                 {n: 8, bad: []int{5}, calls: 7, dead: 1},
		"a single one that's refused": {n: 1, bad: []int{0}, calls: 1, dead: 1},
		"the first and the last":      {n: 9, bad: []int{0, 8}, calls: 13, dead: 2},
		"all refused":                 {n: 4, bad: []int{0, 1, 2, 3}, calls: 7, dead: 4},
		"away":                        {n: 8, awayAt: 1, calls: 2},
		// [0-7] [0-3] [0-1] [0] [1] [2-3], away at [4-7]; then without 0 and 7.
		"away between": {n: 8, unreadable: []int{7}, bad: []int{0}, awayAt: 5, calls: 6, dead: 2, duplicates: 2},
	} {
		t.Run(name, func(t *testing.T) {
			reg, log := prometheus.NewPedanticRegistry(), &lines{}
			p := &picky{bad: c.bad, awayAt: c.awayAt}
			told := 0
			r := sinks.NewRecording(sinks.RecordingOptions{
				Recorder: p, Logger: slog.New(slog.NewTextHandler(log, nil)), Registerer: reg,
				Recorded: func(done sitemon.Recorded) { told += len(done.New) },
				Waiting:  func() (int, time.Duration) { return 42, time.Second },
			})
			err := r.Deliver(t.Context(), messages(t, c.n, c.unreadable...))
			if (c.awayAt > 0) != errors.Is(err, errAway) || (c.awayAt == 0 && err != nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				if err := r.Deliver(t.Context(), messages(t, c.n, c.unreadable...)); err != nil {
					t.Fatal(err)
				}
			}
			var want []int
			for i := range c.n {
				if !slices.Contains(c.bad, i) && !slices.Contains(c.unreadable, i) {
					want = append(want, i)
				}
			}
			if !slices.Equal(p.recorded, want) || told != len(want) || p.calls != c.calls {
				t.Errorf("recorded %d in %d calls, told of %d; want %d in %d", p.recorded, p.calls, told, want, c.calls)
			}
			if n := log.count("left out"); n != c.dead || log.count("site=a") != c.dead {
				t.Errorf("said %d times that a report is left out, want %d, each with its identity:\n%s", n, c.dead, log.b.String())
			}
			metrics := "# HELP sitemon_writer_lag Reports that the writer has yet to record: of its partitions, or inside one process those that wait before it.\n" +
				"# TYPE sitemon_writer_lag gauge\nsitemon_writer_lag 42\n" +
				"# HELP sitemon_writer_reports_total Reports that the writer dealt with, by result.\n# TYPE sitemon_writer_reports_total counter\n" +
				fmt.Sprintf("sitemon_writer_reports_total{result=\"dead\"} %d\nsitemon_writer_reports_total{result=\"duplicate\"} %d\n"+
					"sitemon_writer_reports_total{result=\"expired\"} 0\nsitemon_writer_reports_total{result=\"recorded\"} %d\n", c.dead, c.duplicates, len(want))
			if err := testutil.GatherAndCompare(reg, strings.NewReader(metrics)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRecordingForgetsWhatItLeftOut(t *testing.T) {
	log := &lines{}
	r := sinks.NewRecording(sinks.RecordingOptions{Recorder: &picky{}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	for range 2 { // each a batch of its own
		if err := r.Deliver(t.Context(), messages(t, 3, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := log.count("left out"); n != 2 {
		t.Errorf("said %d times that a report is left out, want once for each batch", n)
	}
}

func TestRecordingBehindASpool(t *testing.T) {
	p := &picky{bad: []int{1234}, awayAt: 1}
	s := start(t, settings{to: sinks.NewRecording(sinks.RecordingOptions{Recorder: p, Logger: slog.New(slog.DiscardHandler)})})
	s.write("a", 0, 3000)
	if err := s.flush(t); err != nil {
		t.Fatal(err)
	}
	want := slices.Delete(slots(reportsUpTo(3000), "a"), 1234, 1235)
	if !slices.Equal(p.recorded, want) {
		t.Errorf("%d reports recorded, want all but one of 3000", len(p.recorded))
	}
}

func reportsUpTo(n int) (out []sitemon.Report) {
	for i := range n {
		out = append(out, sitemon.Report{Site: "a", Slot: time.UnixMilli(int64(i))})
	}
	return out
}
