package scheduler

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// tick is the step of the clock's timers. A probe starts up to so late; in
// return the process wakes at most 200 times a second, however many sites it
// has, which at 1,000 probes a second saves about 20 µs of CPU a probe.
const tick = 5 * time.Millisecond

const (
	// handovers is how many runs may be on their way through gocron.
	handovers = 64
	// handoverTime is after how long one of them counts as lost: its job was
	// removed on the way.
	handoverTime = 50 * time.Millisecond
)

// clock is gocron's clock. Its time of day is the scheduler's, so that gocron
// aims each timer at that. Its timers fire one after the other, from one
// goroutine, and wait while too many of the runs that they began are on their
// way through gocron.
//
// That keeps an overloaded scheduler working. gocron hands each run from
// goroutine to goroutine five times, and one goroutine has a part in all of that.
// If every timer fired by itself, as many goroutines as jobs are due would wait
// for that one, which gets its turn after all of them, and falls back further:
// with 5,000 slots a second on two busy cores it never caught up again.
type clock struct {
	clockwork.Clock // for what gocron does not use
	now             func() time.Time
	began           time.Time     // timers count from here, on the monotonic clock
	wake            chan struct{} // holds a token when the first timer is another
	flight          chan struct{} // a token for each run on its way

	mu     sync.Mutex
	timers timers
}

func newClock(now func() time.Time) *clock {
	return &clock{Clock: clockwork.NewRealClock(), now: now, began: time.Now(), wake: make(chan struct{}, 1), flight: make(chan struct{}, handovers)}
}

// Now returns the wall clock without its monotonic part, so that differences to
// it are those of the time of day.
func (c *clock) Now() time.Time { return c.now().Round(0) }

// Until returns the time left until t by the wall clock.
func (c *clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Since returns the time since t by the wall clock.
func (c *clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// AfterFunc has run call f once d has passed.
func (c *clock) AfterFunc(d time.Duration, f func()) clockwork.Timer {
	t := &timer{clock: c, at: time.Since(c.began) + d, call: f}
	c.push(t)
	return t
}

func (c *clock) push(t *timer) {
	c.mu.Lock()
	heap.Push(&c.timers, t)
	first := t.index == 0
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// run fires the timers until ctx ends.
func (c *clock) run(ctx context.Context) {
	sleep := time.NewTimer(0)
	defer sleep.Stop()
	for ctx.Err() == nil {
		call, wait := c.next()
		if call != nil {
			c.depart()
			call()
			continue
		}
		sleep.Reset(wait)
		select {
		case <-ctx.Done():
		case <-c.wake:
		case <-sleep.C:
		}
	}
}

// depart waits until one more run may be on its way.
func (c *clock) depart() {
	select {
	case c.flight <- struct{}{}:
		return
	default:
	}
	lost := time.NewTimer(handoverTime)
	defer lost.Stop()
	select {
	case c.flight <- struct{}{}:
	case <-lost.C: // its token goes on with this run
	}
}

// handedOver says that a run has come through.
func (c *clock) handedOver() {
	select {
	case <-c.flight:
	default: // its token went on with another run
	}
}

// next takes the first timer if it is due, else it says how long to sleep: until
// the end of the tick in which the first timer is due.
func (c *clock) next() (call func(), wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return nil, time.Hour
	}
	now, first := time.Since(c.began), c.timers[0]
	if first.at > now {
		return nil, (first.at + tick - 1).Truncate(tick) - now
	}
	heap.Pop(&c.timers)
	return first.call, 0
}

// timer is one timer of a [clock]. It implements [clockwork.Timer].
type timer struct {
	clock *clock
	at    time.Duration // since the clock began
	call  func()
	index int // in the heap; -1: it has fired or was stopped
}

// Stop keeps the timer from firing; false: it has fired or was stopped before.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// Reset makes the timer fire when d has passed.
func (t *timer) Reset(d time.Duration) bool {
	pending := t.Stop()
	t.at = time.Since(t.clock.began) + d
	t.clock.push(t)
	return pending
}

// Chan returns nil: a timer that calls has no channel.
func (t *timer) Chan() <-chan time.Time { return nil }

// timers are a heap by the moment at which they fire.
type timers []*timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at < h[j].at }

func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *timers) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop implements [heap.Interface].
func (h *timers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
