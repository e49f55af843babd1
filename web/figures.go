package web

import (
	"context"
	"time"

	"sitemon/availability"
)

// figureWindows are the windows over which lists show availability.
var figureWindows = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour}

// figureAge is how old a figure may be when it is shown.
const figureAge = 30 * time.Second

// figureCache keeps the availability figures of sites for half a minute, so
// that lists of thousands of sites do not sum up their history each time.
type figureCache struct {
	history History
	now     func() time.Time
	turn    chan struct{} // holds one token: who has it may read and fill entries
	entries map[string]figureEntry
	swept   time.Time
}

type figureEntry struct {
	at      time.Time
	figures []availability.Figure
}

func newFigureCache(h History, now func() time.Time) *figureCache {
	c := &figureCache{history: h, now: now, turn: make(chan struct{}, 1), entries: map[string]figureEntry{}}
	c.turn <- struct{}{}
	return c
}

// of returns the figures of each name over [figureWindows], in that order. A
// name that the store does not know is missing.
func (c *figureCache) of(ctx context.Context, names []string) (map[string][]availability.Figure, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := c.now()
	c.sweep(now)
	found := make(map[string][]availability.Figure, len(names))
	var missing []string
	for _, n := range names {
		if e, ok := c.entries[n]; ok && now.Sub(e.at) < figureAge {
			found[n] = e.figures
		} else {
			missing = append(missing, n)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	fresh, err := c.history.Availabilities(ctx, missing, now, figureWindows)
	if err != nil {
		return nil, err
	}
	for n, f := range fresh {
		found[n] = f
		if len(f) > 0 && f[0].Availability != nil { // the first figure of a site is not made to wait
			c.entries[n] = figureEntry{now, f}
		}
	}
	return found, nil
}

// sweep forgets what is too old, so that removed sites do not stay.
func (c *figureCache) sweep(now time.Time) {
	if now.Sub(c.swept) < figureAge {
		return
	}
	c.swept = now
	for n, e := range c.entries {
		if now.Sub(e.at) >= figureAge {
			delete(c.entries, n)
		}
	}
}
