package history_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
	"sitemon/store/internal/history"
)

const day = 24 * time.Hour

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

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
