package availability

import (
	"fmt"
	"time"

	"sitemon"
)

// MaxSeries is how many buckets of each site a [SeriesQuery] may have.
const MaxSeries = 1000

// SeriesQuery asks for the same buckets of many sites, as [Query] does for one.
type SeriesQuery struct {
	Names    []string
	From, To time.Time
	Step     time.Duration
	Zone     *time.Location // of steps of whole days; nil: UTC
	// Latency is wanted too, which costs.
	Latency bool
}

// Check says what is wrong with a query, as an error that wraps
// [sitemon.ErrInvalid].
func (q SeriesQuery) Check() error {
	if err := (Query{From: q.From, To: q.To, Step: q.Step}).Check(); err != nil {
		return err
	}
	if q.To.Sub(q.From)/q.Step > MaxSeries {
		return fmt.Errorf("%w: step %s makes more than %d buckets of the window", sitemon.ErrInvalid, q.Step, MaxSeries)
	}
	return nil
}

// SeriesBucket is one step of a window of one of many sites: less than a [Bucket]
// holds, as there are many. Its durations add up to its width.
type SeriesBucket struct {
	Start       time.Time
	Up          time.Duration
	Degraded    time.Duration
	Down        time.Duration
	Unknown     time.Duration
	Maintenance time.Duration
	// Mean is the mean duration of the reports that are up or degraded; 0 where there
	// is none, or it was not asked for.
	Mean time.Duration
}

// NewSeriesBucket makes a bucket of what it comes to.
func NewSeriesBucket(start time.Time, s Sum) SeriesBucket {
	b := SeriesBucket{Start: start, Up: s.Up, Degraded: s.Degraded, Down: s.Down, Unknown: s.Unknown, Maintenance: s.Maintenance}
	if s.Timed > 0 {
		b.Mean = s.Total / time.Duration(s.Timed)
	}
	return b
}

// Figure returns the availability and coverage of the bucket.
func (b SeriesBucket) Figure() Figure {
	s := Sum{Up: b.Up, Degraded: b.Degraded, Down: b.Down, Unknown: b.Unknown, Maintenance: b.Maintenance}
	return s.Figure(s.Width())
}
