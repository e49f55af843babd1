package config

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	maxSteps    = 20
	maxCaptures = 20 // of one step
)

// stepDraft is a step while it is read.
type stepDraft struct {
	sitemon.Step

	known *[]string // what the steps before it capture
	head  *yaml.Node
}

// stepsKey says which requests a site makes one after the other.
func stepsKey() key[draft] {
	return key[draft]{
		keyInfo: keyInfo{
			name: "steps", value: typeList(stepObject.info), kinds: kindsHTTP(), own: true,
			example: `[{ name: sign in, url: /login, method: POST, capture: { token: { json: access_token } } }, { name: basket, url: /basket, headers: { Authorization: "Bearer {{token}}" } }]`,
			doc:     "Several requests, one after the other, each with values out of the answers before it; see [kinds.md](kinds.md).",
		},
		read: func(w *walker, f field, d *draft) {
			d.steps = f
			w.items("steps", f.value, func(n *yaml.Node) {
				s := stepDraft{known: &d.captured}
				stepObject.read(w, field{value: n}, &s)
				w.stepTogether(n, &s)
				for _, c := range s.Capture {
					d.captured = append(d.captured, c.Name)
				}
				if s.Name != "" && slices.ContainsFunc(d.site.Steps, func(o sitemon.Step) bool { return o.Name == s.Name }) {
					w.fail(n, "the name %s is that of another step already", quote(s.Name))
				}
				d.site.Steps = append(d.site.Steps, s.Step)
			})
			if n := len(d.site.Steps); n > maxSteps {
				w.fail(f.value, "steps has %d entries; it can have %d", n, maxSteps)
			}
		},
	}
}

var stepObject = newStepObject()

func newStepObject() *object[stepDraft] {
	o := newObject("a step", slices.Concat(stepRequestKeys(), stepAnswerKeys()), nil)
	o.aliases = map[string]string{
		"endpoint": "url", "path": "url", "uri": "url", "verb": "method", "header": "headers", "payload": "body", "data": "body", "title": "name", "id": "name",
		"store": "capture", "captures": "capture", "extract": "capture", "save": "capture", "variables": "capture", "conditions": "expect", "assertions": "expect", "checks": "expect",
		"status": "expect.status", "regex": "expect.body.match", "json": "expect.json",
	}
	return o
}

// stepRequestKeys say what a step sends.
func stepRequestKeys() []key[stepDraft] {
	return []key[stepDraft]{
		{
			keyInfo: keyInfo{
				name: "name", value: typeName, must: true, example: "sign in",
				doc: "By what the step is told from the others, 1 to 200 printable characters.",
			},
			read: func(w *walker, f field, s *stepDraft) { s.Name = w.name(f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "url", value: typeText, def: "that of the site", example: `"/users/{{id}}"`,
				doc: "Where the request goes, relative to the site's `url`. A captured value is written as one part of a path or a query; where the address begins with it, it stands as it is.",
			},
			read: func(w *walker, f field, s *stepDraft) {
				s.URL = w.stepURL(f.value, *s.known)
				w.out = appendJSON(w.out, s.URL)
			},
		},
		{
			keyInfo: keyInfo{name: "method", value: typeMethod, def: "that of the site", example: "POST", doc: "The method of the request."},
			read: func(w *walker, f field, s *stepDraft) {
				s.head = f.value
				s.Method = w.method(f.value)
			},
		},
		{
			keyInfo: keyInfo{
				name: "headers", value: typeHeaders, example: `{ Authorization: "Bearer {{token}}" }`,
				doc: "Header fields of the request, beside those of the site.",
			},
			read: func(w *walker, f field, s *stepDraft) { s.Headers = w.stepHeaders(f, *s.known) },
		},
		{
			keyInfo: keyInfo{
				name: "body", value: typeText, def: "that of the site, for a step without `method`", example: `'{"user": "{{id}}", "password": "${PASSWORD}"}'`,
				doc: "The body of the request.",
			},
			read: func(w *walker, f field, s *stepDraft) {
				s.Body, _ = w.reference("body", f.value)
				w.placeholders("body", f.value, s.Body, *s.known)
				w.out = appendJSON(w.out, s.Body)
			},
		},
		{
			keyInfo: keyInfo{name: "follow_redirects", value: typeBool, def: "that of the site", example: "false", doc: "Whether redirects are followed. If not, a redirect is the answer of the step."},
			read: func(w *walker, f field, s *stepDraft) {
				follow := w.boolean("follow_redirects", f.value)
				s.FollowRedirects = &follow
			},
		},
	}
}

// stepAnswerKeys say what its answer is like, and what is taken out of it.
func stepAnswerKeys() []key[stepDraft] {
	return []key[stepDraft]{
		{
			keyInfo: keyInfo{
				name: "expect", value: typeMapping(stepExpectObject.info), def: "a status of 200-399", example: `{ status: 201 }`,
				doc: "What a good answer looks like. What the site expects is expected of the last step, where that does not say it itself.",
			},
			read: func(w *walker, f field, s *stepDraft) {
				s.Expect = &sitemon.Expect{}
				stepExpectObject.read(w, f, s.Expect)
			},
		},
		{
			keyInfo: keyInfo{
				name: "capture", value: typeTable("mapping of names to mappings", captureObject.info), example: `{ token: { json: access_token } }`,
				doc: "Values out of the answer, which the steps after it send as `{{name}}`. One that is not there is as an expectation that was not met.",
			},
			read: func(w *walker, f field, s *stepDraft) { w.captures(f, s) },
		},
	}
}

// stepExpectObject has those keys of expect that are about one answer.
var stepExpectObject = newStepExpectObject()

func newStepExpectObject() *object[sitemon.Expect] {
	all := newExpectObject()
	keys := slices.DeleteFunc(all.keys, func(k key[sitemon.Expect]) bool {
		return !slices.Contains([]string{"status", "http_version", "body", "headers", "json", "expr"}, k.name)
	})
	keys = append(keys, key[sitemon.Expect]{
		keyInfo: keyInfo{name: "latency", value: typeDuration, example: "500ms", doc: "The duration of the step above which the site is degraded."},
		read: func(w *walker, f field, e *sitemon.Expect) {
			e.Latency, _ = w.duration("latency", f.value, time.Millisecond, maxLatency)
		},
	})
	o := newObject("expect of a step", keys, nil)
	o.aliases = all.aliases
	return o
}

var captureObject = newCaptureObject()

func newCaptureObject() *object[sitemon.Capture] {
	const source = "source"
	o := newObject("an entry of capture", []key[sitemon.Capture]{
		{
			keyInfo: keyInfo{name: "json", value: typeText, oneOf: source, example: "data.0.id", doc: "The GJSON path of the value in a JSON body; text without its quotes, anything else as it is written."},
			read: func(w *walker, f field, c *sitemon.Capture) {
				s, ok := w.line("json", f.value)
				if ok && s == "" {
					w.fail(f.value, "json is empty; write for example access_token, or @this for the whole body")
				}
				w.out = appendJSON(w.out, s)
				c.JSON = s
			},
		},
		{
			keyInfo: keyInfo{name: "regex", value: typePattern, oneOf: source, example: `'name="csrf" value="([^"]+)"'`, doc: "A regular expression (RE2) for the body; its first group is the value, or all of it where it has none."},
			read: func(w *walker, f field, c *sitemon.Capture) {
				if p, ok := w.pattern("regex", f.value); ok {
					c.Regex = &p
				}
			},
		},
		{
			keyInfo: keyInfo{name: "header", value: typeText, oneOf: source, example: "Location", doc: "The name of a header field of the answer."},
			read: func(w *walker, f field, c *sitemon.Capture) {
				s, ok := w.line("header", f.value)
				if fault := headerNameFault(s); ok && fault != "" {
					w.fail(f.value, "header: %s", fault)
				}
				w.out = appendJSON(w.out, s)
				c.Header = s
			},
		},
	}, map[string]string{source: "one of json, regex, header"})
	o.aliases = map[string]string{"path": "json", "jsonpath": "json", "pattern": "regex", "match": "regex", "body": "regex", "headers": "header"}
	return o
}

func (w *walker) captures(f field, s *stepDraft) {
	w.table("capture", f.alone(), captureNameFault, func(name string, n *yaml.Node) {
		c := sitemon.Capture{Name: name}
		captureObject.read(w, field{value: n}, &c)
		s.Capture = append(s.Capture, c)
	})
	if len(s.Capture) > maxCaptures {
		w.fail(f.value, "capture has %d entries; it can have %d", len(s.Capture), maxCaptures)
	}
}

func captureNameFault(name string) string {
	if sitemon.PlaceholderName(name) {
		return ""
	}
	return quote(name) + " is no name for a value; write letters, digits and underscores, at most 64, with no digit first"
}

// placeholders notes {{name}}s that no step before has a value for, and reports
// whether there is one at all.
func (w *walker) placeholders(what string, n *yaml.Node, text string, known []string) (found bool) {
	if !strings.Contains(text, "{{") {
		return false
	}
	sitemon.EachPlaceholder(text, func(literal string) {
		if fault := w.formFault(literal); fault != "" && w.formFault(text) == "" {
			w.fail(n, "%s: {{…}} can't stand inside of ${…}", what)
		}
	}, func(name string) {
		found = true
		if slices.Contains(known, name) {
			return
		}
		hint := "capture it in a step before, or write {{{{" + name + "}} where the text is meant"
		if guess := closest(name, known); guess != "" {
			hint = "did you mean {{" + guess + "}}?"
		}
		w.fail(n, "%s: no step before this one captures {{%s}}; %s", what, name, hint)
	})
	return found
}

// formFault says what is wrong with the form of the references in a text, or "".
func (w *walker) formFault(text string) string {
	if err := eachReference(text, func(string) {}, reference.reserved); err != nil {
		return err.Error()
	}
	return ""
}

func (w *walker) stepHeaders(f field, known []string) []sitemon.Header {
	var headers []sitemon.Header
	w.table("headers", f.alone(), headerFault, func(key string, n *yaml.Node) {
		what := "headers." + key
		value := w.referenceLine(what, n)
		if filled := w.placeholders(what, n, value, known); !filled && sitemon.CredentialName(key) {
			w.literalCredential(what, n, value)
		}
		w.out = appendJSON(w.out, value)
		headers = append(headers, sitemon.Header{Name: key, Value: sitemon.Secret(value)})
	})
	return headers
}

// stepURL reads an address that is relative to the site's.
func (w *walker) stepURL(n *yaml.Node, known []string) string {
	s := w.referenceLine("url", n)
	if isBlank(n) {
		w.fail(n, "url is empty; leave the key out for the site's own")
	}
	w.placeholders("url", n, s, known)
	var b strings.Builder
	sitemon.EachPlaceholder(s, func(literal string) { b.WriteString(literal) }, func(string) { b.WriteString("x") })
	text, ok := w.expanded(b.String())
	if !ok {
		return s
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		w.fail(n, "url is no address: write one that begins with / or https://")
	case u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https", u.Scheme != "" && u.Hostname() == "":
		w.fail(n, "url: a step goes to an address that begins with / or http:// or https://")
	}
	w.credentialIn("url", n, s)
	return s
}

// stepTogether notes what is wrong with keys of a step beside each other.
func (w *walker) stepTogether(n *yaml.Node, s *stepDraft) {
	fromBody := slices.ContainsFunc(s.Capture, func(c sitemon.Capture) bool { return c.Header == "" })
	if s.Method == http.MethodHead && (fromBody || s.Expect != nil && w.wantsBody(s.Expect)) {
		w.fail(s.head, "an answer to HEAD has no body, so nothing can be expected of it or captured; use another method")
	}
	if s.Body != "" && cmp.Or(s.Method, http.MethodGet) == http.MethodGet && s.head == nil {
		w.warn(n, "the body of the step is sent with the method of the site; most often method: POST is meant")
	}
}

// oneWay notes what can't go together with steps.
func (w *walker) oneWay(n *yaml.Node, d *draft) {
	if d.site.Steps == nil {
		return
	}
	if d.request.KeepAlive {
		w.fail(d.steps.key, "steps keep their connections from one to the next, and none for the next probe; write keep_alive: false, or take it out")
	}
	refuse := func(what, text string) {
		sitemon.EachPlaceholder(text, func(string) {}, func(name string) {
			if slices.Contains(d.captured, name) {
				w.fail(n, "%s: {{%s}} has no value before its step; write it in the steps' own", what, name)
			}
		})
	}
	refuse("body", d.request.Body)
	refuse("url", d.site.URL)
	for _, h := range d.request.Headers {
		refuse("headers."+h.Name, h.Value.Reveal())
	}
}
