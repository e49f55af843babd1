package config_test

import (
	"strings"
	"testing"

	"sitemon"
	"sitemon/config"
)

func TestExcerptsShowTheLineAndNoCredentials(t *testing.T) {
	tests := []struct {
		name    string
		content string // the last line has the fault
		column  int
		want    string
		under   string // what the caret stands under
	}{
		{"an unknown key", "sites:\n  - name: a\n    intervall: 30s", 5, "    intervall: 30s", "intervall"},
		{"a value", "sites:\n  - name: a\n    url: htp://example.org/", 10, "    url: htp://example.org/", "htp"},
		{"a regular expression in a list", "sites:\n  - name: a\n    expect:\n      body:\n        match:\n          - \"(welcome\"", 13, "          - \"(welcome\"", `"(welcome`},
		{"a tab is a space", "sites:\n\t- name: a", 2, " - name: a", "- name"},
		{"characters are counted, not bytes", "sites:\n  - { name: grün, intervall: 3 }", 18, "  - { name: grün, intervall: 3 }", " intervall"},
		{"a password", "sites:\n  - name: a\n    basic_auth:\n      password: hunter2", 17, "      password: <redacted>", "<redacted>"},
		{"a password of digits", "sites:\n  - name: a\n    basic_auth:\n      pin: 1234", 7, "      pin: <redacted>", "pin"},
		{"a misspelt password", "sites:\n  - name: a\n    pasword: hunter2", 5, "    pasword: <redacted>", "pasword"},
		{"a password on one line", "sites:\n  - { name: a, basic_auth: { username: ops, password: hunter2 }, regx: x }", 66, "  - { name: a, basic_auth: { username: <redacted> password: <redacted> regx: <redacted>", "regx"},
		{"in the form of JSON", `{"sites":[{"name":"a","body":"hunter2"}]}`, 23, `{"sites":[{"name":"a","body":<redacted>`, `"body"`},
		{"a header", "sites:\n  - name: a\n    headers:\n      url: hunter2", 12, "      url: <redacted>", "<redacted>"},
		{"within a body", "sites:\n  - name: a\n    body: |\n      interval: hunter2", 7, "      interval: <redacted>", "interval"},
		{"within a body, as a site", "sites:\n  - name: a\n    body: |\n      sites:\n        url: hunter2", 9, "        url: <redacted>", "url"},
		{"a channel", "alerting:\n  channels:\n    ops:\n      url: slack://hunter2@C0123", 12, "      url: <redacted>", "<redacted>"},
		{"an address with a password", "sites:\n  - url: https://ops:hunter2@example.org/?q=1\n", 10, "", ""},
		{"an address with a password, shown", "sites:\n  - url: https://ops:hunter2@example.org/", 10, "  - url: https://ops:<redacted>@example.org/", "https"},
		{"a comment", "sites:\n  - name: a # hunter2", 11, "  - name: a ", "a"},
		{"a text without a space", "sites:\n  - password:hunter2", 5, "  - <redacted>", "<redacted>"},
		{"a reference", "sites:\n  - name: a\n    body: ${BODY}", 11, "    body: ${BODY}", "${BODY}"},
		{"a reference with a default", "sites:\n  - name: a\n    body: ${BODY:-hunter2}", 11, "    body: <redacted>", "<redacted>"},
		{"behind the end", "sites:", 7, "sites:", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := []sitemon.Problem{{File: "s.yaml", Line: 1 + strings.Count(tt.content, "\n"), Column: tt.column}}
			config.AddExcerpts(problems, []config.File{{Name: "other.yaml"}, {Name: "s.yaml", Content: []byte(tt.content)}})
			p := problems[0]
			if p.Excerpt != tt.want || strings.Contains(p.Excerpt, "hunter2") {
				t.Fatalf("excerpt %q, want %q", p.Excerpt, tt.want)
			}
			if rest := string([]rune(p.Excerpt)[p.Caret-1:]); !strings.HasPrefix(rest, tt.under) {
				t.Errorf("the caret is at %q, want %q", rest, tt.under)
			}
		})
	}
}

func TestALongLineIsCutAroundItsFault(t *testing.T) {
	line := "sites: [" + strings.Repeat("{ name: aaaaaaaa }, ", 100) + "{ nam: b }, " + strings.Repeat("{ name: cccc }, ", 100) + "]"
	problems := []sitemon.Problem{
		{File: "s.yaml", Line: 1, Column: 1 + strings.Index(line, "nam: b")},
		{File: "s.yaml", Line: 1, Column: 1},
		{File: "s.yaml", Line: 1, Column: len(line)},
		{File: "s.yaml", Line: 9, Column: 1},
		{File: "s.yaml"},
	}
	config.AddExcerpts(problems, []config.File{{Name: "s.yaml", Content: []byte(line)}})
	for i, under := range []string{"nam:", "sites:", "<redacted>"} {
		p := problems[i]
		if len([]rune(p.Excerpt)) != 160 || !strings.HasPrefix(p.Excerpt[p.Caret-1:], under) {
			t.Errorf("%q, caret %d: want it at %q of 160 characters", p.Excerpt, p.Caret, under)
		}
	}
	if problems[3].Excerpt != "" || problems[4].Excerpt != "" {
		t.Errorf("excerpts where there is no such line: %+v", problems[3:])
	}
}
