package web_test

import (
	"strings"
	"testing"
	"time"

	"sitemon/availability"
	"sitemon/web"
)

func TestDayAgainstTheWeekBefore(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name             string
		now, before      time.Duration
		reports, earlier int
		want             string
	}{
		{"no latency", 0, 180 * ms, 0, 500, ""},
		{"no week before", 182 * ms, 0, 500, 0, "p95 182 ms in 24 h"},
		{"slower", 182 * ms, 167 * ms, 500, 500, "p95 182 ms in 24 h, +9 % on a week before"},
		{"faster", 100 * ms, 200 * ms, 500, 500, "p95 100 ms in 24 h, −50 % on a week before"},
		{"as exact as histograms", 105 * ms, 100 * ms, 500, 500, "p95 105 ms in 24 h, as a week before"},
		{"few reports now", 182 * ms, 167 * ms, 99, 500, "p95 182 ms in 24 h"},
		{"few reports then", 182 * ms, 167 * ms, 500, 99, "p95 182 ms in 24 h"},
		{"just enough reports", 182 * ms, 167 * ms, 100, 100, "p95 182 ms in 24 h, +9 % on a week before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := web.DayText(c.now, c.reports, c.before, c.earlier); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSitePageShowsDays(t *testing.T) {
	s := newServer(t, newAPIStore())
	_, part, _ := strings.Cut(page(t, s, "/sites/shop%2Fcheckout", 200), `data-part="bars"`)
	part, _, _ = strings.Cut(part, "</section>")
	if !strings.HasPrefix(part, ` aria-labelledby="bars-title">`) || !barPaths.MatchString(part) {
		t.Errorf("got the part %q, want days", part)
	}
	store := newAPIStore()
	store.series = func(availability.SeriesQuery) []availability.SeriesBucket { return nil }
	if text := page(t, newServer(t, store), "/sites/shop%2Fcheckout", 200); !strings.Contains(text, `aria-labelledby="bars-title" hidden>`) {
		t.Error("a site of which no day is known shows a card for days")
	}
}
