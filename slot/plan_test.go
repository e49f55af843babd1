package slot_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sitemon/slot"
)

// ms returns a moment by its milliseconds since 1970.
func ms(n int64) time.Time { return time.UnixMilli(n).UTC() }

// every returns a grid of slots at 0, n, 2n … milliseconds.
func every(n int) slot.Grid { return slot.Grid{Interval: time.Duration(n) * time.Millisecond} }

// show writes runs as "from-to:slots", in milliseconds.
func show(runs []slot.Run) string {
	var parts []string
	for _, r := range runs {
		parts = append(parts, fmt.Sprintf("%d-%d:%d", r.From.UnixMilli(), r.To.UnixMilli(), r.Slots))
	}
	return strings.Join(parts, " ")
}

func TestMissing(t *testing.T) {
	always := []slot.Plan{{From: ms(0), Grid: every(10), Enabled: true}}
	slower := []slot.Plan{
		{From: ms(0), To: ms(55), Grid: every(10), Enabled: true},
		{From: ms(55), Grid: every(25), Enabled: true},
	}
	paused := []slot.Plan{
		{From: ms(0), To: ms(40), Grid: every(10), Enabled: true},
		{From: ms(40), To: ms(80), Grid: every(10)},
		{From: ms(80), Grid: every(10), Enabled: true},
	}
	reloaded := []slot.Plan{ // a change of something else
		{From: ms(0), To: ms(45), Grid: every(10), Enabled: true},
		{From: ms(45), Grid: every(10), Enabled: true},
	}
	removed := []slot.Plan{
		{From: ms(0), To: ms(30), Grid: every(10), Enabled: true},
		{From: ms(70), Grid: every(10), Enabled: true},
	}
	tests := []struct {
		name       string
		plans      []slot.Plan
		prev, next int64
		want       string
	}{
		{"the direct successor", always, 30, 40, ""},
		{"one", always, 30, 50, "40-40:1"},
		{"several", always, 30, 100, "40-90:6"},
		{"the same report", always, 30, 30, ""},
		{"after an extra slot", always, 33, 40, ""},
		{"before an extra slot", always, 30, 44, "40-40:1"},
		{"around an extra slot only", always, 31, 39, ""},
		{"nothing planned", nil, 30, 100, ""},
		{"before the first plan", slower[1:], 10, 60, ""},
		{"a plan's end is exclusive, its beginning inclusive", paused, 30, 90, "80-80:1"},
		{"another interval", slower, 30, 110, "40-50:2 75-100:2"},
		{"a pause in between is no gap", paused, 10, 110, "20-30:2 80-100:3"},
		{"paused all the while", paused, 40, 75, ""},
		{"a new generation with the same slots", reloaded, 10, 90, "20-80:7"},
		{"removed for a while", removed, 0, 90, "10-20:2 70-80:2"},
		{"only the newest plan matters", slower, 60, 110, "75-100:2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(slot.Missing(tt.plans, ms(tt.prev), ms(tt.next))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlanned(t *testing.T) {
	plans := []slot.Plan{
		{From: ms(5), To: ms(40), Grid: every(10), Enabled: true},
		{From: ms(40), To: ms(60), Grid: every(10)},
		{From: ms(60), Grid: every(20), Enabled: true},
	}
	for _, tt := range []struct {
		from, to int64
		want     int
	}{
		{0, 100, 5}, // 10 20 30, 60 80
		{10, 30, 2},
		{11, 31, 2},
		{40, 60, 0},
		{60, 61, 1},
		{100, 100, 0},
		{100, 50, 0},
	} {
		if got := slot.Planned(plans, ms(tt.from), ms(tt.to)); got != tt.want {
			t.Errorf("in [%d, %d): %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

// randomPlans returns plans of small grids between 0 and about 500 ms.
func randomPlans(rnd *rand.Rand) []slot.Plan {
	var plans []slot.Plan
	at := rnd.Int64N(50_000)
	grid := every(1 + rnd.IntN(20))
	for range rnd.IntN(6) {
		if rnd.IntN(2) == 0 {
			grid = slot.NewGrid(fmt.Sprint(rnd.IntN(100)), time.Duration(1+rnd.IntN(20))*time.Millisecond)
		}
		p := slot.Plan{From: time.UnixMicro(at), Grid: grid, Enabled: rnd.IntN(4) > 0}
		at += 1 + rnd.Int64N(100_000)
		p.To = time.UnixMicro(at)
		plans = append(plans, p)
		if rnd.IntN(4) == 0 {
			at += rnd.Int64N(50_000)
		}
	}
	if n := len(plans); n > 0 && rnd.IntN(2) == 0 {
		plans[n-1].To = time.Time{}
	}
	return plans
}

// planned says by the definition whether a millisecond is a planned slot.
func planned(plans []slot.Plan, t time.Time) bool {
	for _, p := range plans {
		if p.Enabled && p.Grid.Has(t) && !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To)) {
			return true
		}
	}
	return false
}

// With any reports at planned slots and off the grid, what is missing between
// neighbours and the reports at planned slots add up to what was planned.
func TestRowsAndGapsAddUp(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	const end = 600
	for range 300 {
		plans := randomPlans(rnd)
		var missing, rows int
		var runs []slot.Run
		prev := int64(0)
		for next := int64(1); next <= end; next++ {
			if next < end && rnd.IntN(10) > 0 {
				continue
			}
			gaps := slot.Missing(plans, ms(prev), ms(next))
			runs = append(runs, gaps...)
			if next < end && planned(plans, ms(next)) {
				rows++
			}
			prev = next
		}
		for _, r := range runs {
			missing += r.Slots
			n := 0
			for k := r.From.UnixMilli(); k <= r.To.UnixMilli(); k++ {
				if planned(plans, ms(k)) {
					n++
				}
			}
			if n != r.Slots || !planned(plans, r.From) || !planned(plans, r.To) {
				t.Fatalf("%+v: run %s has %d planned slots", plans, show([]slot.Run{r}), n)
			}
		}
		want := 0
		for k := range int64(end) {
			if k > 0 && planned(plans, ms(k)) {
				want++
			}
		}
		if got := slot.Planned(plans, ms(1), ms(end)); got != want {
			t.Fatalf("%+v: planned %d, want %d", plans, got, want)
		}
		if rows+missing != want {
			t.Fatalf("%+v: %d rows and %d missing, want %d together", plans, rows, missing, want)
		}
	}
}

func TestAPauseWithoutASlotEndsNoRun(t *testing.T) {
	plans := []slot.Plan{
		{From: ms(0), To: ms(21), Grid: every(10), Enabled: true},
		{From: ms(21), To: ms(29), Grid: every(10)}, // no slot lies in this pause
		{From: ms(29), Grid: every(10), Enabled: true},
	}
	if got, want := show(slot.Runs(plans, ms(0), ms(50))), "0-40:5"; got != want {
		t.Errorf("got %q, want %q: a pause without a slot is no end of a run", got, want)
	}
}
