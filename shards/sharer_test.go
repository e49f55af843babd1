package shards

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// told is a sharer without a group, and what it says to its owner.
type told struct {
	*Sharer
	mu    sync.Mutex
	said  []Share
	at    []time.Duration // since it began
	block chan struct{}   // Own does not return before it is closed; nil: it does
}

// startTold starts a sharer that has the shards 0 to 3 of 8.
func startTold(t *testing.T) *told {
	t.Helper()
	f := &told{}
	began := time.Now()
	f.Sharer = New(Options{
		Partitions: 8, File: filepath.Join(t.TempDir(), "share.json"), Logger: slog.New(slog.DiscardHandler),
		Own: func(s Share) {
			f.mu.Lock()
			f.said, f.at = append(f.said, s), append(f.at, time.Since(began))
			block := f.block
			f.mu.Unlock()
			if block != nil {
				<-block
			}
		},
	})
	f.share = NewShare(8, 0, 1, 2, 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.obey(ctx, nil) }() // it has no error but nil
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// want checks what was said so far, and when.
func (f *told) want(t *testing.T, at []time.Duration, said ...Share) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.said, said) || !slices.Equal(f.at, at) {
		t.Errorf("said %v at %v, want %v at %v", f.said, f.at, said, at)
		for _, s := range f.said {
			t.Log(s.Shards())
		}
	}
}

func TestWhatIsGivenUpIsHeldForAMoment(t *testing.T) {
	const ms = time.Millisecond
	of := func(shards ...int) Share { return NewShare(8, shards...) }
	type step struct {
		after time.Duration
		order order
	}
	tests := []struct {
		name  string
		steps []step
		at    []time.Duration
		said  []Share
	}{
		{
			"given up and got",
			[]step{{0, order{share: of(2, 3, 4), hold: grace}}},
			[]time.Duration{0, grace},
			[]Share{of(0, 1, 2, 3, 4), of(2, 3, 4)},
		},
		{"only got", []step{{0, order{share: of(0, 1, 2, 3, 4), hold: grace}}}, []time.Duration{0}, []Share{of(0, 1, 2, 3, 4)}},
		{"the same", []step{{0, order{share: of(0, 1, 2, 3), hold: grace}}}, nil, nil},
		{"at once", []step{{0, order{share: of(2, 4)}}}, []time.Duration{0}, []Share{of(2, 4)}},
		{
			"given back within the moment",
			[]step{{0, order{share: of(2, 3), hold: grace}}, {300 * ms, order{share: of(0, 1, 2, 3), hold: grace}}},
			nil, nil,
		},
		{
			"another division within the moment",
			[]step{{0, order{share: of(2, 3), hold: grace}}, {300 * ms, order{share: of(3, 4), hold: grace}}},
			[]time.Duration{300 * ms, 300*ms + grace},
			[]Share{of(0, 1, 2, 3, 4), of(3, 4)},
		},
		{
			"thrown out within the moment",
			[]step{{0, order{share: of(2, 3), hold: grace}}, {300 * ms, order{share: of()}}, {500 * ms, order{share: of(7), hold: grace}}},
			[]time.Duration{300 * ms, 800 * ms},
			[]Share{of(), of(7)},
		},
		{
			"another number of shards",
			[]step{{0, order{share: NewShare(16, 1), hold: grace}}},
			[]time.Duration{0, grace},
			[]Share{All(16), NewShare(16, 1)},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startTold(t)
				for _, s := range tc.steps {
					time.Sleep(s.after)
					f.give(s.order)
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				f.want(t, tc.at, tc.said...)
			})
		})
	}
}

// An owner that takes long to follow is told the newest share, and not to hold
// what it should have dropped.
func TestSlowOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startTold(t)
		block := make(chan struct{})
		f.block = block
		f.give(order{share: NewShare(8, 0, 1, 2, 3, 4)})
		synctest.Wait()
		f.give(order{share: None(8)})
		f.give(order{share: NewShare(8, 5), hold: grace})
		time.Sleep(5 * time.Second)
		f.mu.Lock()
		f.block = nil
		f.mu.Unlock()
		close(block)
		synctest.Wait()
		f.want(t, []time.Duration{0, 5 * time.Second}, NewShare(8, 0, 1, 2, 3, 4), NewShare(8, 5))
	})
}
