package status_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/status"
)

// history merges the reports of several locations, as in play.
func history(locations ...string) []sitemon.Report {
	var all []sitemon.Report
	for i, letters := range locations {
		for k, letter := range letters {
			if letter != '.' {
				r := report(k, letter)
				r.Location = fmt.Sprint("l", i)
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	return all
}

// at is a moment as its slot, with what is over.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := t.Sub(start)
	s := fmt.Sprint(int(d / interval))
	if rest := d % interval; rest != 0 {
		s += fmt.Sprintf("+%s", rest)
	}
	return s
}

func written(list []status.Stretch) string {
	var words []string
	for _, s := range list {
		words = append(words, fmt.Sprintf("%s(%s)-%s %s %s %d %s",
			at(s.From), at(s.Confirmed), at(s.To), s.End, s.Cause.Reason, s.Reports(), strings.Join(s.Locations(), ",")))
	}
	return strings.Join(words, "; ")
}

func TestIncidents(t *testing.T) {
	plan := func(from, to int, change func(*status.Plan)) status.Plan {
		p := status.Plan{From: slotAt(from), Enabled: true}
		if to > 0 {
			p.To = slotAt(to)
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	always := []status.Plan{plan(-10, 0, nil)}
	with := func(failure, success int, q sitemon.Quorum) []status.Plan {
		return []status.Plan{plan(-10, 0, func(p *status.Plan) {
			p.Thresholds, p.Quorum = status.Thresholds{Failure: failure, Success: success}, q
		})}
	}
	paused := func(p *status.Plan) { p.Enabled = false }
	between := func(from, to int) []status.Period { return []status.Period{{From: slotAt(from), To: slotAt(to)}} }
	tests := []struct {
		name        string
		plans       []status.Plan
		maintenance []status.Period
		reports     []sitemon.Report
		until       int
		want        string // first failure(confirmed)-end, how, reason, reports, locations
	}{
		{"none", always, nil, history("uugu"), 3, ""},
		{"one", always, nil, history("uddgu"), 4, "1(1)-3 recovered d1 2 l0"},
		{"it goes on", always, nil, history("udd"), 2, "1(1)-  d1 2 l0"},
		{"two", always, nil, history("duudu"), 4, "0(0)-1 recovered d0 1 l0; 3(3)-4 recovered d3 1 l0"},
		{"thresholds", with(3, 2, 1), nil, history("uddudddudduu"), 11, "4(6)-10 recovered d4 5 l0"},
		{"unknown reports leave it open", always, nil, history("ud??????d?u"), 10, "1(1)-10 recovered d1 2 l0"},
		{"silence leaves it open", always, nil, history("ud..........du"), 13, "1(1)-13 recovered d1 2 l0"},
		{"the end of a long silence", always, nil, history("ud..........u"), 12, "1(1)-12 recovered d1 1 l0"},
		{"one location hands over to another", always, nil, history("uddu", "uudd.u"), 5, "1(1)-5 recovered d1 4 l0,l1"},
		{
			"the last of them to recover, though it was noticed first", with(1, 2, 1), nil,
			history("dd.uu", "d.uuu"), 4, "0(0)-3 recovered d0 3 l0,l1",
		},
		{"who said down falls silent while another is up", always, nil, history("ud", "uuuuuuuu"), 7, "1(1)-5 recovered d1 1 l0"},
		{"silence that nobody has read up to", always, nil, history("ud", "uuu"), 4, "1(1)-  d1 1 l0"},
		{
			"and comes back", always, nil, history("ud.....d", "uuuuuuuuuuuu"), 11,
			"1(1)-5 recovered d1 1 l0; 7(7)-11 recovered d7 1 l0",
		},
		{"who knows nothing but up comes back", always, nil, history("ud", ".............u"), 13, "1(1)-13 recovered d1 1 l0"},
		{
			"a quorum from the slot with which it was reached", with(2, 1, 2), nil,
			history("udddddu", "uuuddduu", "uuuuuuuu"), 7, "3(4)-6 recovered d3 6 l0,l1",
		},
		{"a quorum that silence breaks leaves it open", with(1, 1, 2), nil, history("dddddddd", "d"), 8, "0(0)-  d0 9 l0,l1"},
		{"a majority that silence makes", with(1, 1, sitemon.Majority), nil, history("uddddd", "u", "uu?????"), 5, "5(5)-  d5 1 l0"},
		{
			"paused",
			[]status.Plan{plan(0, 3, nil), plan(3, 6, paused), plan(6, 0, nil)},
			nil, history("udd...ddu"), 8,
			"1(1)-3 paused d1 2 l0; 6(6)-8 recovered d6 2 l0",
		},
		{
			"what came while it was paused",
			[]status.Plan{plan(0, 3, nil), plan(3, 6, paused), plan(6, 0, nil)},
			nil, history("udd.d.uu"), 7,
			"1(1)-3 paused d1 2 l0",
		},
		{
			"resumed while it is down",
			[]status.Plan{plan(0, 3, paused), plan(3, 0, nil)},
			nil, history("..d.du"), 5,
			"3(3)-5 recovered d2 1 l0",
		},
		{
			"removed and returned",
			[]status.Plan{plan(0, 3, nil), plan(7, 0, nil)},
			nil, history("uddd...du"), 8,
			"1(1)-3 removed d1 2 l0; 7(7)-8 recovered d7 1 l0",
		},
		{"not defined yet", []status.Plan{plan(3, 0, nil)}, nil, history("dddddu"), 5, "3(3)-5 recovered d3 2 l0"},
		{"maintenance begins", always, between(3, 8), history("uddduuuu"), 9, "1(1)-3 maintenance d1 2 l0"},
		{"down when it ends", always, between(3, 6), history("uddd.ddu"), 7, "1(1)-3 maintenance d1 2 l0; 6(6)-7 recovered d6 1 l0"},
		{"down only while it lasts", always, between(1, 6), history("udddduuu"), 7, ""},
		{"a row that began in it", with(3, 1, 1), between(1, 5), history("uuudddduu"), 8, "5(5)-7 recovered d5 2 l0"},
		{
			"two at the same time", always,
			[]status.Period{{From: slotAt(2), To: slotAt(5)}, {From: slotAt(3), To: slotAt(7)}},
			history("uddddddddd"), 9, "1(1)-2 maintenance d1 1 l0; 7(7)-  d7 3 l0",
		},
		{
			"a lower threshold",
			[]status.Plan{plan(0, 4, func(p *status.Plan) { p.Thresholds.Failure = 9 }), plan(4, 0, nil)},
			nil,
			history("udddddu"), 6, "1(4)-6 recovered d1 5 l0",
		},
		{
			"a lower quorum",
			[]status.Plan{plan(0, 4, func(p *status.Plan) { p.Quorum = 2 }), plan(4, 0, nil)},
			nil,
			history("udddddu", "uuuuuuu"), 6, "4(4)-6 recovered d4 2 l0",
		},
		{
			"a location that does not count any more",
			[]status.Plan{plan(0, 4, nil), plan(4, 0, func(p *status.Plan) { p.Locations = []string{"l1"} })},
			nil, history("uddddd", "uuuuuu"), 5, "1(1)-4 recovered d1 3 l0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, _ := status.Incidents(status.Past{
				Plans: tt.plans, Maintenance: tt.maintenance, Reports: tt.reports, Until: slotAt(tt.until),
			})
			got := written(list)
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestIncidentsTold(t *testing.T) {
	list, _ := status.Incidents(status.Past{
		Plans:   []status.Plan{{From: slotAt(0), Enabled: true, Thresholds: status.Thresholds{Failure: 2, Success: 2}}},
		Reports: history("uddddddduu", "uuudduuuuu", "uuuuuuuuuu"), Until: slotAt(9),
	})
	if len(list) != 1 {
		t.Fatalf("got %s", written(list))
	}
	var got []string
	for _, l := range list[0].Told {
		got = append(got, fmt.Sprintf("%s failed %s confirmed %s recovered %s %s %d",
			l.Location, at(l.Failed), at(l.Confirmed), at(l.Recovered), l.Cause.Reason, l.Reports))
	}
	want := []string{"l0 failed 1 confirmed 2 recovered 8 d1 7", "l1 failed 3 confirmed 4 recovered 5 d3 2"}
	if !slices.Equal(got, want) {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestSettled(t *testing.T) {
	plans := []status.Plan{
		{Thresholds: status.Thresholds{Failure: 3, Success: 1}},
		{Thresholds: status.Thresholds{Failure: 1, Success: 2}},
	}
	for reports, want := range map[string]bool{
		"": false, "u": false, "uu": true, "u?g": true, "udud": false, "dddd": false, "uudu": true, "duu?d": true,
	} {
		if got := status.Settled(history(reports), plans); got != want {
			t.Errorf("%q: got %t, want %t", reports, got, want)
		}
	}
}
