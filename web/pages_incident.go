package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sitemon"
)

// headlineError is how many characters of an error a headline has.
const headlineError = 120

// incidentPage is the page of one incident.
type incidentPage struct {
	layout
	ID       int64
	Site     string
	SiteURL  string
	Group    string
	Status   statusView
	Headline incidentHeadline
	Facts    incidentFacts
	// Open says that it goes on, and Known that somebody has acknowledged it.
	Open, Known bool
	Timeline    []timelineRow
	Evidence    []evidenceGroup
	Markdown    string
}

// incidentHeadline says what happened: "docs was down for 12 min 4 s", or "docs has
// been down for" with Since.
type incidentHeadline struct {
	Text  string
	Since *ageView // nil: the text is whole
	Cause string   // "status 503, expected 200-399"
}

// whole is the headline as plain text.
func (h incidentHeadline) whole() string {
	text := h.Text
	if h.Since != nil {
		text += " " + h.Since.Long
	}
	if h.Cause != "" {
		text += ": " + h.Cause
	}
	return text
}

// incidentFacts is what an incident comes to.
type incidentFacts struct {
	Started, Confirmed, Ended timeView
	End                       string // "the site recovered"
	Reason, Error             string
	Locations                 []string
	Reports                   string
	Parent                    string
	ParentURL                 string
	Acknowledged              *timelineRow
}

// timelineRow is one event of a timeline.
type timelineRow struct {
	At       timeView
	Icon     statusView // of what kind it is; Name "" for a mere note
	Text     string
	Location string
	By       string
	Said     string // what a person or a site said, as it is
}

// incidentPage answers with one incident's page, or as Markdown where its address
// ends so.
func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request) error {
	number, markdown := strings.CutSuffix(r.PathValue("id"), ".md")
	r.SetPathValue("id", number)
	id, err := incidentID(r)
	if err != nil {
		return err
	}
	i, err := s.Incidents.Incident(r.Context(), id)
	if err != nil {
		return incidentError(err)
	}
	d := s.newIncidentPage(r, &i)
	if markdown {
		return answerText(w, d.Markdown)
	}
	return s.render(w, http.StatusOK, "incident", partsOf(r), d)
}

// answerText answers with a text that browsers show and never run.
func answerText(w http.ResponseWriter, text string) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // the client may be gone; there is nobody to tell
	return nil
}

func (s *Server) newIncidentPage(r *http.Request, i *sitemon.Incident) incidentPage {
	d := incidentPage{
		ID: i.ID, Site: i.Site, SiteURL: siteURL(i.Site), Group: i.Group, Status: newStatusView(i.Status()),
		Open: i.Status() != sitemon.IncidentResolved, Known: !i.AcknowledgedAt.IsZero(),
		Headline: newIncidentHeadline(i, s.Now()), Facts: newIncidentFacts(i), Evidence: evidenceGroups(i.Evidence),
	}
	if i.Withdrawn {
		d.Status = statusView{"withdrawn", "Withdrawn"}
	}
	for _, e := range i.Timeline {
		d.Timeline = append(d.Timeline, newTimelineRow(e))
	}
	d.layout = s.layoutOf(r, "incident", d.Headline.Text, "state", "facts", "timeline", "acknowledged", "acknowledge", "evidence", "markdown")
	if d.Headline.Since != nil {
		d.Title = isolated(i.Site) + " is down"
	}
	d.Events = "/api/v1/events?types=incident,config,notices&site=" + url.QueryEscape(i.Site)
	if d.Open {
		d.Poll, d.Icon = 15, "favicon-down.svg" // for reports and alerts, which are no events of it
	}
	d.Markdown = incidentMarkdown(&d)
	return d
}

func newIncidentHeadline(i *sitemon.Incident, now time.Time) incidentHeadline {
	h := incidentHeadline{Cause: shortened(oneLine(i.Error), headlineError)}
	if h.Cause == "" {
		h.Cause = strings.ToLower(incidentReason(i))
	}
	switch {
	case i.Withdrawn:
		h.Text, h.Cause = isolated(i.Site)+" was not down after all", "late reports show that it did not take place"
	case i.EndedAt.IsZero():
		h.Text, h.Since = isolated(i.Site)+" has been down for", newAgeView(i.StartedAt, now)
	default:
		h.Text = isolated(i.Site) + " was down for " + lastedText(i.EndedAt.Sub(i.StartedAt))
		switch i.End {
		case sitemon.EndPaused:
			h.Text += ", until it was paused"
		case sitemon.EndRemoved:
			h.Text += ", until it was removed"
		case sitemon.EndMaintenance:
			h.Text += ", until a maintenance began"
		case sitemon.EndRecovered:
		}
	}
	return h
}

func newIncidentFacts(i *sitemon.Incident) incidentFacts {
	f := incidentFacts{
		Started: newTimeView(i.StartedAt), Confirmed: newTimeView(i.ConfirmedAt), Ended: newTimeView(i.EndedAt),
		Reason: incidentReason(i), Error: i.Error, Locations: i.Locations, Reports: plural(i.Reports, "failed report"),
	}
	if i.Parent != "" {
		f.Parent, f.ParentURL = i.Parent, siteURL(i.Parent)
	}
	if !i.AcknowledgedAt.IsZero() {
		f.Acknowledged = &timelineRow{At: newTimeView(i.AcknowledgedAt), By: i.AcknowledgedBy}
	}
	return f
}

// newTimelineRow puts an event into words.
func newTimelineRow(e sitemon.IncidentEvent) timelineRow {
	row := timelineRow{At: newTimeView(e.At), Location: e.Location, By: e.By}
	down, up := newStatusView(sitemon.StatusDown), newStatusView(sitemon.StatusUp)
	switch e.Kind {
	case sitemon.EventFailed:
		row.Icon, row.Text, row.Said = down, "First failed report", e.Text
	case sitemon.EventConfirmed:
		row.Icon, row.Text = down, "The site is down"
	case sitemon.EventRecovered:
		row.Icon, row.Text = up, "First good report"
	case sitemon.EventEnded:
		row.Icon, row.Text = up, capital(e.Text)
	case sitemon.EventAcknowledged:
		row.Icon, row.Text = newStatusView(sitemon.IncidentAcknowledged), "Acknowledged"
	case sitemon.EventComment:
		row.Text, row.Said = "Comment", e.Text
	case sitemon.EventWithdrawn:
		row.Icon, row.Text, row.Said = statusView{"withdrawn", "Withdrawn"}, "Withdrawn", e.Text
	case sitemon.EventAlert:
		row.Text, row.Said = "Alert", e.Text
	case sitemon.EventReload:
		row.Text, row.Said = "Reload", e.Text
	case sitemon.EventParent:
		row.Text, row.Said = "Dependency", e.Text
	default:
		row.Text, row.Said = "Note", string(e.Kind)+" "+e.Text
	}
	return row
}

// capital begins a text with a capital letter.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

// oneLine is a text without breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shortened is at most n characters of a text, with … where some are missing.
func shortened(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// acknowledgeForm is what the button of an incident's page sends, with a comment
// where one is written beside it.
func (s *Server) acknowledgeForm(w http.ResponseWriter, r *http.Request) error {
	id, said, err := s.readIncidentForm(r)
	if err != nil {
		return err
	}
	i, err := s.Incidents.AcknowledgeIncident(r.Context(), id, said.By)
	if err == nil && said.Text != "" {
		i, err = s.Incidents.CommentIncident(r.Context(), id, said.By, said.Text)
	}
	if err != nil {
		return incidentError(err)
	}
	s.Hub.Incident(i)
	http.Redirect(w, r, incidentURL(id), http.StatusSeeOther)
	return nil
}

// commentForm is what the form under a timeline sends.
func (s *Server) commentForm(w http.ResponseWriter, r *http.Request) error {
	id, said, err := s.readIncidentForm(r)
	if err != nil {
		return err
	}
	if said.Text == "" {
		return problemf(http.StatusBadRequest, "the comment has no text")
	}
	i, err := s.Incidents.CommentIncident(r.Context(), id, said.By, said.Text)
	if err != nil {
		return incidentError(err)
	}
	s.Hub.Incident(i)
	http.Redirect(w, r, incidentURL(id)+"#timeline", http.StatusSeeOther)
	return nil
}

// readIncidentForm reads which incident a form is about, and what it says.
func (s *Server) readIncidentForm(r *http.Request) (id int64, said remark, err error) {
	if id, err = incidentID(r); err != nil {
		return id, said, err
	}
	if err := r.ParseForm(); err != nil {
		return id, said, bodyError(err)
	}
	said = remark{
		Text: strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n"), // as browsers send them
		By:   cmp.Or(s.principal(r).Name, r.PostForm.Get("by")),
	}
	err = said.check()
	return id, said, err
}
