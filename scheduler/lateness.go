package scheduler

import (
	"math"
	"sync"
	"time"
)

const (
	lateBuckets = 160              // of a quarter octave each: 1 µs to 18 minutes
	latePeriod  = 60 * time.Second // two periods are kept
)

// lateness counts durations in buckets of equal ratio (19 % apart), over the
// running and the last period.
type lateness struct {
	mu      sync.Mutex
	began   time.Time
	now     [lateBuckets]uint32
	earlier [lateBuckets]uint32
}

// observe counts one duration that was measured at a moment.
func (l *lateness) observe(at time.Time, d time.Duration) {
	i := 0
	if us := float64(d) / float64(time.Microsecond); us > 1 {
		i = min(int(4*math.Log2(us)), lateBuckets-1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.Sub(l.began).Abs() > latePeriod {
		l.earlier, l.now, l.began = l.now, [lateBuckets]uint32{}, at
	}
	l.now[i]++
}

// quantile returns the duration that a share q of the counted ones does not
// exceed, rounded up to its bucket's end; 0 where nothing was counted.
func (l *lateness) quantile(q float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var total uint64
	for i := range lateBuckets {
		total += uint64(l.now[i]) + uint64(l.earlier[i])
	}
	if total == 0 {
		return 0
	}
	rank, sum := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i := range lateBuckets {
		if sum += uint64(l.now[i]) + uint64(l.earlier[i]); sum >= rank {
			return time.Duration(math.Exp2(float64(i+1)/4) * float64(time.Microsecond))
		}
	}
	return 0
}
