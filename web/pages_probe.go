package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sitemon"
)

// probePage is the page of one probe that somebody asked for, and the part of a
// site's page that shows it.
type probePage struct {
	layout
	probeView
	Name    string
	Group   string
	SiteURL string
}

// probeView is the button that makes a probe, and what came of one.
type probeView struct {
	Action string // where the button sends; "" where nobody may
	Result *reportDetail
}

// probeResult is what a [Prober] answers.
type probeResult struct {
	Report sitemon.Report `json:"report"`
	Checks []struct {
		Name, Expected, Seen string
		OK                   bool
	} `json:"checks"`
	Hops []struct {
		Method     string `json:"method"`
		URL        string `json:"url"`
		RemoteAddr string `json:"remote_addr"`
		Protocol   string `json:"protocol"`
		StatusCode int    `json:"status_code"`
	} `json:"hops"`
	Exchange *struct {
		Request  sitemon.EvidenceRequest   `json:"request"`
		Response *sitemon.EvidenceResponse `json:"response"`
	} `json:"exchange"`
	Steps []sitemon.EvidenceStep `json:"steps"`
	TLS   *sitemon.EvidenceTLS   `json:"tls"`
}

// probeAction is where a site's button for a probe sends.
func probeAction(site string) string { return "/sites/" + url.PathEscape(site) + "/probe" }

// probeButton is the button of a site's page, for those who may press it where there
// is a monitor.
func (s *Server) probeButton(l *layout, st sitemon.SiteState) probeView {
	if s.Prober == nil || !l.Operator || !probeable(st.Kind) {
		return probeView{}
	}
	return probeView{Action: probeAction(st.Name)}
}

// probeable reports whether sites of a kind are probed, and do not report themselves.
func probeable(kind sitemon.Kind) bool { return kind != sitemon.KindHeartbeat }

// probeForm is what the button of a site's page sends.
func (s *Server) probeForm(w http.ResponseWriter, r *http.Request) error {
	st, raw, err := s.probeNow(w, r)
	if err != nil {
		return err
	}
	var result probeResult
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("read the result of a probe of %q: %w", st.Name, err)
	}
	d := probePage{
		layout: s.layoutOf(r, "probe", "Probe of "+st.Name), Name: st.Name, Group: st.Group, SiteURL: siteURL(st.Name),
		probeView: probeView{Action: probeAction(st.Name), Result: newProbeDetail(st.Kind, &result, s.Now())},
	}
	d.Events = "" // it is of one moment
	return s.render(w, http.StatusOK, "probe", partsOf(r), d)
}

// newProbeDetail shows a probe as reports are shown, with every expectation as it was
// judged.
func newProbeDetail(kind sitemon.Kind, p *probeResult, now time.Time) *reportDetail {
	v := newReportDetail(kind, &p.Report, p.Report.Evidence, nil, now)
	v.NoEvidence, v.Expectations = "", nil
	for _, c := range p.Checks {
		e := expectationView{c.Name, c.Expected, c.Seen, verdictMet}
		if !c.OK {
			e.Verdict = unmetVerdict(&p.Report)
		}
		v.Expectations = append(v.Expectations, e)
	}
	for i, h := range p.Hops {
		v.Hops = append(v.Hops, redirectView{
			URL: h.Method + " " + h.URL, Status: fmt.Sprintf("%s %d %s", h.Protocol, h.StatusCode, http.StatusText(h.StatusCode)), Location: h.RemoteAddr,
		})
		if i == len(p.Hops)-1 && v.Evidence != nil {
			v.Evidence.Redirects = nil // they are among the requests
		}
	}
	if x := p.Exchange; x != nil && v.Evidence == nil {
		v.Evidence = &evidenceView{Request: &messageView{Line: x.Request.Method + " " + x.Request.URL, Headers: headerViews(x.Request.Headers)}}
		if a := x.Response; a != nil {
			v.Evidence.Response = &messageView{a.Protocol + " " + a.Status, headerViews(a.Headers), a.Body}
		}
	}
	if len(p.Steps) > 0 && v.Evidence == nil {
		v.Evidence = &evidenceView{Steps: newStepViews(p.Steps)}
	}
	if t := p.TLS; t != nil && (v.Evidence == nil || len(v.Evidence.Certificates) == 0) {
		if v.Evidence == nil {
			v.Evidence = &evidenceView{}
		}
		v.Evidence.TLS = t.Version + ", " + t.CipherSuite
		for _, c := range t.Certificates {
			v.Evidence.Certificates = append(v.Evidence.Certificates, newCertificateView(c))
		}
	}
	return v
}
