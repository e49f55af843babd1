package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
	"sitemon/expression"
)

const (
	// maxKeys bounds the keys of one mapping, those merged into it among them.
	maxKeys = 1000
	// maxMergeDepth bounds how deep << may lead through << again.
	maxMergeDepth = 16
	// The work that aliases and merges can make of a document is bounded by a number
	// of steps, such as reading a key: so many, and so many for each byte. A site that
	// takes twenty keys over through << needs a third of what its bytes allow.
	leastSteps   = 1_000_000
	stepsPerByte = 10
	// stepsPerFault is what noting a fault costs beside reading a key.
	stepsPerFault = 10
)

// walker turns the nodes of a document into sites. It collects every fault with
// its position instead of stopping at the first one. Equal patterns, requests
// and expectations become one value each.
type walker struct {
	opts     ParseOptions
	expander *Expander // nil: references are checked for their form only
	file     string    // the one being walked
	base     source    // where defaults are
	kind     sitemon.Kind
	problems []sitemon.Problem
	noted    map[sitemon.Problem]struct{}
	faults   int    // the problems that are no warnings
	steps    int    // that are left
	defaults bool   // defaults are being walked: no key is missing there
	sending  bool   // a channel is being walked: the writer expands its texts
	without  string // what comes of a text that can't be expanded there; "": the channel can't be used
	refers   bool   // a ${…} was seen in the site

	places *placer // nil: where values are written is not noted

	foreign bool // inherited expressions read what the kind of site does not have
	draft   draft
	meant   []string // keys that were suggested in the mappings being read
	fields  []field  // a stack of scratch space
	out     []byte   // the canonical JSON being written
	part    [countParts][]byte
	self    string // the name of the site being walked

	// Compiled expressions by their text.
	conditionsOf, numbersOf map[string]*expression.Program

	patterns map[string]sitemon.Pattern
	requests map[string]*sitemon.Request
	expects  map[string]*sitemon.Expect
	rules    map[string]*sitemon.Rules
	checked  map[string]string // the fault, or "", of texts and files looked at before
	names    map[string]place

	alerting    sitemon.Alerting
	maintenance []sitemon.Maintenance
	pages       []sitemon.StatusPage
	beside      []section
	channels    []channelAt
	seen        map[string]place   // keys that a document has once
	linked      map[link]struct{}  // those of links
	links       []link             // names to be looked up
	order       []string           // the names of all sites
	parents     map[string]parents // of sites that depend on others
}

// source is a node and the file that it is in.
type source struct {
	file string
	node *yaml.Node
}

// inDefaults lets faults be noted in the file that has the defaults, until the
// function that it returns is called.
func (w *walker) inDefaults() (back func()) {
	file := w.file
	w.file = w.base.file
	return func() { w.file = file }
}

// place is a position in a file.
type place struct {
	file         string
	line, column int
}

func (p place) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column) }

func newWalker(opts ParseOptions) *walker {
	w := &walker{
		opts:     opts,
		noted:    map[sitemon.Problem]struct{}{},
		patterns: map[string]sitemon.Pattern{},
		requests: map[string]*sitemon.Request{},
		expects:  map[string]*sitemon.Expect{},
		checked:  map[string]string{},
		names:    map[string]place{},
		rules:    map[string]*sitemon.Rules{},
		seen:     map[string]place{},
		linked:   map[link]struct{}{},
		parents:  map[string]parents{},
	}
	if opts.Lookup != nil {
		start := time.Now() // files are read once per walk
		w.expander = NewExpander(opts.Lookup, opts.ReadFile, func() time.Time { return start })
	}
	return w
}

// fail notes a fault at a node.
func (w *walker) fail(n *yaml.Node, format string, args ...any) {
	w.note(sitemon.Problem{File: w.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

// warn notes something allowed and seldom meant.
func (w *walker) warn(n *yaml.Node, format string, args ...any) {
	w.note(sitemon.Problem{File: w.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Warning: true})
}

// note keeps a problem, once. What is reached through aliases and defaults comes
// by many times.
func (w *walker) note(p sitemon.Problem) {
	if !p.Warning {
		w.faults++
		w.steps -= stepsPerFault
	}
	if _, ok := w.noted[p]; !ok {
		w.noted[p] = struct{}{}
		w.problems = append(w.problems, p)
	}
}

// step counts work and reports whether there may be more of it.
func (w *walker) step(n *yaml.Node, count int) bool {
	if w.exhausted() {
		return false
	}
	if w.steps -= count; w.exhausted() {
		w.fail(n, "the aliases (*name) and merges (<<) of this document lead to too much content")
	}
	return !w.exhausted()
}

// allowedSteps is how many steps a document of so many bytes may take.
func allowedSteps(size int) int { return leastSteps + stepsPerByte*size }

func (w *walker) exhausted() bool { return w.steps < 0 }

// field is one key of a mapping with its value.
type field struct {
	key, value *yaml.Node
	// base is the value that defaults has for the same key; nil if none.
	base *yaml.Node
	// inherited: value itself comes from defaults.
	inherited bool
	// merged: it is in the mapping through <<.
	merged bool
}

// deref follows an alias to the node that it stands for.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs appends the keys of a mapping to dst, << merged in as YAML has it: own
// keys go before merged ones, earlier merges before later ones. Each name
// appears once.
func (w *walker) pairs(n *yaml.Node, dst []field) []field { return w.merged(n, dst, len(dst), 0) }

func (w *walker) merged(n *yaml.Node, dst []field, from, depth int) []field {
	if len(n.Content)/2+len(dst)-from > maxKeys {
		w.fail(n, "more than %d keys in one mapping", maxKeys)
		return dst
	}
	if !w.step(n, len(n.Content)/2+1) {
		return dst
	}
	own := len(dst)
	merges := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := deref(n.Content[i]), n.Content[i+1]
		if isMerge(k) {
			merges = true
			continue
		}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!null" {
			w.fail(n.Content[i], "a key must be a text, not %s; texts that begin with [ or { need quotes", describe(k))
			continue
		}
		if j := indexField(dst[own:], k.Value); j >= 0 {
			first := dst[own+j].key
			w.fail(k, "key %q is already set at %s; a key can be there once", k.Value, place{w.file, first.Line, first.Column})
			continue
		}
		if indexField(dst[from:own], k.Value) < 0 {
			dst = append(dst, field{key: k, value: v, merged: depth > 0})
		}
	}
	for i := 0; merges && i+1 < len(n.Content); i += 2 {
		if isMerge(deref(n.Content[i])) {
			dst = w.mergeInto(n.Content[i+1], dst, from, depth+1)
		}
	}
	return dst
}

func isMerge(k *yaml.Node) bool { return k.Tag == "!!merge" && k.Value == "<<" }

// mergeInto adds what a << key points to: a mapping or a list of mappings.
func (w *walker) mergeInto(source *yaml.Node, dst []field, from, depth int) []field {
	n := deref(source)
	switch {
	case depth > maxMergeDepth:
		w.fail(source, "<< leads through more than %d other <<, or to itself", maxMergeDepth)
	case n.Kind == yaml.MappingNode:
		return w.merged(n, dst, from, depth)
	case n.Kind == yaml.SequenceNode && depth <= maxMergeDepth:
		for _, item := range n.Content {
			if w.exhausted() {
				break
			}
			if deref(item).Kind == yaml.SequenceNode {
				w.fail(item, "<< takes a mapping or a list of mappings, not a list in a list")
				continue
			}
			dst = w.mergeInto(item, dst, from, depth)
		}
	default:
		w.fail(source, "<< takes a mapping, as in <<: *anchor, not %s", describe(n))
	}
	return dst
}

func indexField(fields []field, name string) int {
	for i := range fields {
		if fields[i].key.Value == name {
			return i
		}
	}
	return -1
}

// describe names what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch n.Tag {
	case "!!null":
		return "empty"
	case "!!bool":
		return n.Value
	case "!!int", "!!float":
		return "the number " + n.Value
	}
	return "the text " + quote(n.Value)
}

// quote shows a text of the file in a message, shortened.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	if strings.ContainsAny(s, "\"\\") && !strings.ContainsAny(s, "`\n\t") {
		return "`" + s + "`"
	}
	return fmt.Sprintf("%q", s)
}
