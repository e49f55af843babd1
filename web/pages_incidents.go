package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

const (
	// incidentsShown is how many open and how many resolved incidents a page lists.
	incidentsShown = 100
	// siteChoices is how many sites may be offered to choose from.
	siteChoices = 500
)

// incidentsPage is the list of incidents.
type incidentsPage struct {
	layout
	State  sentence
	Filter incidentFilter
	Chips  []chip
	Sites  []string // to choose from
	Lists  []incidentList
	Newest string // the address of the first page, "" on it
	Older  string // the address of the page behind, "" on the last
	Empty  string // why there is nothing in the lists
}

// incidentList is a part of the list, under a title of its own.
type incidentList struct {
	Title string
	More  string // the address of those that it leaves out, "" for none
	Rows  []incidentRow
}

// incidentRow is an incident in a list.
type incidentRow struct {
	URL       string
	Site      string
	Group     string
	Status    statusView
	Reason    string
	Error     string
	Parent    string
	Locations string
	Started   *ageView
	Lasted    string // "" while it goes on
}

// incidentFilter is which incidents the list shows. It is all in the page's address.
type incidentFilter struct {
	Open   string // "true", "false", or "" for both
	Site   string // "": any
	Cursor string // of the page before
}

func newIncidentFilter(q url.Values) (incidentFilter, error) {
	f := incidentFilter{Open: q.Get("open"), Site: strings.TrimSpace(q.Get("site")), Cursor: q.Get("cursor")}
	if f.Open != "" && f.Open != "true" && f.Open != "false" {
		return f, badParameter("open", "%q is neither true nor false", f.Open)
	}
	if strings.ContainsRune(f.Site, 0) {
		return f, badParameter("site", "holds a NUL")
	}
	return f, nil
}

// url is the address of the list with this filter.
func (f incidentFilter) url() string {
	q := url.Values{}
	for name, value := range map[string]string{"open": f.Open, "site": f.Site, "cursor": f.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/incidents"
	}
	return "/incidents?" + q.Encode()
}

// incidentsPage answers with the list of incidents.
func (s *Server) incidentsPage(w http.ResponseWriter, r *http.Request) error {
	f, err := newIncidentFilter(r.URL.Query())
	if err != nil {
		return err
	}
	ctx, parts := r.Context(), partsOf(r)
	open, more, err := s.incidents(ctx, incidentFilter{Open: "true", Site: f.Site})
	if err != nil {
		return err
	}
	d := incidentsPage{State: incidentsSentence(open, more != "", f.Site), Filter: f}
	d.layout = s.layoutOf(r, "incidents", d.State.Text, "summary", "chips", "list")
	d.Events = "/api/v1/events?types=incident,config,notices"
	d.Poll = 60 // for what others wrote into a store that is shared
	if f.Site != "" {
		d.Events += "&site=" + url.QueryEscape(f.Site)
	}
	if len(open) > 0 {
		d.Icon = "favicon-down.svg"
	}
	d.Chips = f.chips(len(open), more != "")
	if parts.has("tools") {
		if d.Sites, err = s.siteChoices(ctx); err != nil {
			return err
		}
	}
	if parts.has("list") {
		if err := s.fillIncidents(ctx, &d, open, more); err != nil {
			return err
		}
	}
	return s.render(w, http.StatusOK, "incidents", parts, d)
}

// incidents reads a page of incidents.
func (s *Server) incidents(ctx context.Context, f incidentFilter) (list []sitemon.Incident, next string, err error) {
	q := sitemon.IncidentQuery{Site: f.Site, Cursor: f.Cursor, Limit: incidentsShown}
	if f.Open != "" {
		q.Open = new(f.Open == "true")
	}
	list, next, err = s.Incidents.Incidents(ctx, q)
	if errors.Is(err, sitemon.ErrInvalid) && q.Cursor != "" {
		return nil, "", badParameter("cursor", "%q is not one that a page leads to", q.Cursor)
	}
	return list, next, err
}

// openCounted is how many open incidents are counted for the list of sites.
const openCounted = 20

// openIncidents is "2 open incidents", "" for none.
func (s *Server) openIncidents(ctx context.Context) (string, error) {
	list, more, err := s.Incidents.Incidents(ctx, sitemon.IncidentQuery{Open: new(true), Limit: openCounted})
	switch {
	case err != nil || len(list) == 0:
		return "", err
	case more != "":
		return fmt.Sprintf("More than %d open incidents", len(list)), nil
	}
	return plural(len(list), "open incident"), nil
}

// fillIncidents lists those that the filter selects. The open ones are on top of the
// first page; the pages behind it hold the resolved ones alone.
func (s *Server) fillIncidents(ctx context.Context, d *incidentsPage, open []sitemon.Incident, moreOpen string) error {
	f, now := d.Filter, s.Now()
	if f.Cursor != "" {
		d.Newest = incidentFilter{Open: f.Open, Site: f.Site}.url()
	}
	if f.Open == "true" && f.Cursor != "" {
		var err error
		if open, moreOpen, err = s.incidents(ctx, f); err != nil {
			return err
		}
	}
	if len(open) > 0 && f.Open != "false" && (f.Cursor == "" || f.Open == "true") {
		l := incidentList{Title: "Open", Rows: incidentRows(open, now)}
		switch {
		case moreOpen == "":
		case f.Open == "true":
			d.Older = incidentFilter{Open: f.Open, Site: f.Site, Cursor: moreOpen}.url()
		default:
			l.More = incidentFilter{Open: "true", Site: f.Site}.url()
		}
		d.Lists = append(d.Lists, l)
	}
	if f.Open != "true" {
		over, next, err := s.incidents(ctx, incidentFilter{Open: "false", Site: f.Site, Cursor: f.Cursor})
		if err != nil {
			return err
		}
		if len(over) > 0 {
			d.Lists = append(d.Lists, incidentList{Title: "Resolved", Rows: incidentRows(over, now)})
		}
		if next != "" {
			d.Older = incidentFilter{Open: f.Open, Site: f.Site, Cursor: next}.url()
		}
	}
	if len(d.Lists) == 0 {
		d.Empty = f.emptyText()
	}
	return nil
}

// emptyText says why a list has nothing in it.
func (f incidentFilter) emptyText() string {
	text := map[string]string{"true": "No incident is open", "false": "No incident is resolved"}[f.Open]
	if text == "" {
		text = "No incident yet"
	}
	if f.Site != "" {
		text += ", of " + f.Site
	}
	return text
}

// chips are what the list can be filtered by.
func (f incidentFilter) chips(open int, more bool) []chip {
	address := func(open string) string { return incidentFilter{Open: open, Site: f.Site}.url() }
	count := strconv.Itoa(open)
	if more {
		count += "+"
	}
	return []chip{
		{Status: statusView{"", "All"}, URL: address(""), Current: f.Open == ""},
		{Status: statusView{"open", "Open"}, Note: count, URL: address("true"), Current: f.Open == "true"},
		{Status: statusView{"resolved", "Resolved"}, URL: address("false"), Current: f.Open == "false"},
	}
}

// siteChoices are the names of all sites, unless they are too many to choose from.
func (s *Server) siteChoices(ctx context.Context) ([]string, error) {
	sites, err := s.Sites.Sites(ctx, sitemon.SiteQuery{Brief: true, Limit: siteChoices + 1})
	if err != nil || len(sites) > siteChoices {
		return nil, err
	}
	names := make([]string, len(sites))
	for i := range sites {
		names[i] = sites[i].Name
	}
	return names, nil
}

// incidentsSentence is "2 incidents are open, 1 of them acknowledged".
func incidentsSentence(open []sitemon.Incident, more bool, site string) sentence {
	of := ""
	if site != "" {
		of = " of " + site
	}
	known := 0
	for i := range open {
		if open[i].Status() == sitemon.IncidentAcknowledged {
			known++
		}
	}
	st := newStatusView(sitemon.IncidentOpen)
	switch {
	case len(open) == 0:
		return sentence{newStatusView(sitemon.IncidentResolved), "No incident" + of + " is open"}
	case more:
		return sentence{st, fmt.Sprintf("More than %d incidents%s are open", len(open), of)}
	case len(open) == 1 && known == 1:
		return sentence{newStatusView(sitemon.IncidentAcknowledged), "1 incident" + of + " is open, and acknowledged"}
	case len(open) == 1:
		return sentence{st, "1 incident" + of + " is open"}
	case known == len(open):
		return sentence{newStatusView(sitemon.IncidentAcknowledged), fmt.Sprintf("%d incidents%s are open, all acknowledged", len(open), of)}
	case known > 0:
		return sentence{st, fmt.Sprintf("%d incidents%s are open, %d of them acknowledged", len(open), of, known)}
	}
	return sentence{st, fmt.Sprintf("%d incidents%s are open", len(open), of)}
}

func incidentRows(list []sitemon.Incident, now time.Time) []incidentRow {
	rows := make([]incidentRow, len(list))
	for k := range list {
		i := &list[k]
		rows[k] = incidentRow{
			URL: incidentURL(i.ID), Site: i.Site, Group: i.Group, Status: newStatusView(i.Status()),
			Reason: incidentReason(i), Error: i.Error, Parent: i.Parent,
			Locations: strings.Join(i.Locations, ", "), Started: newAgeView(i.StartedAt, now),
		}
		if !i.EndedAt.IsZero() {
			rows[k].Lasted = lastedText(i.EndedAt.Sub(i.StartedAt))
		}
	}
	return rows
}

// incidentURL is the address of an incident's page.
func incidentURL(id int64) string { return "/incidents/" + strconv.FormatInt(id, 10) }

// lastedText is a length of time that is over, in its two largest units: "12 min 4 s".
func lastedText(d time.Duration) string {
	if d < time.Hour && d >= time.Minute {
		if s := d % time.Minute / time.Second; s > 0 {
			return fmt.Sprintf("%d min %d s", d/time.Minute, s)
		}
	}
	return ageText(d, true)
}
