package availability

import (
	"encoding/binary"
	"fmt"
	"iter"
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
// none. Two that counted the same are equal.
type Histogram struct {
	// packed has of each bin that is not empty, in their order, how far it is from the
	// one before, doubled, and one more if it counts more than one; then by how much
	// more than two that is. Numbers are unsigned varints.
	packed string
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

// least returns the first µs of a bin.
func least(index int) time.Duration {
	if index < exactBins {
		return time.Duration(index) * time.Microsecond
	}
	octave, part := exactBits+(index-exactBins)/perOctave, (index-exactBins)%perOctave
	return time.Duration(uint64(1)<<octave+(uint64(part)<<octave+perOctave-1)/perOctave) * time.Microsecond
}

// middle returns the duration that is relatively the nearest to all of a bin, in
// whole µs.
func middle(index int) time.Duration {
	if index < exactBins {
		return time.Duration(index) * time.Microsecond
	}
	first, last := float64(least(index).Microseconds()), float64(least(index+1).Microseconds()-1)
	return time.Duration(2*first*last/(first+last)+0.5) * time.Microsecond
}

// reader goes through the bins of a histogram.
type reader struct {
	rest  string
	index int // of the bin at hand; below 0 before the first one
	count int64
}

func (h Histogram) bins() reader { return reader{rest: h.packed, index: -1} }

// next goes on to the next bin and says whether there is one.
func (r *reader) next() bool {
	if r.rest == "" {
		return false
	}
	step := r.number()
	r.index += 1 + int(step>>1)
	if r.count = 1; step&1 != 0 {
		r.count = 2 + int64(r.number())
	}
	return true
}

// number reads a varint.
func (r *reader) number() (n uint64) {
	for i := 0; i < len(r.rest); i++ {
		b := r.rest[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.rest = ""
	return n
}

// packer is the inverse of a reader.
type packer struct {
	packed []byte
	after  int // the last bin
}

func newPacker(space int) packer { return packer{make([]byte, 0, space), -1} }

func (p *packer) add(index int, count int64) {
	step := uint64(index-p.after-1) << 1
	p.after = index
	if count == 1 {
		p.packed = binary.AppendUvarint(p.packed, step)
		return
	}
	p.packed = binary.AppendUvarint(p.packed, step|1)
	p.packed = binary.AppendUvarint(p.packed, uint64(count-2))
}

// Count returns how many durations were counted.
func (h Histogram) Count() int {
	n := int64(0)
	for r := h.bins(); r.next(); {
		n += r.count
	}
	return int(n)
}

// Merge returns what both have counted together.
func (h Histogram) Merge(o Histogram) Histogram {
	switch {
	case o.packed == "":
		return h
	case h.packed == "":
		return o
	}
	merged := newPacker(len(h.packed) + len(o.packed))
	a, b := h.bins(), o.bins()
	moreA, moreB := a.next(), b.next()
	for moreA || moreB {
		switch {
		case moreA && moreB && a.index == b.index:
			merged.add(a.index, a.count+b.count)
			moreA, moreB = a.next(), b.next()
		case moreA && (!moreB || a.index < b.index):
			merged.add(a.index, a.count)
			moreA = a.next()
		default:
			merged.add(b.index, b.count)
			moreB = b.next()
		}
	}
	return Histogram{string(merged.packed)}
}

// Bin is one bin of a [Histogram] that is not empty: how many durations it counts
// that are at least From and less than To.
type Bin struct {
	From, To time.Duration
	Count    int
}

// Bins returns the bins that are not empty, in ascending order. Up to 64 µs each
// whole µs is one, from there on each octave is divided into ten.
func (h Histogram) Bins() iter.Seq[Bin] {
	return func(yield func(Bin) bool) {
		for r := h.bins(); r.next(); {
			if !yield(Bin{least(r.index), least(r.index + 1), int(r.count)}) {
				return
			}
		}
	}
}

// Percentile returns a percentile by nearest rank, at most 5 % off; zero where
// nothing was counted.
func (h Histogram) Percentile(percent int) time.Duration {
	left := rank(h.Count(), percent)
	for r := h.bins(); r.next(); {
		if left -= int(r.count); left < 0 {
			return middle(r.index)
		}
	}
	return 0
}

// Bytes returns the form in which a histogram is stored; nil for one that counts
// nothing.
func (h Histogram) Bytes() []byte {
	if h.packed == "" {
		return nil
	}
	return []byte(h.packed)
}

// ParseHistogram is the inverse of [Histogram.Bytes]. It keeps nothing of b. The
// error wraps [sitemon.ErrInvalid].
func ParseHistogram(b []byte) (Histogram, error) {
	index := uint64(0)
	for rest := b; len(rest) > 0; index++ {
		step, n := binary.Uvarint(rest)
		if n <= 0 || index+min(step>>1, maxBins) >= maxBins {
			return Histogram{}, errNoHistogram
		}
		index += step >> 1
		if rest = rest[n:]; step&1 == 0 {
			continue
		}
		count, n := binary.Uvarint(rest)
		if n <= 0 || count > 1<<53 {
			return Histogram{}, errNoHistogram
		}
		rest = rest[n:]
	}
	return Histogram{string(b)}, nil
}

var errNoHistogram = fmt.Errorf("%w: no histogram", sitemon.ErrInvalid)

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
	p := newPacker(2 * len(c.used))
	for _, i := range c.used {
		p.add(int(i), c.counts[i])
		c.counts[i] = 0
	}
	c.used = c.used[:0]
	return Histogram{string(p.packed)}
}
