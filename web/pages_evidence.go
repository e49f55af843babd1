package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// evidenceGroup is what one location saw.
type evidenceGroup struct {
	Location string
	List     []evidenceView
}

// evidenceView is what a failed probe asked and saw. All of it comes from sites.
type evidenceView struct {
	Title         string // "First failed report"
	At            timeView
	Reason, Error string

	Request      *messageView
	Response     *messageView
	Steps        []stepView
	Redirects    []redirectView
	Expectations []sitemon.EvidenceExpectation
	Addresses    []string
	Strip        phaseStrip
	TLS          string // "TLS 1.3, TLS_AES_128_GCM_SHA256"
	Certificates []certificateView
	Cut          string // "body and headers", "" where all is there
	Raw          string // what is there, where it can't be read
}

// messageView is a request or an answer.
type messageView struct {
	Line    string // "GET https://…", "HTTP/1.1 503 Service Unavailable"
	Headers []headerView
	Body    string
}

type headerView struct{ Name, Value string }

// redirectView is an answer that was followed.
type redirectView struct{ URL, Status, Location string }

// certificateView is one certificate of a chain.
type certificateView struct {
	Subject, Issuer, Names string
	Ends                   timeView
}

// evidenceGroups sorts evidence by location, and by time within each.
func evidenceGroups(all []sitemon.Evidence) []evidenceGroup {
	byLocation := map[string][]sitemon.Evidence{}
	for _, e := range all {
		byLocation[e.Location] = append(byLocation[e.Location], e)
	}
	var groups []evidenceGroup
	for _, name := range slices.Sorted(maps.Keys(byLocation)) {
		g := evidenceGroup{Location: name}
		list := byLocation[name]
		slices.SortFunc(list, func(a, b sitemon.Evidence) int { return a.Slot.Compare(b.Slot) })
		for i, e := range list {
			v := newEvidenceView(e)
			switch {
			case i == 0:
				v.Title = "First failed report"
			case i == len(list)-1:
				v.Title = "Newest failed report"
			default:
				v.Title = "Failed report"
			}
			g.List = append(g.List, v)
		}
		groups = append(groups, g)
	}
	return groups
}

func newEvidenceView(e sitemon.Evidence) evidenceView {
	v := evidenceView{At: newTimeView(e.Slot)}
	var p sitemon.ProbeEvidence
	if err := json.Unmarshal([]byte(e.Details), &p); err != nil {
		v.Raw = e.Details
		return v
	}
	v.Error, v.Expectations, v.Addresses, v.Cut = p.Error, p.Expectations, p.Addresses, listText(p.Cut)
	if p.Reason != "" {
		v.Reason = reasonText(p.Reason)
		if p.Request != nil {
			v.Reason = reasonOf(kindAt(p.Request.URL), p.Reason)
		}
	}
	if q := p.Request; q != nil {
		v.Request = &messageView{Line: strings.TrimSpace(q.Method + " " + q.URL), Headers: headerViews(q.Headers)}
	}
	if a := p.Response; a != nil {
		v.Response = &messageView{strings.TrimSpace(a.Protocol + " " + a.Status), headerViews(a.Headers), a.Body}
	}
	v.Steps = newStepViews(p.Steps)
	for _, r := range p.Redirects {
		status := strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, http.StatusText(r.StatusCode)))
		v.Redirects = append(v.Redirects, redirectView{r.URL, status, r.Location})
	}
	v.Strip = newPhaseStrip(phasesOf(p.PhasesUS))
	if t := p.TLS; t != nil {
		v.TLS = strings.Trim(t.Version+", "+t.CipherSuite, ", ")
		for _, c := range t.Certificates {
			v.Certificates = append(v.Certificates, newCertificateView(c))
		}
	}
	return v
}

func newCertificateView(c sitemon.EvidenceCertificate) certificateView {
	v := certificateView{Subject: c.Subject, Issuer: c.Issuer, Names: strings.Join(c.Names, ", "), Ends: newTimeView(c.NotAfter)}
	if more := c.NamesTotal - len(c.Names); more > 0 {
		v.Names += fmt.Sprintf(" and %d more", more)
	}
	return v
}

// phasesOf reads the phases by their names; those that can't have been are left out.
func phasesOf(us map[string]int64) sitemon.Phases {
	var p sitemon.Phases
	for i, d := range []*time.Duration{&p.Resolve, &p.Connect, &p.TLS, &p.Processing, &p.Transfer} {
		if n := us[sitemon.PhaseNames[i]]; n > 0 && n < int64(time.Hour/time.Microsecond) {
			*d = time.Duration(n) * time.Microsecond
		}
	}
	return p
}

func headerViews(headers map[string]string) []headerView {
	var views []headerView
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		views = append(views, headerView{name, headers[name]})
	}
	return views
}

// listText is "body, headers and tls".
func listText(names []string) string {
	n := len(names)
	if n < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}
