package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sitemon"
)

// The bounds of a comment and of who said it, in characters.
const (
	maxComment = 4000
	maxBy      = 200
)

// getIncidents lists incidents, newest first, a page at a time.
func (s *Server) getIncidents(w http.ResponseWriter, r *http.Request) error {
	p := s.params(r)
	q := sitemon.IncidentQuery{
		Site: p.text("site"), From: p.instant("from"), To: p.instant("to"), Cursor: p.text("cursor"), Limit: p.limit(defaultLimit),
	}
	if p.values.Has("open") {
		open := p.flag("open")
		q.Open = &open
	}
	if p.err == nil && !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		p.fail("from", "is not before to")
	}
	if p.err != nil {
		return p.err
	}
	incidents, next, err := s.Incidents.Incidents(r.Context(), q)
	if errors.Is(err, sitemon.ErrInvalid) && q.Cursor != "" {
		return badParameter("cursor", "%q is not one that an answer gave as next", q.Cursor)
	}
	if err != nil {
		return err
	}
	answer := incidentsJSON{Incidents: make([]incidentJSON, len(incidents)), Next: next}
	for i := range incidents {
		answer.Incidents[i] = newIncidentJSON(&incidents[i])
	}
	return answerJSON(w, answer)
}

// getIncident shows one incident with its timeline and evidence.
func (s *Server) getIncident(w http.ResponseWriter, r *http.Request) error {
	id, err := incidentID(r)
	if err != nil {
		return err
	}
	i, err := s.Incidents.Incident(r.Context(), id)
	if err != nil {
		return incidentError(err)
	}
	return answerJSON(w, newIncidentDetailsJSON(&i))
}

// remark is what a person says of an incident.
type remark struct {
	Text string `json:"text"`
	By   string `json:"by"`
}

// postAcknowledge says that somebody knows of an incident.
func (s *Server) postAcknowledge(w http.ResponseWriter, r *http.Request) error {
	id, err := incidentID(r)
	if err != nil {
		return err
	}
	said, err := s.readRemark(r)
	if err != nil {
		return err
	}
	i, err := s.Incidents.AcknowledgeIncident(r.Context(), id, said.By)
	if err != nil {
		return incidentError(err)
	}
	s.Hub.Incident(i)
	return answerJSON(w, newIncidentDetailsJSON(&i))
}

// postComment adds a comment to the timeline of an incident.
func (s *Server) postComment(w http.ResponseWriter, r *http.Request) error {
	id, err := incidentID(r)
	if err != nil {
		return err
	}
	said, err := s.readRemark(r)
	if err != nil {
		return err
	}
	if said.Text == "" {
		return problemf(http.StatusBadRequest, "the comment has no text: send {\"text\": …}")
	}
	i, err := s.Incidents.CommentIncident(r.Context(), id, said.By, said.Text)
	if err != nil {
		return incidentError(err)
	}
	s.Hub.Incident(i)
	return answerJSON(w, newIncidentDetailsJSON(&i))
}

func incidentID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, errNoIncident
	}
	return id, nil
}

var errNoIncident = problem{Status: http.StatusNotFound, Detail: "there is no such incident"}

func incidentError(err error) error {
	if errors.Is(err, sitemon.ErrNotFound) {
		return errNoIncident
	}
	return err
}

// readRemark reads a JSON object, which may be missing. Who has signed in can speak
// for nobody else.
func (s *Server) readRemark(r *http.Request) (said remark, err error) {
	defer func() { said.By = cmp.Or(s.principal(r).Name, said.By) }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return said, bodyError(err)
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return said, nil
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return said, problemf(http.StatusBadRequest, "the body is not the JSON object that it should be: %v", err)
	}
	return said, said.check()
}

// check takes the space around what is said, and refuses what can't be kept.
func (m *remark) check() error {
	m.Text, m.By = strings.TrimSpace(m.Text), strings.TrimSpace(m.By)
	switch {
	case utf8.RuneCountInString(m.Text) > maxComment:
		return problemf(http.StatusBadRequest, "text has more than %d characters", maxComment)
	case utf8.RuneCountInString(m.By) > maxBy:
		return problemf(http.StatusBadRequest, "by has more than %d characters", maxBy)
	case !utf8.ValidString(m.Text + m.By):
		return problemf(http.StatusBadRequest, "the text is not in UTF-8")
	case strings.ContainsRune(m.Text+m.By, 0):
		return problemf(http.StatusBadRequest, "the text holds a NUL")
	}
	return nil
}

type incidentsJSON struct {
	Incidents []incidentJSON `json:"incidents"`
	Next      string         `json:"next,omitempty"`
}

type incidentJSON struct {
	ID             int64                  `json:"id"`
	Site           string                 `json:"site"`
	Group          string                 `json:"group"`
	Status         sitemon.IncidentStatus `json:"status"`
	StartedAt      slotTime               `json:"started_at"`
	ConfirmedAt    slotTime               `json:"confirmed_at"`
	EndedAt        slotTime               `json:"ended_at"`
	EndedBy        sitemon.IncidentEnd    `json:"ended_by,omitempty"`
	Reason         sitemon.Reason         `json:"reason"`
	Error          string                 `json:"error"`
	Locations      []string               `json:"locations"`
	Reports        int                    `json:"reports"`
	Parent         string                 `json:"parent,omitempty"`
	AcknowledgedAt *time.Time             `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string                 `json:"acknowledged_by,omitempty"`
	Withdrawn      bool                   `json:"withdrawn,omitempty"`
}

type incidentDetailsJSON struct {
	incidentJSON
	Timeline []incidentEventJSON `json:"timeline"`
	Evidence []evidenceJSON      `json:"evidence"`
}

type incidentEventJSON struct {
	At       time.Time                 `json:"at"`
	Kind     sitemon.IncidentEventKind `json:"kind"`
	Location string                    `json:"location,omitempty"`
	By       string                    `json:"by,omitempty"`
	Text     string                    `json:"text,omitempty"`
}

type evidenceJSON struct {
	Location string          `json:"location"`
	Slot     slotTime        `json:"slot"`
	Details  json.RawMessage `json:"details"`
}

func newIncidentJSON(i *sitemon.Incident) incidentJSON {
	j := incidentJSON{
		ID: i.ID, Site: i.Site, Group: i.Group, Status: i.Status(),
		StartedAt: slotTime(i.StartedAt), ConfirmedAt: slotTime(i.ConfirmedAt), EndedAt: slotTime(i.EndedAt), EndedBy: i.End,
		Reason: i.Reason, Error: i.Error, Locations: i.Locations, Reports: i.Reports, Parent: i.Parent,
		AcknowledgedBy: i.AcknowledgedBy, Withdrawn: i.Withdrawn,
	}
	if j.Locations == nil {
		j.Locations = []string{}
	}
	if !i.AcknowledgedAt.IsZero() {
		at := i.AcknowledgedAt.UTC()
		j.AcknowledgedAt = &at
	}
	return j
}

func newIncidentDetailsJSON(i *sitemon.Incident) incidentDetailsJSON {
	j := incidentDetailsJSON{
		incidentJSON: newIncidentJSON(i),
		Timeline:     make([]incidentEventJSON, len(i.Timeline)), Evidence: make([]evidenceJSON, 0, len(i.Evidence)),
	}
	for k, e := range i.Timeline {
		j.Timeline[k] = incidentEventJSON{e.At.UTC(), e.Kind, e.Location, e.By, e.Text}
	}
	for _, e := range i.Evidence {
		if json.Valid([]byte(e.Details)) {
			j.Evidence = append(j.Evidence, evidenceJSON{e.Location, slotTime(e.Slot), json.RawMessage(e.Details)})
		}
	}
	return j
}
