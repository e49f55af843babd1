package importer

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// expectations are those of a site, as they are found one by one.
type expectations struct {
	status              []any
	versions            []string // of HTTP
	match, notMatch     []string
	json                []any
	latency, validFor   string
	headers             []Key
	statusWasRestricted bool
	notes               []string // what is not quite the same
}

func (e *expectations) keys() (keys []Key) {
	if e.status != nil {
		keys = append(keys, Key{"status", e.status})
	}
	if e.versions != nil {
		keys = append(keys, Key{"http_version", e.versions})
	}
	var body []Key
	if e.match != nil {
		body = append(body, Key{"match", e.match})
	}
	if e.notMatch != nil {
		body = append(body, Key{"not_match", e.notMatch})
	}
	if body != nil {
		keys = append(keys, Key{"body", body})
	}
	if e.headers != nil {
		keys = append(keys, Key{"headers", e.headers})
	}
	if e.json != nil {
		keys = append(keys, Key{"json", e.json})
	}
	if e.latency != "" {
		keys = append(keys, Key{"latency", e.latency})
	}
	if e.validFor != "" {
		keys = append(keys, Key{"certificate_valid_for", e.validFor})
	}
	return keys
}

// comparison is "left operator right".
var comparison = regexp.MustCompile(`^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$`)

// gatus takes a condition of Gatus; it returns why it can't be taken, or "".
func (e *expectations) gatus(condition, target string) string {
	m := comparison.FindStringSubmatch(strings.TrimSpace(condition))
	if m == nil {
		return "it is no comparison"
	}
	left, op, right := m[1], m[2], m[3]
	path, isBody := strings.CutPrefix(left, "[BODY]")
	scheme, _, _ := strings.Cut(target, ":")
	isHTTP := scheme == "http" || scheme == "https"
	switch {
	case (scheme == "grpc" || scheme == "grpcs") && isBody && path == "" && op == "==" && right == "SERVING":
		return "" // nothing else is good
	case left == "[STATUS]" && !isHTTP, isBody && !isHTTP && scheme != "dns" && scheme != "ws" && scheme != "wss", strings.HasPrefix(left, "[CERTIFICATE") && !secure(scheme):
		return "it is not for " + scheme + ":// sites"
	case left == "[STATUS]":
		return e.gatusStatus(op, right)
	case left == "[CONNECTED]" && (op == "==" && right == "true" || op == "!=" && right == "false"):
		return "" // a site that does not answer is down
	case left == "[RESPONSE_TIME]" && (op == "<" || op == "<="):
		if e.latency = gatusLatency(right); e.latency == "" {
			return "it is no time"
		}
		return ""
	case left == "[CERTIFICATE_EXPIRATION]" && (op == ">" || op == ">="):
		d, ok := duration(right)
		if e.validFor = span(d); !ok || e.validFor == "" {
			return "it is no duration"
		}
		return ""
	case left == "[DNS_RCODE]" && op == "==" && right == "NOERROR" && strings.HasPrefix(target, "dns:"):
		return "" // another one is a failure anyway
	case isBody && path == "":
		return e.gatusBody(op, right)
	case isBody:
		return e.gatusJSON(strings.TrimPrefix(path, "."), op, right)
	case strings.HasPrefix(left, "has([BODY].") && op == "==":
		path := strings.TrimSuffix(strings.TrimPrefix(left, "has([BODY]."), ")")
		e.json = append(e.json, map[string]any{"path": gjson(path), "exists": right == "true"})
		return ""
	case strings.HasPrefix(left, "len([BODY].") && strings.HasSuffix(left, ")"):
		path := strings.TrimSuffix(strings.TrimPrefix(left, "len([BODY]."), ")")
		return e.gatusJSON(path+".#", op, right)
	}
	return "it has no counterpart"
}

func (e *expectations) gatusStatus(op, right string) string {
	if inner, ok := strings.CutPrefix(right, "any("); ok && op == "==" {
		for one := range strings.SplitSeq(strings.TrimSuffix(inner, ")"), ",") {
			n, err := strconv.Atoi(strings.TrimSpace(one))
			if err != nil {
				return "it is no list of numbers"
			}
			e.status = append(e.status, n)
		}
		return ""
	}
	n, err := strconv.Atoi(right)
	if err != nil {
		return "it is no number"
	}
	ranges := map[string]string{"<": fmt.Sprintf("100-%d", n-1), "<=": fmt.Sprintf("100-%d", n), ">": fmt.Sprintf("%d-599", n+1), ">=": fmt.Sprintf("%d-599", n)}
	switch r, ok := ranges[op]; {
	case op == "==":
		e.status = append(e.status, n)
	case e.statusWasRestricted:
		return "several bounds of the status are not carried over; write status: by hand"
	case ok:
		e.status = append(e.status, r)
		e.statusWasRestricted = true
	default:
		e.status = append(e.status, fmt.Sprintf("100-%d", n-1), fmt.Sprintf("%d-599", n+1))
	}
	return ""
}

// gatusBody takes a condition of the whole body.
func (e *expectations) gatusBody(op, right string) string {
	pattern := "^" + regexp.QuoteMeta(right) + "$"
	if inner, ok := strings.CutPrefix(right, "pat("); ok {
		pattern = glob(strings.TrimSuffix(inner, ")"))
	} else if inner, ok := strings.CutPrefix(right, "any("); ok {
		pattern = choice(inner)
	}
	switch op {
	case "==":
		e.match = append(e.match, pattern)
	case "!=":
		e.notMatch = append(e.notMatch, pattern)
	default:
		return "it has no counterpart"
	}
	return ""
}

// gatusJSON takes a condition of a value in a JSON body.
func (e *expectations) gatusJSON(path, op, right string) string {
	one := map[string]any{"path": gjson(path)}
	inner, isPattern := strings.CutPrefix(right, "pat(")
	switch {
	case isPattern && op == "==":
		one["matches"] = glob(strings.TrimSuffix(inner, ")"))
	case strings.HasPrefix(right, "any(") && op == "==":
		one["matches"] = choice(strings.TrimPrefix(right, "any("))
	case isPattern || strings.HasPrefix(right, "any(") || strings.HasPrefix(right, "["):
		return "it has no counterpart"
	case op == "==":
		one["equals"] = literal(right)
	case op == "!=":
		one["not_equals"] = literal(right)
	default:
		n, err := strconv.ParseFloat(right, 64)
		if err != nil {
			return "it is no number"
		}
		if op == "<=" || op == ">=" { // ours are strict
			e.notes = append(e.notes, fmt.Sprintf("%s %s %s counts for whole numbers only", path, op, right))
		}
		switch op {
		case "<":
			one["less_than"] = n
		case "<=":
			one["less_than"] = n + 1
		case ">":
			one["greater_than"] = n
		case ">=":
			one["greater_than"] = n - 1
		}
	}
	e.json = append(e.json, one)
	return ""
}

// choice is a list of texts, up to its bracket, as a regular expression for one of
// them.
func choice(list string) string {
	var choices []string
	for c := range strings.SplitSeq(strings.TrimSuffix(list, ")"), ",") {
		choices = append(choices, regexp.QuoteMeta(strings.TrimSpace(c)))
	}
	return "^(" + strings.Join(choices, "|") + ")$"
}

// literal is a text as the JSON value that it most likely stands for.
func literal(text string) any {
	text = strings.Trim(text, `"`)
	var v any
	if err := json.Unmarshal([]byte(text), &v); err == nil {
		switch v.(type) {
		case bool, float64, nil:
			return v
		}
	}
	return text
}

// gjson is a path as GJSON writes it: data[0].id as data.0.id.
func gjson(path string) string {
	path = regexp.MustCompile(`\[(\d+)\]`).ReplaceAllString(path, ".$1")
	return strings.TrimPrefix(path, ".")
}

// glob is a pattern with * and ? as a regular expression for all of a text.
func glob(pattern string) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	for _, r := range pattern {
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String() + "$"
}
