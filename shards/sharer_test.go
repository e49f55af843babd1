package shards

import (
	"context"
	"errors"
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

	obeyed chan struct{} // closed when it has ended
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
	f.obeyed = make(chan struct{})
	go func() { defer close(f.obeyed); _ = f.obey(ctx, nil) }() // it has no error but nil
	t.Cleanup(func() { cancel(); <-f.obeyed })
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

func TestLeave(t *testing.T) {
	tests := []struct {
		name   string
		member bool
		last   bool
		left   time.Duration // until the others have the share; 0: never
		budget time.Duration
		want   time.Duration
		err    error
	}{
		{"nobody counts on it", false, false, 0, time.Minute, 0, nil},
		{"the others take over", true, false, 700 * time.Millisecond, time.Minute, 700*time.Millisecond + grace, nil},
		{"it is the last one", true, true, 20 * time.Millisecond, time.Minute, 20 * time.Millisecond, nil},
		{"nobody answers", true, false, 0, time.Minute, sessionTimeout + rebalanceTimeout, context.DeadlineExceeded},
		{"nobody answers in its time", true, false, 0, 3 * time.Second, 3 * time.Second, context.DeadlineExceeded},
		{"taken over, and then its time ends", true, false, 2500 * time.Millisecond, 3 * time.Second, 3 * time.Second, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := startTold(t)
				f.member, f.balancer.last = tc.member, tc.last
				if tc.left > 0 {
					time.AfterFunc(tc.left, func() { close(f.left) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), tc.budget)
				defer cancel()
				began := time.Now()
				err := f.Leave(ctx)
				if !errors.Is(err, tc.err) {
					t.Errorf("error %v, want %v", err, tc.err)
				}
				if took := time.Since(began); took != tc.want {
					t.Errorf("it took %s, want %s", took, tc.want)
				}
				<-f.obeyed // and it is told nothing more
				f.want(t, nil)
				if !f.balancer.claim.Leaving {
					t.Error("its claim does not say that it leaves")
				}
				time.Sleep(time.Hour) // until all timers have come
			})
		})
	}
}
