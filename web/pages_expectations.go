package web

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

// expectationView is an expectation with what was seen.
type expectationView struct {
	Name     string
	Expected string
	Seen     string     // "–" where that was not recorded
	Verdict  statusView // met, not met, not judged
}

var (
	verdictMet     = statusView{"up", "Met"}
	verdictUnmet   = statusView{"down", "Not met"}
	verdictLess    = statusView{"degraded", "Not met"} // of what makes a site degraded
	verdictUnknown = statusView{"unknown", "Not judged"}
)

// expectationsOf lists what a site expects, with what a report says was seen. A
// report that is up has met everything; one that failed while it was judged names
// what was not met in its evidence, and in its reason the first; one that got no
// answer was not judged. changed says so where the site expects something else since.
func expectationsOf(r *sitemon.Report, seen *sitemon.ProbeEvidence, d *siteDefinition) (list []expectationView, changed string) {
	unmet, met, judged := slices.Clone(seen.Expectations), seen.Met, true
	if len(seen.Steps) > 0 {
		unmet, met, judged = ofLastStep(seen)
	}
	if d != nil && r.Generation > 0 && r.Generation < d.Generation {
		changed = "The definition has changed since, with generation " + strconv.FormatInt(d.Generation, 10) + "."
	} else if d != nil {
		for _, k := range d.Keys {
			if k.From == sitemon.FromProgram && k.Key != "expect.status" {
				continue // what is not expected
			}
			if k.Key == "regex" || strings.HasPrefix(k.Key, "expect.") {
				var v expectationView
				if v, unmet = newExpectationView(r, k, unmet); !judged {
					v.Seen, v.Verdict = "–", verdictUnknown
				} else if v.Verdict == verdictUnknown || v.Verdict == verdictMet {
					v.met(met, k)
				}
				list = append(list, v)
			}
		}
	}
	if judged && r.Outcome == sitemon.OutcomeDown && len(seen.Expectations) > 0 && len(unmet)+len(seen.Cut) == 0 {
		for i := range list { // all was judged, and what was not met is known
			if list[i].Verdict == verdictUnknown {
				list[i].Verdict = verdictMet
			}
		}
	}
	for _, e := range unmet { // expected without a key of its own, or by an older definition
		list = append(list, expectationView{e.Name, e.Expected, e.Seen, unmetVerdict(r)})
	}
	return list, changed
}

// met says what was seen of a key's expectations that were met, where evidence does.
func (v *expectationView) met(met []sitemon.EvidenceExpectation, k sitemon.DefinitionKey) {
	var seen []string
	for _, e := range met {
		if aboutKey(e, k) && !slices.Contains(seen, e.Seen) {
			seen = append(seen, e.Seen)
		}
	}
	if len(seen) > 0 {
		v.Seen, v.Verdict = strings.Join(seen, "; "), verdictMet
	}
}

func unmetVerdict(r *sitemon.Report) statusView {
	if r.Outcome == sitemon.OutcomeDegraded {
		return verdictLess
	}
	return verdictUnmet
}

// newExpectationView judges one key of a definition; what it takes of the
// expectations that were not met it leaves out of the rest.
func newExpectationView(r *sitemon.Report, k sitemon.DefinitionKey, unmet []sitemon.EvidenceExpectation) (v expectationView, rest []sitemon.EvidenceExpectation) {
	v = expectationView{Name: strings.TrimPrefix(k.Key, "expect."), Expected: wantedText(k.Key, k.Value), Seen: seenOf(r, k.Key, k.Value), Verdict: verdictUnknown}
	var seen []string
	for _, e := range unmet {
		if !aboutKey(e, k) {
			rest = append(rest, e)
			continue
		}
		if !slices.Contains(seen, e.Seen) {
			seen = append(seen, e.Seen)
		}
	}
	switch {
	case len(seen) > 0:
		v.Seen, v.Verdict = strings.Join(seen, "; "), unmetVerdict(r)
	case r.Outcome == sitemon.OutcomeUp:
		v.Verdict = verdictMet
	case reasonKey(r.Reason) != "" && aboutName(reasonKey(r.Reason), k.Key):
		if v.Verdict = unmetVerdict(r); aboutSeveral(k.Key) {
			v.Verdict = verdictUnknown // the reason does not say which of them
		}
	case r.Outcome == sitemon.OutcomeDegraded && reasonKey(r.Reason) != "" && k.Key != "expect.latency" && k.Key != "expect.certificate_valid_for":
		v.Verdict = verdictMet // else it would be down
	}
	return v, rest
}

// seenOf is what a report records about a key: "–" for most, of which it says
// only whether all is well.
func seenOf(r *sitemon.Report, key string, value json.RawMessage) string {
	switch {
	case key == "expect.status" && r.StatusCode != 0:
		return strconv.Itoa(r.StatusCode)
	case key == "expect.latency" && r.Duration > 0:
		return latencyText(r.Duration)
	case key == "expect.certificate_valid_for" && !r.CertificateExpiresAt.IsZero():
		return endsText(r.CertificateExpiresAt, r.Slot)
	case key == "expect.expr", key == "regex", key == "expect.body.match":
		if facts := factsNamed(r, wantedText(key, value)); len(facts) > 0 {
			return strings.Join(facts, ", ")
		}
	}
	return "–"
}

// keysOfNames are the keys, or beginnings of keys, that the names of expectations in
// evidence are about, unless they are those of the same name.
var keysOfNames = map[string][]string{
	"status": {"expect.status"}, "latency": {"expect.latency"}, "certificate": {"expect.certificate_valid_for"},
	"http_version": {"expect.http_version"}, "header": {"expect.headers."}, "body": {"expect.body.", "regex"}, "loss": {"expect.max_loss"},
}

// aboutName reports whether an expectation's name is about a key.
func aboutName(name, key string) bool {
	first, _, _ := strings.Cut(name, " ")
	begins, ok := keysOfNames[first]
	if !ok {
		begins = []string{"expect." + first}
	}
	return slices.ContainsFunc(begins, func(begin string) bool { return strings.HasPrefix(key, begin) })
}

// aboutKey reports whether an expectation that was not met is that of a key.
func aboutKey(e sitemon.EvidenceExpectation, k sitemon.DefinitionKey) bool {
	if !aboutName(e.Name, k.Key) {
		return false
	}
	switch first, rest, _ := strings.Cut(e.Name, " "); first {
	case "header":
		return strings.EqualFold("expect.headers."+rest, k.Key)
	case "tls":
		return k.Key == "expect.tls."+rest
	case "body":
		if strings.HasPrefix(e.Expected, "no match") != (k.Key == "expect.body.not_match") {
			return false
		}
		return slices.ContainsFunc(textsOf(k.Value), func(s string) bool { return strings.Contains(e.Expected, strconv.Quote(s)) })
	}
	return true
}

// aboutSeveral reports whether several keys are about the same reason.
func aboutSeveral(key string) bool {
	return key == "regex" || strings.HasPrefix(key, "expect.body.") || strings.HasPrefix(key, "expect.headers.")
}

// reasonKey is the name of the expectations whose reason a report has, "" where it is
// not one of those.
func reasonKey(reason sitemon.Reason) string {
	switch reason {
	case sitemon.ReasonStatus, sitemon.ReasonHeader, sitemon.ReasonBody, sitemon.ReasonJSON, sitemon.ReasonLatency, sitemon.ReasonCertificate:
		return string(reason)
	}
	return ""
}

// valueText is a value of a definition as people read it: "200-299, 304".
func valueText(value json.RawMessage) string {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return string(value)
	}
	if list, ok := v.([]any); ok && !slices.ContainsFunc(list, isObject) {
		return strings.Join(textsOf(value), ", ")
	}
	if s, ok := v.(string); ok {
		return s
	}
	return string(value)
}

func isObject(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// textsOf are the texts of a value that is one, or a list of them.
func textsOf(value json.RawMessage) []string {
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		list = []json.RawMessage{value}
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if json.Unmarshal(item, &texts[i]) != nil {
			texts[i] = string(item)
		}
	}
	return texts
}
