// Package slot decides when a site is due.
//
// The slots of a site are phase + k·interval on the wall clock, counted from
// 1970 UTC, where the phase is a hash of the site's name. So the load of many
// sites spreads evenly by itself, and a restart, a reload or another machine
// keeps every site's rhythm. All functions are pure.
package slot

import (
	"time"

	"github.com/cespare/xxhash/v2"
)

// Hash is xxhash64, seed 0, of the name's bytes. Its remainder by the interval
// is the phase; its high 32 bits choose the shard.
func Hash(name string) uint64 { return xxhash.Sum64String(name) }

// Grid is the endless row of slots of one site.
type Grid struct {
	// Phase is the first slot at or after 1970, in [0, Interval).
	Phase time.Duration
	// Interval is the distance of two slots, in whole milliseconds, at least 1 ms.
	Interval time.Duration
}

// NewGrid returns the slots of a site by its name and interval.
func NewGrid(name string, interval time.Duration) Grid {
	ms := uint64(interval.Milliseconds())
	return Grid{Phase: time.Duration(Hash(name)%ms) * time.Millisecond, Interval: interval}
}

// After returns the first slot after t.
func (g Grid) After(t time.Time) time.Time { return g.at(g.index(t) + 1) }

// AtOrBefore returns the last slot that is not after t.
func (g Grid) AtOrBefore(t time.Time) time.Time { return g.at(g.index(t)) }

// Has reports whether t is a slot.
func (g Grid) Has(t time.Time) bool { return g.at(g.index(t)).Equal(t) }

// Count returns how many slots lie in [from, to).
func (g Grid) Count(from, to time.Time) int {
	if !from.Before(to) {
		return 0
	}
	return int(g.index(to.Add(-1)) - g.index(from.Add(-1)))
}

// index is k of the last slot that is not after t. Milliseconds are enough: a
// slot has no smaller part, so what t has below one does not change the answer.
func (g Grid) index(t time.Time) int64 {
	ms, step := t.UnixMilli()-g.Phase.Milliseconds(), g.Interval.Milliseconds()
	k := ms / step
	if ms%step < 0 {
		k--
	}
	return k
}

func (g Grid) at(k int64) time.Time {
	return time.UnixMilli(g.Phase.Milliseconds() + k*g.Interval.Milliseconds()).UTC()
}

// Extra returns the slot off the grid that a site gets when it is new, enabled
// again or probed differently: the moment its generation was loaded plus its
// hash mod n milliseconds, n being how many sites the generation changed. ok is
// false where a slot of the grid comes first, which then serves.
func Extra(name string, g Grid, loadedAt time.Time, n int) (at time.Time, ok bool) {
	at = loadedAt.Truncate(time.Millisecond).Add(time.Duration(Hash(name)%uint64(max(n, 1))) * time.Millisecond).UTC()
	return at, at.Before(g.After(loadedAt))
}
