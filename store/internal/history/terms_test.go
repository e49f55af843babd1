package history_test

import (
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
	"sitemon/store/internal/history"
)

func TestKeepEvidence(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0).UTC() }
	down := func(row, since, newest int) status.Track {
		return status.Track{Status: sitemon.StatusDown, Row: at(row), Since: at(since), Slot: at(newest)}
	}
	up := func(row, since, newest int) status.Track {
		return status.Track{Status: sitemon.StatusUp, Row: at(row), Since: at(since), Slot: at(newest)}
	}
	never := time.Time{}
	for _, c := range []struct {
		name  string
		track status.Track
		slot  time.Time
		last  time.Time
		after time.Time
		keep  bool
	}{
		{"a row begins, and all of late comes to nothing", up(50, 10, 50), at(50), at(45), at(10).Add(-time.Microsecond), true},
		{"the second of a row", up(50, 10, 60), at(60), at(50), at(50), true},
		{"while the newest is fresh", up(50, 10, 59), at(59), at(50), at(59), false},
		{"after a restart", up(50, 10, 59), at(59), never, at(50), true},
		{"down at once", down(50, 50, 50), at(50), at(45), at(50), true},
		{"down, with the third", down(40, 40, 60), at(60), at(50), at(40), true},
		{"down for long, in another row", down(90, 40, 90), at(90), at(60), at(40), true},
		{"the same while the newest is fresh", down(90, 40, 90), at(90), at(85), at(90), false},
		{"late", down(90, 40, 90), at(70), at(85), at(70), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, keep := history.KeepEvidence(&c.track, c.slot, c.last)
			if keep != c.keep || keep && !after.Equal(c.after) {
				t.Errorf("after %s, %t; want %s, %t", after, keep, c.after, c.keep)
			}
		})
	}
}

func TestMaintainedSince(t *testing.T) {
	at := func(minute int) time.Time { return time.Unix(int64(minute)*60, 0).UTC() }
	m := history.Maintained{{From: at(30), To: at(40)}, {From: at(10), To: at(20)}, {From: at(35), To: at(50)}, {From: at(50), To: at(60)}, {From: at(20), To: at(21)}}
	for now, want := range map[int]int{9: -1, 10: 10, 19: 10, 20: 10, 21: -1, 30: 30, 45: 30, 50: 30, 59: 30, 60: -1} {
		since := time.Time{}
		if want >= 0 {
			since = at(want)
		}
		if got := m.Since(at(now)); !got.Equal(since) {
			t.Errorf("at minute %d: %s, want %d", now, got, want)
		}
	}
}

func TestPlansOfALocation(t *testing.T) {
	plans := history.Plans{
		{Plan: slot.Plan{Enabled: true}},
		{Plan: slot.Plan{Enabled: true}, Locations: []string{"east", "west"}},
		{Plan: slot.Plan{Enabled: true}, Locations: []string{"west"}},
		{Plan: slot.Plan{}, Locations: []string{"east"}},
	}
	want := []bool{true, true, false, false}
	for i, p := range plans.Of("east") {
		if p.Enabled != want[i] {
			t.Errorf("plan %d: %t", i, p.Enabled)
		}
	}
}

func TestPackDocument(t *testing.T) {
	none, err := history.PackDocument(sitemon.Document{Alerting: sitemon.Alerting{GroupWait: time.Second}})
	if err != nil || none != (history.Packed{}) {
		t.Errorf("without channel and maintenance: %+v, %v", none, err)
	}
	some, err := history.PackDocument(sitemon.Document{
		Alerting:    sitemon.Alerting{Channels: []sitemon.Channel{{Name: "ops", Target: []byte(`{"url":"x"}`)}}},
		Maintenance: []sitemon.Maintenance{{Title: "works", Start: "2026-12-01T22:00:00", Duration: time.Second}},
	})
	want := history.Packed{
		Alerting:    `{"channels":[{"name":"ops","target":{"url":"x"}}],"group_wait":0}`,
		Maintenance: `[{"title":"works","start":"2026-12-01T22:00:00","duration":1000000000}]`,
	}
	if err != nil || some != want {
		t.Errorf("got %+v, %v", some, err)
	}
}
