package status_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/status"
)

const interval = 10 * time.Second

var start = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// slotAt returns the k'th slot of the tests' site.
func slotAt(k int) time.Time { return start.Add(time.Duration(k) * interval) }

var outcomes = map[rune]sitemon.Outcome{
	'u': sitemon.OutcomeUp, 'g': sitemon.OutcomeDegraded, 'd': sitemon.OutcomeDown, '?': sitemon.OutcomeUnknown,
}

// report returns the report of slot k with an outcome by its letter. Its reason
// names both, so that a test can see whose reason is shown.
func report(k int, letter rune) sitemon.Report {
	r := sitemon.Report{Site: "docs", Location: "default", Slot: slotAt(k), Interval: interval, Outcome: outcomes[letter]}
	if letter != 'u' {
		r.Reason = sitemon.Reason(fmt.Sprintf("%c%d", letter, k))
		r.Error = "because of " + string(r.Reason)
	}
	return r
}

// play advances a new track by a report for each letter; a dot is a gap.
func play(reports string, th status.Thresholds) status.Track {
	var t status.Track
	for k, letter := range reports {
		if letter != '.' {
			t.Advance(report(k, letter), th)
		}
	}
	return t
}

func TestAdvance(t *testing.T) {
	tests := []struct {
		name    string
		th      status.Thresholds
		reports string
		want    string // after each report: status@slot it holds since
	}{
		{"one failure is enough by default", status.Thresholds{}, "udduu", "up@0 down@1 down@1 up@3 up@3"},
		{"thresholds of one", status.Thresholds{Failure: 1, Success: 1}, "dudu", "down@0 up@1 down@2 up@3"},
		{"down since the first of the failures", status.Thresholds{Failure: 3, Success: 1}, "udddd", "up@0 up@0 up@0 down@1 down@1"},
		{"failures that are too few are forgotten", status.Thresholds{Failure: 3, Success: 1}, "udduddd", "up@0 up@0 up@0 up@0 up@0 up@0 down@4"},
		{"up since the first of the successes", status.Thresholds{Failure: 1, Success: 2}, "duduu", "down@0 down@0 down@0 down@0 up@3"},
		{"a failure in between does not begin the downtime anew", status.Thresholds{Failure: 2, Success: 2}, "dduddu", "unknown@0 down@0 down@0 down@0 down@0 down@0"},
		{"not yet enough to tell", status.Thresholds{Failure: 2, Success: 1}, "du", "unknown@0 up@1"},
		{"one success is enough to begin with", status.Thresholds{Failure: 2, Success: 3}, "u", "up@0"},
		{"degraded at once and back at once", status.Thresholds{Failure: 3, Success: 3}, "uggu", "up@0 degraded@1 degraded@1 up@3"},
		{"degraded ends a downtime", status.Thresholds{Failure: 1, Success: 2}, "dguu", "down@0 down@0 up@1 up@1"},
		{"degraded ends a downtime, being the last", status.Thresholds{Failure: 1, Success: 2}, "dug", "down@0 down@0 degraded@1"},
		{"degraded breaks a row of failures", status.Thresholds{Failure: 2, Success: 1}, "udgd", "up@0 up@0 degraded@2 degraded@2"},
		{"unknown does not break a row", status.Thresholds{Failure: 2, Success: 2}, "ud?du?u", "up@0 up@0 up@0 down@1 down@1 down@1 up@4"},
		{"unknown does not count", status.Thresholds{Failure: 1, Success: 1}, "?u??d", "unknown@0 up@1 up@1 up@1 down@4"},
		{"a gap does not break a row", status.Thresholds{Failure: 2, Success: 1}, "ud.d", "up@0 up@0 down@1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tr status.Track
			var got []string
			for k, letter := range tt.reports {
				if letter == '.' {
					continue
				}
				before := fmt.Sprint(tr.Status, tr.Since)
				changed := tr.Advance(report(k, letter), tt.th)
				if now := fmt.Sprint(tr.Status, tr.Since); changed != (now != before) {
					t.Errorf("slot %d: Advance returned %t for a change from %s to %s", k, changed, before, now)
				}
				got = append(got, fmt.Sprintf("%s@%d", tr.Status, tr.Since.Sub(start)/interval))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("reports %s:\n got %s\nwant %s", tt.reports, got, tt.want)
			}
		})
	}
}

func TestLateReportsChangeNothing(t *testing.T) {
	th := status.Thresholds{Failure: 1, Success: 1}
	tr := play("uuu", th)
	want := tr
	for _, k := range []int{1, 2} {
		if tr.Advance(report(k, 'd'), th) || tr != want {
			t.Errorf("a report of slot %d after that of slot 2 changed the track to %+v", k, tr)
		}
	}
	if !tr.Advance(report(3, 'd'), th) {
		t.Error("the next report changed nothing")
	}
}

// reference decides by the definition and from the whole history: down is who had
// enough failures in a row and since then not enough successes in a row.
func reference(known []rune, th status.Thresholds) (st sitemon.Status, since int) {
	good := func(i int) bool { return known[i] != 'd' }
	row := func(i int) (first int) { // of the row that i belongs to
		first = i
		for first > 0 && good(first-1) == good(i) {
			first--
		}
		return first
	}
	at := func(n int) sitemon.Status { // after n reports
		down := false
		for i := range n {
			length := i - row(i) + 1
			down = down && (!good(i) || length < th.Success) || !good(i) && length >= th.Failure
		}
		switch {
		case down:
			return sitemon.StatusDown
		case good(n - 1):
			return sitemon.Status(outcomes[known[n-1]])
		}
		for i := n - 1; i >= 0; i-- { // failures that are too few: as before them
			if good(i) {
				return sitemon.Status(outcomes[known[i]])
			}
		}
		return sitemon.StatusUnknown
	}
	n := len(known)
	st = at(n)
	for n > 1 && at(n-1) == st {
		n--
	}
	if n > 1 && st != sitemon.StatusDown && at(n-1) != sitemon.StatusDown {
		return st, n - 1 // changed at once
	}
	return st, row(n - 1)
}

func TestAdvanceAgainstReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		th := status.Thresholds{Failure: 1 + rnd.IntN(3), Success: 1 + rnd.IntN(3)}
		var tr status.Track
		var known []rune
		var slots []int
		newest := -1
		history := ""
		for range 1 + rnd.IntN(15) {
			k := max(0, newest+rnd.IntN(4)-1) // some late, some repeated, some after a gap
			letter := []rune("uugddd?")[rnd.IntN(7)]
			history += fmt.Sprintf("%c%d ", letter, k)
			tr.Advance(report(k, letter), th)
			if k <= newest {
				continue
			}
			newest = k
			if letter != '?' {
				known, slots = append(known, letter), append(slots, k)
			}
		}
		if len(known) == 0 {
			continue
		}
		st, i := reference(known, th)
		if tr.Status != st || st != sitemon.StatusUnknown && !tr.Since.Equal(slotAt(slots[i])) {
			t.Fatalf("%+v, reports %s:\n got %s since slot %d\nwant %s since slot %d",
				th, history, tr.Status, tr.Since.Sub(start)/interval, st, slots[i])
		}
	}
}

func TestJudgeWithOtherThresholds(t *testing.T) {
	tests := []struct {
		name          string
		reports       string
		before, after status.Thresholds
		want          string
	}{
		{"lower failure threshold", "uddd", status.Thresholds{Failure: 5, Success: 1}, status.Thresholds{Failure: 2, Success: 1}, "true down@1"},
		{"higher failure threshold takes nothing back", "udd", status.Thresholds{Failure: 2, Success: 1}, status.Thresholds{Failure: 5, Success: 1}, "false down@1"},
		{"lower success threshold", "duu", status.Thresholds{Failure: 1, Success: 5}, status.Thresholds{Failure: 1, Success: 2}, "true up@1"},
		{"lower success threshold, degraded", "dug", status.Thresholds{Failure: 1, Success: 5}, status.Thresholds{Failure: 1, Success: 2}, "true degraded@1"},
		{"higher success threshold takes nothing back", "duu", status.Thresholds{Failure: 1, Success: 2}, status.Thresholds{Failure: 1, Success: 5}, "false up@1"},
		{"no report yet", "", status.Thresholds{Failure: 2, Success: 2}, status.Thresholds{Failure: 1, Success: 1}, "false @-"},
		{"the same", "uud", status.Thresholds{Failure: 2, Success: 2}, status.Thresholds{Failure: 2, Success: 2}, "false up@0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := play(tt.reports, tt.before)
			changed := tr.Judge(tt.after)
			since := "-"
			if !tr.Since.IsZero() {
				since = fmt.Sprint(int(tr.Since.Sub(start) / interval))
			}
			if got := fmt.Sprintf("%t %s@%s", changed, tr.Status, since); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	t.Run("the row goes on", func(t *testing.T) {
		tr := play("udd", status.Thresholds{Failure: 5, Success: 1})
		th := status.Thresholds{Failure: 3, Success: 1}
		if tr.Judge(th) || !tr.Advance(report(3, 'd'), th) || tr.Status != sitemon.StatusDown || !tr.Since.Equal(slotAt(1)) {
			t.Errorf("after two failures under a threshold of 5 and a third under one of 3: %+v", tr)
		}
	})
}

func TestSilence(t *testing.T) {
	tests := []struct {
		interval, silentAfter time.Duration
	}{
		{time.Second, 31 * time.Second},
		{10 * time.Second, 40 * time.Second},
		{15 * time.Second, 45 * time.Second},
		{time.Minute, 3 * time.Minute},
		{150 * time.Second, 450 * time.Second},
		{time.Hour, time.Hour + 5*time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.interval.String(), func(t *testing.T) {
			var tr status.Track
			r := report(0, 'u')
			r.Interval = tt.interval
			tr.Advance(r, status.Thresholds{})
			silent := start.Add(tt.silentAfter)
			if got := tr.SilentAt(); !got.Equal(silent) {
				t.Errorf("silent at %s, want %s", got, silent)
			}
			if got := tr.At(silent.Add(-1)); got != sitemon.StatusUp {
				t.Errorf("just before: %s, want up", got)
			}
			if got := tr.At(silent); got != sitemon.StatusUnknown {
				t.Errorf("then: %s, want unknown", got)
			}
		})
	}
}

func TestUnknownReportsDoNotPutOffSilence(t *testing.T) {
	th := status.Thresholds{Failure: 1, Success: 1}
	tr := play("d?????", th)
	if want := slotAt(4); !tr.SilentAt().Equal(want) {
		t.Errorf("silent at %s, want %s", tr.SilentAt(), want)
	}
	if got := tr.At(slotAt(3)); got != sitemon.StatusDown {
		t.Errorf("soon after the last report that knew: %s, want down", got)
	}
	if got := tr.At(slotAt(5)); got != sitemon.StatusUnknown {
		t.Errorf("long after it: %s, want unknown", got)
	}
	tr.Advance(report(6, 'd'), th)
	if got := tr.At(slotAt(6)); got != sitemon.StatusDown || !tr.Since.Equal(start) {
		t.Errorf("the row goes on: %s since %s, want down since %s", got, tr.Since, start)
	}
}

func TestForget(t *testing.T) {
	th := status.Thresholds{Failure: 2, Success: 1}
	tr := play("udd", th)
	tr.Forget(slotAt(4))
	if got := tr.At(slotAt(4)); got != sitemon.StatusUnknown || !tr.Since.Equal(slotAt(4)) {
		t.Errorf("got %s since %s, want unknown since %s", got, tr.Since, slotAt(4))
	}
	if tr.Advance(report(2, 'u'), th) {
		t.Error("a late report counted")
	}
	tr.Advance(report(5, 'd'), th)
	if tr.Status != sitemon.StatusUnknown {
		t.Errorf("the row from before the pause went on: %s", tr.Status)
	}
	if !tr.Advance(report(6, 'd'), th) || !tr.Since.Equal(slotAt(5)) {
		t.Errorf("got %s since %s, want down since %s", tr.Status, tr.Since, slotAt(5))
	}
}
