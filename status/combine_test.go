package status_test

import (
	"fmt"
	"testing"
	"time"

	"sitemon"
	"sitemon/status"
)

func TestCombine(t *testing.T) {
	tests := []struct {
		name      string
		locations []string // the reports of each, as in play
		now       int      // slot
		want      string   // status@slot since reason
	}{
		{"no location", nil, 0, "unknown@-"},
		{"one that is up", []string{"uu"}, 1, "up@0"},
		{"one that is down", []string{"udd"}, 2, "down@1 d2"},
		{"down although most are up", []string{"uuuu", "uudd", "uuuu"}, 3, "down@2 d3"},
		{"down since the first that said so", []string{"uuud", "uddd", "uudd"}, 3, "down@1 d3"},
		{"degraded goes before up", []string{"uuu", "ugg", "uuu"}, 2, "degraded@1 g2"},
		{"down goes before degraded", []string{"ggg", "uud"}, 2, "down@2 d2"},
		{"up since the last one is", []string{"uuuu", "uduu"}, 3, "up@2"},
		{"a silent location has no vote", []string{"d", "uuuuuu"}, 5, "up@0"},
		{"it does until then", []string{"d", "uuuu"}, 3, "down@0 d0"},
		{"all silent, since the last one fell silent", []string{"d", ".u"}, 20, "unknown@5"},
		{"silent, but the newest reports say why", []string{"u???????"}, 7, "unknown@4 ?7"},
		{"silent, after it was known again", []string{"u?u"}, 20, "unknown@6"},
		{"never known", []string{"??"}, 1, "unknown@0 ?1"},
		{"a reason once known again", []string{"u?g"}, 2, "degraded@2 g2"},
		{"the cause of a downtime stays its own", []string{"ud?"}, 2, "down@1 d1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tracks []status.Located
			for i, reports := range tt.locations {
				tracks = append(tracks, status.Located{
					Location: fmt.Sprint("l", i),
					Track:    play(reports, status.Thresholds{Failure: 1, Success: 1}),
				})
			}
			s := status.Combine(slotAt(tt.now), status.Terms{Enabled: true}, tracks)
			since := "-"
			if !s.Since.IsZero() {
				since = fmt.Sprint(int(s.Since.Sub(start) / interval))
			}
			got := fmt.Sprintf("%s@%s", s.Status, since)
			if s.Reason != "" {
				got += " " + string(s.Reason)
				if want := "because of " + string(s.Reason); s.Error != want {
					t.Errorf("error %q, want %q", s.Error, want)
				}
			} else if s.Error != "" {
				t.Errorf("error %q without a reason", s.Error)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCombinePaused(t *testing.T) {
	tracks := []status.Located{{Location: "default", Track: play("ud", status.Thresholds{})}}
	if got, want := status.Combine(slotAt(1), status.Terms{}, tracks), (status.State{Status: sitemon.StatusPaused}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCombineAtTheSameMoment(t *testing.T) {
	east := status.Located{Location: "east", Track: play("d", status.Thresholds{Failure: 1})}
	west := status.Located{Location: "west", Track: play("d", status.Thresholds{Failure: 1})}
	west.Track.Fault = status.Cause{Reason: "another", Error: "because of another"}
	for _, tracks := range [][]status.Located{{east, west}, {west, east}} {
		if got := status.Combine(slotAt(0), status.Terms{Enabled: true}, tracks); got.Reason != "d0" {
			t.Errorf("the cause is %s's, want east's: %+v", tracks[0].Location, got)
		}
	}
}

func TestCombineQuorum(t *testing.T) {
	const majority = sitemon.Majority
	tests := []struct {
		name      string
		quorum    sitemon.Quorum
		counted   []string
		locations []string // the reports of each, as in play
		now       int
		want      string // status@slot since reason
	}{
		{"one of two is too few", 2, nil, []string{"uuu", "udd"}, 2, "up@0 "},
		{"since the quorum was reached", 2, nil, []string{"uddd", "uudd", "uuud"}, 3, "down@2 d3"},
		{"of all three", 3, nil, []string{"uddd", "uudd", "uuud"}, 3, "down@3 d3"},
		{"too few, and one is degraded", 2, nil, []string{"uu", "ud", "ug"}, 1, "degraded@1 g1"},
		{"too few, and nobody else knows", 2, nil, []string{"ud"}, 1, "unknown@1 d1"},
		{"too few, and the others are silent", 2, nil, []string{"uuuuuud", "d"}, 6, "unknown@6 d6"},
		{"half is no majority", majority, nil, []string{"dd", "uu"}, 1, "up@0 "},
		{"two of three are one", majority, nil, []string{"dd", "ud", "uu"}, 1, "down@1 d1"},
		{"of those known", majority, nil, []string{"dddddd", "u", "?"}, 5, "down@0 d5"},
		{"nobody is known", majority, nil, []string{"?"}, 0, "unknown@0 ?0"},
		{"zero is one", 0, nil, []string{"uu", "ud"}, 1, "down@1 d1"},
		{"others do not count", 1, []string{"l1", "l2"}, []string{"dd", "ug"}, 1, "degraded@1 g1"},
		{"nor are they known", majority, []string{"l1"}, []string{"uu", "ud", "uu"}, 1, "down@1 d1"},
		{"none that counts", 1, []string{"l9"}, []string{"dd"}, 1, "unknown@- "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var tracks []status.Located
			for i, reports := range tt.locations {
				tracks = append(tracks, status.Located{Location: fmt.Sprint("l", i), Track: play(reports, status.Thresholds{})})
			}
			s := status.Combine(slotAt(tt.now), status.Terms{Enabled: true, Quorum: tt.quorum, Locations: tt.counted}, tracks)
			since := "-"
			if !s.Since.IsZero() {
				since = fmt.Sprint(int(s.Since.Sub(start) / interval))
			}
			if got := fmt.Sprintf("%s@%s %s", s.Status, since, s.Reason); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCombineMaintenance(t *testing.T) {
	tracks := []status.Located{{Location: "default", Track: play("ud", status.Thresholds{})}}
	terms := status.Terms{Enabled: true, Maintenance: slotAt(1)}
	if got, want := status.Combine(slotAt(2), terms, tracks), (status.State{Status: sitemon.StatusMaintenance, Since: slotAt(1)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	terms.Enabled = false
	if got := status.Combine(slotAt(2), terms, tracks); got.Status != sitemon.StatusPaused {
		t.Errorf("got %s, want paused before maintenance", got.Status)
	}
}

func TestBelowThresholdSaysWhy(t *testing.T) {
	l := status.Located{Track: play("d", status.Thresholds{Failure: 2, Success: 1})}
	want := status.State{Status: sitemon.StatusUnknown, Since: start, Reason: "d0", Error: "because of d0"}
	if got := l.At(start); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func ExampleTrack() {
	th := status.Thresholds{Failure: 2, Success: 1}
	slot := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	var t status.Track
	for _, o := range []sitemon.Outcome{sitemon.OutcomeUp, sitemon.OutcomeDown, sitemon.OutcomeDown} {
		t.Advance(sitemon.Report{Slot: slot, Interval: 30 * time.Second, Outcome: o}, th)
		fmt.Println(t.At(slot), "since", t.Since.Format(time.TimeOnly))
		slot = slot.Add(30 * time.Second)
	}
	fmt.Println(t.At(slot.Add(time.Hour)), "from", t.SilentAt().Format(time.TimeOnly))
	// Output:
	// up since 10:00:00
	// up since 10:00:00
	// down since 10:00:30
	// unknown from 10:02:30
}
