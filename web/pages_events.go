package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sitemon"
)

// eventsShown is how many events a site's page lists: the newest.
const eventsShown = 20

// siteEvent is something that happened to a site.
type siteEvent struct {
	At   timeView
	Icon statusView // Name "" for a mere note
	Text string
	Said string // what a site said
	URL  string // where there is more of it, "" nowhere
	at   time.Time
}

// siteEvents lists what happened to a site, newest first: when it went down, when
// that was over, and the edits of its definition.
func siteEvents(incidents []sitemon.Incident, changes []definitionChange) []siteEvent {
	var events []siteEvent
	add := func(at time.Time, icon statusView, text, said, url string) {
		events = append(events, siteEvent{At: newTimeView(at), Icon: icon, Text: text, Said: said, URL: url, at: at})
	}
	for i := range incidents {
		n := &incidents[i]
		url := incidentURL(n.ID)
		add(n.StartedAt, newStatusView(sitemon.StatusDown), "Went down: "+incidentReason(n), n.Error, url)
		if !n.EndedAt.IsZero() {
			add(n.EndedAt, newStatusView(endStatus(n.End)), endWords(n.End)+" after "+lastedText(n.EndedAt.Sub(n.StartedAt)), "", url)
		}
	}
	for _, c := range changes {
		add(c.reload.At, statusView{}, capital(c.text()), "", "#definition")
	}
	slices.SortStableFunc(events, func(a, b siteEvent) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.Text, b.Text)) })
	return events[:min(len(events), eventsShown)]
}

// endStatus is what a site is after an incident.
func endStatus(end sitemon.IncidentEnd) sitemon.Status {
	switch end {
	case sitemon.EndPaused:
		return sitemon.StatusPaused
	case sitemon.EndRemoved:
		return sitemon.StatusUnknown
	case sitemon.EndMaintenance:
		return sitemon.StatusMaintenance
	case sitemon.EndRecovered:
	}
	return sitemon.StatusUp
}

// endWords say how an incident ended.
func endWords(end sitemon.IncidentEnd) string {
	switch end {
	case sitemon.EndPaused:
		return "Paused"
	case sitemon.EndRemoved:
		return "Removed"
	case sitemon.EndMaintenance:
		return "In maintenance"
	case sitemon.EndRecovered:
	}
	return "Up again"
}

// definitionMarks are the edits of a site's definition for the charts of a window.
func definitionMarks(changes []definitionChange, from, to time.Time) []chartMark {
	var marks []chartMark
	for _, c := range changes {
		if !c.reload.At.Before(from) && c.reload.At.Before(to) && len(marks) < marksShown {
			marks = append(marks, chartMark{At: c.reload.At.UTC(), Kind: "reload", Text: c.text(), Href: "#definition"})
		}
	}
	return marks
}

// fillHistory fills in what a site's page says of its definition and of what
// happened, as far as it is asked for.
func (s *Server) fillHistory(ctx context.Context, d *sitePage, parts partSet) error {
	if !parts.has("definition", "happened") {
		return nil
	}
	d.Happened = siteEvents(d.recent, d.edits)
	if !parts.has("definition") {
		return nil
	}
	var err error
	d.Definition, err = s.definitionView(ctx, d.Name, d.edits)
	return err
}
