package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"sitemon"
	"sitemon/availability"
)

// dayReasons is of how many reports of a day the grid says the reasons.
const dayReasons = 2000

// firstMidnight is how long before UTC a day begins where it begins first.
const firstMidnight = 14 * time.Hour

// dayView is a day opened as a grid: a row for each hour, a square for each minute.
type dayView struct {
	Date     string // "2026-11-25"
	Title    string // "Wednesday, 25 November 2026"
	Zone     string // its time zone
	Text     string // "99.31 %, down 10 min"
	Coarse   bool   // no reports of it are kept, so that its squares are as wide as the sums that are
	Previous string // the address of the day before
	Next     string // of the day after, "" where that is to come
	Close    string
	// Elsewhere is the address of the same day in the reader's time zone, whose name a
	// script puts behind it.
	Elsewhere string
	UTC       string // the address of the same day in UTC, "" where that is shown
	Hours     []dayHour
	Keep      []hiddenField // what the form for another day has to keep
}

// hiddenField is a field of a form that nobody sees.
type hiddenField struct{ Name, Value string }

// dayHour is a row of the grid.
type dayHour struct {
	Clock string // "14:00", with its offset where that hour is there twice
	URL   string // shows the hour in the charts, "" where it is to come
	Paths []barPath
	// Cells has a line for each stretch of squares that are the same, for a script to
	// show: how many minutes, what, at most how many µs, and why.
	Cells  string
	Status statusView // the worst in it; without a name while all of it is to come
	Text   string     // "down 10 min, slowest 1.20 s"
}

// wholeDay is the time of a day in a zone, which may be longer or shorter than 24
// hours.
type wholeDay struct {
	date     time.Time // at midnight of UTC
	from, to time.Time
	zone     *time.Location
}

// day reads day and tz. The second result says whether a day is asked for.
func (p *params) day() (wholeDay, bool) {
	text := p.values.Get("day")
	if text == "" {
		return wholeDay{}, false
	}
	zone := p.zone("tz")
	if zone == nil {
		zone = time.UTC
	}
	date, err := time.Parse(time.DateOnly, text)
	if err != nil {
		p.fail("day", "%q is not a day such as 2026-11-25", text)
		return wholeDay{}, false
	}
	d := newWholeDay(date, zone)
	// It may have begun in another zone only, from where a link leads here.
	for back := 1; back <= 2 && d.from.After(p.now) && !date.Add(-firstMidnight).After(p.now); back++ {
		d = newWholeDay(date.AddDate(0, 0, -back), zone)
	}
	if date.Year() < 1971 || d.from.After(p.now) {
		p.fail("day", "%q is not between the year 1971 and today", text)
	}
	return d, p.err == nil
}

func newWholeDay(date time.Time, zone *time.Location) wholeDay {
	// The midnights around it: those that bound steps of days are the same.
	edges := availability.Query{From: date.Add(-2 * day), To: date.Add(3 * day), Step: day, Zone: zone}.Edges()
	d := wholeDay{date: date, from: date, to: date.Add(day), zone: zone}
	for i, e := range edges[1 : len(edges)-2] {
		// A midnight that does not exist is later than it, but on its day.
		if y, m, n := e.In(zone).Date(); time.Date(y, m, n, 0, 0, 0, 0, time.UTC).Equal(date) {
			d.from, d.to = e, edges[i+2]
		}
	}
	return d
}

// openDay reads a day of a site and draws it.
func (s *Server) openDay(ctx context.Context, site string, kind sitemon.Kind, query url.Values, d wholeDay) (*dayView, error) {
	to := d.to
	if now := s.Now(); now.Before(to) {
		to = now
	}
	if !d.from.Before(to) {
		to = d.from.Add(time.Minute)
	}
	r, err := s.History.Availability(ctx, availability.Query{Site: site, From: d.from, To: to, Step: time.Minute})
	if err != nil {
		return nil, err
	}
	reasons := map[time.Time]string{}
	for outcome, time := range map[sitemon.Outcome]time.Duration{sitemon.OutcomeDegraded: r.Total.Degraded, sitemon.OutcomeDown: r.Total.Down} {
		if time > 0 {
			if err := s.addReasons(ctx, reasons, kind, sitemon.ReportQuery{Site: site, From: d.from, To: to, Outcome: outcome, Limit: dayReasons}); err != nil {
				return nil, err
			}
		}
	}
	return newDayView(site, query, d, s.Now(), r, reasons), nil
}

// addReasons adds why the site was what it was, by the minute.
func (s *Server) addReasons(ctx context.Context, reasons map[time.Time]string, kind sitemon.Kind, q sitemon.ReportQuery) error {
	reports, _, err := s.History.Reports(ctx, q)
	for _, r := range reports {
		minute := r.Slot.UTC().Truncate(time.Minute)
		if reasons[minute] == "" || q.Outcome == sitemon.OutcomeDown {
			reasons[minute] = reasonOf(kind, r.Reason)
		}
	}
	return err
}

func newDayView(site string, query url.Values, d wholeDay, now time.Time, r availability.Result, reasons map[time.Time]string) *dayView {
	link := func(days int) string {
		return siteAddress(site, query, "day", d.date.AddDate(0, 0, days).Format(time.DateOnly)) + "#minutes"
	}
	v := &dayView{
		Date: d.date.Format(time.DateOnly), Title: d.date.Format("Monday, 2 January 2006"), Zone: d.zone.String(),
		Previous: link(-1), Close: siteAddress(site, query, "day", "", "tz", ""), Elsewhere: siteAddress(site, query, "tz", "") + "#minutes",
	}
	if d.to.Before(now) {
		v.Next = link(1)
	}
	if d.zone != time.UTC {
		v.UTC = v.Elsewhere
	}
	for _, name := range []string{"range", "from", "to", "tz"} {
		if value := query.Get(name); value != "" {
			v.Keep = append(v.Keep, hiddenField{name, value})
		}
	}
	t := r.Total
	if v.Text = dayNote(availability.SeriesBucket{Up: t.Up, Degraded: t.Degraded, Down: t.Down, Unknown: t.Unknown, Maintenance: t.Maintenance}); v.Text == "" {
		v.Text = "nothing known"
		if t.Up > 0 {
			v.Text = "up all day"
		}
	}
	cells := dayCells(r, reasons)
	for _, c := range cells {
		v.Coarse = v.Coarse || c.to.Sub(c.from) > time.Minute
	}
	seen := map[string]bool{}
	for from := d.from; from.Before(d.to); from = from.Add(time.Hour) {
		local := from.In(d.zone)
		clock := local.Format("15:04")
		if seen[clock] {
			clock = local.Format("15:04 -07:00")
		}
		seen[clock] = true
		v.Hours = append(v.Hours, newDayHour(site, query, clock, from, minTime(from.Add(time.Hour), d.to), cells))
	}
	return v
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// dayCell is one square: a minute, or more where only sums are left.
type dayCell struct {
	from, to time.Time
	class    string // one of [barClasses]
	bucket   availability.Bucket
	slowest  time.Duration
	reason   string
}

func dayCells(r availability.Result, reasons map[time.Time]string) []dayCell {
	cells := make([]dayCell, len(r.Buckets))
	for i, b := range r.Buckets {
		c := dayCell{from: b.Start, to: bucketEnd(r, i), class: "unknown", bucket: b, reason: reasons[b.Start.UTC().Truncate(time.Minute)]}
		switch {
		case b.Down > 0:
			c.class = "down"
		case b.Degraded > 0:
			c.class = "degraded"
		case b.Maintenance > 0:
			c.class = "maintenance"
		case b.Up > 0:
			c.class = "up"
		}
		if c.class != "down" && c.class != "degraded" {
			c.reason = ""
		}
		if b.Latency != nil {
			c.slowest = b.Latency.Max
		}
		cells[i] = c
	}
	return cells
}

// daySquare is how the squares of a class are drawn in their row of 12: from the
// upper edge, how high. What they are is seen without colours too.
var daySquare = map[string][2]int{"up": {0, 12}, "down": {0, 12}, "degraded": {4, 8}, "maintenance": {0, 5}, "unknown": {10, 2}}

// newDayHour draws the squares that lie in a row.
func newDayHour(site string, query url.Values, clock string, from, to time.Time, cells []dayCell) dayHour {
	h := dayHour{Clock: clock}
	paths := map[string]*strings.Builder{}
	var lines strings.Builder
	var sum availability.Sum
	var slowest time.Duration
	same, minutes := "", 0
	flush := func() {
		if minutes > 0 {
			fmt.Fprintf(&lines, "%d %s\n", minutes, same)
		}
	}
	for _, c := range cells {
		start, end := max(c.from.Sub(from), 0), min(c.to.Sub(from), to.Sub(from))
		if end <= start {
			continue
		}
		x, width := int(start.Minutes()), max(int((end-start).Minutes()+0.5), 1)
		if paths[c.class] == nil {
			paths[c.class] = &strings.Builder{}
		}
		fmt.Fprintf(paths[c.class], "M%d %dh%dv%dh-%[3]dz", x, daySquare[c.class][0], width, daySquare[c.class][1])
		text := strings.TrimSpace(fmt.Sprintf("%s %d %s", c.class, c.slowest.Microseconds(), c.reason))
		if text != same {
			flush()
			same, minutes = text, 0
		}
		minutes += width
		b := c.bucket
		if c.to.Sub(c.from) == end-start { // one that reaches into two rows counts for neither
			sum.Merge(availability.Sum{Up: b.Up, Degraded: b.Degraded, Down: b.Down, Unknown: b.Unknown, Maintenance: b.Maintenance})
		}
		slowest = max(slowest, c.slowest)
	}
	flush()
	h.Cells = strings.TrimSuffix(lines.String(), "\n")
	for _, class := range barClasses {
		if paths[class] != nil {
			h.Paths = append(h.Paths, barPath{class, paths[class].String()})
		}
	}
	if minutes > 0 {
		h.URL = siteAddress(site, query, "range", "", "from", from.UTC().Format(time.RFC3339), "to", to.UTC().Format(time.RFC3339)) + "#charts"
	}
	h.Status, h.Text = hourText(sum, slowest, minutes > 0)
	return h
}

// hourText is the worst that a site was in an hour, and how long; begun says whether
// any of it has passed.
func hourText(sum availability.Sum, slowest time.Duration, begun bool) (statusView, string) {
	var parts []string
	status := sitemon.StatusUnknown
	for _, p := range []struct {
		status sitemon.Status
		time   time.Duration
	}{{sitemon.StatusDown, sum.Down}, {sitemon.StatusDegraded, sum.Degraded}, {sitemon.StatusMaintenance, sum.Maintenance}} {
		if p.time <= 0 {
			continue
		}
		if len(parts) == 0 {
			status = p.status
		}
		parts = append(parts, predicate(p.status)+" "+ageText(max(p.time, time.Second), true))
	}
	switch {
	case !begun:
		return statusView{}, ""
	case len(parts) == 0 && sum.Up > 0:
		status, parts = sitemon.StatusUp, append(parts, "up")
		if sum.Unknown >= time.Minute {
			parts = append(parts, "unknown "+ageText(sum.Unknown, true))
		}
	case len(parts) == 0:
		parts = append(parts, "nothing known")
	}
	if slowest > 0 {
		parts = append(parts, "slowest "+latencyText(slowest))
	}
	return newStatusView(status), strings.Join(parts, ", ")
}
