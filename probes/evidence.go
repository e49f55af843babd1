package probes

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

// How much of each part goes into the evidence at most, in bytes or in number. The
// parts together may still be too much: see fitEvidence.
const (
	evidenceBody      = 1024
	evidenceError     = 300
	evidenceURL       = 500
	evidenceText      = 200 // a header's value, an expectation
	evidenceMet       = 100 // one that was met
	evidenceName      = 64
	evidenceHeaders   = 40
	evidenceRedirects = 10
	evidenceFailed    = 10
	evidenceAddresses = maxAddresses
	evidenceChain     = 4
	evidenceSANs      = 5
)

// evidence is what the probe asked and saw, as the JSON of a report.
func (a *attempt) evidence() string {
	a.hideExchanged()
	t := a.trail()
	e := &sitemon.ProbeEvidence{Reason: a.report.Reason, Error: shorten(a.report.Error, evidenceError)}
	t.evidenceTLS(e)
	if t.request != nil {
		e.Request = a.evidenceRequest(e, t)
	}
	if t.exchange != nil {
		e.Request, e.Response = a.exchangeRequest(e, t.exchange), a.exchangeResponse(e, t.exchange)
	}
	if a.flow != nil {
		e.Steps = a.flow.evidence(a)
	}
	for _, h := range first(e, "redirects", t.hops, evidenceRedirects) {
		e.Redirects = append(e.Redirects, sitemon.EvidenceRedirect{
			URL: a.evidenceURL(h.request.url.String()), StatusCode: h.response.StatusCode,
			Location: a.evidenceURL(h.response.Header.Get("Location")),
		})
	}
	if t.response != nil {
		e.Response = a.evidenceResponse(e, t)
	}
	e.Expectations = a.evidenceExpectations(first(e, "expectations", t.failed, evidenceFailed), evidenceText)
	e.Met = a.evidenceExpectations(first(e, "met", t.met, evidenceFailed), evidenceMet)
	e.Addresses = append(e.Addresses, first(e, "addresses", t.tried, evidenceAddresses)...)
	if addr := a.report.RemoteAddr; addr != "" && !slices.Contains(e.Addresses, addr) {
		e.Addresses = append(e.Addresses, addr)
	}
	for i, took := range a.report.Phases.All() {
		if took > 0 {
			if e.PhasesUS == nil {
				e.PhasesUS = map[string]int64{}
			}
			e.PhasesUS[sitemon.PhaseNames[i]] = took.Microseconds()
		}
	}
	return fitEvidence(e)
}

// evidenceExpectations are expectations as evidence shows them, with texts of up to
// limit bytes.
func (a *attempt) evidenceExpectations(checks []Check, limit int) (shown []sitemon.EvidenceExpectation) {
	for _, c := range checks {
		shown = append(shown, sitemon.EvidenceExpectation{
			Name: shorten(c.Name, 2*evidenceName), Expected: shorten(a.redact(c.Expected), limit), Seen: shorten(a.redact(c.Seen), limit),
		})
	}
	return shown
}

// first is the beginning of a list, and a note in the evidence where that is not
// all of it.
func first[T any](e *sitemon.ProbeEvidence, part string, list []T, n int) []T {
	if len(list) <= n {
		return list
	}
	noteCut(e, part)
	return list[:n]
}

// noteCut says that a part of the evidence was cut.
func noteCut(e *sitemon.ProbeEvidence, part string) {
	if !slices.Contains(e.Cut, part) {
		e.Cut = append(e.Cut, part)
	}
}

// evidenceURL is an address as evidence shows it.
func (a *attempt) evidenceURL(address string) string {
	return shorten(visible(redactLinks(a.redact(sitemon.RedactURL(address)))), evidenceURL)
}

func (a *attempt) evidenceRequest(e *sitemon.ProbeEvidence, t *trail) *sitemon.EvidenceRequest {
	r := t.request
	fields := http.Header{}
	for _, f := range r.fields {
		fields.Add(f.name, f.value)
	}
	fields.Set("Host", cmp.Or(r.host, r.hostHeader()))
	if fields.Get("User-Agent") == "" {
		fields.Set("User-Agent", a.set.userAgent)
	}
	if r.authorization != "" {
		fields.Set("Authorization", sitemon.Redacted)
	}
	if r.jar != nil && len(r.jar.Cookies(r.url)) > 0 {
		fields.Set("Cookie", sitemon.Redacted)
	}
	if t.conn != nil && t.conn.proxyAuth != "" {
		fields.Set("Proxy-Authorization", sitemon.Redacted)
	}
	if r.hasLength() {
		fields.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	if t.conn != nil && t.conn.multiplexed() {
		fields.Del("Connection")
	} else if fields.Get("Connection") == "" && !a.site.Request.KeepAlive {
		fields.Set("Connection", "close")
	}
	return &sitemon.EvidenceRequest{
		Method: shorten(visible(r.method), evidenceName), URL: a.evidenceURL(r.address().String()), Headers: a.evidenceHeaders(e, fields),
	}
}

func (a *attempt) evidenceResponse(e *sitemon.ProbeEvidence, t *trail) *sitemon.EvidenceResponse {
	resp := t.response
	body := a.beginning(t.body, t.more, evidenceBody)
	body = strings.TrimSuffix(strings.ReplaceAll(body, "\r\n", "\n"), "\r")
	return &sitemon.EvidenceResponse{
		Protocol: shorten(visible(resp.Proto), evidenceName),
		Status:   shorten(visible(a.redact(resp.Status)), evidenceText),
		Headers:  a.evidenceHeaders(e, resp.Header),
		Body:     shorten(escape(body, "\n\t"), evidenceBody),
	}
}

// evidenceHeaders are header fields as evidence shows them; those of an answer are
// a hostile server's.
func (a *attempt) evidenceHeaders(e *sitemon.ProbeEvidence, h http.Header) map[string]string {
	out := make(map[string]string, min(len(h), evidenceHeaders))
	for _, name := range first(e, "headers", slices.Sorted(maps.Keys(h)), evidenceHeaders) {
		out[shorten(visible(a.redact(name)), evidenceName)] = shorten(visible(a.headerText(name, h[name])), evidenceText)
	}
	return out
}

// headerText is the value of a header field without credentials.
func (a *attempt) headerText(name string, values []string) string {
	switch {
	case name == "Www-Authenticate" || name == "Proxy-Authenticate": // what is asked for, not what was given
	case sitemon.CredentialName(name):
		return sitemon.Redacted
	}
	text := []byte(strings.Join(values, ", "))
	return a.beginning(text, false, evidenceText)
}

// evidenceTLS describes the handshake, of a kept connection too.
func (t *trail) evidenceTLS(e *sitemon.ProbeEvidence) {
	state := t.state()
	if len(state.PeerCertificates) == 0 {
		return
	}
	e.TLS = &sitemon.EvidenceTLS{Version: tls.VersionName(state.Version), CipherSuite: tls.CipherSuiteName(state.CipherSuite)}
	for _, c := range first(e, "tls", state.PeerCertificates, evidenceChain) {
		names := certificateNames(c)
		shown := sitemon.EvidenceCertificate{
			Subject: shorten(visible(c.Subject.String()), 2*evidenceName), Issuer: shorten(visible(c.Issuer.String()), 2*evidenceName),
			NotAfter: c.NotAfter.UTC(),
		}
		if len(names) > evidenceSANs {
			shown.NamesTotal = len(names)
		}
		for _, name := range names[:min(len(names), evidenceSANs)] {
			shown.Names = append(shown.Names, shorten(visible(name), evidenceName))
		}
		e.TLS.Certificates = append(e.TLS.Certificates, shown)
	}
}

// certificateNames lists the hosts that a certificate is for.
func certificateNames(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
