package rollup

import (
	"time"

	"sitemon/availability"
)

// Retention is how long what is recorded is kept; the sums of days stay for ever.
type Retention struct{ Reports, FiveMinutes, Hours time.Duration }

// Sound returns the retention with sums of hours kept a day longer than reports and
// sums of 5 minutes at least: between those and the sums of days there must be hours,
// and days are made of them again where a report comes late.
func (r Retention) Sound() Retention {
	r.Hours = max(r.Hours, max(r.Reports, r.FiveMinutes)+Days.Width())
	return r
}

// Tiers say what there is to answer from: the reports from Raw on, and as far as
// they have been made the sums of 5 minutes from FirstFive on, those of hours from
// FirstHour on, and all those of days. It is zero before the first rollup: then there
// are only reports.
type Tiers struct {
	Progress
	Raw       time.Time // a whole hour
	FirstFive time.Time // likewise
	FirstHour time.Time // a whole day
}

// NewTiers returns the tiers as they are now.
func NewTiers(p Progress, keep Retention, now time.Time) Tiers {
	t := Tiers{Progress: p}
	if p.Claimed.IsZero() {
		return t
	}
	keep, now = keep.Sound(), now.UTC()
	t.Raw = earlier(ceil(later(now.Add(-keep.Reports), p.Cut), time.Hour), p.Hours)
	t.FirstFive = later(p.Begin, earlier(ceil(now.Add(-keep.FiveMinutes), time.Hour), p.Hours))
	t.FirstHour = earlier(ceil(now.Add(-keep.Hours), Days.Width()), p.Days)
	return t
}

// first is from where on the sums of a level are kept.
func (t Tiers) first(l Level) time.Time { return [...]time.Time{t.FirstFive, t.FirstHour, {}}[l] }

// finest is the finest level whose sums are kept at a moment.
func (t Tiers) finest(at time.Time) Level {
	for _, l := range Levels() {
		if !at.Before(t.first(l)) && at.Before(t.done(l)) {
			return l
		}
	}
	return Days
}

// align moves the edge of a bucket down to an edge of what is kept there.
func (t Tiers) align(edge time.Time) time.Time {
	if edge.Before(t.Raw) {
		return edge.Truncate(t.finest(edge).Width())
	}
	return edge
}

// edges returns the edges of the buckets, each where there is one.
func (t Tiers) edges(q availability.Query) []time.Time {
	all := q.Edges()
	edges := []time.Time{t.align(all[0])}
	add := func(e time.Time) {
		if e.After(edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	end := all[len(all)-1]
	for _, e := range all[1 : len(all)-1] {
		add(t.align(e))
	}
	if a := t.align(end); a.Before(end) {
		end = a.Add(t.finest(end).Width())
	}
	add(end)
	return edges
}

// piece is a stretch of time that is answered from one place.
type piece struct {
	availability.Window
	raw   bool  // from reports
	level Level // else from the sums of a level
}

// cover divides [from, to) into pieces, of the coarsest sums that fit. What none
// fits is raw.
func (t Tiers) cover(from, to time.Time) []piece { return t.coverFrom(Days, from, to, nil) }

func (t Tiers) coverFrom(l Level, from, to time.Time, pieces []piece) []piece {
	if !from.Before(to) {
		return pieces
	}
	if l < FiveMinutes {
		return append(pieces, piece{availability.Window{From: from, To: to}, true, 0})
	}
	first := ceil(later(from, t.first(l)), l.Width())
	last := earlier(to, t.done(l)).Truncate(l.Width())
	if !first.Before(last) {
		return t.coverFrom(l-1, from, to, pieces)
	}
	pieces = t.coverFrom(l-1, from, first, pieces)
	pieces = append(pieces, piece{availability.Window{From: first, To: last}, false, l})
	return t.coverFrom(l-1, last, to, pieces)
}
