package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sitemon"
	"sitemon/status"
)

// timeline drives a site through reports of three locations, some late, some twice
// and some out of order, silence, maintenance, and documents that change it, and knows
// what its incidents must be.
type timeline struct {
	h    *harness
	rnd  *rand.Rand
	name string

	plans   []status.Plan
	windows []status.Period // of maintenance that is planned from the beginning
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
	doc := document(sites...)
	for i, w := range y.windows {
		doc.Maintenance = append(doc.Maintenance, sitemon.Maintenance{
			Title: fmt.Sprint("works ", i), Start: w.From.Format("2006-01-02T15:04:05"), Duration: w.To.Sub(w.From),
		})
	}
	_, _, err := y.h.SyncSites(y.h.ctx, doc)
	y.h.check(err)
	y.h.check(y.h.Maintain(y.h.ctx, now))
}

// maintenance is when the site was in maintenance: within the windows, as long as it
// was there.
func (y *timeline) maintenance(now time.Time) (all []status.Period) {
	for _, w := range y.windows {
		for _, p := range y.plans {
			m := w
			if p.From.After(m.From) {
				m.From = p.From
			}
			if !p.To.IsZero() && p.To.Before(m.To) {
				m.To = p.To
			}
			if m.From.Before(m.To) && !m.From.After(now) {
				all = append(all, m)
			}
		}
	}
	return all
}

// step lets ten seconds pass, with the reports that come in them.
func (y *timeline) step() {
	rnd := y.rnd
	at := grid(y.name, 10*time.Second, y.h.clock(), 1)[0]
	y.h.set(at.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond))
	y.h.check(y.h.Maintain(y.h.ctx, y.h.clock()))
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
		y.h.check(y.h.Maintain(y.h.ctx, y.h.clock()))
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
	past := status.Past{
		Plans: y.plans, Maintenance: y.maintenance(now), Reports: slices.Clone(y.reports), From: epoch.Add(-time.Hour), Until: now,
	}
	slices.SortStableFunc(past.Reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	want, _ := status.Incidents(past)
	want = slices.DeleteFunc(want, func(s status.Stretch) bool { return s.Confirmed.After(now) }) // when a maintenance ends
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
	first := h.seed()
	for i := range uint64(2) {
		h.set(epoch.Add(time.Duration(i) * time.Hour)) // time does not go back
		y := &timeline{h: h, rnd: rand.New(rand.NewPCG(first+i, 3)), name: "incidents" + string(rune('a'+i)), bad: map[string]bool{}}
		for range y.rnd.IntN(4) {
			from := h.clock().Add(time.Duration(y.rnd.IntN(900)) * time.Second)
			y.windows = append(y.windows, status.Period{From: from, To: from.Add(time.Duration(60+y.rnd.IntN(240)) * time.Second)})
		}
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
