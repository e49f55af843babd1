package shards

import (
	"fmt"
	"strings"

	"sitemon/slot"
)

// Share is a part of all sites: those of some shards. The zero Share is
// everything, so that one who was told nothing leaves no gap. Shares are
// comparable with ==, and print as "21 of 64 shards".
type Share struct {
	of   int    // shards there are; 0: one, which is owned
	bits string // a bit per shard, the lowest of the first byte first
}

// NewShare returns the share of the given shards, of which there are of. Numbers
// that are no shard are left out.
func NewShare(of int, shards ...int) Share {
	of = max(of, 1)
	bits := make([]byte, (of+7)/8)
	for _, p := range shards {
		if p >= 0 && p < of {
			bits[p/8] |= 1 << (p % 8)
		}
	}
	return Share{of: of, bits: string(bits)}
}

// All returns the share of everything, in so many shards.
func All(of int) Share {
	of = max(of, 1)
	shards := make([]int, of)
	for p := range shards {
		shards[p] = p
	}
	return NewShare(of, shards...)
}

// None returns the share of nothing, in so many shards.
func None(of int) Share { return NewShare(of) }

// Has reports whether a site belongs to the share. The shard of a site is the
// upper half of its slot hash mod the number of shards: the lower half is in its
// phase, and the two must not go together.
func (s Share) Has(site string) bool {
	return s.of == 0 || s.owns(int(slot.Hash(site)>>32%uint64(s.of)))
}

// Count returns how many shards the share has, and how many there are.
func (s Share) Count() (owned, of int) {
	if s.of == 0 {
		return 1, 1
	}
	return len(s.Shards()), s.of
}

// Shards returns the numbers of the share's shards, ascending.
func (s Share) Shards() []int {
	if s.of == 0 {
		return []int{0}
	}
	shards := []int{}
	for p := range s.of {
		if s.owns(p) {
			shards = append(shards, p)
		}
	}
	return shards
}

// String returns how much of the whole the share is.
func (s Share) String() string {
	owned, of := s.Count()
	return fmt.Sprintf("%d of %d shards", owned, of)
}

// with returns the share of what either has. Where they count shards
// differently, it is everything.
func (s Share) with(t Share) Share {
	if s.of != t.of {
		return All(max(s.of, t.of))
	}
	var b strings.Builder
	for i := range s.bits {
		b.WriteByte(s.bits[i] | t.bits[i])
	}
	return Share{of: s.of, bits: b.String()}
}

func (s Share) owns(p int) bool { return s.bits[p/8]>>(p%8)&1 == 1 }
