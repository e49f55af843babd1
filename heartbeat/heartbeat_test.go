package heartbeat_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/heartbeat"
)

var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// at is a moment so long after the epoch.
func at(d time.Duration) time.Time { return epoch.Add(d) }

// beat is a good heartbeat.
func beat(t time.Time) *sitemon.Heartbeat { return &sitemon.Heartbeat{ReceivedAt: t, LastAt: t} }

// listened is that somebody listened from the epoch on but for some stretches of it.
func listened(gaps ...time.Duration) []sitemon.Span {
	from := at(-24 * time.Hour)
	var spans []sitemon.Span
	for i := 0; i < len(gaps); i += 2 {
		spans = append(spans, sitemon.Span{From: from, To: at(gaps[i])})
		from = at(gaps[i+1])
	}
	return append(spans, sitemon.Span{From: from, To: at(1000 * time.Hour)})
}

func TestJudge(t *testing.T) {
	one := 1
	hourly := sitemon.HeartbeatRequest{Every: time.Hour, Grace: 5 * time.Minute}
	failed := &sitemon.Heartbeat{ReceivedAt: epoch, LastAt: epoch, Failed: true, ExitCode: &one, Message: "\n disk full\nand more"}
	for _, c := range []struct {
		name string
		now  time.Duration
		s    sitemon.HeartbeatState
		want sitemon.Outcome
		text string
	}{
		{"nobody receives", 0, sitemon.HeartbeatState{}, sitemon.OutcomeUnknown, "no process receives heartbeats"},
		{"new", time.Hour, sitemon.HeartbeatState{Since: epoch}, sitemon.OutcomeUnknown, "awaited until 2026-11-24 11:05:00 UTC"},
		{"never", 65 * time.Minute, sitemon.HeartbeatState{Since: epoch}, sitemon.OutcomeDown, "since the site was set up at 2026-11-24 10:00:00 UTC"},
		{"in time", time.Hour, sitemon.HeartbeatState{Since: epoch, Newest: beat(at(time.Minute))}, sitemon.OutcomeUp, ""},
		{"early", 64 * time.Minute, sitemon.HeartbeatState{Since: epoch, Newest: beat(at(10 * time.Minute))}, sitemon.OutcomeUp, ""},
		{"late within its grace", 65*time.Minute - 1, sitemon.HeartbeatState{Since: at(-time.Hour), Newest: beat(epoch)}, sitemon.OutcomeUp, ""},
		{
			"late beyond it", 65 * time.Minute,
			sitemon.HeartbeatState{Since: at(-time.Hour), Newest: beat(epoch)},
			sitemon.OutcomeDown,
			"no heartbeat since 2026-11-24 10:00:00 UTC; the next one was expected by 2026-11-24 11:00:00 UTC, or with its grace by 2026-11-24 11:05:00 UTC",
		},
		{"missing for long", 90 * time.Hour, sitemon.HeartbeatState{Since: at(-time.Hour), Newest: beat(epoch)}, sitemon.OutcomeDown, "expected by 2026-11-24 11:00:00 UTC"},
		{"repeated", 100 * time.Minute, sitemon.HeartbeatState{Since: epoch, Newest: &sitemon.Heartbeat{ReceivedAt: epoch, LastAt: at(40 * time.Minute)}}, sitemon.OutcomeUp, ""},
		{"failed", time.Minute, sitemon.HeartbeatState{Since: epoch, Newest: failed}, sitemon.OutcomeDown, "the run ended with exit code 1 at 2026-11-24 10:00:00 UTC: disk full"},
		{"failed and then missing", 50 * time.Hour, sitemon.HeartbeatState{Since: epoch, Newest: failed}, sitemon.OutcomeDown, "exit code 1"},
		{"enabled again after the last one", time.Minute, sitemon.HeartbeatState{Since: at(0), Newest: beat(at(-300 * time.Hour))}, sitemon.OutcomeUnknown, "no heartbeat yet"},
		{
			"not listened when it was due", 65 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(58*time.Minute, 62*time.Minute)},
			sitemon.OutcomeUnknown, "none could be received from 2026-11-24 10:58:00 UTC to 2026-11-24 11:02:00 UTC",
		},
		{
			"not listened long before it was due", 65 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(20*time.Minute, 50*time.Minute)},
			sitemon.OutcomeDown, "",
		},
		{
			"a moment in which a sender tries again", 65 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(time.Hour, time.Hour+30*time.Second)},
			sitemon.OutcomeDown, "",
		},
		{
			"nobody listens, but not for long yet", 65 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: []sitemon.Span{{From: epoch, To: at(65*time.Minute - 16*time.Second)}}},
			sitemon.OutcomeUnknown, "none could be received from 2026-11-24 11:04:44 UTC",
		},
		{
			"who listens has noted it", 65 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: []sitemon.Span{{From: epoch, To: at(65*time.Minute - 15*time.Second)}}},
			sitemon.OutcomeDown, "",
		},
		{
			"missed again after a loss", 125 * time.Minute,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(58*time.Minute, 62*time.Minute)},
			sitemon.OutcomeDown, "",
		},
		{
			"not yet missed again after a loss", 125*time.Minute - 1,
			sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(58*time.Minute, 62*time.Minute)},
			sitemon.OutcomeUnknown, "",
		},
		{"in time though nobody listens", 30 * time.Minute, sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Listened: listened(time.Minute, 100*time.Hour)}, sitemon.OutcomeUp, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.s.Listened == nil {
				c.s.Listened = listened()
			}
			rule, err := heartbeat.NewRule(&hourly, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			v := rule.Judge(at(c.now), c.s)
			if v.Outcome != c.want || !strings.Contains(v.Error, c.text) {
				t.Errorf("%+v, want %s with %q", v, c.want, c.text)
			}
			reason := map[sitemon.Outcome]sitemon.Reason{sitemon.OutcomeUnknown: sitemon.ReasonMonitorStopped, sitemon.OutcomeDown: sitemon.ReasonProcessingTimeout}[c.want]
			if c.s.Newest != nil && c.s.Newest.Failed {
				reason = sitemon.ReasonStatus
			}
			if v.Reason != reason {
				t.Errorf("reason %q, want %q", v.Reason, reason)
			}
		})
	}
}

func TestJudgeBySchedule(t *testing.T) {
	berlin := sitemon.HeartbeatRequest{Schedule: "30 3 * * 1-5", Timezone: "Europe/Berlin", Grace: 30 * time.Minute}
	friday := time.Date(2026, 11, 20, 2, 40, 0, 0, time.UTC) // 3:40 in Berlin
	for _, c := range []struct {
		name string
		beat time.Time
		now  string // UTC
		want sitemon.Outcome
	}{
		{"no run at the weekend", friday, "2026-11-23T02:59:59Z", sitemon.OutcomeUp},
		{"Monday's is missing", friday, "2026-11-23T03:00:00Z", sitemon.OutcomeDown},
		{"Monday's came half a minute early", time.Date(2026, 11, 23, 2, 29, 30, 0, time.UTC), "2026-11-24T02:59:00Z", sitemon.OutcomeUp},
		{"an extra run is not Monday's", time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), "2026-11-23T03:00:00Z", sitemon.OutcomeDown},
		{"Monday's came late, Tuesday's is missing", time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "2026-11-24T03:00:00Z", sitemon.OutcomeDown},
		{"in summer an hour earlier in UTC", time.Date(2026, 7, 20, 2, 0, 0, 0, time.UTC), "2026-07-21T01:59:00Z", sitemon.OutcomeUp},
		{"in summer missing an hour earlier in UTC", time.Date(2026, 7, 20, 2, 0, 0, 0, time.UTC), "2026-07-21T02:00:00Z", sitemon.OutcomeDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule, err := heartbeat.NewRule(&berlin, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			s := sitemon.HeartbeatState{Since: c.beat.Add(-time.Hour), Newest: beat(c.beat), Listened: []sitemon.Span{{From: c.beat.Add(-time.Hour), To: now}}}
			if v := rule.Judge(now, s); v.Outcome != c.want {
				t.Errorf("%+v, want %s", v, c.want)
			}
		})
	}
}

// TestHourlyLate has a run that comes so late that it is nearly time for the next.
func TestHourlyLate(t *testing.T) {
	rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Schedule: "@hourly", Grace: 30 * time.Minute}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s := sitemon.HeartbeatState{Since: epoch, Newest: beat(at(50 * time.Minute)), Listened: listened()}
	if got, want := rule.Next(s), at(90*time.Minute); !got.Equal(want) {
		t.Errorf("the next one has to come by %s, want %s: the late one is not that of the hour after", got, want)
	}
	if got := rule.Next(sitemon.HeartbeatState{}); !got.IsZero() {
		t.Errorf("the first one has to come by %s where nobody receives any", got)
	}
}

func TestNewRule(t *testing.T) {
	for _, c := range []struct{ schedule, zone, text string }{
		{"5 4 * *", "", "the cron expression"},
		{"0 0 31 2 *", "", "no day that there is"},
		{"CRON_TZ=UTC 5 4 * * *", "", "keys of their own"},
		{"@every 1h", "", "keys of their own"},
		{"0 0 * * *", "Europe/Berlni", "unknown time zone"},
		{"0 0 * * *", "Local", "unknown time zone"},
	} {
		_, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Schedule: c.schedule, Timezone: c.zone}, time.Minute)
		if !errors.Is(err, sitemon.ErrInvalid) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s in %q: %v, want %q", c.schedule, c.zone, err, c.text)
		}
	}
	rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{}, time.Hour)
	if got, want := rule.Next(sitemon.HeartbeatState{Since: epoch}), at(time.Hour); err != nil || !got.Equal(want) {
		t.Errorf("without a word the next one has to come by %s (%v), want %s: the interval", got, err, want)
	}
}

// TestClockChanges has a schedule in the nights in which the clock in Berlin changes: a
// time that is skipped is none, and of one that comes twice the first counts.
func TestClockChanges(t *testing.T) {
	rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Schedule: "30 2 * * *", Timezone: "Europe/Berlin"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, last, next string }{
		{"in spring", "2027-03-27T01:30:00Z", "2027-03-29T00:30:00Z"},
		{"in autumn", "2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z"},
		{"in autumn, after the first", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"},
		{"in autumn, after the second", "2027-10-31T01:30:00Z", "2027-11-01T01:30:00Z"},
	} {
		last, err := time.Parse(time.RFC3339, c.last)
		if err != nil {
			t.Fatal(err)
		}
		next := rule.Next(sitemon.HeartbeatState{Since: last.Add(-time.Hour), Newest: beat(last)})
		if got := next.Format(time.RFC3339); got != c.next {
			t.Errorf("%s: after %s comes %s, want %s", c.name, c.last, got, c.next)
		}
	}
}

// TestJudgeRandomly compares verdicts with what follows from the definition, for random
// heartbeats and times in which nobody listened.
func TestJudgeRandomly(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	seconds := func(n int) time.Duration { return time.Duration(rnd.IntN(n)) * time.Second }
	counts := map[sitemon.Outcome]int{}
	for range 20_000 {
		r := sitemon.HeartbeatRequest{Every: time.Second + seconds(600), Grace: seconds(200)}
		rule, err := heartbeat.NewRule(&r, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		now := at(seconds(3600))
		s := sitemon.HeartbeatState{Since: epoch, Listened: listened()}
		if rnd.IntN(4) > 0 {
			s.Newest = beat(at(seconds(3600)))
			if s.Newest.LastAt.After(now) {
				continue
			}
		}
		base := s.Since
		if s.Newest != nil {
			base = s.Newest.LastAt
		}
		overdue := !now.Before(base.Add(r.Every + r.Grace))
		heard := rule.Judge(now, s)
		switch {
		case overdue != (heard.Outcome == sitemon.OutcomeDown):
			t.Fatalf("%+v at %s after %s: %+v, overdue %t", r, now, base, heard, overdue)
		case !overdue && (s.Newest != nil) != (heard.Outcome == sitemon.OutcomeUp):
			t.Fatalf("%+v at %s after %s: %+v", r, now, base, heard)
		}
		from := seconds(3600)
		s.Listened = listened(from, from+seconds(1200))
		deaf := rule.Judge(now, s)
		counts[deaf.Outcome]++
		// Not to listen makes what was down unknown at most, and changes nothing else.
		if deaf.Outcome != heard.Outcome && (heard.Outcome != sitemon.OutcomeDown || deaf.Outcome != sitemon.OutcomeUnknown) {
			t.Fatalf("%+v at %s after %s, listened %v: %+v, and %+v to who listens", r, now, base, s.Listened, deaf, heard)
		}
	}
	t.Log(counts)
}
