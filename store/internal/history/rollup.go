package history

import (
	"context"
	"fmt"
	"time"

	"sitemon/availability"
)

// rollupHours is how many hours are rolled up at a time.
const rollupHours = 6

// Claimable returns the time up to which a store may claim, in whole steps. Reports
// that come later than a minute after their time leave marks.
func Claimable(now time.Time, step time.Duration) time.Time {
	return now.Add(-time.Minute).UTC().Truncate(step)
}

// Claim returns the progress after time has been claimed: from now on, every report
// of a slot before it leaves a mark, so that none can slip in while its hour is
// rolled up. Before the first claim the sums begin with the hour of the oldest
// report, which may be zero.
func (p Progress) Claim(until, oldest time.Time) Progress {
	if p.Claimed.IsZero() {
		p.Hours = until.Truncate(time.Hour)
		if !oldest.IsZero() && oldest.Before(p.Hours) {
			p.Hours = oldest.Truncate(time.Hour)
		}
		p.Parts, p.Days = p.Hours, p.Hours.Truncate(day)
	}
	p.Claimed = later(p.Claimed, until)
	return p
}

// Sums is what a rollup does to a store's sums of hours and days.
type Sums interface {
	// RollHours makes the sums of the hours in [from, to) of all sites.
	RollHours(ctx context.Context, from, to time.Time) error
	// RollDay makes the sums of a day of all sites from those of its hours.
	RollDay(ctx context.Context, start time.Time) error
	// Advance stores how far the sums are.
	Advance(ctx context.Context, p Progress) error
}

// Rollup makes the sums of the whole hours that have been claimed, and of the days
// that are over with them, and says how far they are. After an error or a kill, the
// next call goes on where it ended.
func Rollup(ctx context.Context, s Sums, p Progress) (Progress, error) {
	for whole := p.Claimed.Truncate(time.Hour); p.Hours.Before(whole); {
		end := earlier(p.Hours.Add(rollupHours*time.Hour), whole)
		if err := s.RollHours(ctx, p.Hours, end); err != nil {
			return p, fmt.Errorf("hours: %w", err)
		}
		p.Hours, p.Parts = end, later(p.Parts, end)
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

// Hour is the sum of one hour of a site.
type Hour struct {
	Site  int64
	Start time.Time
	Sum   availability.Sum
}

// SumHours sums up the hours in [from, to) of some sites from their reports; from and
// to may lie within hours, of which they cut off a part. Hours without any report
// have no sum.
func SumHours(ctx context.Context, read Reports, sites []int64, from, to time.Time) (hours []Hour, err error) {
	edges := []time.Time{from}
	for h := from.Truncate(time.Hour).Add(time.Hour); h.Before(to); h = h.Add(time.Hour) {
		edges = append(edges, h)
	}
	edges = append(edges, to)
	err = read(ctx, sites, from, to, func(site int64, reports []availability.Report) {
		for _, span := range availability.Spans(edges, availability.Options{}, reports) {
			if span.Sum.Reports > 0 || span.Sum.Known() > 0 {
				hours = append(hours, Hour{site, span.From.Truncate(time.Hour), span.Sum})
			}
		}
	})
	return hours, err
}
