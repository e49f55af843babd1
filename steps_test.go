package sitemon_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sitemon"
)

func TestEachPlaceholder(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", "plain", "plain"},
		{"empty", "", ""},
		{"alone", "{{token}}", "<token>"},
		{"with spaces", "a {{ token }} b", "a <token> b"},
		{"two", "{{a}}{{b_2}}", "<a><b_2>"},
		{"in JSON", `{"a":{"b":{{id}}}}`, `{"a":{"b":<id>}}`},
		{"escaped", "{{{{token}}", "{{token}}"},
		{"three braces", "{{{token}}}", "{<token>}"},
		{"no name", "{{#each}} {{}} {{1a}} {{a-b}} {{a b}}", "{{#each}} {{}} {{1a}} {{a-b}} {{a b}}"},
		{"unclosed", "x {{token} {{token", "x {{token} {{token"},
		{"too long", "{{" + strings.Repeat("a", 65) + "}}", "{{" + strings.Repeat("a", 65) + "}}"},
		{"unclosed before one", "{{ a {{b}}", "{{ a <b>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := placeholders(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func placeholders(text string) string {
	var b strings.Builder
	sitemon.EachPlaceholder(text, func(s string) { b.WriteString(s) }, func(s string) { fmt.Fprintf(&b, "<%s>", s) })
	return b.String()
}

func FuzzEachPlaceholder(f *testing.F) {
	for _, seed := range []string{"{{a}}", "{{{{a}}", "{{{a}}}", "{{ a", "${a} {{b}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		length := 0
		sitemon.EachPlaceholder(text, func(s string) { length += len(s) }, func(s string) {
			if !sitemon.PlaceholderName(s) {
				t.Errorf("%q is no name", s)
			}
		})
		if length > len(text) {
			t.Errorf("%d bytes of %d", length, len(text))
		}
	})
}

func TestFirstGroup(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	tests := []struct {
		name, expr, text, want string
		match                  bool
	}{
		{"a group", `token=(\w+)`, "a token=abc;", "abc", true},
		{"the whole", `tok\w+`, "a token", "token", true},
		{"the first of two", `(\w)=(\w)`, "a=b", "a", true},
		{"a group that took no part", `(x)?b`, "b", "", true},
		{"no match", `z(.)`, "abc", "", false},
		{"a long text", `[a-x]{3,50}-(\d+)`, long + "-17", "17", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := sitemon.CompilePattern(tt.expr)
			if err != nil {
				t.Fatal(err)
			}
			got, match, complete := p.FirstGroup([]byte(tt.text), func() bool { return false })
			if string(got) != tt.want || match != tt.match || !complete {
				t.Errorf("got %q, %t, %t", got, match, complete)
			}
		})
	}
	p, err := sitemon.CompilePattern(`(?:x+x+)+(y)[xy]{1,200}z`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, match, complete := p.FirstGroup([]byte(long), func() bool { return ctx.Err() != nil }); match || complete {
		t.Errorf("got %t, %t of a search that was stopped", match, complete)
	}
}
