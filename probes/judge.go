package probes

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

// judged is the answer that expectations are about.
type judged struct {
	proto  string // such as "HTTP/2.0"
	status int
	header http.Header
	body   []byte
}

// verdict gathers the expectations that were not met.
type verdict struct {
	attempt *attempt
	late    error           // the deadline came before all was judged
	outcome sitemon.Outcome // "" while all are met
	reason  sitemon.Reason  // of the first that was not met
	texts   []string

	ans     answered           // what the kind of probe tells of its answer
	numbers map[string]float64 // the report's values
	// met: it gathers what was seen of those that were met, for the evidence of a report
	// with one that was not.
	met bool
}

// judge compares the answer with what the site expects; ans is nil for probes
// that only connect. The error names each expectation that was not met.
func (a *attempt) judge(ans *judged) error {
	return a.conclude(func(v *verdict) {
		if ans != nil {
			v.ans = answered{proto: ans.proto, status: ans.status, header: ans.header, body: ans.body, json: ans.body}
			v.httpVersion(ans.proto)
			v.status(ans.status)
			v.headers(ans.header)
			v.bodies(ans.body)
			v.json(ans.body)
		}
	})
}

// conclude makes the verdict: what the kind of probe judges first, then what holds
// for all of them.
func (a *attempt) conclude(first func(*verdict)) error {
	if a.report.Duration == 0 {
		a.report.Duration = time.Since(a.start)
	}
	v := verdict{attempt: a}
	v.all(first)
	if v.outcome != "" && v.late == nil && a.detail == nil && a.ctx.Err() == nil {
		met := verdict{attempt: a, met: true, numbers: maps.Clone(v.numbers)}
		met.all(first)
	}
	return v.end()
}

// all judges everything.
func (v *verdict) all(first func(*verdict)) {
	first(v)
	v.beyond()
	v.latency(v.attempt.report.Duration)
	v.certificate(v.attempt.report.CertificateExpiresAt)
}

// end puts the verdict into the report.
func (v *verdict) end() error {
	a := v.attempt
	if v.late != nil {
		return v.late
	}
	if v.outcome == "" {
		return nil
	}
	a.report.Outcome, a.report.Reason = v.outcome, v.reason
	a.report.Error = a.errorText(strings.Join(v.texts, "; "))
	return nil
}

// quiet reports whether an expectation needs no words: it was met and nobody asks.
func (v *verdict) quiet(ok bool) bool { return ok != v.met && v.attempt.detail == nil }

// recorded are expectations of which reports, or their evidence, say by themselves
// what was seen.
var recorded = []string{"status", "body", "latency", "certificate"}

// note adds an expectation; bad is the outcome where it was not met.
func (v *verdict) note(ok bool, bad sitemon.Outcome, reason sitemon.Reason, c Check, text string) {
	a := v.attempt
	if v.met && (!ok || slices.Contains(recorded, c.Name)) {
		return
	}
	c.OK = ok
	c.Name, c.Expected, c.Seen = visible(a.redact(c.Name)), visible(a.redact(c.Expected)), visible(a.redact(c.Seen))
	if a.detail != nil {
		a.detail.Checks = append(a.detail.Checks, c)
	}
	t := a.trail()
	if ok {
		if v.met {
			t.met = append(t.met, c)
		}
		return
	}
	t.failed = append(t.failed, c)
	if v.outcome == "" { // what makes a site down is judged before what degrades it
		v.outcome, v.reason = bad, reason
	}
	v.texts = append(v.texts, text)
}

// match matches within the probe's deadline: what a server sends may make an
// expression take for ever.
func (v *verdict) match(p sitemon.Pattern, text []byte) bool {
	a := v.attempt
	ok, complete := p.MatchUntil(text, func() bool { return a.ctx.Err() != nil })
	if !complete {
		v.unmatched(p, text)
	}
	return ok
}

// matchBody is match, and keeps the numbers that groups with names match.
func (v *verdict) matchBody(p sitemon.Pattern, body []byte) bool {
	if !p.Captures() {
		return v.match(p, body)
	}
	a := v.attempt
	ok, complete := p.Capture(body, func() bool { return a.ctx.Err() != nil }, v.capture)
	if !complete {
		v.unmatched(p, body)
	}
	return ok
}

func (v *verdict) unmatched(p sitemon.Pattern, text []byte) {
	if v.late == nil {
		v.late = failf(sitemon.ReasonMonitorOverloaded, v.attempt.ctx.Err(), "the expression %q could not be matched in time against %d bytes", p.String(), len(text))
	}
}

// anyStatus is what is expected where a site says nothing.
var anyStatus = []sitemon.StatusRange{{From: 200, To: 399}}

func (v *verdict) status(code int) {
	want := v.attempt.site.Expect.Status
	if len(want) == 0 {
		want = anyStatus
	}
	ok := false
	for _, r := range want {
		ok = ok || r.From <= code && code <= r.To
	}
	if v.quiet(ok) {
		return
	}
	names := make([]string, len(want))
	for i, r := range want {
		names[i] = r.String()
	}
	expected := strings.Join(names, ", ")
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonStatus, Check{Name: "status", Expected: expected, Seen: strconv.Itoa(code)},
		fmt.Sprintf("status %d, expected %s", code, expected))
}

func (v *verdict) httpVersion(proto string) {
	want := v.attempt.site.Expect.HTTPVersions
	ok := len(want) == 0 || slices.Contains(want, proto)
	if len(want) == 0 || v.quiet(ok) {
		return
	}
	expected := strings.Join(want, ", ")
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonProtocol, Check{Name: "http_version", Expected: expected, Seen: proto},
		fmt.Sprintf("%s, expected %s", proto, expected))
}

func (v *verdict) headers(h http.Header) {
	for _, want := range v.attempt.site.Expect.Headers {
		values := h.Values(want.Name)
		ok := false
		for _, value := range values {
			ok = ok || v.match(want.Pattern, []byte(value))
		}
		if v.quiet(ok) {
			continue
		}
		seen, expected := "absent", "to match "+strconv.Quote(want.Pattern.String())
		if len(values) > 0 {
			seen = sitemon.Redacted
			if !sitemon.CredentialName(want.Name) {
				seen = v.attempt.seen([]byte(strings.Join(values, ", ")))
			}
		}
		v.note(ok, sitemon.OutcomeDown, sitemon.ReasonHeader, Check{Name: "header " + want.Name, Expected: expected, Seen: seen},
			fmt.Sprintf("header %s: %s, expected %s", want.Name, seen, expected))
	}
}

func (v *verdict) bodies(body []byte) {
	if v.met {
		return // its evidence is there
	}
	want := v.attempt.site.Expect
	for _, p := range want.BodyMatch {
		if ok := v.matchBody(p, body); !v.quiet(ok) {
			v.body(ok, "a match of "+strconv.Quote(p.String()), body)
		}
	}
	for _, p := range want.BodyNotMatch {
		if ok := !v.match(p, body); !v.quiet(ok) {
			v.body(ok, "no match of "+strconv.Quote(p.String()), body)
		}
	}
}

func (v *verdict) body(ok bool, expected string, body []byte) {
	seen := v.attempt.seen(body)
	if v.attempt.report.BodyTruncated {
		expected += fmt.Sprintf(" in the first %d bytes", len(body))
	}
	v.note(ok, sitemon.OutcomeDown, sitemon.ReasonBody, Check{Name: "body", Expected: expected, Seen: seen},
		fmt.Sprintf("body %s, expected %s", seen, expected))
}

func (v *verdict) latency(took time.Duration) {
	want := v.attempt.site.Expect.Latency
	if want <= 0 || v.quiet(took <= want) {
		return
	}
	v.note(took <= want, sitemon.OutcomeDegraded, sitemon.ReasonLatency,
		Check{Name: "latency", Expected: "at most " + want.String(), Seen: shortly(took).String()},
		fmt.Sprintf("took %s, expected at most %s", shortly(took), want))
}

func (v *verdict) certificate(expires time.Time) {
	want := v.attempt.site.Expect.CertificateValidFor
	if want <= 0 || expires.IsZero() {
		return
	}
	left := time.Until(expires)
	if v.quiet(left >= want) {
		return
	}
	seen := "valid for " + days(left)
	if left < 0 {
		seen = "expired for " + days(-left)
	}
	v.note(left >= want, sitemon.OutcomeDegraded, sitemon.ReasonCertificate,
		Check{Name: "certificate", Expected: "valid for at least " + days(want), Seen: seen},
		fmt.Sprintf("certificate %s (until %s), expected at least %s", seen, expires.UTC().Format(time.RFC3339), days(want)))
}

// days writes a long duration as sites.yaml does, rounded down so that it does not
// look like more than what was expected.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < day {
		return d.Truncate(time.Second).String()
	}
	text := strconv.Itoa(int(d/day)) + "d"
	if hours := d % day / time.Hour; hours > 0 {
		text += strconv.Itoa(int(hours)) + "h"
	}
	return text
}
