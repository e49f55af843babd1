package rollup

import (
	"context"
	"fmt"
	"time"
)

// freeShare is how much of its disk a store leaves free, if it can.
const freeShare = 0.05

// Use is what a store takes up.
type Use struct {
	Size int64 // bytes
	// Free is how many bytes it can take up yet, of a disk of Disk bytes; Disk is 0
	// where that is not known.
	Free, Disk int64
}

// excess is how many bytes too many there are. A disk that others have filled, so
// that not even a store without anything would leave enough of it free, is none of
// the store's business.
func (u Use) excess(maxSize int64) int64 {
	over := int64(0)
	if maxSize > 0 {
		over = max(0, u.Size-maxSize)
	}
	if missing := int64(freeShare*float64(u.Disk)) - u.Free; u.Disk > 0 && missing < u.Size {
		over = max(over, missing)
	}
	return over
}

// Shrinkable is a store that can be made smaller.
type Shrinkable interface {
	// Use tells what the store takes up now.
	Use(ctx context.Context) (Use, error)
	// OldestReport returns the slot of the oldest report; zero where there is none.
	OldestReport(ctx context.Context) (time.Time, error)
	// Cut remembers a moment, so that what was summed up from the reports of slots
	// before it is not made again, and then deletes these. After an error some of them
	// may be left; the same moment may be given again.
	Cut(ctx context.Context, until time.Time) error
}

// Shrunk is what [Shrink] has done.
type Shrunk struct {
	From time.Time // the moment before which reports were deleted, or began to be; zero: none were
	Over int64     // bytes that are too many still
}

// Shrink deletes the oldest reports after the last cut, by whole days, while the
// store is larger than maxSize bytes (0: any size) or leaves less than a twentieth of
// its disk free. What is not before latest stays. A cut that left something of its
// time, as it failed halfway, is finished before there is a further one: else each
// failure would cost a day that need not go.
func Shrink(ctx context.Context, s Shrinkable, maxSize int64, cut, latest time.Time) (done Shrunk, err error) {
	for finished := false; ; finished = true {
		use, err := s.Use(ctx)
		if err != nil {
			return done, fmt.Errorf("measure the store: %w", err)
		}
		if done.Over = use.excess(maxSize); done.Over == 0 {
			return done, nil
		}
		oldest, err := s.OldestReport(ctx)
		if err != nil {
			return done, fmt.Errorf("look for the oldest report: %w", err)
		}
		if oldest.IsZero() {
			return done, nil
		}
		until := cut
		if finished || !oldest.Before(cut) {
			until = later(oldest, cut).Truncate(Days.Width()).Add(Days.Width())
			if until.After(latest) {
				return done, nil
			}
			done.From = until
		}
		if err := s.Cut(ctx, until); err != nil {
			return done, fmt.Errorf("delete the reports before %s: %w", until.Format(time.DateOnly), err)
		}
		cut = until
	}
}
