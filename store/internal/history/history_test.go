package history_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/slot"
	"sitemon/status"
	"sitemon/store/internal/history"
)

const day = 24 * time.Hour

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// memory is a store of one site, number 1, whose sums are made from its reports as
// they are asked for.
type memory struct {
	reports []availability.Report
	read    int // reports that were read
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
				all = append(all, availability.Report{Location: location, Slot: at, Interval: interval, Outcome: outcome, Duration: time.Second})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b availability.Report) int { return a.Slot.Compare(b.Slot) })
	return all
}

func (m *memory) sum(from, to time.Time) availability.Sum {
	return availability.Spans([]time.Time{from, to}, availability.Options{}, m.reports)[0].Sum
}

func (m *memory) Sums(_ context.Context, _ int64, days, hours history.Window, f func(time.Time, availability.Sum)) error {
	for _, w := range []struct {
		history.Window
		step time.Duration
	}{{days, day}, {hours, time.Hour}} {
		for at := w.From; at.Before(w.To); at = at.Add(w.step) {
			f(at, m.sum(at, at.Add(w.step)))
		}
	}
	return nil
}

func (m *memory) Totals(_ context.Context, sites []int64, parts []history.Part, f func(int64, int, history.Totals)) error {
	for i, p := range parts {
		if !p.From.Before(p.To) || p.Span == history.Days && (p.From.Truncate(day) != p.From || p.To.Truncate(day) != p.To) {
			return fmt.Errorf("part %+v", p)
		}
		add := func(from, to time.Time, share float64) {
			s := m.sum(from, to)
			f(sites[0], i, history.Totals{
				Up: share * float64(s.Up.Milliseconds()), Degraded: share * float64(s.Degraded.Milliseconds()), Down: share * float64(s.Down.Milliseconds()),
			})
		}
		last := p.To
		if p.Last != 1 {
			last = p.To.Add(-time.Hour)
			add(last, p.To, p.Last)
		}
		add(p.From, last, 1)
	}
	return nil
}

func (m *memory) Reports(_ context.Context, sites []int64, from, to time.Time, f func(int64, []availability.Report)) error {
	var some []availability.Report
	for _, r := range m.reports {
		if r.Slot.Before(to) && r.Slot.Add(r.Interval).After(from) {
			some = append(some, r)
		}
	}
	m.read += len(some)
	if len(some) > 0 {
		f(sites[0], some)
	}
	return nil
}

// However far the sums are, lists say what the reports say.
func TestFigures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	windows := []time.Duration{day, 7 * day, 30 * day, time.Hour, 20 * time.Minute, 36 * time.Hour}
	for _, c := range []struct {
		name   string
		exact  int
		within time.Duration // how much of the known time may be different
	}{
		{"exact", 1, 10 * time.Millisecond},
		{"in proportion", 0, 26 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{reports: randomReports(rnd, epoch.Add(-9*day), epoch.Add(day), 10*time.Minute)}
			for range 100 {
				now := epoch.Add(time.Duration(rnd.IntN(2*86400)-86400) * time.Second)
				hours := now.Add(-time.Duration(rnd.IntN(50)-3) * time.Hour).Truncate(time.Hour)
				parts := hours.Add(time.Duration(rnd.IntN(60)) * time.Minute)
				p := history.Progress{Hours: hours, Parts: parts, Days: hours.Truncate(day)}
				if rnd.IntN(3) == 0 {
					p.Parts = hours
				}
				tiers := history.NewTiers(p, history.Retention{Reports: 30 * day, Hours: 700 * day}, now)
				l := history.List{Now: now, Windows: windows, Tiers: tiers, Progress: p, Exact: c.exact}
				got, err := l.Figures(t.Context(), m, map[string]int64{"a": 1})
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range windows {
					want := m.sum(now.Add(-w), now).Figure(w)
					if off := math.Abs(got["a"][i].Coverage-want.Coverage) * float64(w); off > float64(c.within) {
						t.Fatalf("at %s, %+v, window %s: coverage %v, want %v", now, p, w, got["a"][i].Coverage, want.Coverage)
					}
					if c.exact == 0 {
						continue
					}
					if a, b := got["a"][i].Availability, want.Availability; (a == nil) != (b == nil) || a != nil && math.Abs(*a-*b) > 1e-6 {
						t.Fatalf("at %s, %+v, window %s: got %+v, want %+v", now, p, w, got["a"][i], want)
					}
				}
			}
		})
	}
}

// A long list reads no report where the sums are hardly behind.
func TestLongListsReadSums(t *testing.T) {
	m := &memory{reports: randomReports(rand.New(rand.NewPCG(1, 2)), epoch.Add(-2*day), epoch, 10*time.Minute)}
	p := history.Progress{Hours: epoch.Add(-time.Hour), Parts: epoch.Add(-2 * time.Minute), Days: epoch.Truncate(day)}
	l := history.List{Now: epoch, Windows: []time.Duration{day}, Progress: p}
	for exact, reads := range []bool{true, false} {
		m.read, l.Exact = 0, 1-exact
		if _, err := l.Figures(t.Context(), m, map[string]int64{"a": 1}); err != nil {
			t.Fatal(err)
		}
		if (m.read > 0) != reads {
			t.Errorf("exact for %d sites: read %d reports", l.Exact, m.read)
		}
	}
}

// Where a window reaches beyond the reports, its edges are those of the sums.
func TestAvailability(t *testing.T) {
	m := &memory{reports: randomReports(rand.New(rand.NewPCG(1, 3)), epoch.Add(-9*day), epoch, 10*time.Minute)}
	p := history.Progress{Hours: epoch, Days: epoch.Truncate(day)}
	tiers := history.NewTiers(p, history.Retention{Reports: 2 * day, Hours: 5 * day}, epoch)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, c := range []struct {
		name               string
		from, to           time.Time
		wantFrom, wantTo   time.Time
		step               time.Duration
		buckets            int
		withoutPercentiles int // buckets at the beginning
	}{
		{"of reports", at(-90 * time.Minute), at(-time.Minute), at(-90 * time.Minute), at(-time.Minute), time.Hour, 2, 0},
		{"of hours", at(-3*day - 90*time.Minute), at(-3*day - time.Minute), at(-3*day - 2*time.Hour), at(-3 * day), time.Hour, 2, 2},
		{"of days", at(-8 * day), at(-7 * day), at(-8*day - 10*time.Hour), at(-6*day - 10*time.Hour), day, 2, 2},
		{"of all of them", at(-8 * day), at(0), at(-8*day - 10*time.Hour), at(0), day, 9, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := availability.Query{From: c.from, To: c.to, Step: c.step}
			got, err := history.Availability(t.Context(), m, 1, tiers, q)
			if err != nil {
				t.Fatal(err)
			}
			if !got.From.Equal(c.wantFrom) || !got.To.Equal(c.wantTo) || len(got.Buckets) != c.buckets {
				t.Fatalf("%d buckets in [%s, %s), want %d in [%s, %s)", len(got.Buckets), got.From, got.To, c.buckets, c.wantFrom, c.wantTo)
			}
			want := m.sum(c.wantFrom, c.wantTo).Figure(c.wantTo.Sub(c.wantFrom))
			if math.Abs(*got.Availability-*want.Availability) > 1e-9 || math.Abs(got.Coverage-want.Coverage) > 1e-9 {
				t.Errorf("got %v %v, want %v %v", *got.Availability, got.Coverage, *want.Availability, want.Coverage)
			}
			for i, b := range got.Buckets {
				if b.Latency != nil && (b.Latency.P50 == 0) != (i < c.withoutPercentiles) {
					t.Errorf("bucket %d has the percentile %s", i, b.Latency.P50)
				}
			}
		})
	}
}

// ledger notes what a rollup does.
type ledger struct {
	did  []string
	fail int // the call that fails, from 1 on
}

func (l *ledger) note(format string, args ...any) error {
	l.did = append(l.did, fmt.Sprintf(format, args...))
	if len(l.did) == l.fail {
		return errors.New("no")
	}
	return nil
}

func (l *ledger) RollHours(_ context.Context, from, to time.Time) error {
	return l.note("hours %s-%s", from.Format("02T15"), to.Format("02T15"))
}

func (l *ledger) RollDay(_ context.Context, start time.Time) error {
	return l.note("day %s", start.Format("02"))
}

func (l *ledger) Advance(_ context.Context, p history.Progress) error {
	return l.note("at %s, %s", p.Hours.Format("02T15"), p.Days.Format("02"))
}

func TestRollup(t *testing.T) {
	oldest := epoch.Add(-14*time.Hour - 30*time.Minute)
	first := history.Progress{}.Claim(epoch.Add(30*time.Minute), oldest)
	want := "hours 23T19-24T01; at 24T01, 23; hours 24T01-24T07; at 24T07, 23; hours 24T07-24T10; at 24T10, 23; day 23; at 24T10, 24"
	var l ledger
	p, err := history.Rollup(t.Context(), &l, first)
	if got := strings.Join(l.did, "; "); err != nil || got != want {
		t.Errorf("did %q, want %q: %v", got, want, err)
	}
	if again := p.Claim(epoch, time.Time{}); again != p {
		t.Errorf("claiming less than before made %+v of %+v", again, p)
	}
	// What failed is done again.
	l = ledger{fail: 3}
	p, err = history.Rollup(t.Context(), &l, first)
	if err == nil || !p.Hours.Equal(epoch.Add(-9*time.Hour)) {
		t.Fatalf("after a failure: %+v, %v", p, err)
	}
	l = ledger{}
	if _, err := history.Rollup(t.Context(), &l, p); err != nil || l.did[0] != "hours 24T01-24T07" {
		t.Errorf("went on with %q: %v", l.did, err)
	}
}

func TestSumHours(t *testing.T) {
	m := &memory{reports: randomReports(rand.New(rand.NewPCG(1, 4)), epoch.Add(-day), epoch, 10*time.Minute)}
	from, to := epoch.Add(-3*time.Hour-20*time.Minute), epoch.Add(2*time.Hour)
	hours, err := history.SumHours(t.Context(), m.Reports, []int64{1}, from, to)
	if err != nil {
		t.Fatal(err)
	}
	var total availability.Sum
	for i, h := range hours {
		if h.Site != 1 || !h.Start.Equal(epoch.Add(time.Duration(i-4)*time.Hour)) {
			t.Errorf("hour %d begins at %s", i, h.Start)
		}
		total.Merge(h.Sum)
	}
	if want := m.sum(from, to); total.Known() != want.Known() || total.Reports != want.Reports || len(hours) > 5 {
		t.Errorf("%d hours with %+v, want %+v", len(hours), total, want)
	}
}

func TestPages(t *testing.T) {
	at := func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Second) }
	var all []history.Listed
	for i := range 10 {
		for _, l := range []int64{3, 8} {
			all = append(all, history.Listed{Location: l, Report: &sitemon.Report{Slot: at(i), Location: fmt.Sprint(l)}})
		}
	}
	var got []string
	q := sitemon.ReportQuery{Limit: 3, From: at(2).Add(-1), To: at(9)}
	for range 10 {
		page, err := history.NewPage(q)
		if err != nil {
			t.Fatal(err)
		}
		var some []history.Listed
		for _, l := range all {
			from, to := page.Slots(l.Location)
			if ms := l.Report.Slot.UnixMilli(); ms >= from && ms < to {
				some = append(some, l)
			}
		}
		reports, next := page.Reports(some)
		for _, r := range reports {
			got = append(got, fmt.Sprintf("%d/%s", r.Slot.Sub(epoch)/time.Second, r.Location))
		}
		if q.Before = next; next == "" {
			break
		}
	}
	if got, want := strings.Join(got, " "), "8/8 8/3 7/8 7/3 6/8 6/3 5/8 5/3 4/8 4/3 3/8 3/3 2/8 2/3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, cursor := range []string{"x", "1", "-1.1", "1.!", "zzzzzzzzzz.1"} {
		if _, err := history.NewPage(sitemon.ReportQuery{Before: cursor}); !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("cursor %q: %v, want ErrInvalid", cursor, err)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for _, o := range sitemon.Outcomes {
		if got := history.OutcomeOf(int16(history.OutcomeNumber(o))); got != o {
			t.Errorf("%s became %s", o, got)
		}
	}
	for _, n := range []int64{-1, 4} {
		if got := history.OutcomeOf(n); got != sitemon.OutcomeUnknown {
			t.Errorf("%d became %s", n, got)
		}
	}
}

func TestOpenGaps(t *testing.T) {
	minute := time.Minute
	plans := []slot.Plan{{From: epoch.Add(-day), Grid: slot.Grid{Interval: minute}, Enabled: true}}
	track := status.Track{Slot: epoch, Interval: minute, Status: sitemon.StatusUp}
	gap := func(from, to int) sitemon.Gap {
		return sitemon.Gap{Site: "a", Location: "x", From: epoch.Add(time.Duration(from) * minute), To: epoch.Add(time.Duration(to) * minute), Slots: to - from + 1}
	}
	for _, c := range []struct {
		name     string
		track    status.Track
		now      time.Duration
		from, to time.Duration
		want     []sitemon.Gap
	}{
		{"not silent yet", track, 2 * minute, 0, day, nil},
		{"silent", track, 10*minute + time.Second, 0, day, []sitemon.Gap{gap(1, 9)}},
		{"before the window", track, 10 * minute, 10 * minute, day, nil},
		{"after the window", track, 10 * minute, -day, minute, nil},
		{"without a report", status.Track{}, 10 * minute, 0, day, nil},
	} {
		got := history.OpenGaps("a", "x", plans, c.track, epoch.Add(c.now), epoch.Add(c.from), epoch.Add(c.to))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}
