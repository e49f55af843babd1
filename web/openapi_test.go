package web_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// description is openapi.json, with the schemas made strict: a key that is not
// described is an error, so that answers and description can't drift.
type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
}

func compileSpec(t *testing.T) description {
	t.Helper()
	w := ask(newServer(t, newAPIStore()), "GET", "/api/v1/openapi.json")
	wantStatus(t, w, 200)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", strict(doc)); err != nil {
		t.Fatal(err)
	}
	return description{doc.(map[string]any), c}
}

// strict closes every schema of an object.
func strict(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, part := range v {
			strict(part)
		}
		if v["type"] == "object" && v["properties"] != nil {
			v["additionalProperties"] = false
		}
	case []any:
		for _, part := range v {
			strict(part)
		}
	}
	return v
}

// check validates an answer against what is described for its route and status.
func (d description) check(t *testing.T, method, route string, status int, contentType string, raw []byte) {
	t.Helper()
	at := []string{"paths", route, strings.ToLower(method), "responses", strconv.Itoa(status), "content", contentType, "schema"}
	for i, part := range at {
		at[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(part)
	}
	// A response may be a reference itself; ours are all in place.
	schema, err := d.compiler.Compile("openapi.json#/" + strings.Join(at, "/"))
	if err != nil {
		t.Fatalf("openapi.json does not describe %s %s with status %d as %s: %v", method, route, status, contentType, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("the answer is not as openapi.json has it: %v\n%s", err, raw)
	}
}

// operation is what openapi.json says of one method of one path.
type operation struct {
	Parameters []struct {
		Name, In string
		Ref      string `json:"$ref"`
	}
	Responses map[string]any
}

func (d description) operations(t *testing.T) map[string]operation {
	t.Helper()
	raw, err := json.Marshal(d.doc)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]operation
		Components struct {
			Parameters map[string]struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			for i, p := range op.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					op.Parameters[i].Name = doc.Components.Parameters[name].Name
					op.Parameters[i].In = doc.Components.Parameters[name].In
				}
			}
			all[strings.ToUpper(method)+" "+path] = op
		}
	}
	return all
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	described := compileSpec(t).operations(t)
	got := map[string][]string{}
	for route, op := range described {
		got[route] = []string{}
		for _, p := range op.Parameters {
			if p.In == "query" {
				got[route] = append(got[route], p.Name)
			}
		}
		slices.Sort(got[route])
	}
	want := map[string][]string{}
	for _, rt := range newServer(t, newAPIStore()).APIRoutes() {
		want[rt.Method+" "+rt.Path] = append([]string{}, slices.Sorted(slices.Values(rt.Params))...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("query parameters by route (-routes +openapi.json):\n%s", diff)
	}
}

// Every answer that is described as JSON is among those that are tested.
func TestOpenAPIAnswersAreAllTested(t *testing.T) {
	tested := map[string]bool{"GET /api/v1/openapi.json 200": true}
	for _, c := range apiCases {
		method := "GET"
		if c.method != "" {
			method = c.method
		}
		tested[method+" "+c.route+" "+strconv.Itoa(c.status)] = true
	}
	for route, op := range compileSpec(t).operations(t) {
		if tested[route+" 200"] || strings.HasPrefix(route, "GET /badge/") || strings.HasPrefix(route, "GET /status/{path}/") || route == "GET /api/v1/events" {
			continue
		}
		t.Errorf("%s: no test of a good answer; described: %v", route, slices.Sorted(maps.Keys(op.Responses)))
	}
}

func TestOpenAPIIsStrictInTests(t *testing.T) {
	schema, err := compileSpec(t).compiler.Compile("openapi.json#/components/schemas/Health")
	if err != nil {
		t.Fatal(err)
	}
	for raw, valid := range map[string]bool{
		`{"status":"ok","version":"1"}`:                true,
		`{"status":"ok"}`:                              false,
		`{"status":"ok","version":"1","definition":0}`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.Validate(value) == nil; got != valid {
			t.Errorf("%s: valid %v, want %v", raw, got, valid)
		}
	}
}
