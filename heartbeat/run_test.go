package heartbeat_test

import (
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/heartbeat"
)

// TestRuns has runs that say when they begin.
func TestRuns(t *testing.T) {
	const grace = 10 * time.Minute
	for _, c := range []struct {
		name     string
		grace    time.Duration
		now      time.Duration
		since    time.Duration
		newest   *sitemon.Heartbeat
		began    time.Duration
		listened []sitemon.Span
		want     sitemon.Outcome
		reason   sitemon.Reason
		text     string
	}{
		{"one goes on", grace, 29 * time.Minute, 0, beat(epoch), 20 * time.Minute, nil, sitemon.OutcomeUp, "", ""},
		{
			"one does not end", grace, 30 * time.Minute, 0, beat(epoch), 20 * time.Minute, nil, sitemon.OutcomeDown, sitemon.ReasonTransferTimeout,
			"the run that began at 2026-11-24 10:20:00 UTC has not ended within the grace, by 2026-11-24 10:30:00 UTC",
		},
		{"the first does not end", grace, 30 * time.Minute, 0, nil, 20 * time.Minute, nil, sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, "began at"},
		{"the first goes on", grace, 29 * time.Minute, 0, nil, 20 * time.Minute, nil, sitemon.OutcomeUnknown, sitemon.ReasonMonitorStopped, "no heartbeat yet"},
		{"it may have got lost that it ended", grace, 31 * time.Minute, 0, beat(epoch), 20 * time.Minute, listened(25*time.Minute, 26*time.Minute), sitemon.OutcomeUnknown, sitemon.ReasonMonitorStopped, "none could be received from 2026-11-24 10:25:00 UTC"},
		{"and the next does not come", grace, 70 * time.Minute, 0, beat(epoch), 20 * time.Minute, listened(25*time.Minute, 26*time.Minute), sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "expected by 2026-11-24 11:00:00 UTC"},
		{"nobody listened before it", grace, 30 * time.Minute, 0, beat(epoch), 20 * time.Minute, listened(15*time.Minute, 20*time.Minute), sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, ""},
		{"it began before the site was set up", grace, 40 * time.Minute, 25 * time.Minute, beat(at(26 * time.Minute)), 20 * time.Minute, nil, sitemon.OutcomeUp, "", ""},
		{"without a grace", 0, 30 * time.Minute, 0, beat(epoch), 20 * time.Minute, nil, sitemon.OutcomeUp, "", ""},
		{"after one that failed", grace, 21 * time.Minute, 0, &sitemon.Heartbeat{LastAt: epoch, Failed: true}, 20 * time.Minute, nil, sitemon.OutcomeDown, sitemon.ReasonStatus, "the run failed at 2026-11-24 10:00:00 UTC"},
		{"a clock that was set back", grace, 0, 0, beat(at(6 * time.Minute)), 0, nil, sitemon.OutcomeUnknown, sitemon.ReasonMonitorStopped, "a clock was set back"},
		{"a clock that differs", grace, 0, 0, beat(at(4 * time.Minute)), 0, nil, sitemon.OutcomeUp, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Every: time.Hour, Grace: c.grace}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			s := sitemon.HeartbeatState{Since: at(c.since), Newest: c.newest, Listened: c.listened}
			if c.listened == nil {
				s.Listened = listened()
			}
			if c.began > 0 {
				s.Run.At = at(c.began)
			}
			v := rule.Judge(at(c.now), s)
			if v.Outcome != c.want || v.Reason != c.reason || !strings.Contains(v.Error, c.text) {
				t.Errorf("%+v, want %s, %s with %q", v, c.want, c.reason, c.text)
			}
		})
	}
}

// TestNextEndsTheRun awaits the end of a run that goes on, where that is sooner.
func TestNextEndsTheRun(t *testing.T) {
	rule, err := heartbeat.NewRule(&sitemon.HeartbeatRequest{Every: time.Hour, Grace: 10 * time.Minute}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for began, want := range map[time.Duration]time.Duration{20 * time.Minute: 30 * time.Minute, 65 * time.Minute: 70 * time.Minute} {
		s := sitemon.HeartbeatState{Since: epoch, Newest: beat(epoch), Run: sitemon.OpenRun{At: at(began)}}
		if got := rule.Next(s); !got.Equal(at(want)) {
			t.Errorf("a run that began after %s has to end by %s, want %s", began, got, at(want))
		}
	}
}
