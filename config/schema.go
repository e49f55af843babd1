package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// Schema returns the JSON Schema (2020-12) of a sites file, made from the table
// of keys that [Parse] walks by. What it refuses, Parse refuses too; Parse sees
// more, such as names that are there twice.
func Schema() []byte {
	site := siteObject.info()
	defaults := schema{}
	for _, k := range site.keys {
		if !k.own {
			defaults[k.name] = schema{"$ref": "#/$defs/site/properties/" + k.name}
		}
	}
	one := site.schema()
	one["description"] = "One thing that is watched."
	properties := schema{
		"defaults": schema{
			"description":          "Values for all sites that do not have the key themselves: any key of a site except name and url.",
			"type":                 "object",
			"properties":           defaults,
			"additionalProperties": false,
		},
		"sites": schema{
			"description": "The sites; [] for none.",
			"type":        "array",
			"items":       schema{"$ref": "#/$defs/site"},
		},
	}
	for _, k := range sectionKeys {
		properties[k.name] = k.schema()
	}
	var either []schema
	for _, name := range rootNames {
		either = append(either, schema{"required": []string{name}})
	}
	s := schema{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "SiteMon sites file",
		"description":          "What SiteMon watches. All keys are described in docs/sites-file.md.",
		"type":                 "object",
		"properties":           properties,
		"patternProperties":    schema{"^x-": schema{"description": "Left alone; a place for anchors."}},
		"additionalProperties": false,
		"anyOf":                either,
		"$defs":                schema{"site": one},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(s) // maps, texts and numbers of a constant table: there is nothing to fail
	return b.Bytes()
}

// schema is the JSON Schema of a mapping.
func (m mappingInfo) schema() schema {
	properties := schema{}
	var required []string
	var rules []schema
	groups := map[string][]string{}
	for _, k := range m.keys {
		properties[k.name] = k.schema()
		if k.must {
			required = append(required, k.name)
		}
		if k.oneOf != "" {
			for _, other := range groups[k.oneOf] {
				rules = append(rules, schema{"not": schema{"required": []string{other, k.name}}})
			}
			groups[k.oneOf] = append(groups[k.oneOf], k.name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	for group := range m.needs {
		var either []schema
		for _, name := range groups[group] {
			either = append(either, schema{"required": []string{name}})
		}
		rules = append(rules, schema{"anyOf": either})
	}
	if rules != nil {
		s["allOf"] = rules
	}
	return s
}

// schema is the JSON Schema of a key's value, with what editors show.
func (k keyInfo) schema() schema {
	s := schema{}
	maps.Copy(s, k.value.schema)
	if k.value.mapping != nil {
		s = k.value.mapping().schema()
	}
	if k.value.short != nil {
		s = schema{"anyOf": []schema{k.value.short, s}}
	}
	switch {
	case k.value.table:
		s = schema{"type": "object", "additionalProperties": s}
	case k.value.empty:
		s = schema{"anyOf": []schema{s, {"type": "array", "items": s}}}
	case k.value.list:
		s = oneOrMore(s)
	}
	s["description"] = k.description()
	if v, ok := yamlValue(k.def); ok && !strings.Contains(k.def, " ") {
		s["default"] = v
	}
	if v, ok := yamlValue(k.example); ok {
		s["examples"] = []any{v}
	}
	return s
}

// description says in a few sentences what a key means.
func (k keyInfo) description() string {
	d := k.doc
	if k.def != "" {
		d += " Default: " + k.def + "."
	}
	if k.kinds != nil && len(k.kinds) < len(everyKind()) {
		d += " Only for " + kindWords(k.kinds) + "."
	}
	return d
}

func kindWords(kinds []sitemon.Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k) + "://"
		switch k {
		case sitemon.KindHTTP, sitemon.KindGRPC, sitemon.KindWS:
			words[i] = string(k) + "(s)://"
		}
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// yamlValue is the value of a short YAML text, and false for an empty one.
func yamlValue(text string) (any, bool) {
	var v any
	return v, text != "" && yaml.Unmarshal([]byte(text), &v) == nil && v != nil
}
