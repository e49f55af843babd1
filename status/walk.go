package status

import (
	"slices"
	"time"

	"sitemon"
)

// walk goes through the past of a site from one moment to the next at which
// something happens: reports, edges of plans and maintenance, and silence.
type walk struct {
	past  *Past
	limit time.Time // silence after it says nothing

	voices []voice
	tracks []Located // of the voices, in the same order
	plan   *Plan     // that holds; nil: there is no such site
	terms  Terms

	closed sitemon.IncidentEnd // what keeps the site from being judged; "": nothing
	free   time.Time           // no stretch begins before
	open   *Stretch
	done   []Stretch
}

// voice is what is remembered of a location beside its track.
type voice struct {
	row   Cause // of the first report of the row of failed ones
	first Cause // the same of the row that made it down
	// turned: its track became down at this moment.
	turned bool
}

func (w *walk) run() {
	edges := w.edges()
	reports := w.past.Reports
	var now time.Time
	for {
		next, ok := time.Time{}, false
		earliest := func(t time.Time) {
			if !ok || t.Before(next) {
				next, ok = t, true
			}
		}
		if len(edges) > 0 {
			earliest(edges[0])
		}
		if len(reports) > 0 {
			earliest(reports[0].Slot)
		}
		for i := range w.tracks {
			if s := w.tracks[i].Track.Silent; s.After(now) && !s.After(w.limit) {
				earliest(s)
			}
		}
		if !ok {
			return
		}
		now = next
		for i := range w.voices {
			w.voices[i].turned = false
		}
		if len(edges) > 0 && edges[0].Equal(now) {
			edges = edges[1:]
			w.edge(now)
		}
		for len(reports) > 0 && reports[0].Slot.Equal(now) {
			w.report(&reports[0])
			reports = reports[1:]
		}
		w.judge(now)
	}
}

// edges are the moments at which plans and maintenance begin and end, sorted.
func (w *walk) edges() []time.Time {
	var all []time.Time
	for _, p := range w.past.Plans {
		all = append(all, p.From)
		if !p.To.IsZero() {
			all = append(all, p.To)
		}
	}
	for _, m := range w.past.Maintenance {
		all = append(all, m.From, m.To)
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// edge takes up what holds from a moment on.
func (w *walk) edge(now time.Time) {
	before := w.plan
	w.plan, w.terms = nil, Terms{}
	for i := range w.past.Plans {
		if p := &w.past.Plans[i]; !p.From.After(now) && (p.To.IsZero() || now.Before(p.To)) {
			w.plan = p
			w.terms = Terms{Enabled: p.Enabled, Quorum: p.Quorum, Locations: p.Locations}
		}
	}
	for _, m := range w.past.Maintenance {
		if !m.From.After(now) && now.Before(m.To) {
			w.terms.Maintenance = now
		}
	}
	if w.plan == before {
		return
	}
	forget := before != nil && (w.plan == nil || before.Enabled && !w.plan.Enabled)
	for i := range w.tracks {
		w.change(i, func(t *Track) {
			if forget {
				t.Forget(now)
			}
			if w.plan != nil {
				t.Judge(w.plan.Thresholds)
			}
		})
	}
}

// change changes a track.
func (w *walk) change(i int, f func(t *Track)) {
	t, v := &w.tracks[i].Track, &w.voices[i]
	before := t.Status
	f(t)
	if t.Status == sitemon.StatusDown && before != sitemon.StatusDown {
		v.turned, v.first = true, v.row
	}
}

func (w *walk) report(r *sitemon.Report) {
	i := slices.IndexFunc(w.tracks, func(l Located) bool { return l.Location == r.Location })
	if i < 0 {
		i = len(w.tracks)
		w.tracks = append(w.tracks, Located{Location: r.Location})
		w.voices = append(w.voices, voice{})
	}
	if t := &w.tracks[i].Track; r.Outcome == sitemon.OutcomeDown && t.Failures == 0 {
		w.voices[i].row = Cause{r.Reason, r.Error}
	}
	var th Thresholds
	if w.plan != nil {
		th = w.plan.Thresholds
	}
	w.change(i, func(t *Track) { t.Advance(*r, th) })
}

// judge decides what the site's status at a moment means for the stretches.
func (w *walk) judge(now time.Time) {
	closed := w.closes()
	if closed == "" && w.closed != "" && now.After(w.free) {
		w.free = now
	}
	w.closed = closed
	if now.Before(w.past.From) {
		return
	}
	if closed != "" {
		if w.open != nil {
			w.end(now, now, closed)
		}
		return
	}
	judged := now
	if judged.After(w.limit) {
		judged = w.limit
	}
	st, location := combine(judged, &w.terms, w.tracks)
	if st.Status == sitemon.StatusDown && w.open == nil {
		w.begin(now, st, location)
	}
	if w.open == nil {
		return
	}
	recovered := w.listen(now, judged)
	if st.Status == sitemon.StatusUp || st.Status == sitemon.StatusDegraded {
		w.end(now, w.lastGood(now, recovered), sitemon.EndRecovered)
	}
}

// closes says what keeps the site from being judged; "": nothing.
func (w *walk) closes() sitemon.IncidentEnd {
	switch {
	case w.plan == nil:
		return sitemon.EndRemoved
	case !w.plan.Enabled:
		return sitemon.EndPaused
	case !w.terms.Maintenance.IsZero():
		return sitemon.EndMaintenance
	}
	return ""
}

// begin begins a stretch, with the state at its moment and who decided on that.
func (w *walk) begin(now time.Time, st State, location string) {
	s := &Stretch{From: now, Confirmed: now, Cause: Cause{st.Reason, st.Error}}
	w.open = s
	for i := range w.tracks {
		l := &w.tracks[i]
		if w.voices[i].turned && w.terms.counts(l.Location) && !st.Since.Before(w.free) {
			s.From = st.Since
		}
	}
	if s.From.Equal(st.Since) {
		i := slices.IndexFunc(w.tracks, func(l Located) bool { return l.Location == location })
		s.Cause = w.voices[i].first
	}
}

// listen notes what the locations say in the open stretch, and reports whether one
// of those that had said down turned good just now.
func (w *walk) listen(now, judged time.Time) (recovered bool) {
	for i := range w.tracks {
		l := &w.tracks[i]
		told := w.open.told(l.Location)
		switch {
		case w.terms.counts(l.Location) && l.Track.At(judged) == sitemon.StatusDown:
			if told == nil {
				w.open.Told = append(w.open.Told, Told{
					Location: l.Location, Failed: l.Track.Since, Confirmed: now, Cause: w.voices[i].first,
				})
			} else {
				told.Recovered = time.Time{}
			}
		case told == nil || !told.Recovered.IsZero():
		case l.Track.Status == sitemon.StatusUp || l.Track.Status == sitemon.StatusDegraded:
			told.Recovered = l.Track.Since
			recovered = true
		}
	}
	return recovered
}

// lastGood is when the open stretch ended, which is certain at the given moment:
// the last beginning of the rows of good reports, if it was one that did it and no
// other location began to say down after it.
func (w *walk) lastGood(now time.Time, recovered bool) time.Time {
	if !recovered {
		return now
	}
	last := w.open.From
	for _, t := range w.open.Told {
		if t.Recovered.After(last) {
			last = t.Recovered
		}
	}
	for i := range w.tracks {
		l := &w.tracks[i]
		if l.Track.Status == sitemon.StatusDown && !l.Track.Since.Before(last) && w.open.told(l.Location) != nil {
			return now
		}
	}
	if last.Equal(w.open.From) {
		return now
	}
	return last
}

// end ends the open stretch.
func (w *walk) end(now, to time.Time, end sitemon.IncidentEnd) {
	w.open.To, w.open.Settled, w.open.End = to, now, end
	w.done = append(w.done, *w.open)
	w.open, w.free = nil, to
}
