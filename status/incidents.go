package status

import (
	"slices"
	"sort"
	"strings"
	"time"

	"sitemon"
)

// Plan is what a site was to be judged by for a while. Where no plan holds, there
// was no such site.
type Plan struct {
	From, To   time.Time // To is exclusive; zero: it goes on
	Enabled    bool
	Thresholds Thresholds
	Quorum     sitemon.Quorum
	Locations  []string // whose votes count; empty: all
}

// Period is a stretch of time; To is exclusive.
type Period struct{ From, To time.Time }

// Past is what is known of a site.
type Past struct {
	Plans       []Plan   // all of them, oldest first
	Maintenance []Period // in any order; they may overlap
	// Reports are those of all locations, in the order of their slots.
	Reports []sitemon.Report

	// From is the moment from which on it is asked what happened. Reports of slots
	// before it tell how matters stood then: of each location there are enough of
	// them, see [Settled].
	From time.Time
	// Open is the stretch that went on at From, as far as it had come; nil for none.
	Open *Stretch
	// Free is the end of the last stretch that ended before From.
	Free time.Time

	// Until is the time up to which reports have been read: silence after it, and
	// after the last report, says nothing yet.
	Until time.Time
}

// Stretch is a time in which a site's status was down: an incident.
type Stretch struct {
	// From is the slot of the first failed report: of the location with which the
	// quorum was reached. Where it was not a report that made the status down, or that
	// slot lies in a time that another stretch, a pause or a maintenance has taken, it is
	// the moment at which the status became down.
	From      time.Time
	Confirmed time.Time // the moment at which the status became down

	// To is the slot of the first good report of those that ended it, where several
	// locations had said down that of the last of them. Where it was not a report of those
	// that ended it, or another location has failed since, it is the moment at which the
	// status became another. Zero: it goes on, maybe unseen.
	To      time.Time
	Settled time.Time           // the moment at which the status became another
	End     sitemon.IncidentEnd // "" while it goes on

	Cause Cause  // of the first failed report
	Told  []Told // the locations that said down, sorted by name
}

// Told is what a location said in a [Stretch].
type Told struct {
	Location  string
	Failed    time.Time // slot of its first failed report
	Confirmed time.Time // the moment at which its vote was down
	// Recovered is the slot of its first good report, after which it did not say down
	// any more; zero for none.
	Recovered time.Time
	Cause     Cause // of its first failed report
	// Reports is how many failed reports it has in the stretch; of one that was open
	// before, those from [Past.From] on.
	Reports int
}

// Reports is how many failed reports the locations that said down have in it.
func (s *Stretch) Reports() (n int) {
	for _, t := range s.Told {
		n += t.Reports
	}
	return n
}

// Locations are those that said down, sorted.
func (s *Stretch) Locations() []string {
	names := make([]string, len(s.Told))
	for i, t := range s.Told {
		names[i] = t.Location
	}
	return names
}

func (s *Stretch) told(location string) *Told {
	for i := range s.Told {
		if s.Told[i].Location == location {
			return &s.Told[i]
		}
	}
	return nil
}

// Incidents returns the stretches of time in which a site was down, oldest first:
// those that went on at [Past.From] or became one later. Only the last one may have
// no end.
//
// Every report counts at its slot, whenever it came, so what was is told as if all
// reports had come in order. Reports of the same slot count together. Else the rules
// are those of [Track] and [Combine]. A status that is unknown ends no stretch; a
// pause, the removal of the site and a maintenance do.
//
// The tracks are what there is to remember of the locations after all that.
func Incidents(p Past) (list []Stretch, tracks []Located) {
	w := walk{past: &p, closed: sitemon.EndRemoved, free: p.Free, limit: p.Until}
	if n := len(p.Reports); n > 0 && p.Reports[n-1].Slot.After(w.limit) {
		w.limit = p.Reports[n-1].Slot
	}
	if p.Open != nil {
		open := *p.Open
		open.Told = slices.Clone(open.Told)
		w.open = &open
	}
	w.run()
	if w.open != nil {
		w.done = append(w.done, *w.open)
	}
	for i := range w.done {
		w.count(&w.done[i])
	}
	return w.done, w.tracks
}

// count counts the failed reports of a stretch.
func (w *walk) count(s *Stretch) {
	slices.SortFunc(s.Told, func(a, b Told) int { return strings.Compare(a.Location, b.Location) })
	from := s.From
	if w.past.Open != nil && s.Confirmed.Equal(w.past.Open.Confirmed) {
		from = w.past.From
	}
	all := w.past.Reports
	first := sort.Search(len(all), func(i int) bool { return !all[i].Slot.Before(from) })
	for i := range s.Told {
		s.Told[i].Reports = 0
	}
	for i := first; i < len(all); i++ {
		r := &all[i]
		if !s.To.IsZero() && !r.Slot.Before(s.To) {
			break
		}
		if r.Outcome != sitemon.OutcomeDown {
			continue
		}
		if t := s.told(r.Location); t != nil {
			t.Reports++
		}
	}
}

// Settled reports whether reports of one location, in the order of their slots,
// tell all that matters of it after them, whatever came before: it was good for so many
// of them in a row that no plan asks for more.
func Settled(reports []sitemon.Report, plans []Plan) bool {
	need, good := 1, 0
	for _, p := range plans {
		need = max(need, p.Thresholds.Success)
	}
	for i := range reports {
		switch reports[i].Outcome {
		case sitemon.OutcomeDown:
			good = 0
		case sitemon.OutcomeUp, sitemon.OutcomeDegraded:
			good++
		}
		if good >= need {
			return true
		}
	}
	return false
}
