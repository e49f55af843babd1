package sitemon_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sitemon"
)

func TestChangesSayWhatTheyChangeAndNoCredentials(t *testing.T) {
	tests := []struct {
		name          string
		before, after string // members of the definition
		want          sitemon.KeyChange
	}{
		{"a text", `,"group":"a"`, `,"group":"b"`, sitemon.KeyChange{Key: "group", Before: "a", After: "b"}},
		{"one more", ``, `,"tags":["x","y"]`, sitemon.KeyChange{Key: "tags", After: `["x","y"]`}},
		{"one less", `,"retries":2`, ``, sitemon.KeyChange{Key: "retries", Before: "2"}},
		{"markup stays as it is", `,"group":"<b>"`, ``, sitemon.KeyChange{Key: "group", Before: "<b>"}},
		{
			"a password", `,"basic_auth":{"username":"ops","password":"hunter2"}`, `,"basic_auth":{"username":"ops","password":"${PASS}"}`,
			sitemon.KeyChange{Key: "basic_auth", Before: `{"password":"<redacted>","username":"<redacted>"}`, After: `{"password":"${PASS}","username":"<redacted>"}`},
		},
		{
			"the default of a reference", `,"authorization":{"credentials":"${T:-s3cret}"}`, ``,
			sitemon.KeyChange{Key: "authorization", Before: `{"credentials":"${T:-<redacted>}"}`},
		},
		{"any header", `,"headers":{"x-plain":"hunter2"}`, ``, sitemon.KeyChange{Key: "headers", Before: `{"x-plain":"<redacted>"}`}},
		{"a body", `,"body":"pw=hunter2"`, ``, sitemon.KeyChange{Key: "body", Before: `"<redacted>"`}},
		{"a key that is not known", `,"novel":["hunter2",3,true]`, ``, sitemon.KeyChange{Key: "novel", Before: `["<redacted>",3,true]`}},
		{
			"an expected cookie", `,"expect":{"headers":{"set-cookie":"hunter2","server":"nginx"}}`, ``,
			sitemon.KeyChange{Key: "expect", Before: `{"headers":{"server":"nginx","set-cookie":"<redacted>"}}`},
		},
		{"a long one is cut", `,"group":"` + strings.Repeat("ü", 300) + `"`, ``, sitemon.KeyChange{Key: "group", Before: strings.Repeat("ü", 119) + "…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := sitemon.Diff([]sitemon.Site{site("a", tt.before)}, []sitemon.Site{site("a", tt.after)})
			if want := []sitemon.KeyChange{tt.want}; len(p.Changed) != 1 || !reflect.DeepEqual(p.Changed[0].Values, want) {
				t.Errorf("got %+v\nwant %+v", p.Changed, want)
			}
		})
	}
	t.Run("an address", func(t *testing.T) {
		def := func(url string) sitemon.Site {
			return sitemon.Site{Name: "a", Definition: json.RawMessage(`{"name":"a","url":"` + url + `"}`)}
		}
		p := sitemon.Diff([]sitemon.Site{def("https://ops:hunter2@example.org/?token=hunter2")}, []sitemon.Site{def("https://example.org/")})
		want := sitemon.KeyChange{Key: "url", Before: "https://ops:<redacted>@example.org/?token=<redacted>", After: "https://example.org/"}
		if p.Changed[0].Values[0] != want {
			t.Errorf("got %+v", p.Changed[0].Values)
		}
	})
}

func TestADifferenceIsBounded(t *testing.T) {
	if d := sitemon.NewDifference(sitemon.Plan{Unchanged: 7}); d != nil {
		t.Errorf("a plan that changes nothing has the difference %+v", d)
	}
	var before, after []sitemon.Site
	for i := range 2000 {
		before = append(before, site(fmt.Sprintf("changed %d", i), `,"group":"x"`), site(fmt.Sprintf("gone %d", i), ""))
		after = append(after, site(fmt.Sprintf("changed %d", i), `,"group":"y"`), site(fmt.Sprintf("new %d", i), ""))
	}
	d := sitemon.NewDifference(sitemon.Diff(before, after))
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if named := len(d.Added) + len(d.Changed) + len(d.Removed); len(text) > 17<<10 || named < 100 || named+d.Omitted != 6000 {
		t.Errorf("%d bytes for %d sites, %d omitted", len(text), named, d.Omitted)
	}
	few := sitemon.NewDifference(sitemon.Diff(before[:4], after[:4]))
	if len(few.Changed) != 2 || len(few.Added) != 2 || len(few.Removed) != 2 || few.Omitted != 0 {
		t.Errorf("a small edit: %+v, want all of it", few)
	}
}
