package sitemon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sitemon"
)

// site returns a site whose definition has the given members besides its name.
func site(name, members string) sitemon.Site {
	def := fmt.Sprintf(`{"name":%q,"url":"https://example.org/"%s}`, name, members)
	return sitemon.Site{Name: name, Enabled: !strings.Contains(members, `"enabled":false`), Definition: json.RawMessage(def)}
}

func TestDiff(t *testing.T) {
	type sites = []sitemon.Site
	plan := func(p sitemon.Plan) sitemon.Plan { // nothing is an empty list, not null
		p.Added = append([]string{}, p.Added...)
		p.Changed = append([]sitemon.Change{}, p.Changed...)
		p.Removed = append([]string{}, p.Removed...)
		return p
	}
	tests := []struct {
		name          string
		before, after sites
		want          sitemon.Plan
	}{
		{"nothing", nil, nil, sitemon.Plan{}},
		{"the first document", nil, sites{site("b", ""), site("a", "")}, sitemon.Plan{Added: []string{"a", "b"}}},
		{"all removed", sites{site("b", ""), site("a", "")}, nil, sitemon.Plan{Removed: []string{"a", "b"}}},
		{"the order does not matter", sites{site("b", ""), site("a", "")}, sites{site("a", ""), site("b", "")}, sitemon.Plan{Unchanged: 2}},
		{"a new name is another site", sites{site("a", "")}, sites{site("A", "")}, sitemon.Plan{Added: []string{"A"}, Removed: []string{"a"}}},
		{
			"everything at once",
			sites{site("gone", ""), site("same", ""), site("z", `,"interval":"10s"`), site("changed", `,"group":"x"`)},
			sites{site("z", `,"interval":"20s"`), site("same", ""), site("new", ""), site("changed", `,"group":"y"`)},
			sitemon.Plan{
				Added: []string{"new"}, Removed: []string{"gone"}, Unchanged: 1,
				Changed: []sitemon.Change{
					{Name: "changed", Keys: []string{"group"}, Values: []sitemon.KeyChange{{Key: "group", Before: "x", After: "y"}}},
					{Name: "z", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "10s", After: "20s"}}, Rescheduled: true},
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := sitemon.Diff(tt.before, tt.after)
			if want := plan(tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			if empty := len(tt.want.Added)+len(tt.want.Changed)+len(tt.want.Removed) == 0; got.Empty() != empty {
				t.Errorf("Empty() = %t", got.Empty())
			}
		})
	}
}

func TestDiffChange(t *testing.T) {
	tests := []struct {
		name          string
		before, after string // members of the definition
		keys          []string
		rescheduled   bool
	}{
		{"interval", `,"interval":"10s"`, `,"interval":"20s"`, []string{"interval"}, true},
		{"a key more", ``, `,"regex":"ok"`, []string{"regex"}, true},
		{"a key less", `,"headers":{"a":"b"}`, ``, []string{"headers"}, true},
		{"within a key", `,"expect":{"latency":"1s","status":["200"]}`, `,"expect":{"latency":"2s","status":["200"]}`, []string{"expect"}, true},
		{"only what is shown", `,"group":"a","tags":["x"]`, `,"group":"b","tags":["y"]`, []string{"group", "tags"}, false},
		{"only how reports are judged", `,"failure_threshold":1,"success_threshold":1`, `,"failure_threshold":2,"success_threshold":2`, []string{"failure_threshold", "success_threshold"}, false},
		{
			"only what follows from a status",
			`,"alerts":[],"depends_on":["b"],"slo":{"target":99}`, `,"quorum":2,"retries":1,"retry_interval":"2s"`,
			[]string{"alerts", "depends_on", "quorum", "retries", "retry_interval", "slo"},
			false,
		},
		{"where it is probed from", `,"locations":["fra"]`, ``, []string{"locations"}, true},
		{"both kinds, sorted", `,"timeout":"1s","group":"a"`, `,"timeout":"2s","group":"b"`, []string{"group", "timeout"}, true},
		{"paused", ``, `,"enabled":false`, []string{"enabled"}, false},
		{"enabled again", `,"enabled":false`, `,"enabled":true`, []string{"enabled"}, true},
		{"changed while paused", `,"enabled":false,"timeout":"1s"`, `,"enabled":false,"timeout":"2s"`, []string{"timeout"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := site("a", tt.before), site("a", tt.after)
			p := sitemon.Diff([]sitemon.Site{before}, []sitemon.Site{after})
			if len(p.Changed) != 1 || p.Unchanged != 0 {
				t.Fatalf("plan %+v, want one change", p)
			}
			c := p.Changed[0]
			if !slices.Equal(c.Keys, tt.keys) || c.Rescheduled != tt.rescheduled {
				t.Errorf("got %v, rescheduled %t; want %v, %t", c.Keys, c.Rescheduled, tt.keys, tt.rescheduled)
			}
			if got := sitemon.Rescheduled(&before, &after); got != tt.rescheduled {
				t.Errorf("Rescheduled() = %t", got)
			}
		})
	}
	t.Run("the same is no change", func(t *testing.T) {
		s := site("a", `,"interval":"10s"`)
		if sitemon.Rescheduled(&s, &s) {
			t.Error("an unchanged site is rescheduled")
		}
	})
}

func TestPlanJSON(t *testing.T) {
	b, err := json.Marshal(sitemon.Diff(nil, nil))
	if want := `{"generation":0,"added":[],"changed":[],"removed":[],"unchanged":0}`; err != nil || string(b) != want {
		t.Errorf("%v, got %s, want %s", err, b, want)
	}
}

func TestProblems(t *testing.T) {
	ps := sitemon.Problems{
		{File: "sites.yaml", Line: 3, Column: 7, Message: "unknown key intervall, did you mean interval?"},
		{File: "sites.yaml", Message: "no sites key"},
	}
	err := fmt.Errorf("load: %w", ps)
	if want := "load: sites.yaml:3:7: unknown key intervall, did you mean interval?\nsites.yaml: no sites key"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, sitemon.ErrInvalid) || errors.Is(err, sitemon.ErrNotFound) {
		t.Error("problems are invalid input, and nothing else")
	}
	if got, ok := errors.AsType[sitemon.Problems](err); !ok || len(got) != 2 {
		t.Errorf("unwrapped to %v", got)
	}
	b, jsonErr := json.Marshal(sitemon.Problem{File: "a", Line: 1, Column: 2, Message: "m", Warning: true})
	if want := `{"file":"a","line":1,"column":2,"message":"m"}`; jsonErr != nil || string(b) != want {
		t.Errorf("%v, got %s, want %s", jsonErr, b, want)
	}
}

func TestPattern(t *testing.T) {
	p, err := sitemon.CompilePattern("(?i)welcome")
	if err != nil || !p.Match([]byte("You are WELCOME")) || p.MatchString("goodbye") || p.String() != "(?i)welcome" {
		t.Errorf("%v, %+v", err, p)
	}
	if b, err := json.Marshal(p); err != nil || string(b) != `"(?i)welcome"` {
		t.Errorf("%v, %s", err, b)
	}
	var zero sitemon.Pattern
	if zero.Match(nil) || zero.MatchString("") || zero.String() != "" {
		t.Error("the zero pattern matched")
	}
	if _, err := sitemon.CompilePattern("a("); !errors.Is(err, sitemon.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}

func TestStatusRange(t *testing.T) {
	for want, r := range map[string]sitemon.StatusRange{"304": {From: 304, To: 304}, "200-299": {From: 200, To: 299}} {
		if r.String() != want {
			t.Errorf("got %s, want %s", r, want)
		}
	}
}
