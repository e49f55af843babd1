package sitemon

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxEvidence is how many bytes the evidence of a report may have. Longer evidence
// is dropped by whoever reads or writes the report, which stays.
const MaxEvidence = 4096

// maxRawEvidence is how long evidence may be that is spaced out, or escaped for
// HTML, to be looked at: each byte can take six so.
const maxRawEvidence = 8 * MaxEvidence

// ProbeEvidence is what a probe that was not up asked and saw: the JSON object in
// [Report.Evidence] and [Evidence.Details], as this program's probes write it.
// Secrets are replaced by [Redacted], and what can't be seen is escaped as in Go.
// Keys that do not apply are absent. What does not fit into [MaxEvidence] is cut,
// the body first, then headers, see Cut.
type ProbeEvidence struct {
	Reason Reason `json:"reason"`
	Error  string `json:"error"` // its beginning

	Request *EvidenceRequest `json:"request,omitempty"` // the last one, sent or about to be
	// Steps are all of a site that has several, in their order. Request, Redirects,
	// Response, Expectations and Met are those of the one that failed.
	Steps []EvidenceStep `json:"steps,omitempty"`
	// Redirects are the answers that led to that request, in their order.
	Redirects []EvidenceRedirect `json:"redirects,omitempty"`
	Response  *EvidenceResponse  `json:"response,omitempty"` // to the last request
	// Expectations are those that were not met, in the order in which they were
	// judged.
	Expectations []EvidenceExpectation `json:"expectations,omitempty"`
	// Met are those that were met where others were not, but for those of which the
	// report or Response says what was seen.
	Met []EvidenceExpectation `json:"met,omitempty"`
	// Addresses are those that were tried, as "ip:port", the last one used last.
	Addresses []string `json:"addresses,omitempty"`
	// PhasesUS are the phases that were reached, and how many microseconds each
	// took: keys of [PhaseNames]. The last one is where the probe ended.
	PhasesUS map[string]int64 `json:"phases_us,omitempty"`
	TLS      *EvidenceTLS     `json:"tls,omitempty"`
	// Cut names what was shortened or left out because it did not fit: "body",
	// "headers", "tls", "redirects", "addresses", "expectations", "met", "steps".
	Cut []string `json:"cut,omitempty"`
}

// EvidenceRequest is a request as it was sent.
type EvidenceRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"` // several values joined by ", "
}

// EvidenceStep is one line about a step.
type EvidenceStep struct {
	Name string `json:"name"`
	// URL, StatusCode and DurationUS are absent of a step that was not reached.
	URL        string `json:"url,omitempty"`
	StatusCode int    `json:"status_code,omitempty"` // of its last answer; absent: none came
	DurationUS int64  `json:"duration_us,omitempty"`
	Reason     Reason `json:"reason,omitempty"` // of the step that failed
}

// EvidenceRedirect is an answer that was followed.
type EvidenceRedirect struct {
	URL        string `json:"url"` // that answered
	StatusCode int    `json:"status_code"`
	Location   string `json:"location"`
}

// EvidenceResponse is an answer, so far as it came.
type EvidenceResponse struct {
	Protocol string            `json:"protocol"` // such as "HTTP/1.1"
	Status   string            `json:"status"`   // such as "503 Service Unavailable"
	Headers  map[string]string `json:"headers,omitempty"`
	Body     string            `json:"body,omitempty"` // its first KiB at most, decoded
}

// EvidenceExpectation is an expectation and what was seen.
type EvidenceExpectation struct {
	Name     string `json:"name"` // such as "status" or "header content-type"
	Expected string `json:"expected"`
	Seen     string `json:"seen"`
}

// EvidenceTLS is the last handshake that brought a certificate.
type EvidenceTLS struct {
	Version     string `json:"version,omitempty"`
	CipherSuite string `json:"cipher_suite,omitempty"`
	// Certificates is the chain that the server sent, its own first.
	Certificates []EvidenceCertificate `json:"certificates"`
}

// EvidenceCertificate is one certificate of a chain.
type EvidenceCertificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	// Names are the first of the hosts that it is for; NamesTotal counts them where
	// there are more.
	Names      []string `json:"names,omitempty"`
	NamesTotal int      `json:"names_total,omitempty"`
}

// readEvidence returns evidence in the one form in which a report holds it: without
// space between its parts, with <, > and & as themselves and the line separators
// of JavaScript escaped, as an encoding/json that does not escape HTML writes it.
// It returns "" for what is no JSON object, is too long, or holds what a database
// does not take.
func readEvidence(raw string) string {
	if raw == "" || len(raw) > maxRawEvidence || !json.Valid([]byte(raw)) || !utf8.ValidString(raw) {
		return ""
	}
	var b strings.Builder
	b.Grow(min(len(raw), MaxEvidence))
	quoted := false
	for i := 0; i < len(raw) && b.Len() <= MaxEvidence; i++ {
		switch c := raw[i]; {
		case !quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
		case c == '"':
			quoted = !quoted
			b.WriteByte(c)
		case c == '\\' && raw[i+1] == 'u':
			n, text := readEscape(raw[i:])
			if n == 0 {
				return ""
			}
			b.WriteString(text)
			i += n - 1
		case c == '\\': // some other escape, perhaps of a quotation mark
			b.WriteString(raw[i : i+2])
			i++
		case c == '\xe2' && (strings.HasPrefix(raw[i:], "\u2028") || strings.HasPrefix(raw[i:], "\u2029")):
			b.WriteString(`\u202` + string('8'+raw[i+2]&1))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > MaxEvidence || b.String()[0] != '{' {
		return ""
	}
	return b.String()
}

// readEscape returns how long the \u escape at the start of valid JSON is, and how it
// is written; 0 where it is NUL or half of a character.
func readEscape(s string) (n int, text string) {
	r, whole := hex4(s[2:])
	switch {
	case r == 0:
		return 0, ""
	case r == '<' || r == '>' || r == '&':
		return 6, string(r)
	case whole:
		return 6, s[:6]
	}
	if r >= 0xDC00 || !strings.HasPrefix(s[6:], `\u`) {
		return 0, ""
	}
	if low, _ := hex4(s[8:]); low < 0xDC00 || low > 0xDFFF {
		return 0, ""
	}
	return 12, s[:12]
}
