package status_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sitemon"
	"sitemon/status"
)

// randomPast makes up two to six minutes of a site.
func randomPast(rnd *rand.Rand) status.Past {
	length := 12 + rnd.IntN(25)
	second := func() time.Time { return start.Add(time.Duration(rnd.IntN(length*10)) * time.Second) }
	var p status.Past
	for from := start.Add(-time.Duration(rnd.IntN(3)) * interval); ; {
		plan := status.Plan{
			From: from, Enabled: rnd.IntN(5) > 0,
			Thresholds: status.Thresholds{Failure: rnd.IntN(4), Success: rnd.IntN(4)},
			Quorum:     sitemon.Quorum(rnd.IntN(4) - 1),
		}
		if rnd.IntN(4) == 0 {
			plan.Locations = []string{"l0", "l2"}[:1+rnd.IntN(2)]
		}
		p.Plans = append(p.Plans, plan)
		last := &p.Plans[len(p.Plans)-1]
		if from = second(); !from.After(last.From) || rnd.IntN(3) == 0 {
			break
		}
		last.To = from
		if rnd.IntN(4) == 0 {
			from = from.Add(time.Duration(1+rnd.IntN(60)) * time.Second)
		}
	}
	for rnd.IntN(2) == 0 {
		from := second()
		p.Maintenance = append(p.Maintenance, status.Period{From: from, To: from.Add(time.Duration(1+rnd.IntN(120)) * time.Second)})
	}
	var lines []string
	for range 1 + rnd.IntN(3) {
		letters, mood := []rune("uuuuug?.."), []rune("uudd?")
		line, bad := make([]rune, length), false
		for k := range line {
			if rnd.IntN(4) == 0 {
				bad = !bad
			}
			line[k] = letters[rnd.IntN(len(letters))]
			if bad {
				line[k] = mood[rnd.IntN(len(mood))]
			}
			if rnd.IntN(12) == 0 { // silence
				for j := k; j >= 0 && j > k-6; j-- {
					line[j] = '.'
				}
			}
		}
		lines = append(lines, string(line))
	}
	p.Reports = history(lines...)
	for i := range p.Reports { // some come between two slots
		if rnd.IntN(6) == 0 {
			p.Reports[i].Slot = p.Reports[i].Slot.Add(time.Duration(rnd.IntN(10)) * time.Second)
		}
	}
	slices.SortStableFunc(p.Reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	p.Until = start.Add(time.Duration(length*10-rnd.IntN(30)) * time.Second)
	return p
}

func described(p status.Past) string {
	s := fmt.Sprintf("until %s\n", at(p.Until))
	for _, pl := range p.Plans {
		s += fmt.Sprintf("plan %s-%s enabled %t %+v quorum %d locations %v\n", at(pl.From), at(pl.To), pl.Enabled, pl.Thresholds, pl.Quorum, pl.Locations)
	}
	for _, m := range p.Maintenance {
		s += fmt.Sprintf("maintenance %s-%s\n", at(m.From), at(m.To))
	}
	for _, r := range p.Reports {
		s += fmt.Sprintf("%s %s %s; ", r.Location, at(r.Slot), r.Outcome)
	}
	return s
}

// full is a stretch with all that is known of its locations.
func full(list []status.Stretch) string {
	s := ""
	for _, one := range list {
		s += written([]status.Stretch{one}) + " settled " + at(one.Settled)
		for _, l := range one.Told {
			s += fmt.Sprintf(" [%s failed %s confirmed %s recovered %s %s %d]",
				l.Location, at(l.Failed), at(l.Confirmed), at(l.Recovered), l.Cause.Reason, l.Reports)
		}
		s += "\n"
	}
	return s
}

func TestRandomIncidentsBySeconds(t *testing.T) {
	total := 0
	for seed := range uint64(3_000) {
		p := randomPast(rand.New(rand.NewPCG(seed, 5)))
		list, _ := status.Incidents(p)
		got, want := written(list), written(bySeconds(p))
		if got != want {
			t.Fatalf("seed %d\n%s\n got %s\nwant %s", seed, described(p), got, want)
		}
		if got != "" {
			total++
		}
	}
	if total < 1000 {
		t.Errorf("only %d of the histories have incidents", total)
	}
}

// TestRandomIncidentsFromTheMiddle begins at any moment with what was found up to
// there, and with no more reports before it than it takes.
func TestRandomIncidentsFromTheMiddle(t *testing.T) {
	carried := 0
	for seed := range uint64(3_000) {
		rnd := rand.New(rand.NewPCG(seed, 6))
		p := randomPast(rnd)
		list, tracks := status.Incidents(p)
		want := full(list)
		cut := start.Add(time.Duration(rnd.IntN(400)) * time.Second)
		if cut.After(p.Until) {
			cut = p.Until
		}
		// What begins at the cut or later is an edge of what goes on over it.
		got, _ := status.Incidents(upTo(p, cut))
		got = slices.DeleteFunc(got, func(s status.Stretch) bool { return !s.Confirmed.Before(cut) })
		after := p
		after.From = cut
		after.Reports = append(warm(p, cut), p.Reports[firstAt(p.Reports, cut):]...)
		var before status.Stretch
		if n := len(got); n > 0 {
			if before = got[n-1]; before.To.IsZero() {
				after.Open, got = &before, got[:n-1]
				carried++
			} else {
				after.Free = before.To
			}
		}
		rest, now := status.Incidents(after)
		if after.Open != nil {
			for i := range rest[0].Told {
				l := &rest[0].Told[i]
				for _, r := range p.Reports[:firstAt(p.Reports, cut)] {
					if r.Outcome == sitemon.OutcomeDown && r.Location == l.Location &&
						!r.Slot.Before(before.From) && (rest[0].To.IsZero() || r.Slot.Before(rest[0].To)) {
						l.Reports++
					}
				}
			}
		}
		if got, want := standing(now), standing(tracks); got != want {
			t.Fatalf("seed %d, cut %s\n%s\nat the end\n got %s\nwant %s", seed, at(cut), described(p), got, want)
		}
		if got := full(got) + full(rest); got != want {
			t.Fatalf("seed %d, cut %s\n%s\n got %s\nwant %s", seed, at(cut), described(p), got, want)
		}
	}
	if carried < 300 {
		t.Errorf("only %d cuts were within an incident", carried)
	}
}

// standing says of each location whether it is down, and how many reports in a row
// speak for a change of that.
func standing(tracks []status.Located) string {
	var words []string
	for _, l := range tracks {
		down, row := l.Track.Standing()
		words = append(words, fmt.Sprintf("%s %t %d", l.Location, down, row))
	}
	slices.Sort(words)
	return fmt.Sprint(words)
}

// upTo is what was known of a past just before a moment.
func upTo(p status.Past, cut time.Time) status.Past {
	q := status.Past{Reports: p.Reports[:firstAt(p.Reports, cut)], Until: cut.Add(-1)}
	for _, pl := range p.Plans {
		if pl.From.Before(cut) {
			if !pl.To.Before(cut) {
				pl.To = time.Time{}
			}
			q.Plans = append(q.Plans, pl)
		}
	}
	for _, m := range p.Maintenance {
		if m.From.Before(cut) {
			if !m.To.Before(cut) {
				m.To = cut.Add(time.Hour)
			}
			q.Maintenance = append(q.Maintenance, m)
		}
	}
	return q
}

func firstAt(reports []sitemon.Report, moment time.Time) int {
	i, _ := slices.BinarySearchFunc(reports, moment, func(r sitemon.Report, m time.Time) int { return r.Slot.Compare(m) })
	return i
}

// warm returns the reports before a moment that it takes of each location.
func warm(p status.Past, cut time.Time) []sitemon.Report {
	by := map[string][]sitemon.Report{}
	for _, r := range p.Reports[:firstAt(p.Reports, cut)] {
		by[r.Location] = append(by[r.Location], r)
	}
	var all []sitemon.Report
	for _, list := range by {
		i := len(list)
		for i > 0 && !status.Settled(list[i:], p.Plans) {
			i--
		}
		all = append(all, list[i:]...)
	}
	slices.SortStableFunc(all, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	return all
}

// TestRandomIncidentsAreTheStatusOfTheTime gives each report to a track when its
// slot has come, as a store does, and looks at each second at the status.
func TestRandomIncidentsAreTheStatusOfTheTime(t *testing.T) {
	for seed := range uint64(3_000) {
		p := randomPast(rand.New(rand.NewPCG(seed, 7)))
		last := p.Until
		if n := len(p.Reports); n > 0 && p.Reports[n-1].Slot.After(last) {
			last = p.Reports[n-1].Slot
		}
		p.Until = last
		list, _ := status.Incidents(p)
		live := lived(p, last)
		for i, st := range live {
			moment := start.Add(time.Duration(i-30) * time.Second)
			in := slices.ContainsFunc(list, func(s status.Stretch) bool {
				return !moment.Before(s.Confirmed) && (s.To.IsZero() || moment.Before(s.Settled))
			})
			if in && st != sitemon.StatusDown && st != sitemon.StatusUnknown || !in && st == sitemon.StatusDown {
				t.Fatalf("seed %d\n%s\nat %s the status was %s, incidents %s", seed, described(p), at(moment), st, full(list))
			}
		}
	}
}

// lived is the status at each second from 30 s before the start on.
func lived(p status.Past, last time.Time) (all []sitemon.Status) {
	var tracks []status.Located
	var plan *status.Plan
	reports := p.Reports
	for now := start.Add(-30 * time.Second); !now.After(last); now = now.Add(time.Second) {
		var holds *status.Plan
		for i := range p.Plans {
			if pl := &p.Plans[i]; !now.Before(pl.From) && (pl.To.IsZero() || now.Before(pl.To)) {
				holds = pl
			}
		}
		if holds != plan {
			for i := range tracks {
				if plan != nil && (holds == nil || plan.Enabled && !holds.Enabled) {
					tracks[i].Track.Forget(now)
				}
				if holds != nil {
					tracks[i].Track.Judge(holds.Thresholds)
				}
			}
			plan = holds
		}
		for len(reports) > 0 && reports[0].Slot.Equal(now) {
			i := slices.IndexFunc(tracks, func(l status.Located) bool { return l.Location == reports[0].Location })
			if i < 0 {
				i = len(tracks)
				tracks = append(tracks, status.Located{Location: reports[0].Location})
			}
			var th status.Thresholds
			if plan != nil {
				th = plan.Thresholds
			}
			tracks[i].Track.Advance(reports[0], th)
			reports = reports[1:]
		}
		if plan == nil {
			all = append(all, sitemon.StatusPaused)
			continue
		}
		terms := status.Terms{Enabled: plan.Enabled, Quorum: plan.Quorum, Locations: plan.Locations}
		for _, m := range p.Maintenance {
			if !now.Before(m.From) && now.Before(m.To) {
				terms.Maintenance = m.From
			}
		}
		all = append(all, status.Combine(now, terms, tracks).Status)
	}
	return all
}
