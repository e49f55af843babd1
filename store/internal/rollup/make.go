package rollup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sitemon/availability"
)

// batch is how much time is rolled up at a time.
const batch = 6 * time.Hour

// Claimable returns the time up to which a store may claim. Reports that come
// later than a minute after their time leave marks.
func Claimable(now time.Time) time.Time {
	return now.Add(-time.Minute).UTC().Truncate(FiveMinutes.Width())
}

// Claim returns the progress after time has been claimed: from now on, every report
// of a slot before it leaves a mark, so that none can slip in while its sums are
// made. Before the first claim the sums begin with the hour of the oldest report,
// which may be zero.
func (p Progress) Claim(until, oldest time.Time) Progress {
	if p.Claimed.IsZero() {
		p.Begin = until.Truncate(time.Hour)
		if !oldest.IsZero() && oldest.Before(p.Begin) {
			p.Begin = oldest.UTC().Truncate(time.Hour)
		}
		p.Fives, p.Hours, p.Days = p.Begin, p.Begin, p.Begin.Truncate(Days.Width())
	}
	p.Claimed = later(p.Claimed, until)
	return p
}

// Sums is what a rollup does to a store's sums.
type Sums interface {
	// FromReports makes the sums of a level of all sites in [from, to), of their
	// reports: [SumReports].
	FromReports(ctx context.Context, level Level, from, to time.Time) error
	// FromRows makes them of the sums of the level below: [SumRows].
	FromRows(ctx context.Context, level Level, from, to time.Time) error
	// Advance stores how far the sums are.
	Advance(ctx context.Context, p Progress) error
}

// Rollup makes the sums of the 5 minutes that have been claimed, and of the hours
// and days that are over with them, and says how far they are. After an error or a
// kill, the next call goes on where it ended. Of hours before keep there are no sums
// of 5 minutes made: they would soon be too old.
func Rollup(ctx context.Context, s Sums, p Progress, keep time.Time) (Progress, error) {
	next := func(what string, err error, after Progress) error {
		if err == nil {
			err = s.Advance(ctx, after)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		p = after
		return nil
	}
	for old := earlier(keep, p.Claimed).Truncate(time.Hour); p.Fives.Equal(p.Hours) && p.Fives.Before(old); {
		end := earlier(p.Fives.Add(batch), old)
		after := p
		after.Begin, after.Fives, after.Hours = end, end, end
		if err := next("old hours", s.FromReports(ctx, Hours, p.Fives, end), after); err != nil {
			return p, err
		}
	}
	for p.Fives.Before(p.Claimed) {
		after := p
		after.Fives = earlier(p.Fives.Add(batch), p.Claimed)
		if err := next("5 minutes", s.FromReports(ctx, FiveMinutes, p.Fives, after.Fives), after); err != nil {
			return p, err
		}
	}
	for over := p.Fives.Truncate(time.Hour); p.Hours.Before(over); {
		after := p
		after.Hours = earlier(p.Hours.Add(batch), over)
		if err := next("hours", s.FromRows(ctx, Hours, p.Hours, after.Hours), after); err != nil {
			return p, err
		}
	}
	for end := p.Days.Add(Days.Width()); !end.After(p.Hours); end = p.Days.Add(Days.Width()) {
		after := p
		after.Days = end
		if err := next("days", s.FromRows(ctx, Days, p.Days, end), after); err != nil {
			return p, err
		}
	}
	return p, nil
}

// SumReports makes the sums of a level of some sites in [from, to), which begins and
// ends with one, from their reports. There is none where a site has no report, no
// known time and no maintenance. They are sorted by site and start.
func SumReports(ctx context.Context, raw Raw, level Level, sites []int64, from, to time.Time) (rows []Row, err error) {
	if !from.Before(to) {
		return nil, nil
	}
	edges := []time.Time{from}
	for at := from.Add(level.Width()); at.Before(to); at = at.Add(level.Width()) {
		edges = append(edges, at)
	}
	edges = append(edges, to)
	err = sweep(ctx, raw, sites, edges, availability.Options{Histogram: true}, func(site int64, spans []availability.Span) {
		for _, span := range spans {
			s := span.Sum
			if s.Unknown = 0; s != (availability.Sum{}) {
				rows = append(rows, Row{site, span.From, s})
			}
		}
	})
	slices.SortFunc(rows, compareRows)
	return rows, err
}

func compareRows(a, b Row) int { return cmp.Or(cmp.Compare(a.Site, b.Site), a.Start.Compare(b.Start)) }

// SumRows makes sums of a level from those of the level below, in any order. They
// are sorted by site and start.
func SumRows(level Level, rows []Row) []Row {
	type key struct{ site, start int64 }
	sums := map[key]*Row{}
	for _, r := range rows {
		start := r.Start.UTC().Truncate(level.Width())
		k := key{r.Site, start.UnixMicro()}
		if sums[k] == nil {
			sums[k] = &Row{Site: r.Site, Start: start}
		}
		sums[k].Sum.Merge(r.Sum)
	}
	made := make([]Row, 0, len(sums))
	for r := range maps.Values(sums) {
		made = append(made, *r)
	}
	slices.SortFunc(made, compareRows)
	return made
}

// Task is a part of the sums of a site that is to be made again, in place of all
// that is there of it.
type Task struct {
	Level Level
	availability.Window
	// Reports says that it is made from reports; else from the sums of the level below.
	Reports bool
}

// Tasks says what the marks of one site ask for, in the order in which it is to be
// done. A mark without an end is about all time from its beginning on. What has not
// been claimed is left out: its turn is yet to come. Claimed it may be without having
// had its turn: then it may be being made at this moment without what the marks are
// about. Sums whose reports are partly gone are better than what could be made now.
func Tasks(p Progress, t Tiers, marks []availability.Window) (tasks []Task) {
	windows := make([]availability.Window, 0, len(marks))
	five := FiveMinutes.Width()
	for _, m := range marks {
		end := p.Claimed
		if !m.To.IsZero() {
			end = earlier(ceil(m.To.UTC(), five), p.Claimed)
		}
		windows = append(windows, availability.Window{From: later(m.From.UTC().Truncate(five), t.Raw), To: end})
	}
	windows = availability.Merged(windows)
	add := func(level Level, reports bool, from, to time.Time) {
		if from.Before(to) {
			tasks = append(tasks, Task{level, availability.Window{From: from, To: to}, reports})
		}
	}
	for _, w := range windows {
		add(FiveMinutes, true, later(w.From, t.FirstFive), w.To)
	}
	for _, w := range wider(Hours, windows, p.Claimed) {
		from := later(w.From, t.FirstHour)
		add(Hours, true, from, earlier(w.To, t.FirstFive))
		add(Hours, false, later(from, t.FirstFive), w.To)
	}
	for _, w := range wider(Days, windows, p.Claimed) {
		add(Days, false, later(w.From, t.FirstHour), w.To)
	}
	return tasks
}

// wider returns windows in whole sums of a level that are over by an end.
func wider(level Level, windows []availability.Window, end time.Time) []availability.Window {
	wide := make([]availability.Window, 0, len(windows))
	for _, w := range windows {
		wide = append(wide, availability.Window{
			From: w.From.Truncate(level.Width()), To: earlier(ceil(w.To, level.Width()), end.Truncate(level.Width())),
		})
	}
	return availability.Merged(wide)
}
