package rollup_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

const day = 24 * time.Hour

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// site is the only one of a memory.
const site = 7

// memory is a store of one site.
type memory struct {
	terms   availability.Terms
	reports []availability.Report
	sums    [3]map[int64]availability.Sum // by level and start
	at      rollup.Progress

	did  []string // what was done, in words
	fail int      // the call that fails, from 1 on
	read int      // reports that were read
}

func newMemory(reports []availability.Report) *memory {
	m := &memory{reports: reports}
	for l := range m.sums {
		m.sums[l] = map[int64]availability.Sum{}
	}
	return m
}

// randomReports returns reports of two locations over some time, in runs of one
// outcome with holes.
func randomReports(rnd *rand.Rand, from, to time.Time, interval time.Duration) []availability.Report {
	var all []availability.Report
	for location := range int64(2) {
		outcome, left := sitemon.OutcomeUp, 0
		for at := from; at.Before(to); at = at.Add(interval) {
			if left--; left < 0 {
				left, outcome = rnd.IntN(60), sitemon.Outcomes[rnd.IntN(4)]
			}
			if left%17 != 3 {
				all = append(all, availability.Report{
					Location: location, Slot: at, Interval: interval, Outcome: outcome,
					Duration: time.Duration(rnd.IntN(1_000_000)) * time.Microsecond,
				})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b availability.Report) int { return a.Slot.Compare(b.Slot) })
	return all
}

func (m *memory) Terms(_ context.Context, _ []int64, _, _ time.Time, f func(int64, availability.Terms)) error {
	f(site, m.terms)
	return nil
}

func (m *memory) Reports(_ context.Context, _ []int64, from, to time.Time, _ bool, f func(int64, []availability.Report)) error {
	var some []availability.Report
	for _, r := range m.reports {
		if r.Slot.Before(to) && r.Slot.Add(r.Interval).After(from) {
			some = append(some, r)
		}
	}
	m.read += len(some)
	if len(some) > 0 {
		f(site, some)
	}
	return nil
}

func (m *memory) Sums(_ context.Context, _ int64, level rollup.Level, windows []availability.Window, f func(time.Time, availability.Sum)) error {
	last := time.Time{}
	for _, w := range windows {
		if w.From.Before(last) || !w.From.Before(w.To) || w.From.Truncate(level.Width()) != w.From {
			return fmt.Errorf("windows %v of %s", windows, level.Table())
		}
		last = w.To
		m.each(level, w, func(at int64) { f(time.UnixMicro(at).UTC(), m.sums[level][at]) })
	}
	return nil
}

func (m *memory) each(level rollup.Level, w availability.Window, f func(at int64)) {
	for _, at := range slices.Sorted(maps.Keys(m.sums[level])) {
		if at >= w.From.UnixMicro() && at < w.To.UnixMicro() {
			f(at)
		}
	}
}

func (m *memory) Totals(_ context.Context, _ []int64, parts []rollup.Part, _ bool, f func(int64, int, rollup.Totals)) error {
	for i, p := range parts {
		var s availability.Sum
		m.each(p.Level, p.Window, func(at int64) { s.Merge(m.sums[p.Level][at]) })
		f(site, i, rollup.Totals{
			Up: s.Up.Milliseconds(), Degraded: s.Degraded.Milliseconds(), Down: s.Down.Milliseconds(), Maintenance: s.Maintenance.Milliseconds(),
			Timed: int64(s.Timed), Latency: s.Total.Microseconds(),
		})
	}
	return nil
}

func (m *memory) note(format string, args ...any) error {
	m.did = append(m.did, fmt.Sprintf(format, args...))
	if len(m.did) == m.fail {
		return fmt.Errorf("call %d fails", m.fail)
	}
	return nil
}

func (m *memory) put(level rollup.Level, rows []rollup.Row) {
	for _, r := range rows {
		m.sums[level][r.Start.UnixMicro()] = r.Sum
	}
}

func (m *memory) FromReports(ctx context.Context, level rollup.Level, from, to time.Time) error {
	rows, err := rollup.SumReports(ctx, m, level, []int64{site}, from, to)
	m.put(level, rows)
	if err != nil {
		return err
	}
	return m.note("%s of reports %s-%s", level.Table()[len("availability_"):], from.Format("02T15:04"), to.Format("02T15:04"))
}

func (m *memory) FromRows(_ context.Context, level rollup.Level, from, to time.Time) error {
	var rows []rollup.Row
	m.each(level-1, availability.Window{From: from, To: to}, func(at int64) {
		rows = append(rows, rollup.Row{Site: site, Start: time.UnixMicro(at).UTC(), Sum: m.sums[level-1][at]})
	})
	m.put(level, rollup.SumRows(level, rows))
	return m.note("%s %s-%s", level.Table()[len("availability_"):], from.Format("02T15:04"), to.Format("02T15:04"))
}

func (m *memory) Advance(_ context.Context, p rollup.Progress) error {
	if err := m.note("stored"); err != nil {
		return err
	}
	m.at = p
	return nil
}

// redo does what marks ask for.
func (m *memory) redo(ctx context.Context, t rollup.Tiers, marks []availability.Window) error {
	for _, task := range rollup.Tasks(m.at, t, marks) {
		m.each(task.Level, task.Window, func(at int64) { delete(m.sums[task.Level], at) })
		var err error
		if task.Reports {
			err = m.FromReports(ctx, task.Level, task.From, task.To)
		} else {
			err = m.FromRows(ctx, task.Level, task.From, task.To)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// retain deletes what is too old.
func (m *memory) retain(t rollup.Tiers) {
	m.reports = slices.DeleteFunc(m.reports, func(r availability.Report) bool { return !r.Slot.Add(r.Interval).After(t.Raw) })
	m.each(rollup.FiveMinutes, availability.Window{To: t.FirstFive}, func(at int64) { delete(m.sums[0], at) })
	m.each(rollup.Hours, availability.Window{To: t.FirstHour}, func(at int64) { delete(m.sums[1], at) })
}
