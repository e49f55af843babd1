package config

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// shape is what a part of the config file may look like that is checked and then
// refused: a mapping with these keys, or a list of such mappings. No keys: a text,
// or a list of texts.
type shape struct {
	list bool
	keys map[string]shape
}

// authShape is the section auth.
func authShape() shape {
	texts := func(names ...string) map[string]shape {
		keys := map[string]shape{}
		for _, name := range names {
			keys[name] = shape{}
		}
		return keys
	}
	return shape{keys: map[string]shape{
		"basic":  {list: true, keys: texts("username", "password_hash", "role")},
		"tokens": {list: true, keys: texts("name", "token", "role")},
		"oidc":   {keys: texts("issuer", "client_id", "client_secret", "roles_claim", "operators", "viewers")},
	}}
}

// checkShape compares a node with a shape.
func checkShape(f *settingsFile, n *yaml.Node, key string, s shape) {
	n = deref(n)
	switch {
	case s.list && n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			checkShape(f, item, fmt.Sprintf("%s[%d]", key, i), shape{keys: s.keys})
		}
	case s.keys == nil:
		if n.Kind == yaml.MappingNode {
			f.fail(n, "%s must be a text or a list of texts", key)
		}
	case n.Kind != yaml.MappingNode:
		f.fail(n, "%s must be a mapping of keys to values", key)
	default:
		names := make([]string, 0, len(s.keys))
		for name := range s.keys {
			names = append(names, name)
		}
		slices.Sort(names)
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if inner, ok := s.keys[name.Value]; ok {
				checkShape(f, n.Content[i+1], joinKey(key, name.Value), inner)
				continue
			}
			f.unknown(name, joinKey(key, name.Value), names)
		}
	}
}
