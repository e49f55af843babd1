package status_test

import (
	"cmp"
	"slices"
	"time"

	"sitemon"
	"sitemon/status"
)

// slow is a location as the slow reference sees it: all that happened to it since it
// was last forgotten.
type slow struct {
	name   string
	events []slowEvent

	// What follows from the events.
	word  sitemon.Outcome // "" for unknown
	since time.Time
	cause status.Cause // of the first report of since
	newer status.Cause // of the newest failed one
	heard time.Time    // slot of the newest report that knew
}

// slowEvent is a report or, where it has no outcome, other thresholds.
type slowEvent struct {
	report           sitemon.Report
	failure, success int
}

// think decides from all events what the location says, silence left aside.
func (l *slow) think() {
	l.word, l.since, l.cause, l.newer, l.heard = "", time.Time{}, status.Cause{}, status.Cause{}, time.Time{}
	var row []sitemon.Report
	for _, e := range l.events {
		r := e.report
		if r.Outcome == sitemon.OutcomeUnknown {
			continue
		}
		if r.Outcome != "" {
			if len(row) > 0 && (row[0].Outcome == sitemon.OutcomeDown) != (r.Outcome == sitemon.OutcomeDown) {
				row = nil
			}
			row = append(row, r)
			l.heard = r.Slot
			if r.Outcome != sitemon.OutcomeUp {
				l.newer = status.Cause{Reason: r.Reason, Error: r.Error}
			}
		}
		if len(row) == 0 {
			continue
		}
		newest := row[len(row)-1]
		bad, down := row[0].Outcome == sitemon.OutcomeDown, l.word == sitemon.OutcomeDown
		switch {
		case bad && !down && len(row) >= e.failure:
			l.word, l.since, l.cause = sitemon.OutcomeDown, row[0].Slot, status.Cause{Reason: row[0].Reason, Error: row[0].Error}
		case !bad && down && len(row) >= e.success:
			l.word, l.since = newest.Outcome, row[0].Slot
		case !bad && !down && l.word != newest.Outcome:
			l.word, l.since = newest.Outcome, newest.Slot
		}
	}
}

// says is what the location says at a moment; "" where it knows nothing. In these
// tests silence is 40 s.
func (l *slow) says(now time.Time) sitemon.Outcome {
	if now.Sub(l.heard) >= 40*time.Second {
		return ""
	}
	return l.word
}

// bySeconds finds the incidents of a past that begins at [start] by looking at each
// of its seconds. It shares no code with the package.
func bySeconds(p status.Past) (list []status.Stretch) {
	var locations []*slow
	var plan *status.Plan
	var open *status.Stretch
	recovered := map[string]time.Time{} // of those that said down in the open one
	shut, free := true, time.Time{}
	limit, unheard := p.Until, p.Reports
	for _, r := range p.Reports {
		if r.Slot.After(limit) {
			limit = r.Slot
		}
	}
	finish := func(now, to time.Time, how sitemon.IncidentEnd) {
		open.To, open.Settled, open.End = to, now, how
		list, open, free = append(list, *open), nil, to
	}
	for s := -30; s < 700; s++ {
		now := start.Add(time.Duration(s) * time.Second)
		judged := now
		if judged.After(limit) {
			judged = limit
		}
		was := map[string]sitemon.Outcome{}
		for _, l := range locations {
			was[l.name] = l.word
		}
		plan = replan(&p, plan, locations, now)
		for len(unheard) > 0 && unheard[0].Slot.Equal(now) {
			locations = hear(unheard[0], plan, locations)
			unheard = unheard[1:]
		}

		how := sitemon.IncidentEnd("")
		switch {
		case plan == nil:
			how = sitemon.EndRemoved
		case !plan.Enabled:
			how = sitemon.EndPaused
		case slices.ContainsFunc(p.Maintenance, func(m status.Period) bool { return !now.Before(m.From) && now.Before(m.To) }):
			how = sitemon.EndMaintenance
		}
		if how != "" {
			if open != nil {
				finish(now, now, how)
			}
			shut = true
			continue
		}
		if shut {
			shut, free = false, now
		}

		var down []*slow
		known, degraded := 0, false
		for _, l := range locations {
			if len(plan.Locations) > 0 && !slices.Contains(plan.Locations, l.name) {
				continue
			}
			switch l.says(judged) {
			case sitemon.OutcomeDown:
				down = append(down, l)
				known++
			case sitemon.OutcomeDegraded:
				degraded = true
				known++
			case sitemon.OutcomeUp:
				known++
			}
		}
		need := max(1, int(plan.Quorum))
		if plan.Quorum == -1 {
			need = 1
			for 2*need <= known {
				need++
			}
		}
		isDown := len(down) >= need
		isGood := !isDown && (degraded || known > len(down))
		if isDown && open == nil {
			slices.SortFunc(down, func(a, b *slow) int {
				return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name, b.name))
			})
			who := down[need-1]
			open = &status.Stretch{From: now, Confirmed: now, Cause: who.newer}
			if slices.ContainsFunc(down, func(l *slow) bool { return was[l.name] != sitemon.OutcomeDown }) && !who.since.Before(free) {
				open.From = who.since
			}
			if open.From.Equal(who.since) {
				open.Cause = who.cause
			}
			clear(recovered)
		}
		if open == nil {
			continue
		}
		turned := false
		for _, l := range locations {
			at, told := recovered[l.name]
			if slices.Contains(down, l) {
				recovered[l.name] = time.Time{}
				if !told {
					open.Told = append(open.Told, status.Told{Location: l.name})
				}
			} else if told && at.IsZero() && l.word != "" && l.word != sitemon.OutcomeDown {
				recovered[l.name], turned = l.since, true
			}
		}
		if isGood {
			to := now
			if turned {
				var last time.Time
				for _, at := range recovered {
					if at.After(last) {
						last = at
					}
				}
				later := slices.ContainsFunc(locations, func(l *slow) bool {
					_, told := recovered[l.name]
					return told && l.word == sitemon.OutcomeDown && !l.since.Before(last)
				})
				if last.After(open.From) && !later {
					to = last
				}
			}
			finish(now, to, sitemon.EndRecovered)
		}
	}
	if open != nil {
		list = append(list, *open)
	}
	for i := range list {
		countSlowly(&p, &list[i])
	}
	return list
}

// replan returns the plan that holds at a second, and tells the locations.
func replan(p *status.Past, before *status.Plan, locations []*slow, now time.Time) (plan *status.Plan) {
	for i := range p.Plans {
		if pl := &p.Plans[i]; !now.Before(pl.From) && (pl.To.IsZero() || now.Before(pl.To)) {
			plan = pl
		}
	}
	if plan == before {
		return plan
	}
	for _, l := range locations {
		if before != nil && (plan == nil || before.Enabled && !plan.Enabled) {
			l.events = nil
		}
		if plan != nil {
			l.events = append(l.events, slowEvent{failure: plan.Thresholds.Failure, success: plan.Thresholds.Success})
		}
		l.think()
	}
	return plan
}

// hear tells a location of its report.
func hear(r sitemon.Report, plan *status.Plan, locations []*slow) []*slow {
	i := slices.IndexFunc(locations, func(l *slow) bool { return l.name == r.Location })
	if i < 0 {
		i = len(locations)
		locations = append(locations, &slow{name: r.Location})
	}
	e := slowEvent{report: r}
	if plan != nil {
		e.failure, e.success = plan.Thresholds.Failure, plan.Thresholds.Success
	}
	locations[i].events = append(locations[i].events, e)
	locations[i].think()
	return locations
}

func countSlowly(p *status.Past, s *status.Stretch) {
	slices.SortFunc(s.Told, func(a, b status.Told) int { return cmp.Compare(a.Location, b.Location) })
	for _, r := range p.Reports {
		for i := range s.Told {
			if s.Told[i].Location == r.Location && r.Outcome == sitemon.OutcomeDown &&
				!r.Slot.Before(s.From) && (s.To.IsZero() || r.Slot.Before(s.To)) {
				s.Told[i].Reports++
			}
		}
	}
}
