package probes

import (
	"crypto/tls"
	"net/http"
	"time"

	"sitemon"
)

// Detail is what a probe saw, for people: secrets are redacted in all of it.
type Detail struct {
	// Checks are the expectations in the order in which they were judged. A probe
	// that failed before there was an answer has none.
	Checks []Check `json:"checks,omitempty"`
	// Steps are those of a site that has several, all of them.
	Steps []Step `json:"steps,omitempty"`
	// Hops are the requests made, redirects and steps in their order.
	Hops []Hop `json:"hops,omitempty"`
	// Exchange is the question and its answer of kinds other than HTTP; nil for those
	// that only connect.
	Exchange *Exchange `json:"exchange,omitempty"`
	// TLS is the last handshake that brought a certificate; nil without TLS.
	TLS *TLS `json:"tls,omitempty"`
}

// Check is one expectation: what was expected, what was seen, and whether they
// agree.
type Check struct {
	Name     string `json:"name"` // such as "status" or "header content-type"
	Expected string `json:"expected"`
	Seen     string `json:"seen"`
	OK       bool   `json:"ok"`
}

// Step is one request of several, with the names of what was captured.
type Step struct {
	sitemon.EvidenceStep
	Captured []string `json:"captured,omitempty"`
}

// Hop is one request and the headers of its answer.
type Hop struct {
	Method     string      `json:"method"`
	URL        string      `json:"url"`
	RemoteAddr string      `json:"remote_addr"`
	Protocol   string      `json:"protocol"` // such as "HTTP/1.1"
	StatusCode int         `json:"status_code"`
	Headers    http.Header `json:"headers"`
}

// Exchange is a question and its answer in a protocol other than HTTP, in the form
// of evidence.
type Exchange struct {
	Request  sitemon.EvidenceRequest   `json:"request"`
	Response *sitemon.EvidenceResponse `json:"response,omitempty"` // nil: none came
}

// TLS are the facts of a handshake.
type TLS struct {
	Version      string        `json:"version"`
	CipherSuite  string        `json:"cipher_suite"`
	Certificates []Certificate `json:"certificates"` // the server's own first
}

// Certificate is one certificate of the chain that the server sent.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

func (d *Detail) recordTLS(state *tls.ConnectionState) {
	t := &TLS{Version: tls.VersionName(state.Version), CipherSuite: tls.CipherSuiteName(state.CipherSuite)}
	for _, c := range state.PeerCertificates {
		names := certificateNames(c)
		for i := range names {
			names[i] = visible(names[i])
		}
		t.Certificates = append(t.Certificates, Certificate{visible(c.Subject.String()), visible(c.Issuer.String()), names, c.NotBefore, c.NotAfter})
	}
	d.TLS = t
}

func (d *Detail) recordHop(a *attempt, r *request, resp *http.Response) {
	headers := make(http.Header, len(resp.Header))
	for name, values := range resp.Header {
		for _, value := range values {
			headers.Add(visible(name), shorten(visible(a.headerText(name, []string{value})), maxSeen))
		}
	}
	d.Hops = append(d.Hops, Hop{r.method, visible(a.cleanURL(r.address())), a.report.RemoteAddr, resp.Proto, resp.StatusCode, headers})
}
