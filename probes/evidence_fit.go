package probes

import (
	"bytes"
	"encoding/json"

	"sitemon"
)

// keptBody is how much of a body stays while there is anything else to cut.
const keptBody = 256

// fitEvidence writes evidence as JSON. Where it is too long the body is cut first,
// then headers, then whatever else is long, until it fits.
func fitEvidence(e *sitemon.ProbeEvidence) string {
	cuts := []struct {
		part string
		// cut shortens the part by at least over bytes where it can; false: there is
		// nothing left of it that may go.
		cut func(over int) bool
	}{
		{"body", func(over int) bool { return cutBody(e.Response, over, keptBody) }},
		{"met", func(int) bool { return cutLast(&e.Met, 0) }},
		{"headers", func(over int) bool { return e.Response != nil && cutHeaders(e.Response.Headers, over) }},
		{"headers", func(over int) bool { return e.Request != nil && cutHeaders(e.Request.Headers, over) }},
		{"body", func(over int) bool { return cutBody(e.Response, over, 0) }},
		{"steps", func(int) bool { return cutURLs(e.Steps) }},
		{"tls", func(int) bool { return cutChain(e.TLS) }},
		{"redirects", func(int) bool { return cutLast(&e.Redirects, 1) }},
		{"addresses", func(int) bool { return cutLast(&e.Addresses, 1) }},
		{"expectations", func(int) bool { return cutLast(&e.Expectations, 1) }},
		{"tls", func(int) bool { tls := e.TLS; e.TLS = nil; return tls != nil }},
		{"redirects", func(int) bool { return cutLast(&e.Redirects, 0) }},
		{"steps", func(int) bool { return cutLast(&e.Steps, 0) }},
	}
	text := encodeEvidence(e)
	for _, c := range cuts {
		for over := len(text) - sitemon.MaxEvidence; over > 0; over = len(text) - sitemon.MaxEvidence {
			if !c.cut(over) {
				break
			}
			noteCut(e, c.part)
			text = encodeEvidence(e)
		}
	}
	if len(text) > sitemon.MaxEvidence {
		return "" // what is left has bounds that make this impossible
	}
	return text
}

// encodeEvidence writes the form of [sitemon.Report.Evidence].
func encodeEvidence(e *sitemon.ProbeEvidence) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(e) != nil {
		return "" // cannot happen: its parts are plain texts and numbers
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// cutBody leaves at least least bytes of a body.
func cutBody(r *sitemon.EvidenceResponse, over, least int) bool {
	if r == nil || len(r.Body) <= least {
		return false
	}
	const mark = len("…")
	r.Body = shorten(r.Body, max(least-mark, len(r.Body)-over-2*mark, 0))
	if len(r.Body) <= mark {
		r.Body = ""
	}
	return true
}

// cutHeaders takes the longest fields out.
func cutHeaders(h map[string]string, over int) bool {
	cut := len(h) > 0
	for over > 0 && len(h) > 0 {
		longest := ""
		for name, value := range h {
			was := len(longest) + len(h[longest])
			if n := len(name) + len(value); longest == "" || n > was || n == was && name < longest {
				longest = name
			}
		}
		over -= len(longest) + len(h[longest])
		delete(h, longest)
	}
	return cut
}

// cutChain leaves the server's own certificate.
func cutChain(t *sitemon.EvidenceTLS) bool { return t != nil && cutLast(&t.Certificates, 1) }

// cutURLs takes the addresses of steps out, from the first on.
func cutURLs(steps []sitemon.EvidenceStep) bool {
	for i := range steps {
		if steps[i].URL != "" {
			steps[i].URL = ""
			return true
		}
	}
	return false
}

// cutLast takes the last of a list out, and leaves at least least.
func cutLast[T any](list *[]T, least int) bool {
	if len(*list) <= least {
		return false
	}
	*list = (*list)[:len(*list)-1]
	return true
}
