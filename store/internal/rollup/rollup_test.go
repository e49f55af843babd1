package rollup_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon/availability"
	"sitemon/internal/recount"
	"sitemon/store/internal/rollup"
)

func roll(t *testing.T, m *memory, now time.Time, keep time.Duration) {
	t.Helper()
	oldest := time.Time{}
	for _, r := range m.reports {
		if oldest.IsZero() || r.Slot.Before(oldest) {
			oldest = r.Slot
		}
	}
	m.at = m.at.Claim(rollup.Claimable(now), oldest)
	p, err := rollup.Rollup(t.Context(), m, m.at, now.Add(-keep))
	if err != nil {
		t.Fatal(err)
	}
	if p != m.at {
		t.Fatalf("returned %+v, stored %+v", p, m.at)
	}
}

func TestRollup(t *testing.T) {
	oldest := epoch.Add(-14*time.Hour - 30*time.Minute)
	claimed := rollup.Progress{}.Claim(rollup.Claimable(epoch.Add(31*time.Minute+time.Second)), oldest)
	if again := claimed.Claim(epoch, time.Time{}); again != claimed {
		t.Errorf("claiming less than before made %+v of %+v", again, claimed)
	}
	for _, c := range []struct {
		name string
		keep time.Duration // of 5 minutes
		want string
	}{
		{
			"all", 30 * day,
			"5m of reports 23T19:00-24T01:00; stored; 5m of reports 24T01:00-24T07:00; stored; 5m of reports 24T07:00-24T10:30; stored; " +
				"1h 23T19:00-24T01:00; stored; 1h 24T01:00-24T07:00; stored; 1h 24T07:00-24T10:00; stored; 1d 23T00:00-24T00:00; stored",
		},
		{
			"no 5 minutes that are too old", 4*time.Hour + 10*time.Minute,
			"1h of reports 23T19:00-24T01:00; stored; 1h of reports 24T01:00-24T05:00; stored; " +
				"5m of reports 24T05:00-24T10:30; stored; 1h 24T05:00-24T10:00; stored; 1d 23T00:00-24T00:00; stored",
		},
	} {
		m := newMemory(nil)
		p, err := rollup.Rollup(t.Context(), m, claimed, epoch.Add(-c.keep))
		if got := strings.Join(m.did, "; "); err != nil || got != c.want {
			t.Errorf("%s:\n did %q\nwant %q: %v", c.name, got, c.want, err)
		}
		calls := len(m.did)
		if _, err := rollup.Rollup(t.Context(), m, p, epoch.Add(-c.keep)); err != nil || len(m.did) != calls {
			t.Errorf("%s: did %q again: %v", c.name, m.did[calls:], err)
		}
		// Wherever it fails, it goes on from what was stored.
		for fail := 1; fail <= calls; fail++ {
			m := newMemory(nil)
			m.at, m.fail = claimed, fail
			if _, err := rollup.Rollup(t.Context(), m, claimed, epoch.Add(-c.keep)); err == nil {
				t.Fatalf("%s: call %d did not fail", c.name, fail)
			}
			if end, err := rollup.Rollup(t.Context(), m, m.at, epoch.Add(-c.keep)); err != nil || end != p || len(m.did) > calls+2 {
				t.Errorf("%s: after call %d failed: %+v, %v; did %q", c.name, fail, end, err, m.did)
			}
		}
	}
}

func TestSumReports(t *testing.T) {
	m := newMemory(randomReports(rand.New(rand.NewPCG(1, 4)), epoch.Add(-day), epoch, 10*time.Minute))
	m.terms.Maintenance = []availability.Window{{From: epoch.Add(3 * time.Hour), To: epoch.Add(4 * time.Hour)}}
	from, to := epoch.Add(-3*time.Hour), epoch.Add(6*time.Hour)
	fives, err := rollup.SumReports(t.Context(), m, rollup.FiveMinutes, []int64{site}, from, to)
	if err != nil {
		t.Fatal(err)
	}
	hours, err := rollup.SumReports(t.Context(), m, rollup.Hours, []int64{site}, from, to)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(fives)
	if made := rollup.SumRows(rollup.Hours, fives); !slices.Equal(made, hours) {
		t.Errorf("of 5 minutes %+v, of reports %+v", made, hours)
	}
	if n := len(hours); n < 4 || n > 5 || hours[n-1].Sum.Maintenance != time.Hour || !hours[n-1].Start.Equal(epoch.Add(3*time.Hour)) {
		t.Errorf("%d hours: %+v", n, hours)
	}
	if rows, err := rollup.SumReports(t.Context(), m, rollup.Hours, []int64{site}, to, to); err != nil || len(rows) > 0 {
		t.Errorf("of no time: %+v, %v", rows, err)
	}
}

// figuresOff compares lists with a recount and returns by how much they miss the
// known time.
func figuresOff(t *testing.T, m *memory, past *recount.Past, l rollup.List) (off time.Duration) {
	t.Helper()
	got, err := l.Figures(t.Context(), m, map[string]int64{"a": site})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range l.Windows {
		want := past.Span(l.Now.Add(-w), l.Now).Sum.Figure(w)
		off = max(off, time.Duration(math.Abs(got["a"][i].Coverage-want.Coverage)*float64(w)))
		a, b := got["a"][i].Availability, want.Availability
		if (a == nil) != (b == nil) || a != nil && math.Abs(*a-*b) > float64(off+time.Millisecond)/float64(w)*10 {
			t.Fatalf("at %s, window %s: got %+v, want %+v", l.Now, w, got["a"][i], want)
		}
	}
	return off
}

// However far the sums are, lists say what the reports say.
func TestFigures(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	reports := randomReports(rnd, epoch.Add(-9*day), epoch.Add(day), 10*time.Minute)
	windows := []time.Duration{day, 7 * day, 30 * day, 36 * time.Hour}
	keep := rollup.Retention{Reports: 30 * day, FiveMinutes: 3 * day, Hours: 700 * day}
	for range 30 {
		m := newMemory(reports)
		for n := rnd.IntN(5); n > 0; n-- {
			from := epoch.Add(-time.Duration(rnd.IntN(9*86400)) * time.Second)
			m.terms.Maintenance = append(m.terms.Maintenance, availability.Window{From: from, To: from.Add(time.Duration(rnd.IntN(7200)) * time.Second)})
		}
		m.terms.Maintenance = availability.Merged(m.terms.Maintenance)
		past := recount.Of(m.terms, reports)
		now := epoch.Add(time.Duration(rnd.IntN(2*86400)-86400) * time.Second)
		rolled := now.Add(-time.Duration(rnd.IntN(50)-1) * time.Hour)
		if rnd.IntN(4) > 0 {
			roll(t, m, rolled, keep.FiveMinutes)
		}
		l := rollup.List{Now: now, Windows: windows, Tiers: rollup.NewTiers(m.at, keep, now), Exact: 1}
		if off := figuresOff(t, m, past, l); off > time.Millisecond {
			t.Fatalf("at %s, %+v: the known time is %s off", now, m.at, off)
		}
		l.Exact = 0
		l.Windows = append(slices.Clone(windows), 20*time.Minute) // a short one ends now
		if off := figuresOff(t, m, past, l); off > time.Hour {
			t.Fatalf("at %s, %+v: the known time is %s off in proportion", now, m.at, off)
		}
	}
}

// A long list reads no report where the sums are hardly behind.
func TestLongListsReadSums(t *testing.T) {
	m := newMemory(randomReports(rand.New(rand.NewPCG(1, 2)), epoch.Add(-2*day), epoch, 10*time.Minute))
	roll(t, m, epoch, 30*day)
	now := epoch.Add(2 * time.Minute)
	tiers := rollup.NewTiers(m.at, rollup.Retention{Reports: 30 * day, FiveMinutes: 14 * day, Hours: 700 * day}, now)
	for _, c := range []struct {
		name   string
		exact  int
		window time.Duration
		reads  bool
	}{{"short list", 1, day, true}, {"long list", 0, day, false}, {"short window", 0, time.Hour, true}} {
		m.read = 0
		l := rollup.List{Now: now, Windows: []time.Duration{c.window}, Tiers: tiers, Exact: c.exact}
		if _, err := l.Figures(t.Context(), m, map[string]int64{"a": site}); err != nil {
			t.Fatal(err)
		}
		if (m.read > 0) != c.reads {
			t.Errorf("%s: read %d reports", c.name, m.read)
		}
	}
	if figures, err := (rollup.List{Tiers: tiers}).Figures(t.Context(), m, map[string]int64{"a": site}); err != nil || len(figures) != 0 {
		t.Errorf("without windows: %v, %v", figures, err)
	}
}
