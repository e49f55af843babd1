package web

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// fillCharts fills in what a site's page draws of its history, as far as it is asked
// for.
func (s *Server) fillCharts(ctx context.Context, d *sitePage, site string, w chartWindow, query url.Values, parts partSet) error {
	if parts.has("bars") {
		trends, err := s.trends.of(ctx, []string{site})
		if err != nil {
			return err
		}
		d.Bars = trends[site].bars
		d.Days = dayLinks(site, query, d.Bars)
	}
	if parts.has("chart") {
		marks, err := s.chartMarks(ctx, site, w, d.edits)
		if err != nil {
			return err
		}
		result, err := s.History.Availability(ctx, w.query(site))
		if err != nil {
			return err
		}
		d.Chart = newChartView(site, query, w, result, marks)
	}
	return nil
}

// dayLink opens a day of the bars.
type dayLink struct {
	X       int // its bar
	URL     string
	Text    string // "2026-11-24: 99.31 %, down 10 min"
	Current bool   // it is open
	Last    bool   // it is today
}

// dayLinks are a link for each bar.
func dayLinks(site string, query url.Values, bars *dayBars) []dayLink {
	if bars == nil {
		return nil
	}
	first, err := time.Parse(time.DateOnly, bars.From)
	if err != nil {
		return nil
	}
	notes := map[int]string{}
	for line := range strings.Lines(bars.Notes) {
		offset, note, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(offset); err == nil {
			notes[n] = ": " + note
		}
	}
	links := make([]dayLink, bars.Days)
	for i := range links {
		date := first.AddDate(0, 0, i).Format(time.DateOnly)
		links[i] = dayLink{
			X: i, URL: siteAddress(site, query, "day", date, "tz", "") + "#minutes", Text: date + notes[i],
			Current: query.Get("day") == date && query.Get("tz") == "", Last: i == bars.Days-1,
		}
	}
	return links
}
