package storetest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/status"
)

// timeline drives a site through reports of three locations, some late, some twice
// and some out of order, silence, and documents that change it, and knows what its
// incidents must be.
type timeline struct {
	h    *harness
	rnd  *rand.Rand
	name string

	plans   []status.Plan
	present bool
	reports []sitemon.Report // that are recorded
	held    []sitemon.Report // on their way for long
	bad     map[string]bool  // locations that see it fail mostly
}

var timelineLocations = []string{"east", "north", "west"}

// change applies another document.
func (y *timeline) change() {
	rnd, now := y.rnd, y.h.clock()
	y.present = len(y.plans) == 0 || rnd.IntN(6) > 0
	if n := len(y.plans); n > 0 && y.plans[n-1].To.IsZero() {
		y.plans[n-1].To = now
	}
	sites := []sitemon.Site{site("other", time.Minute)}
	if y.present {
		p := status.Plan{
			From: now, Enabled: rnd.IntN(5) > 0, Quorum: sitemon.Quorum(rnd.IntN(4) - 1),
			Thresholds: status.Thresholds{Failure: 1 + rnd.IntN(3), Success: 1 + rnd.IntN(3)},
			Locations:  [][]string{nil, nil, {"east"}, {"north", "west"}}[rnd.IntN(4)],
		}
		y.plans = append(y.plans, p)
		sites = append(sites, site(y.name, 10*time.Second, func(s *sitemon.Site) { s.Enabled = p.Enabled },
			thresholds(p.Thresholds.Failure, p.Thresholds.Success), quorum(p.Quorum), probedFrom(p.Locations...)))
	}
	y.h.sync(sites...)
}

// step lets ten seconds pass, with the reports that come in them.
func (y *timeline) step() {
	rnd := y.rnd
	at := grid(y.name, 10*time.Second, y.h.clock(), 1)[0]
	y.h.set(at.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond))
	var batch []sitemon.Report
	for _, l := range timelineLocations {
		if rnd.IntN(8) == 0 {
			y.bad[l] = !y.bad[l]
		}
		if rnd.IntN(6) == 0 || len(y.plans) == 0 {
			continue
		}
		letters := []sitemon.Outcome{sitemon.OutcomeUp, sitemon.OutcomeUp, sitemon.OutcomeUp, sitemon.OutcomeUp, sitemon.OutcomeDegraded, sitemon.OutcomeUnknown}
		if y.bad[l] {
			letters = []sitemon.Outcome{sitemon.OutcomeDown, sitemon.OutcomeDown, sitemon.OutcomeDown, sitemon.OutcomeUnknown, sitemon.OutcomeUp}
		}
		r := report(y.name, at, letters[rnd.IntN(len(letters))])
		r.Location, r.Error = l, l+" at "+at.Format(time.TimeOnly)
		switch rnd.IntN(10) {
		case 0:
			y.held = append(y.held, r)
			continue
		case 1:
			batch = append(batch, r)
		}
		batch = append(batch, r)
	}
	for len(y.held) > 0 && rnd.IntN(3) == 0 {
		batch = append(batch, y.held[0])
		y.held = y.held[1:]
	}
	for part := range slices.Chunk(batch, 1+rnd.IntN(4)) {
		y.reports = append(y.reports, y.h.record(part...).New...)
	}
	if rnd.IntN(25) == 0 { // nobody says anything for a while
		y.h.pass(time.Duration(rnd.IntN(120)) * time.Second)
	}
}

// verify compares the incidents with those that the pure package makes of all
// reports.
func (y *timeline) verify() {
	y.h.Helper()
	now := y.h.clock()
	_, err := y.h.Tick(y.h.ctx, now)
	y.h.check(err)
	_, err = y.h.DeriveIncidents(y.h.ctx, now)
	y.h.check(err)
	list, _, err := y.h.Incidents(y.h.ctx, sitemon.IncidentQuery{Site: y.name})
	y.h.check(err)
	slices.Reverse(list)
	past := status.Past{Plans: y.plans, Reports: slices.Clone(y.reports), From: epoch.Add(-time.Hour), Until: now}
	slices.SortStableFunc(past.Reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	want, _ := status.Incidents(past)
	var got []status.Stretch
	for _, i := range list {
		s := status.Stretch{From: i.StartedAt, Confirmed: i.ConfirmedAt, To: i.EndedAt, End: i.End, Cause: status.Cause{Reason: i.Reason, Error: i.Error}}
		for _, l := range i.Locations {
			s.Told = append(s.Told, status.Told{Location: l})
		}
		if len(s.Told) > 0 {
			s.Told[0].Reports = i.Reports
		}
		got = append(got, s)
	}
	for i := range want {
		n := want[i].Reports()
		for j := range want[i].Told {
			want[i].Told[j] = status.Told{Location: want[i].Told[j].Location}
		}
		if len(want[i].Told) > 0 {
			want[i].Told[0].Reports = n
		}
		want[i].Settled = time.Time{}
	}
	if showStretches(got) != showStretches(want) {
		y.h.Fatalf("%s at %s:\n got\n%swant\n%s", y.name, now.Format(time.TimeOnly), showStretches(got), showStretches(want))
	}
}

func showStretches(list []status.Stretch) string {
	var b strings.Builder
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("15:04:05.000")
	}
	for _, s := range list {
		b.WriteString("  " + clock(s.From) + " " + clock(s.Confirmed) + " " + clock(s.To) + " " + string(s.End) + " " + s.Cause.Error)
		for _, t := range s.Told {
			b.WriteString(" " + t.Location)
			for range t.Reports {
				b.WriteString(".")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func testRandomIncidents(h *harness) {
	for seed := range uint64(3) {
		h.set(epoch.Add(time.Duration(seed) * time.Hour)) // time does not go back
		y := &timeline{h: h, rnd: rand.New(rand.NewPCG(seed, 3)), name: "incidents" + string(rune('a'+seed)), bad: map[string]bool{}}
		for range 5 {
			y.change()
			for range 3 + y.rnd.IntN(4) {
				for range 1 + y.rnd.IntN(6) {
					y.step()
				}
				if y.rnd.IntN(2) == 0 {
					y.verify()
				}
			}
		}
		y.verify()
	}
}
