package availability

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"sitemon"
)

const (
	// exactBins is how many bins hold one whole number of µs each.
	exactBins = 64
	exactBits = 6 // exactBins is 1 << exactBits
	// perOctave is into how many bins the values are divided between any power of
	// two and the next. A value in the first of them, which is relatively the
	// widest, is at most 1 in 21 off: 4.8 %.
	perOctave = 10
	// maxBins is how many bins there are: µs are below 2^54.
	maxBins = exactBins + (54-exactBits)*perOctave
)

// Histogram counts durations in bins that are so narrow that a percentile is at
// most 5 % off, whatever was merged in whatever order. It is computed with whole
// numbers alone, so that it comes out the same everywhere. The zero value counts
// none. A Histogram is never changed, but replaced.
type Histogram struct{ bins []bin } // sorted by index, without empty ones

type bin struct {
	index int32
	count int64
}

// HistogramOf counts some durations.
func HistogramOf(durations ...time.Duration) Histogram {
	var c counter
	for _, d := range durations {
		c.add(d)
	}
	return c.take()
}

// binOf returns the bin of a duration; what a µs has after the point is cut off.
func binOf(d time.Duration) int {
	us := uint64(max(0, d.Microseconds()))
	if us < exactBins {
		return int(us)
	}
	octave := bits.Len64(us) - 1
	return exactBins + (octave-exactBits)*perOctave + int((us-1<<octave)*perOctave>>octave)
}

// middle returns the duration that is relatively the nearest to all of a bin, in
// whole µs.
func middle(index int) time.Duration {
	if index < exactBins {
		return time.Duration(index) * time.Microsecond
	}
	octave := exactBits + (index-exactBits)/perOctave
	least := func(part int) uint64 { // the first µs of a part of the octave
		return 1<<octave + (uint64(part)<<octave+perOctave-1)/perOctave
	}
	part := (index - exactBins) % perOctave
	first, last := float64(least(part)), float64(least(part+1)-1)
	return time.Duration(2*first*last/(first+last)+0.5) * time.Microsecond
}

// Count returns how many durations were counted.
func (h Histogram) Count() int {
	n := int64(0)
	for _, b := range h.bins {
		n += b.count
	}
	return int(n)
}

// Merge returns what both have counted together.
func (h Histogram) Merge(o Histogram) Histogram {
	switch {
	case len(o.bins) == 0:
		return h
	case len(h.bins) == 0:
		return o
	}
	merged := make([]bin, 0, len(h.bins)+len(o.bins))
	a, b := h.bins, o.bins
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].index < b[0].index:
			merged, a = append(merged, a[0]), a[1:]
		case a[0].index > b[0].index:
			merged, b = append(merged, b[0]), b[1:]
		default:
			merged = append(merged, bin{a[0].index, a[0].count + b[0].count})
			a, b = a[1:], b[1:]
		}
	}
	merged = append(append(merged, a...), b...)
	return Histogram{merged}
}

// Percentile returns a percentile by nearest rank, at most 5 % off; zero where
// nothing was counted.
func (h Histogram) Percentile(percent int) time.Duration {
	left := rank(h.Count(), percent)
	for _, b := range h.bins {
		if left -= int(b.count); left < 0 {
			return middle(int(b.index))
		}
	}
	return 0
}

// Append appends the form in which a histogram is stored, of which there is one for
// what was counted: of each bin how far it is from the one before, doubled, and one
// more if it counts more than one; then by how much more than two that is. Numbers
// are unsigned varints.
func (h Histogram) Append(b []byte) []byte {
	before := int32(-1)
	for _, x := range h.bins {
		step := uint64(x.index-before-1) << 1
		before = x.index
		if x.count == 1 {
			b = binary.AppendUvarint(b, step)
			continue
		}
		b = binary.AppendUvarint(b, step|1)
		b = binary.AppendUvarint(b, uint64(x.count-2))
	}
	return b
}

// ParseHistogram is the inverse of [Histogram.Append]. It keeps nothing of b. The
// error wraps [sitemon.ErrInvalid].
func ParseHistogram(b []byte) (Histogram, error) {
	var h Histogram
	number := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		b = b[max(0, n):]
		return v, n > 0
	}
	if len(b) > 0 {
		h.bins = make([]bin, 0, len(b)) // each takes a byte at least
	}
	for next := uint64(0); len(b) > 0; next++ {
		step, ok := number()
		count := uint64(1)
		if ok && step&1 != 0 {
			count, ok = number()
			count = min(count, 1<<53) + 2
		}
		if next += min(step>>1, maxBins); !ok || next >= maxBins || count > 1<<53 {
			return Histogram{}, fmt.Errorf("%w: no histogram", sitemon.ErrInvalid)
		}
		h.bins = append(h.bins, bin{int32(next), int64(count)})
	}
	return h, nil
}

// counter makes a histogram.
type counter struct {
	counts []int64 // by bin; nil: nothing was counted yet
	used   []int32 // the bins that are not empty
}

func (c *counter) add(d time.Duration) {
	if c.counts == nil {
		c.counts = make([]int64, maxBins)
	}
	i := binOf(d)
	if c.counts[i] == 0 {
		c.used = append(c.used, int32(i))
	}
	c.counts[i]++
}

// take returns what was counted, and begins anew.
func (c *counter) take() Histogram {
	if len(c.used) == 0 {
		return Histogram{}
	}
	slices.Sort(c.used)
	h := Histogram{make([]bin, len(c.used))}
	for n, i := range c.used {
		h.bins[n] = bin{i, c.counts[i]}
		c.counts[i] = 0
	}
	c.used = c.used[:0]
	return h
}
