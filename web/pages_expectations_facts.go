package web

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sitemon"
)

var (
	// factName is a name in an expression, with what stands before it where that makes
	// it another one; or a group with a name in a regular expression; or a text.
	factName = regexp.MustCompile(`\(\?P?<(\w+)>|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\pL_#?.][\w?.]*`)
	// maxFacts is how many of them are shown.
	maxFacts = 6
)

// wantedText is what a key expects, as people write it.
func wantedText(key string, value json.RawMessage) string {
	var conditions []struct{ Expr, Otherwise string }
	if key != "expect.expr" || json.Unmarshal(value, &conditions) != nil {
		return valueText(value)
	}
	texts := make([]string, len(conditions))
	for i, c := range conditions {
		if texts[i] = c.Expr; c.Otherwise != "" {
			texts[i] += " (otherwise " + c.Otherwise + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// factsNamed are what a report records of what a condition reads, and of the numbers
// that groups with names matched: "latency 182 ms", "users 41".
func factsNamed(r *sitemon.Report, condition string) (facts []string) {
	for _, m := range factName.FindAllStringSubmatch(condition, -1) {
		name, known := m[0], ""
		if m[1] != "" {
			name, known = m[1], valueOf(r, m[1])
		} else if value, is := strings.CutPrefix(name, "values."); is {
			known = valueOf(r, value)
		} else {
			known = factOf(r, name)
		}
		if fact := name + " " + known; known != "" && len(facts) < maxFacts && !slices.Contains(facts, fact) {
			facts = append(facts, fact)
		}
	}
	return facts
}

func valueOf(r *sitemon.Report, name string) string {
	if n, ok := r.Values.Get(name); ok {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return ""
}

// factOf is what a report records under a name of an expression, "" for nothing.
func factOf(r *sitemon.Report, name string) string {
	took := time.Duration(-1)
	if i := slices.Index(sitemon.PhaseNames, strings.TrimPrefix(name, "phases.")); i >= 0 && strings.HasPrefix(name, "phases.") {
		took = r.Phases.All()[i]
	}
	switch name {
	case "status":
		if r.StatusCode != 0 {
			return strconv.Itoa(r.StatusCode)
		}
	case "latency":
		took = r.Duration
	case "body_bytes":
		return strconv.FormatInt(r.BodyBytes, 10)
	case "body_truncated":
		return strconv.FormatBool(r.BodyTruncated)
	case "remote_addr":
		return r.RemoteAddr
	case "certificate.valid_for":
		if !r.CertificateExpiresAt.IsZero() {
			return endsText(r.CertificateExpiresAt, r.Slot)
		}
	}
	if took >= 0 {
		return latencyText(took)
	}
	return ""
}
