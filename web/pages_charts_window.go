package web

import (
	"fmt"
	"net/url"
	"time"

	"sitemon/availability"
)

const (
	// leastWindow is how much time the charts show at least: there is no step below a
	// minute.
	leastWindow = 10 * time.Minute
	// mostWindow is up to where they can be zoomed out.
	mostWindow = 5 * 366 * day
)

// chartRange is one of the times up to now to choose from, with its step.
type chartRange struct {
	key, name, from string // of the address, as shown, as the API takes it
	window, step    time.Duration
}

var chartRanges = []chartRange{
	{"1h", "1 h", "-1h", time.Hour, time.Minute},
	{"24h", "24 h", "-24h", day, 15 * time.Minute},
	{"7d", "7 d", "-7d", 7 * day, 2 * time.Hour},
	{"30d", "30 d", "-30d", 30 * day, 8 * time.Hour},
	{"90d", "90 d", "-90d", 90 * day, day},
	{"1y", "1 y", "-365d", 365 * day, 4 * day},
}

// standardRange is the charts' range unless the address names another.
const standardRange = "24h"

// chartWindow is the time that all charts of a page show: a range up to now, or the
// time between two moments.
type chartWindow struct {
	chartRange // its key is "" where two moments bound it
	from, to   time.Time
	now        time.Time
}

// chartWindow reads range, or from and to, which go before it. A window ends now at
// the latest.
func (p *params) chartWindow() chartWindow {
	if p.values.Get("from") != "" || p.values.Get("to") != "" {
		return p.zoomed()
	}
	key := p.values.Get("range")
	if key == "" {
		key = standardRange
	}
	for _, c := range chartRanges {
		if c.key == key {
			return chartWindow{c, p.now.Add(-c.window), p.now, p.now}
		}
	}
	p.fail("range", "%q is none of 1h, 24h, 7d, 30d, 90d, 1y", key)
	return chartWindow{}
}

// zoomed reads from and to, in whole minutes.
func (p *params) zoomed() chartWindow {
	from, to := p.instant("from").Truncate(time.Minute), p.instant("to").Truncate(time.Minute)
	if to.IsZero() || to.After(p.now) {
		to = p.now
	}
	if from.IsZero() {
		from = to.Add(-day)
	}
	switch {
	case p.err != nil:
	case !from.Before(to):
		p.fail("from", "is not before to, or not before now")
	case from.Year() < 1970:
		p.fail("from", "is before the year 1970")
	case to.Sub(from) > mostWindow:
		p.fail("from", "is more than five years before to")
	}
	return newZoom(from, to, p.now)
}

// newZoom is the window between two moments, widened to the least there is and moved
// so that it ends now at the latest.
func newZoom(from, to, now time.Time) chartWindow {
	if missing := leastWindow - to.Sub(from); missing > 0 {
		from = from.Add(-missing / 2).Truncate(time.Minute)
		to = from.Add(leastWindow)
	}
	if over := to.Sub(now); over > 0 {
		from, to = from.Add(-over).Truncate(time.Minute), now
	}
	w := chartWindow{from: from, to: to, now: now}
	w.window = to.Sub(from)
	w.step = availability.DefaultStep(w.window)
	return w
}

// query asks for the window's figures.
func (w chartWindow) query(site string) availability.Query {
	return availability.Query{Site: site, From: w.from, To: w.to, Step: w.step}
}

// source is where the window's figures are in the API.
func (w chartWindow) source(site string) string {
	q := url.Values{"step": {fmt.Sprintf("%dm", w.step/time.Minute)}, "histogram": {"true"}}
	if w.key != "" {
		q.Set("from", w.chartRange.from)
	} else {
		q.Set("from", w.from.Format(time.RFC3339))
		q.Set("to", w.to.Format(time.RFC3339))
	}
	return "/api/v1/sites/" + url.PathEscape(site) + "/availability?" + q.Encode()
}

// text says how long the window is: "24 h", or "3 h 20 min".
func (w chartWindow) text() string {
	if w.name != "" {
		return w.name
	}
	return ageText(w.window, true)
}

// windowLink leads to another window.
type windowLink struct {
	Name    string // "24 h"
	URL     string // "" where there is nothing more to see
	Current bool
}

// rangeLinks lead to the ranges.
func (w chartWindow) rangeLinks(site string, query url.Values) []windowLink {
	links := make([]windowLink, len(chartRanges))
	for i, c := range chartRanges {
		key := c.key
		if key == standardRange {
			key = ""
		}
		links[i] = windowLink{c.name, siteAddress(site, query, "range", key, "from", "", "to", ""), c.key == w.key}
	}
	return links
}

// zoomLinks lead to windows beside this one, and within and around it.
type zoomLinks struct {
	Earlier, Later, In, Out windowLink
	Reset                   windowLink // without a URL where the window is a range
}

func (w chartWindow) zoomLinks(site string, query url.Values) zoomLinks {
	to := func(name string, from, to time.Time, possible bool) windowLink {
		if !possible {
			return windowLink{Name: name}
		}
		z := newZoom(from.Truncate(time.Minute), to.Truncate(time.Minute), w.now.Truncate(time.Minute))
		return windowLink{Name: name, URL: siteAddress(site, query, "from", z.from.Format(time.RFC3339), "to", z.to.Format(time.RFC3339))}
	}
	half, quarter := w.window/2, w.window/4
	links := zoomLinks{
		Earlier: to("Earlier", w.from.Add(-half), w.to.Add(-half), w.from.Add(-half).Year() >= 1970),
		Later:   to("Later", w.from.Add(half), w.to.Add(half), w.now.Sub(w.to) >= time.Minute),
		In:      to("Zoom in", w.from.Add(quarter), w.to.Add(-quarter), w.window > leastWindow),
		Out:     to("Zoom out", w.from.Add(-half), w.to.Add(half), 2*w.window < mostWindow && w.from.Add(-2*w.window).Year() >= 1970),
	}
	if links.Reset.Name = "Reset"; w.key == "" {
		links.Reset.URL = siteAddress(site, query, "from", "", "to", "")
	}
	return links
}

// siteAddress is the address of a site's page with the query that there is, some of
// its parameters set to other values; "" takes one away.
func siteAddress(site string, query url.Values, set ...string) string {
	q := url.Values{}
	for name, values := range query {
		if name != "parts" && len(values) > 0 {
			q.Set(name, values[0])
		}
	}
	for i := 0; i+1 < len(set); i += 2 {
		if q.Del(set[i]); set[i+1] != "" {
			q.Set(set[i], set[i+1])
		}
	}
	if len(q) == 0 {
		return siteURL(site)
	}
	return siteURL(site) + "?" + q.Encode()
}
