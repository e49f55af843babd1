package rollup_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sitemon/store/internal/rollup"
)

// pile is a store with as many bytes as days of reports.
type pile struct {
	days       []time.Time
	perDay     int64
	free, disk int64
	cuts       int
	failures   int // how many cuts to come fail before they delete anything
}

func (p *pile) Use(context.Context) (rollup.Use, error) {
	return rollup.Use{Size: p.perDay * int64(len(p.days)), Free: p.free, Disk: p.disk}, nil
}

func (p *pile) OldestReport(context.Context) (time.Time, error) {
	if len(p.days) == 0 {
		return time.Time{}, nil
	}
	return p.days[0].Add(13 * time.Hour), nil
}

func (p *pile) Cut(_ context.Context, until time.Time) error {
	p.cuts++
	if p.failures > 0 {
		p.failures--
		return errors.New("the day is in use")
	}
	n := len(p.days)
	p.days = slices.DeleteFunc(p.days, func(d time.Time) bool { return d.Before(until) })
	p.free += p.perDay * int64(n-len(p.days))
	return nil
}

func TestShrink(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		maxSize int64
		free    int64 // of a disk of 10,000
		left    int   // of ten days with 100 bytes each
		over    int64
	}{
		{"any size", 0, 5000, 10, 0},
		{"as large as it may be", 1000, 5000, 10, 0},
		{"a byte too large", 999, 5000, 9, 0},
		{"half", 500, 5000, 5, 0},
		{"less than a day", 10, 5000, 1, 90},
		{"a full disk", 0, 250, 7, 0},
		{"a full disk and too large", 400, 250, 4, 0},
		{"a disk that others filled", 0, 0, 5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pile{perDay: 100, free: c.free, disk: 10_000}
			for i := range 10 {
				p.days = append(p.days, first.Add(time.Duration(i)*day))
			}
			done, err := rollup.Shrink(t.Context(), p, c.maxSize, time.Time{}, first.Add(9*day))
			if err != nil {
				t.Fatal(err)
			}
			if len(p.days) != c.left || done.Over != c.over {
				t.Errorf("%d days are left, %d bytes too many; want %d, %d", len(p.days), done.Over, c.left, c.over)
			}
			if want := first.Add(time.Duration(10-c.left) * day); c.left < 10 && !done.From.Equal(want) {
				t.Errorf("reports before %s are gone, want %s", done.From, want)
			}
		})
	}
	// Nothing is left to be won: not even all of it would be enough.
	p := &pile{days: []time.Time{first, first.Add(day)}, perDay: 100, free: 0, disk: 10_000}
	if done, err := rollup.Shrink(t.Context(), p, 0, time.Time{}, first.Add(day)); err != nil || p.cuts != 0 || done.Over != 0 {
		t.Errorf("deleted %d times from a store that is not what fills the disk: %+v, %v", p.cuts, done, err)
	}
	// What is left before a cut has it made again, and no further one.
	p = &pile{days: []time.Time{first}, perDay: 100}
	if _, err := rollup.Shrink(t.Context(), p, 1, first.Add(5*day), first.Add(5*day)); err != nil || p.cuts != 1 {
		t.Errorf("cut %d times what is before the last cut, want once: %v", p.cuts, err)
	}
}

// Whoever holds a day for long, such as a dump of the database, has it deleted later,
// and no other days in its place.
func TestShrinkGoesOnAfterAFailure(t *testing.T) {
	first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	p := &pile{perDay: 100, failures: 5}
	for i := range 10 {
		p.days = append(p.days, first.Add(time.Duration(i)*day))
	}
	cut := time.Time{}
	for range 5 {
		done, err := rollup.Shrink(t.Context(), p, 900, cut, first.Add(9*day))
		if err == nil {
			t.Fatal("a cut that failed is no error")
		}
		if !done.From.IsZero() {
			cut = done.From // it was remembered before anything was deleted
		}
	}
	if _, err := rollup.Shrink(t.Context(), p, 900, cut, first.Add(9*day)); err != nil {
		t.Fatal(err)
	}
	if want := first.Add(day); !cut.Equal(want) || len(p.days) != 9 {
		t.Errorf("after five failures reports before %s are gone and %d days are left, want %s and 9", cut, len(p.days), want)
	}
}
