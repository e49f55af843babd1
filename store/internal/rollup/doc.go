// Package rollup is what the stores have in common in making rollups and in
// answering from them how available sites were. A store fetches and writes rows,
// this package says which and puts them together.
//
// There are sums of 5 minutes, of hours and of days. The first are made of the
// reports, hours of 5 minutes and days of hours ([Rollup]). A report that comes
// late, a maintenance or a vote that is recorded late leaves a mark, which has the
// sums of its time made again ([Tasks]).
//
// A window is answered from the coarsest sums that fit into it, and what they leave
// at its edges from finer ones, and in the end from reports, as far as these are
// kept ([Tiers]). A window beyond them has its edges moved out to those of the sums
// that are left.
package rollup

import (
	"context"
	"time"

	"sitemon/availability"
)

// Level is one of the widths of sums.
type Level int

// The levels, finest first.
const (
	FiveMinutes Level = iota
	Hours
	Days
)

// Levels are all of them, finest first.
func Levels() []Level { return []Level{FiveMinutes, Hours, Days} }

// Width is how much time one sum of the level is about.
func (l Level) Width() time.Duration {
	return [...]time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour}[l]
}

// Table is the name of the table of its sums.
func (l Level) Table() string {
	return [...]string{"availability_5m", "availability_1h", "availability_1d"}[l]
}

// Progress says how far the rollups are. It is zero before the first one.
type Progress struct {
	Begin   time.Time // the first 5 minutes that were made; an hour begins with them
	Fives   time.Time // 5 minutes from Begin on that begin before this have their sums
	Hours   time.Time // hours that begin before this have their sums
	Days    time.Time // so have days
	Claimed time.Time // a report of a slot before this leaves a mark
	Cut     time.Time // reports of slots before this are gone, as the store was too large; zero: none are
}

// done is up to where a level has its sums.
func (p Progress) done(l Level) time.Time { return [...]time.Time{p.Fives, p.Hours, p.Days}[l] }

// Row is a sum of a site. What the outcomes leave of its width is unknown; Unknown
// itself is not stored.
type Row struct {
	Site  int64
	Start time.Time
	Sum   availability.Sum
}

// Raw reads what sums are made of, all as of one moment.
type Raw interface {
	// Terms calls f for each of the sites that have any terms in [from, to) that are
	// not the usual ones. Those that hold at from are among them.
	Terms(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, t availability.Terms)) error
	// Reports reads reports that say something of the time in [from, to): those of its
	// slots, and of each location the newest one before it. It calls f once for each of
	// the sites that has any, with the reports of each location in the order of their
	// slots. The slice is used again after f. Without phases those of the reports may
	// be left out.
	Reports(ctx context.Context, sites []int64, from, to time.Time, phases bool, f func(site int64, reports []availability.Report)) error
}

// sweep sums up the spans between edges of some sites from their reports, and calls
// f for each site that has any report or maintenance in them.
func sweep(ctx context.Context, raw Raw, sites []int64, edges []time.Time, opts availability.Options, f func(site int64, spans []availability.Span)) error {
	from, to := edges[0], edges[len(edges)-1]
	terms := map[int64]availability.Terms{}
	if err := raw.Terms(ctx, sites, from, to, func(site int64, t availability.Terms) { terms[site] = t }); err != nil {
		return err
	}
	phases := opts.Histogram
	err := raw.Reports(ctx, sites, from, to, phases, func(site int64, reports []availability.Report) {
		opts.Terms = terms[site]
		delete(terms, site)
		f(site, availability.Spans(edges, opts, reports))
	})
	if err != nil {
		return err
	}
	for site, t := range terms { // no report, but perhaps maintenance
		if opts.Terms = t; len(t.Maintenance) > 0 {
			f(site, availability.Spans(edges, opts, nil))
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ceil is the first whole multiple of a width that is not before t.
func ceil(t time.Time, width time.Duration) time.Time {
	c := t.Truncate(width)
	if c.Before(t) {
		return c.Add(width)
	}
	return c
}
