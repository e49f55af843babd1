package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// part says which value of a site a key belongs to.
type part int

const (
	partSite part = iota
	partRequest
	partExpect
	partRules

	countParts = int(partRules)
)

// keyInfo describes one key of the sites file. The parser, its suggestions, the
// JSON Schema and the documentation are all made from it.
type keyInfo struct {
	name    string
	value   valueInfo
	doc     string // what it means, in full sentences
	def     string // the default in words, "" if there is none
	example string // a value as it is written in YAML
	kinds   []sitemon.Kind
	part    part
	must    bool   // without it the object is refused
	own     bool   // not allowed in defaults
	oneOf   string // of the keys with the same word here, only one can be set
}

// valueInfo is a type of value: how documentation names it and what JSON Schema
// says of it.
type valueInfo struct {
	name    string
	schema  schema
	mapping func() mappingInfo // of a mapping: its keys
	list    bool               // a list of such mappings, or a single one
	empty   bool               // the list can be empty
	short   schema             // of a text that may stand for such a mapping; nil: none may
	table   bool               // a mapping of free names to such mappings
}

// mappingInfo describes an object.
type mappingInfo struct {
	keys  []keyInfo // in the order of their names
	needs map[string]string
}

// key is a key with the code that reads its value into a T, and appends the
// value's canonical JSON to the walker's out.
type key[T any] struct {
	keyInfo
	read func(w *walker, f field, into *T)
	// always: read is called without the key too (with a nil value), and writes
	// what is in effect then.
	always bool
}

// object is a mapping with a fixed set of keys.
type object[T any] struct {
	what    string // for messages: "a site", "expect"
	keys    []key[T]
	names   []string          // of keys, in the same order
	aliases map[string]string // what other programs call our keys
	unbuilt []string
	// needs are groups of keys (keyInfo.oneOf) of which one has to be set, with what
	// to write.
	needs map[string]string
}

func newObject[T any](what string, keys []key[T], needs map[string]string) *object[T] {
	slices.SortFunc(keys, func(a, b key[T]) int { return strings.Compare(a.name, b.name) })
	o := &object[T]{what: what, keys: keys, needs: needs}
	for _, k := range keys {
		o.names = append(o.names, k.name)
	}
	return o
}

// info describes the object for schema and documentation.
func (o *object[T]) info() mappingInfo {
	m := mappingInfo{make([]keyInfo, len(o.keys)), o.needs}
	for i, k := range o.keys {
		m.keys[i] = k.keyInfo
	}
	return m
}

// read walks the mapping that is the field's value into a T and appends its
// canonical JSON. Keys that only its base has are taken from there.
func (o *object[T]) read(w *walker, f field, into *T) {
	n := f.value
	m := deref(n)
	switch {
	case m.Tag == "!!null":
		w.fail(n, "%s is empty; take it out, or write its keys and values", o.what)
		return
	case m.Kind != yaml.MappingNode:
		w.fail(n, "%s must be a mapping of keys and values, not %s", o.what, describe(m))
		return
	}
	isDefaults := w.defaults // what is inside of a key is read as anywhere
	w.defaults = false
	top, meant := len(w.fields), len(w.meant)
	defer func() { w.fields, w.meant = w.fields[:top], w.meant[:meant] }()
	w.fields = append(w.fields, make([]field, len(o.keys))...)
	o.place(w, m, top, f.inherited)
	o.exclude(w, w.fields[top:])
	if f.base != nil && deref(f.base).Kind == yaml.MappingNode {
		o.place(w, deref(f.base), top, true)
	}
	w.out = append(w.out, '{')
	for i := range o.keys {
		k, f := &o.keys[i], w.fields[top+i]
		switch {
		case f.value != nil && isDefaults && k.own:
			w.fail(f.key, "%s can't have a default; every site has its own", k.name)
		case f.value != nil:
			o.readKey(w, k, f, into)
		case isDefaults:
		case k.must && slices.Contains(w.meant[meant:], k.name): // noted already
		case k.must:
			w.fail(n, "%s is missing; %s needs one", k.name, o.what)
		case k.always:
			o.readKey(w, k, f, into)
		}
	}
	for group, words := range o.needs {
		if !o.has(group, w.fields[top:], w.meant[meant:]) && !isDefaults {
			w.fail(n, "%s needs %s", o.what, words)
		}
	}
	w.out = append(w.out, '}')
}

// place puts the fields of a mapping where the object's keys are.
func (o *object[T]) place(w *walker, m *yaml.Node, top int, inherited bool) {
	if inherited {
		defer w.inDefaults()()
	}
	start := len(w.fields)
	w.fields = w.pairs(m, w.fields)
	for _, f := range w.fields[start:] {
		i, known := slices.BinarySearch(o.names, f.key.Value)
		slot := &w.fields[top+min(i, len(o.keys)-1)]
		switch {
		case !known:
			if !inherited {
				o.unknown(w, f.key)
			}
		case !inherited:
			*slot = f
		case o.excluded(i, w.fields[top:]):
		case slot.value == nil && !o.keys[i].own && w.applies(o.keys[i].kinds):
			f.inherited = true
			*slot = f
		case slot.value != nil && !slot.inherited:
			slot.base = f.value
		}
	}
	w.fields = w.fields[:start]
}

// exclude notes keys that can't stand beside each other.
func (o *object[T]) exclude(w *walker, set []field) {
	for i := range o.keys {
		for j := range i {
			if o.keys[i].oneOf == "" || o.keys[i].oneOf != o.keys[j].oneOf || set[i].value == nil || set[j].value == nil {
				continue
			}
			later, first := set[i].key, set[j].key
			if later.Line < first.Line || later.Line == first.Line && later.Column < first.Column {
				later, first = first, later
			}
			w.fail(later, "%s can't stand beside %s; take one of them out", later.Value, first.Value)
		}
	}
}

// has reports whether one key of a group is set, or meant to be.
func (o *object[T]) has(group string, set []field, meant []string) bool {
	for i := range o.keys {
		if o.keys[i].oneOf == group && (set[i].value != nil || slices.Contains(meant, o.keys[i].name)) {
			return true
		}
	}
	return false
}

// excluded reports whether a default can't be taken over, because the mapping
// itself has a key that it can't stand beside.
func (o *object[T]) excluded(i int, set []field) bool {
	for j := range o.keys {
		if o.keys[i].oneOf != "" && o.keys[j].oneOf == o.keys[i].oneOf && i != j && set[j].value != nil && !set[j].inherited {
			return true
		}
	}
	return false
}

// readKey reads one value, and writes it down with its key.
func (o *object[T]) readKey(w *walker, k *key[T], f field, into *T) {
	if f.value != nil && !w.applies(k.kinds) {
		w.fail(f.key, "%s does not apply to %s:// sites", k.name, w.kind)
		return
	}
	before := len(w.out)
	if w.out[before-1] != '{' {
		w.out = append(w.out, ',')
	}
	start := len(w.out)
	w.out = append(appendJSON(w.out, k.name), ':')
	value := len(w.out)
	if f.inherited {
		defer w.inDefaults()()
	}
	mark := w.places.enter(w, &k.keyInfo, f)
	k.read(w, f, into)
	w.places.leave(mark)
	if len(w.out) == value || f.inherited && string(w.out[value:]) == "{}" { // it says nothing, or nothing of it applies here
		w.out = w.out[:before]
		w.places.forget(mark)
		return
	}
	if k.part != partSite {
		w.part[k.part-1] = append(w.part[k.part-1], w.out[start:]...)
	}
}

// alone is the field without what defaults has for it.
func (f field) alone() field { f.base = nil; return f }

// applies reports whether a key for these kinds makes sense for the site being
// walked.
func (w *walker) applies(kinds []sitemon.Kind) bool {
	return kinds == nil || w.kind == "" || slices.Contains(kinds, w.kind)
}

// unknown notes a key that the object does not have, with the best suggestion.
func (o *object[T]) unknown(w *walker, k *yaml.Node) {
	name := k.Value
	guess := o.aliases[fold(name)]
	if guess == "" {
		guess = closest(name, o.names)
	}
	switch {
	case slices.Contains(o.unbuilt, name):
		w.fail(k, "%s is not built yet", name)
	case guess == "":
		w.fail(k, "unknown key %q; %s can have %s", name, o.what, strings.Join(o.names, ", "))
	default:
		w.meant = append(w.meant, guess)
		w.fail(k, "unknown key %q, did you mean %s?", name, guess)
	}
}
