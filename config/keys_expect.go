package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	minStatus    = 100
	maxStatus    = 599
	maxLatency   = maxInterval
	maxValidity  = 10 * 365 * 24 * time.Hour
	maxJSONDepth = 20
	maxJSONValue = 64 << 10
)

func expectKey() key[draft] {
	return key[draft]{
		keyInfo: keyInfo{
			name: "expect", value: typeMapping(expectObject.info), part: partExpect, example: `{ status: 200, latency: 2s }`,
			doc: "What a good answer looks like. A site's own expectations and those of `defaults` are put together key by key.",
		},
		read: func(w *walker, f field, d *draft) { expectObject.read(w, f, &d.expect) },
	}
}

func regexKey() key[draft] {
	return key[draft]{
		keyInfo: keyInfo{
			name: "regex", value: typePattern, part: partExpect, kinds: kindsWithBody(), example: `"Getting started"`,
			doc: "A regular expression (RE2) that has to match somewhere in the body: the short form of `expect.body.match`, and beside it if both are there.",
		},
		read: func(w *walker, f field, d *draft) {
			if p, ok := w.pattern("regex", f.value); ok {
				d.expect.BodyMatch = append(d.expect.BodyMatch, p)
			}
		},
	}
}

var expectObject = newExpectObject()

func newExpectObject() *object[sitemon.Expect] {
	o := newObject("expect", slices.Concat(kindExpectations(), timeExpectations(), beyondKeys(), []key[sitemon.Expect]{
		{
			keyInfo: keyInfo{
				name: "status", value: typeStatus, kinds: kindsHTTP(), def: "200-399", example: "[200-299, 304]",
				doc: "The status codes that are good, after redirects: numbers and ranges.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.Status = w.status(f.value) },
		},
		httpVersionKey(),
		{
			keyInfo: keyInfo{
				name: "body", value: typeMapping(bodyObject.info), kinds: kindsWithBody(), example: `{ match: "(?i)welcome", not_match: "(?i)fatal error" }`,
				doc: "What the body holds and does not hold. The body of a DNS answer is its records, that of a WebSocket what it sends, see [kinds.md](kinds.md).",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { bodyObject.read(w, f.alone(), e) },
		},
		{
			keyInfo: keyInfo{
				name: "headers", value: typeHeaders, kinds: kindsWithHeaders(), example: `{ content-type: "text/html" }`,
				doc: "Header fields that the answer has to have, each with a regular expression for its value; of gRPC its metadata, with trailers.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.Headers = w.headerPatterns(f) },
		},
		{
			keyInfo: keyInfo{
				name: "json", value: typeList(jsonObject.info), kinds: kindsWithProxy(), example: `[{ path: status, equals: ok }]`,
				doc: "Conditions on values of a JSON body, or of a message of a WebSocket. All have to hold.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) {
				w.items("json", f.value, func(n *yaml.Node) { e.JSON = append(e.JSON, w.jsonExpectation(n)) })
			},
		},
	}), nil)
	o.aliases = map[string]string{
		"expression": "expr", "condition": "expr", "conditions": "expr", "script": "expr", "tlsversion": "tls", "issuer": "tls", "hash": "body_hash", "checksum": "body_hash", "contenthash": "body_hash",
		"httpversions": "http_version", "validhttpversions": "http_version", "protocol": "http_version",
		"statuscode": "status", "statuscodes": "status", "code": "status", "validstatuscodes": "status",
		"match": "body.match", "bodymatch": "body.match", "notmatch": "body.not_match", "regex": "body.match", "contains": "body.match", "keyword": "body.match", "content": "body.match",
		"responsetime": "latency", "maxlatency": "latency", "duration": "latency", "time": "latency", "header": "headers", "jsonpath": "json",
		"certificate": "certificate_valid_for", "cert": "certificate_valid_for", "certificateexpiration": "certificate_valid_for", "tls": "certificate_valid_for",
		"validrcodes": "rcode", "dnsrcode": "rcode", "rcodes": "rcode", "loss": "max_loss", "packetloss": "max_loss", "answer": "body.match", "dnssec": "authenticated",
	}
	return o
}

// timeExpectations are those that degrade a site.
func timeExpectations() []key[sitemon.Expect] {
	return []key[sitemon.Expect]{
		{
			keyInfo: keyInfo{
				name: "latency", value: typeDuration, example: "2s",
				doc: "The duration above which a probe is degraded.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) {
				w.draft.latency = f
				e.Latency, _ = w.duration("latency", f.value, time.Millisecond, maxLatency)
			},
		},
		{
			keyInfo: keyInfo{
				name: "certificate_valid_for", value: typeDuration, kinds: kindsWithTLS(), example: "14d",
				doc: "How long the certificate has to be valid yet; less is degraded.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) {
				w.draft.validity = f
				e.CertificateValidFor, _ = w.duration("certificate_valid_for", f.value, time.Millisecond, maxValidity)
			},
		},
	}
}

var bodyObject = newObject("expect.body", []key[sitemon.Expect]{
	{
		keyInfo: keyInfo{name: "match", value: typePatterns, example: `["(?i)welcome"]`, doc: "Regular expressions (RE2) that all have to match."},
		read: func(w *walker, f field, e *sitemon.Expect) {
			e.BodyMatch = append(e.BodyMatch, w.patternList("match", f.value)...)
		},
	},
	{
		keyInfo: keyInfo{name: "not_match", value: typePatterns, example: `["(?i)fatal error"]`, doc: "Regular expressions of which none may match."},
		read:    func(w *walker, f field, e *sitemon.Expect) { e.BodyNotMatch = w.patternList("not_match", f.value) },
	},
}, nil)

func (w *walker) patternList(name string, n *yaml.Node) []sitemon.Pattern {
	var patterns []sitemon.Pattern
	w.items(name, n, func(n *yaml.Node) {
		if p, ok := w.pattern(name, n); ok {
			patterns = append(patterns, p)
		}
	})
	return patterns
}

func (w *walker) headerPatterns(f field) []sitemon.HeaderPattern {
	var patterns []sitemon.HeaderPattern
	w.table("headers", f, headerNameFault, func(name string, n *yaml.Node) {
		if p, ok := w.pattern("headers."+name, n); ok {
			patterns = append(patterns, sitemon.HeaderPattern{Name: name, Pattern: p})
		}
	})
	return patterns
}

var typeStatus = valueInfo{name: "list of numbers and ranges", schema: oneOrMore(schema{"anyOf": []schema{
	{"type": "integer", "minimum": minStatus, "maximum": maxStatus},
	{"type": "string", "pattern": `^ *[1-5][0-9][0-9] *(- *[1-5][0-9][0-9] *)?$`},
}})}

func (w *walker) status(n *yaml.Node) []sitemon.StatusRange {
	var ranges []sitemon.StatusRange
	w.items("status", n, func(n *yaml.Node) {
		s, ok := w.text("status", n)
		if !ok {
			return
		}
		r, fault := parseStatusRange(s)
		if fault != "" {
			w.fail(n, "status: %s", fault)
			return
		}
		if r.From == r.To {
			w.out = strconv.AppendInt(w.out, int64(r.From), 10)
		} else {
			w.out = appendJSON(w.out, r.String())
		}
		ranges = append(ranges, r)
	})
	return ranges
}

// parseStatusRange reads "304" or "200-299", or says what is wrong.
func parseStatusRange(s string) (r sitemon.StatusRange, fault string) {
	from, to, isRange := strings.Cut(s, "-")
	from, to = strings.Trim(from, " "), strings.Trim(to, " ")
	if !isRange {
		to = from
	}
	if len(s) == 3 && s[0] >= '1' && s[0] <= '5' && strings.EqualFold(s[1:], "xx") {
		return r, quote(s) + " is no range; write " + s[:1] + "00-" + s[:1] + "99"
	}
	if !allDigits(from) || !allDigits(to) {
		return r, quote(s) + " is no status code; write a number such as 200, or a range such as 200-299"
	}
	r.From, _ = strconv.Atoi(from) // out of range: the largest int, refused below
	r.To, _ = strconv.Atoi(to)
	switch {
	case len(from) != 3 || len(to) != 3 || r.From < minStatus || r.To > maxStatus || r.From > maxStatus || r.To < minStatus:
		return r, "status codes are between 100 and 599, not " + s
	case r.From > r.To:
		return r, "the range " + s + " is empty; write the smaller number first"
	}
	return r, ""
}

// groupOperator is shared by the comparisons of a JSON expectation.
const groupOperator = "operator"

var jsonObject = newJSONObject()

func newJSONObject() *object[sitemon.JSONExpectation] {
	operator := func(op sitemon.JSONOperator, v valueInfo, example, doc string, read func(w *walker, n *yaml.Node, e *sitemon.JSONExpectation)) key[sitemon.JSONExpectation] {
		return key[sitemon.JSONExpectation]{
			keyInfo: keyInfo{name: string(op), value: v, example: example, doc: doc, oneOf: groupOperator},
			read: func(w *walker, f field, e *sitemon.JSONExpectation) {
				start := len(w.out)
				read(w, f.value, e)
				e.Operator, e.Value = op, append([]byte(nil), w.out[start:]...)
			},
		}
	}
	number := func(name string) func(w *walker, n *yaml.Node, e *sitemon.JSONExpectation) {
		return func(w *walker, n *yaml.Node, e *sitemon.JSONExpectation) { e.Number = w.number(name, n) }
	}
	value := func(w *walker, n *yaml.Node, _ *sitemon.JSONExpectation) { w.jsonValue(n, 0, len(w.out)) }
	o := newObject("an entry of expect.json", []key[sitemon.JSONExpectation]{
		{
			keyInfo: keyInfo{name: "path", value: typeText, must: true, example: "data.items.0.state", doc: "The GJSON path of the value."},
			read: func(w *walker, f field, e *sitemon.JSONExpectation) {
				s, ok := w.line("path", f.value)
				if ok && s == "" {
					w.fail(f.value, "path is empty; write for example status, or @this for the whole body")
				}
				w.out = appendJSON(w.out, s)
				e.Path = s
			},
		},
		operator(sitemon.JSONEquals, typeAny, "ok", "The value that is expected: the same JSON type and value.", value),
		operator(sitemon.JSONNotEquals, typeAny, "failed", "A value that is not expected.", value),
		operator(sitemon.JSONMatches, typePattern, `"^v2\\."`, "A regular expression (RE2) that has to match the value as text.",
			func(w *walker, n *yaml.Node, e *sitemon.JSONExpectation) { e.Pattern, _ = w.pattern("matches", n) }),
		operator(sitemon.JSONExists, typeBool, "true", "Whether the path has to lead to a value.",
			func(w *walker, n *yaml.Node, _ *sitemon.JSONExpectation) { w.boolean("exists", n) }),
		operator(sitemon.JSONLessThan, typeNumber, "100", "The number that the value has to be less than.", number("less_than")),
		operator(sitemon.JSONGreaterThan, typeNumber, "0", "The number that the value has to be greater than.", number("greater_than")),
	}, map[string]string{groupOperator: "one of equals, not_equals, matches, exists, less_than, greater_than"})
	o.aliases = map[string]string{
		"key": "path", "jsonpath": "path", "value": "equals", "eq": "equals", "is": "equals", "ne": "not_equals", "lt": "less_than", "gt": "greater_than",
		"regex": "matches", "match": "matches", "present": "exists",
	}
	return o
}

func (w *walker) jsonExpectation(n *yaml.Node) sitemon.JSONExpectation {
	var e sitemon.JSONExpectation
	jsonObject.read(w, field{value: n}, &e)
	return e
}

func (w *walker) number(name string, n *yaml.Node) float64 {
	s, ok := w.text(name, n)
	if !ok {
		return 0
	}
	var f float64
	v := deref(n)
	switch {
	case v.Tag == "!!str" && isNumber(s):
		w.fail(n, "%s must be a number, not a text; take out the quotes", name)
	case v.Tag != "!!int" && v.Tag != "!!float" || v.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f):
		w.fail(n, "%s must be a number, not %s", name, describe(v))
	}
	w.out = appendFloat(w.out, f)
	return f
}

// jsonValue writes any YAML value as JSON.
func (w *walker) jsonValue(n *yaml.Node, depth, start int) {
	v := deref(n)
	if depth > maxJSONDepth || len(w.out)-start > maxJSONValue {
		w.fail(n, "the value to compare with is too large; it can be 64 KiB and nested 20 deep")
		return
	}
	if !w.step(n, 1) {
		return
	}
	switch v.Kind {
	case yaml.SequenceNode:
		w.out = append(w.out, '[')
		for i, item := range v.Content {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.jsonValue(item, depth+1, start)
			if len(w.out)-start > maxJSONValue {
				break
			}
		}
		w.out = append(w.out, ']')
	case yaml.MappingNode:
		w.jsonMapping(v, depth, start)
	default:
		w.jsonScalar(n, v)
	}
}

func (w *walker) jsonMapping(m *yaml.Node, depth, start int) {
	w.out = append(w.out, '{')
	fields := w.pairs(m, nil)
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.key.Value, b.key.Value) })
	for i, f := range fields {
		if len(f.key.Value) > maxHeaderName {
			w.fail(f.key, "the key is too long")
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(appendJSON(w.out, f.key.Value), ':')
		w.jsonValue(f.value, depth+1, start)
		if len(w.out)-start > maxJSONValue {
			break
		}
	}
	w.out = append(w.out, '}')
}

func (w *walker) jsonScalar(n, v *yaml.Node) {
	var f float64
	switch v.Tag {
	case "!!null":
		w.out = append(w.out, "null"...)
	case "!!bool":
		w.out = strconv.AppendBool(w.out, strings.EqualFold(v.Value, "true"))
	case "!!int", "!!float":
		var i int64
		var u uint64
		switch {
		case v.Tag == "!!int" && v.Decode(&i) == nil:
			w.out = strconv.AppendInt(w.out, i, 10)
		case v.Tag == "!!int" && v.Decode(&u) == nil:
			w.out = strconv.AppendUint(w.out, u, 10)
		case v.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f):
			w.fail(n, "%s is no number that JSON has", quote(v.Value))
		default:
			w.out = appendFloat(w.out, f)
		}
	case "!!str", "!!timestamp":
		if looksReferring(v.Value) {
			w.warn(n, "${…} is not expanded in expectations")
		}
		w.out = appendJSON(w.out, v.Value)
	default:
		w.fail(n, "the tag %s means nothing here, take it out", v.Tag)
	}
}
