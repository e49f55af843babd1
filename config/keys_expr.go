package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
	"sitemon/expression"
)

// otherwiseWords are what a report can be where a condition does not hold.
var otherwiseWords = []string{"down", "degraded"}

var (
	typeExpressions = valueInfo{name: "list of expressions", mapping: exprObject.info, list: true, short: typeExpression.schema}
	typeExpression  = valueInfo{name: "expression", schema: schema{"type": []string{"string", "number", "boolean"}, "minLength": 1, "maxLength": expression.MaxLength}}
	typeNumbers     = valueInfo{name: "mapping of names to expressions", schema: schema{
		"type": "object", "maxProperties": sitemon.MaxValues,
		"propertyNames":        schema{"pattern": fmt.Sprintf("^[A-Za-z_][A-Za-z0-9_]{0,%d}$", sitemon.MaxValueName-1)},
		"additionalProperties": typeExpression.schema,
	}}
	typeBodyHash = valueInfo{name: "stable, or sha256: and 64 digits", schema: schema{"type": "string", "pattern": "^(stable|sha256:[0-9a-fA-F]{64})$"}}
)

// beyondKeys are the expectations beyond texts.
func beyondKeys() []key[sitemon.Expect] {
	return []key[sitemon.Expect]{
		{
			keyInfo: keyInfo{
				name: "expr", value: typeExpressions, example: `["json.queue.depth < 1000", { expr: json.queue.depth < 100, otherwise: degraded }]`,
				doc: "Conditions on all that was seen, which all have to hold, see [expressions.md](expressions.md).",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.Expr = w.conditions(f) },
		},
		{
			keyInfo: keyInfo{
				name: "tls", value: typeMapping(expectTLSObject.info), kinds: kindsWithTLS(), example: `{ min_version: TLS13, issuer: "Let's Encrypt" }`,
				doc: "What the TLS connection and the server's certificate are. Without TLS none of it holds.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { expectTLSObject.read(w, f, e) },
		},
		{
			keyInfo: keyInfo{
				name: "body_hash", value: typeBodyHash, kinds: kindsWithBody(), example: "stable",
				doc: "What the body is as a whole. `stable`: the same as in the good report before; a change is degraded, once. `sha256:` and a hash: that body; another one is down.",
			},
			read: func(w *walker, f field, e *sitemon.Expect) { e.BodyHash = w.bodyHash(f.value) },
		},
	}
}

// valuesKey names numbers that reports carry.
func valuesKey() key[draft] {
	return key[draft]{
		keyInfo: keyInfo{
			name: "values", value: typeNumbers, part: partExpect, example: `{ queue: json.queue.depth }`,
			doc: "Numbers of the answer that reports carry and the site's page charts, each by an [expression](expressions.md). Groups with names in `regex` and `expect.body.match` are such numbers too.",
		},
		read: func(w *walker, f field, d *draft) { d.expect.Values = w.numbers(f) },
	}
}

var exprObject = newObject("an entry of expect.expr", []key[sitemon.Condition]{
	{
		keyInfo: keyInfo{name: "expr", value: typeExpression, must: true, example: "json.queue.depth < 100", doc: "The condition."},
		read: func(w *walker, f field, c *sitemon.Condition) {
			c.Expr = w.expression(f.value, f.inherited, false)
		},
	},
	{
		keyInfo: keyInfo{name: "otherwise", value: typeWords(otherwiseWords...), def: "down", example: "degraded", doc: "What a report is where it does not hold."},
		read: func(w *walker, f field, c *sitemon.Condition) {
			start := len(w.out)
			c.Degrades = w.choice("otherwise", f.value, otherwiseWords...) == 1
			w.leaveOut(start, !c.Degrades)
		},
	},
}, nil)

var expectTLSObject = newObject("expect.tls", []key[sitemon.Expect]{
	{
		keyInfo: keyInfo{name: "min_version", value: typeWords(tlsVersions...), example: "TLS13", doc: "The oldest version that is good; an older one is down with the reason `tls_error`."},
		read:    func(w *walker, f field, e *sitemon.Expect) { e.TLSMinVersion = w.tlsVersion("min_version", f.value) },
	},
	{
		keyInfo: keyInfo{name: "issuer", value: typePattern, example: `"Let's Encrypt"`, doc: "A regular expression that the issuer of the server's certificate has to match, written as `CN=R3,O=Let's Encrypt,C=US`; else down, `certificate`."},
		read: func(w *walker, f field, e *sitemon.Expect) {
			if p, ok := w.pattern("issuer", f.value); ok {
				e.TLSIssuer = &p
			}
		},
	},
	{
		keyInfo: keyInfo{name: "names", value: valueInfo{name: "list of texts", schema: oneOrMore(typeText.schema)}, example: "[example.org, www.example.org]", doc: "Hosts that the server's certificate has to be for, by name or wildcard; else down, `certificate`."},
		read:    func(w *walker, f field, e *sitemon.Expect) { e.TLSNames = w.hostNames("names", f.value) },
	},
}, nil)

func (w *walker) hostNames(name string, n *yaml.Node) (hosts []string) {
	w.items(name, n, func(n *yaml.Node) {
		s, ok := w.line(name, n)
		if ok && (s == "" || strings.ContainsAny(s, " /*")) {
			w.fail(n, "%s: %s is no host; write for example www.example.org", name, quote(s))
		}
		w.out = appendJSON(w.out, s)
		hosts = append(hosts, s)
	})
	return hosts
}

func (w *walker) bodyHash(n *yaml.Node) string {
	s, ok := w.line("body_hash", n)
	if !ok {
		return ""
	}
	hash, isHash := strings.CutPrefix(s, "sha256:")
	switch hash = strings.ToLower(hash); {
	case s == "stable":
	case !isHash || len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "":
		w.fail(n, "body_hash must be stable, or sha256: and the 64 hexadecimal digits of a hash, not %s", quote(s))
		return ""
	default:
		s = "sha256:" + hash
	}
	w.out = appendJSON(w.out, s)
	return s
}

// conditions reads expect.expr: mappings, or expressions in their place. Of defaults
// they are taken over where all that they read is there.
func (w *walker) conditions(f field) (all []sitemon.Condition) {
	start, foreign := len(w.out), w.foreign
	w.foreign = false
	w.items("expr", f.value, func(n *yaml.Node) {
		var c sitemon.Condition
		if deref(n).Kind == yaml.MappingNode {
			exprObject.read(w, field{value: n, inherited: f.inherited}, &c)
		} else {
			w.out = append(w.out, `{"expr":`...)
			c.Expr = w.expression(n, f.inherited, false)
			w.out = append(w.out, '}')
		}
		all = append(all, c)
	})
	if w.foreign {
		w.out, all = w.out[:start], nil
	}
	w.foreign = foreign
	return all
}

// numbers reads values: expressions by name.
func (w *walker) numbers(f field) (all []sitemon.ValueExpr) {
	start, foreign := len(w.out), w.foreign
	w.foreign = false
	fault := func(name string) string {
		if sitemon.ValidValueName(name) {
			return ""
		}
		return fmt.Sprintf("%s is no name of a value; it can have letters, digits and _, and %d characters", quote(name), sitemon.MaxValueName)
	}
	w.table("values", f, fault, func(name string, n *yaml.Node) {
		all = append(all, sitemon.ValueExpr{Name: name, Expr: w.expression(n, f.inherited, true)})
	})
	if len(all) > sitemon.MaxValues {
		w.fail(f.value, "values has %d names; it can have %d", len(all), sitemon.MaxValues)
	}
	if w.foreign {
		w.out, all = w.out[:start], nil
	}
	w.foreign = foreign
	return all
}

// expression reads one expression, and checks its form, its types, and that the kind
// of site has what it reads. An inherited one that it does not have makes the
// expressions foreign.
func (w *walker) expression(n *yaml.Node, inherited, number bool) string {
	s, ok := w.text("expr", n)
	w.out = appendJSON(w.out, s)
	if !ok {
		return ""
	}
	p, err := w.compiled(s, number)
	if err != nil {
		w.expressionFault(n, s, err)
		return s
	}
	kinds := expressionKinds()
	for _, name := range p.Uses() {
		if w.applies(kinds[name]) {
			continue
		}
		if inherited {
			w.foreign = true
			continue
		}
		has := slices.DeleteFunc(slices.Sorted(maps.Keys(kinds)), func(name string) bool { return !w.applies(kinds[name]) })
		w.fail(n, "the expression reads %s, which %s:// sites do not have; they have %s", name, w.kind, strings.Join(has, ", "))
	}
	return s
}

// wantsBody reports whether an answer without a body can't be as expected.
func (w *walker) wantsBody(e *sitemon.Expect) bool {
	reads := func(text string, number bool) bool {
		p, err := w.compiled(text, number)
		return err == nil && (slices.Contains(p.Uses(), "body") || slices.Contains(p.Uses(), "json"))
	}
	return len(e.BodyMatch)+len(e.BodyNotMatch)+len(e.JSON) > 0 || e.BodyHash != "" ||
		slices.ContainsFunc(e.Expr, func(c sitemon.Condition) bool { return reads(c.Expr, false) }) ||
		slices.ContainsFunc(e.Values, func(v sitemon.ValueExpr) bool { return reads(v.Expr, true) })
}

// compiled compiles an expression, once where many sites have it.
func (w *walker) compiled(text string, number bool) (*expression.Program, error) {
	kept, compile := &w.conditionsOf, expression.Condition
	if number {
		kept, compile = &w.numbersOf, expression.Number
	}
	if p := (*kept)[text]; p != nil {
		return p, nil
	}
	p, err := compile(text)
	if err != nil {
		return nil, err
	}
	if *kept == nil {
		*kept = map[string]*expression.Program{}
	}
	(*kept)[text] = p
	return p, nil
}

// expressionKinds are the kinds of sites that have what an expression can read; nil
// stands for all.
func expressionKinds() map[string][]sitemon.Kind {
	return map[string][]sitemon.Kind{
		"status": kindsWithProxy(), "proto": kindsHTTP(), "headers": kindsWithHeaders(), "json": kindsWithProxy(),
		"body": kindsWithBody(), "body_bytes": kindsWithBody(), "body_truncated": kindsWithBody(), "rcode": kindsDNS(),
		"certificate": kindsWithTLS(), "tls": kindsWithTLS(),
		"latency": nil, "phases": nil, "remote_addr": nil, "ip": nil, "values": nil,
	}
}

// expressionFault notes what is wrong with an expression where it is wrong, as far as
// what is written can be followed to there.
func (w *walker) expressionFault(n *yaml.Node, text string, err error) {
	fault, ok := errors.AsType[*expression.Error](err)
	if !ok {
		w.fail(n, "%v", err)
		return
	}
	at := *deref(n)
	switch { // quotes may double or escape what stands before the fault
	case at.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(text, "'\n"),
		at.Style&yaml.DoubleQuotedStyle != 0 && !strings.ContainsAny(text, "\\\"\n"):
		at.Column += fault.Column
	case at.Style == 0 && !strings.Contains(text, "\n"):
		at.Column += fault.Column - 1
	default:
		w.fail(n, "the expression has an error at its line %d, column %d: %s", fault.Line, fault.Column, fault.Message)
		return
	}
	w.fail(&at, "the expression has an error here: %s", fault.Message)
}
