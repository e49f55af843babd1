package web_test

import (
	"testing"
	"time"

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
