package history

import (
	"context"
	"fmt"
	"time"

	"sitemon/availability"
)

const (
	// rollupDelay is how long after its end an hour is rolled up. Reports that
	// come later are late: they leave marks.
	rollupDelay = time.Minute
	// rollupHours is how many hours are rolled up at a time.
	rollupHours = 6
)

// Sums is what a rollup does to a store's sums of hours and days.
type Sums interface {
	// Claim makes every report of an hour before the given one leave a mark from now
	// on, so that none can slip in while its hour is rolled up.
	Claim(ctx context.Context, hour time.Time) (Progress, error)
	// RollHours makes the sums of the hours in [from, to) of all sites.
	RollHours(ctx context.Context, from, to time.Time) error
	// RollDay makes the sums of a day of all sites from those of its hours.
	RollDay(ctx context.Context, start time.Time) error
	// Advance stores how far the sums are.
	Advance(ctx context.Context, p Progress) error
}

// Rollup makes the sums of the hours and days that are over by now, and says how
// far they are. After an error or a kill, the next call goes on where it ended.
func Rollup(ctx context.Context, s Sums, now time.Time) (p Progress, err error) {
	if p, err = s.Claim(ctx, now.Add(-rollupDelay).UTC().Truncate(time.Hour)); err != nil {
		return p, fmt.Errorf("claim hours: %w", err)
	}
	for p.Hours.Before(p.Claimed) {
		end := earlier(p.Hours.Add(rollupHours*time.Hour), p.Claimed)
		if err := s.RollHours(ctx, p.Hours, end); err != nil {
			return p, fmt.Errorf("hours: %w", err)
		}
		p.Hours = end
		if err := s.Advance(ctx, p); err != nil {
			return p, fmt.Errorf("hours: %w", err)
		}
	}
	for next := p.Days.Add(day); !next.After(p.Hours); next = p.Days.Add(day) {
		if err := s.RollDay(ctx, p.Days); err != nil {
			return p, fmt.Errorf("days: %w", err)
		}
		p.Days = next
		if err := s.Advance(ctx, p); err != nil {
			return p, fmt.Errorf("days: %w", err)
		}
	}
	return p, nil
}

// Claim returns the progress after an hour has been claimed. Before the first one
// the sums begin with the hour of the oldest report, which may be zero.
func (p Progress) Claim(hour, oldest time.Time) Progress {
	if p.Claimed.IsZero() {
		p.Hours = hour
		if !oldest.IsZero() && oldest.Before(hour) {
			p.Hours = oldest.Truncate(time.Hour)
		}
		p.Days = p.Hours.Truncate(day)
	}
	p.Claimed = later(p.Claimed, hour)
	return p
}

// Hour is the sum of one hour of a site.
type Hour struct {
	Site  int64
	Start time.Time
	Sum   availability.Sum
}

// Hours sums up the hours in [from, to) of some sites from their reports. Hours
// without any have no sum.
func Hours(ctx context.Context, read Reports, sites []int64, from, to time.Time) (hours []Hour, err error) {
	edges := []time.Time{from}
	for h := from.Add(time.Hour); !h.After(to); h = h.Add(time.Hour) {
		edges = append(edges, h)
	}
	err = read(ctx, sites, from, to, func(site int64, reports []availability.Report) {
		for _, span := range availability.Spans(edges, availability.Options{}, reports) {
			if span.Sum.Reports > 0 || span.Sum.Known() > 0 {
				hours = append(hours, Hour{site, span.From, span.Sum})
			}
		}
	})
	return hours, err
}
