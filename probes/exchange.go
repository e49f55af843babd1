package probes

import (
	"maps"
	"slices"

	"sitemon"
)

// exchange is a question and its answer in a protocol other than HTTP, as evidence
// and people see it.
type exchange struct {
	method, url string
	sent        map[string]string // what was asked beside the address
	protocol    string            // of the answer; "": none came
	status      string
	fields      map[string]string
	body        []byte
	more        bool // the body goes on
	// fill adds what a healthy probe needs no words for; nil: it is all there.
	fill func()
}

// complete fills in what is only made to be shown.
func (x *exchange) complete() {
	if x.fill != nil {
		x.fill()
		x.fill = nil
	}
}

// asking takes note of what the probe asks for.
func (a *attempt) asking(x *exchange) { a.trail().exchange = x }

func (a *attempt) exchangeRequest(e *sitemon.ProbeEvidence, x *exchange) *sitemon.EvidenceRequest {
	x.complete()
	return &sitemon.EvidenceRequest{
		Method: shorten(visible(x.method), evidenceName), URL: a.evidenceURL(x.url), Headers: a.exchangeFields(e, x.sent),
	}
}

func (a *attempt) exchangeResponse(e *sitemon.ProbeEvidence, x *exchange) *sitemon.EvidenceResponse {
	if x.protocol == "" {
		return nil
	}
	return &sitemon.EvidenceResponse{
		Protocol: shorten(visible(x.protocol), evidenceName),
		Status:   shorten(visible(a.redact(x.status)), evidenceText),
		Headers:  a.exchangeFields(e, x.fields),
		Body:     shorten(escape(a.beginning(x.body, x.more, evidenceBody), "\n"), evidenceBody),
	}
}

func (a *attempt) exchangeFields(e *sitemon.ProbeEvidence, fields map[string]string) map[string]string {
	if len(fields) == 0 {
		return nil
	}
	out := make(map[string]string, len(fields))
	for _, name := range first(e, "headers", slices.Sorted(maps.Keys(fields)), evidenceHeaders) {
		out[name] = shorten(visible(a.redact(fields[name])), evidenceText)
	}
	return out
}

// recordExchange keeps the exchange for who asked for details.
func (a *attempt) recordExchange() {
	if a.detail == nil || a.bufs == nil || a.trail().exchange == nil {
		return
	}
	x, scratch := a.trail().exchange, &sitemon.ProbeEvidence{}
	a.detail.Exchange = &Exchange{*a.exchangeRequest(scratch, x), a.exchangeResponse(scratch, x)}
}
