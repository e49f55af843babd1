package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settingsFile is what a sitemon.yaml says: texts by key, references expanded.
type settingsFile struct {
	path     string
	expander *Expander
	known    map[string]option // by key
	values   map[string]any    // string or []string, by key
	origins  map[string]origin
	auth     AuthSettings
	faults   []error
}

// readSettingsFile takes sitemon.yaml apart. No content is a valid file, which
// says nothing.
func readSettingsFile(path string, content []byte, environ Environment) *settingsFile {
	f := &settingsFile{
		path:     path,
		expander: NewExpander(environ.Lookup, nil, nil),
		known:    optionBy(func(o option) string { return o.key }),
		values:   map[string]any{},
		origins:  map[string]origin{},
	}
	f.expander.own = true
	switch root, at, fault := parseYAML(content); {
	case fault != "":
		f.fail(at, "%s", fault)
	case root != nil:
		f.mapping(root, "")
	}
	return f
}

func (f *settingsFile) fail(n *yaml.Node, format string, args ...any) {
	f.faults = append(f.faults, settingFault{f.at(n), fmt.Sprintf(format, args...)})
}

// at is the position of a node; columns count characters.
func (f *settingsFile) at(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", f.path, n.Line, n.Column)
}

// mapping reads a section of the file, or the whole of it.
func (f *settingsFile) mapping(n *yaml.Node, section string) {
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		f.fail(n, "%s must be a mapping of keys to values", nameOfSection(section))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, content := n.Content[i], n.Content[i+1]
		key := joinKey(section, name.Value)
		if seen[key] {
			f.fail(name, "the key %q is there twice", key)
			continue
		}
		seen[key] = true
		o, isOption := f.known[key]
		nested := !strings.Contains(name.Value, keyDelimiter) // as a key with a dot in it is not
		switch {
		case section == "" && strings.HasPrefix(name.Value, "x-"): // a place for anchors
		case nested && isOption && !o.notInFile:
			f.setting(key, name, content, o.value(&Settings{}).clear != nil)
		case key == "auth":
			f.readAuth(content)
		case nested && f.isSection(key):
			if !isEmpty(content) {
				f.mapping(content, key)
			}
		default:
			f.unknown(name, key, f.namesIn(section))
		}
	}
}

func nameOfSection(section string) string {
	if section == "" {
		return "the file"
	}
	return section
}

func joinKey(section, name string) string {
	if section == "" {
		return name
	}
	return section + keyDelimiter + name
}

// isEmpty reports whether a key was left without a value.
func isEmpty(n *yaml.Node) bool { n = deref(n); return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (f *settingsFile) isSection(key string) bool {
	for _, o := range f.known {
		if o.within(key) {
			return true
		}
	}
	return false
}

// namesIn lists the keys that a section can have.
func (f *settingsFile) namesIn(section string) []string {
	names := map[string]bool{}
	if section == "" {
		names["auth"] = true
	}
	for key, o := range f.known {
		rest := key
		if section != "" {
			rest = strings.TrimPrefix(key, section+keyDelimiter)
			if rest == key {
				continue
			}
		}
		if name, _, _ := strings.Cut(rest, keyDelimiter); !o.notInFile {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (f *settingsFile) unknown(n *yaml.Node, key string, names []string) {
	message := fmt.Sprintf("unknown key %q", key)
	if s := closest(n.Value, names); s != "" {
		message += fmt.Sprintf("; did you mean %q?", s)
	} else if s := closest(key, slices.Sorted(maps.Keys(f.known))); s != "" && !f.known[s].notInFile {
		message += "; did you mean " + inBraces(s) + "?"
	} else {
		message += "; known here: " + strings.Join(names, ", ")
	}
	f.fail(n, "%s", message)
}

// inBraces writes a key as it stands in the file: log.level as log: { level: … }.
func inBraces(key string) string {
	return strings.ReplaceAll(key, keyDelimiter, ": { ") + ": …" + strings.Repeat(" }", strings.Count(key, keyDelimiter))
}

// setting reads the text of one setting, or the texts of a list.
func (f *settingsFile) setting(key string, name, n *yaml.Node, isList bool) {
	n = deref(n)
	items := []*yaml.Node{n}
	switch {
	case n.Kind == yaml.SequenceNode && isList:
		items = n.Content
	case n.Kind != yaml.ScalarNode:
		f.fail(n, "%s must be a single value", key)
		return
	case isEmpty(n):
		f.fail(name, "%s has no value; give it one, or take the key out", key)
		return
	}
	from := origin{where: f.at(n) + ": " + key}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		item = deref(item)
		if item.Kind != yaml.ScalarNode || isEmpty(item) {
			f.fail(item, "%s must hold texts", key)
			continue
		}
		text, _, err := f.expander.expand(item.Value)
		if err != nil {
			f.fail(item, "%s: %v", key, err)
			continue
		}
		texts = append(texts, text)
		from.items = append(from.items, originItem{f.at(item) + ": " + key, item.Value})
	}
	if len(texts) < len(items) {
		return
	}
	f.origins[key] = from
	f.values[key] = texts
	if !isList {
		f.values[key] = texts[0]
	}
}
