package web

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sitemon/availability"
)

// figureWindows are the windows over which lists show availability.
var figureWindows = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour}

// siteWindows are those over which the page of one site shows it.
var siteWindows = append(slices.Clip(figureWindows), 365*24*time.Hour)

const (
	// figureAge is how old an availability figure may be when it is shown.
	figureAge = 30 * time.Second
	// trendAge is the same for the days and hours of a list's rows, of which one in
	// many changes.
	trendAge = 2 * time.Minute
	// staleFor is how many times older something may be shown while it is read anew.
	staleFor = 10
)

// siteCache keeps what is costly to read of sites, by their names, so that lists of
// thousands of sites do not sum up their history each time. While it runs, what has
// just become too old is shown once more and read in the background.
type siteCache[T any] struct {
	read func(ctx context.Context, names []string) (map[string]T, error)
	keep func(T) bool // a value that is not kept is read again the next time; nil: all are kept
	age  time.Duration
	now  func() time.Time

	turn    chan struct{} // holds one token: who has it may read and fill entries
	running atomic.Bool

	mu      sync.Mutex
	entries map[string]cached[T]
	stale   map[string]bool // to be read in the background
	wake    chan struct{}   // holds one token while there is something to read
	swept   time.Time
}

type cached[T any] struct {
	at    time.Time
	value T
}

func newSiteCache[T any](age time.Duration, now func() time.Time, keep func(T) bool, read func(context.Context, []string) (map[string]T, error)) *siteCache[T] {
	c := &siteCache[T]{
		read: read, keep: keep, age: age, now: now,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), entries: map[string]cached[T]{}, stale: map[string]bool{},
	}
	c.turn <- struct{}{}
	return c
}

// newFigureCache keeps availability figures over windows, in that order. The first
// figure of a site is not made to wait.
func newFigureCache(h History, now func() time.Time, windows []time.Duration) *siteCache[[]availability.Figure] {
	keep := func(f []availability.Figure) bool { return len(f) > 0 && f[0].Availability != nil }
	return newSiteCache(figureAge, now, keep, func(ctx context.Context, names []string) (map[string][]availability.Figure, error) {
		return h.Availabilities(ctx, names, now(), windows)
	})
}

// of returns what there is of each name. A name that the store does not know is
// missing.
func (c *siteCache[T]) of(ctx context.Context, names []string) (map[string]T, error) {
	found := make(map[string]T, len(names))
	if missing := c.take(names, found); len(missing) == 0 {
		return found, nil
	}
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// What others have read meanwhile is there now.
	missing := c.take(names, found)
	if len(missing) == 0 {
		return found, nil
	}
	fresh, err := c.fill(ctx, missing)
	maps.Copy(found, fresh)
	return found, err
}

// take puts what is there into found, and returns the names of which nothing is.
func (c *siteCache[T]) take(names []string, found map[string]T) (missing []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.sweep(now)
	for _, n := range names {
		e, ok := c.entries[n]
		switch age := now.Sub(e.at); {
		case ok && age < c.age:
			found[n] = e.value
		case ok && age < staleFor*c.age && c.running.Load():
			found[n] = e.value
			c.stale[n] = true
		default:
			missing = append(missing, n)
		}
	}
	if len(c.stale) > 0 {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return missing
}

// fill reads names and keeps what it reads. The caller has the turn.
func (c *siteCache[T]) fill(ctx context.Context, names []string) (map[string]T, error) {
	now := c.now()
	fresh, err := c.read(ctx, names)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, v := range fresh {
		if c.keep == nil || c.keep(v) {
			c.entries[n] = cached[T]{now, v}
		}
	}
	return fresh, nil
}

// run reads in the background what was shown though it is too old, and forgets what is
// much older when nobody asks any more, until ctx ends.
func (c *siteCache[T]) run(ctx context.Context) {
	c.running.Store(true)
	defer c.running.Store(false)
	forget := time.NewTicker(c.age)
	defer forget.Stop()
	for {
		select {
		case <-c.wake:
		case <-forget.C:
			c.mu.Lock()
			c.sweep(c.now())
			c.mu.Unlock()
			continue
		case <-ctx.Done():
			return
		}
		select {
		case <-c.turn:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		var names []string
		for n := range c.stale {
			names = append(names, n)
		}
		clear(c.stale)
		c.mu.Unlock()
		// Where this fails, or panics, what is there grows too old, and whoever asks is told.
		_ = guarded(nil, func() error {
			_, err := c.fill(ctx, names)
			return err
		})
		c.turn <- struct{}{}
	}
}

// sweep forgets what nobody may be shown any more, so that removed sites do not
// stay. The caller holds the lock.
func (c *siteCache[T]) sweep(now time.Time) {
	if now.Sub(c.swept) < c.age {
		return
	}
	c.swept = now
	for n, e := range c.entries {
		if now.Sub(e.at) >= staleFor*c.age {
			delete(c.entries, n)
		}
	}
}
