package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"sitemon/config"
)

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sites.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sites.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON reads a YAML file as an editor does before it asks the schema; false
// if it is no YAML, or nothing that JSON can hold.
func asJSON(content []byte) (any, bool) {
	var root yaml.Node
	if yaml.Unmarshal(content, &root) != nil {
		return nil, false
	}
	datesAreTexts(&root, 0)
	var v any
	if root.Decode(&v) != nil {
		return nil, false
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, false
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	return v, err == nil
}

func datesAreTexts(n *yaml.Node, depth int) {
	if n.Tag == "!!timestamp" {
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		if depth < 100 {
			datesAreTexts(c, depth+1)
		}
	}
}

func TestSchemaIsCommitted(t *testing.T) {
	golden(t, "../schema/sites.schema.json", string(config.Schema()))
}

func TestSchemaTakesGoodFiles(t *testing.T) {
	schema := compiledSchema(t)
	for _, path := range testdataFiles(t, "*.good.yaml") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := asJSON(content)
		if !ok {
			t.Errorf("%s can't be read", path)
			continue
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSchemaRefusesNoMoreThanParse changes good files in many small ways: what
// the schema refuses then, Parse has to refuse too.
func TestSchemaRefusesNoMoreThanParse(t *testing.T) {
	schema := compiledSchema(t)
	values := []string{
		"null", "true", "12", "-1", "1.5", `""`, `"x"`, "x y", "[]", "{}", "[x]", "{x: y}", "[[x]]", `"200-299"`, `"30"`, "30s", "1h30m", "0.5s",
		"5MiB", `"5  MiB"`, `"12 KB"`, "TLS12", "ip4", "GET", "get", "https://example.org", "tcp://example.org:1", `"${TOKEN}"`, "2026-11-25", `" 200 - 204 "`,
	}
	refused, taken := 0, 0
	for _, path := range testdataFiles(t, "*.good.yaml") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, changed := range mutations(t, content, values) {
			v, ok := asJSON(changed)
			if !ok {
				continue
			}
			if schema.Validate(v) == nil {
				taken++
				continue
			}
			refused++
			if _, _, err := parse(string(changed)); err == nil {
				t.Errorf("the schema refuses what Parse takes:\n%s\n%v", changed, schema.Validate(v))
			}
		}
	}
	t.Logf("%d refused, %d taken", refused, taken)
	if refused < 500 || taken < 100 {
		t.Errorf("%d changes refused and %d taken are too few to show anything", refused, taken)
	}
}

// mutations are the content with each of its values replaced by some of the
// others, and with each of its keys renamed.
func mutations(t *testing.T, content []byte, values []string) [][]byte {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	add := func() {
		b, err := yaml.Marshal(&root)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	var each func(n *yaml.Node, isKey bool)
	count := 0
	each = func(n *yaml.Node, isKey bool) {
		was := *n
		count++
		if isKey && n.Value != "<<" {
			n.Value += "x"
			add()
		} else if !isKey && n.Kind != yaml.DocumentNode && n.Kind != yaml.AliasNode && n.Anchor == "" {
			for i, v := range values {
				if (i+count)%19 != 0 { // all pairs would take a minute
					continue
				}
				var other yaml.Node
				if err := yaml.Unmarshal([]byte(v), &other); err != nil {
					t.Fatal(err)
				}
				*n = *other.Content[0]
				add()
			}
		}
		*n = was
		for i, c := range n.Content {
			each(c, n.Kind == yaml.MappingNode && i%2 == 0)
		}
	}
	each(&root, false)
	return all
}
