package sitemon_test

import (
	"strings"
	"testing"

	"sitemon"
)

// Whether a match may be stopped does not change what matches.
func TestMatchUntil(t *testing.T) {
	long := strings.Repeat("ab\xff ", 1<<18)
	tests := []struct{ expr, text string }{
		{"b", "abc"},
		{"^abc$", "abc"},
		{"(?i)THE END", long + "the end"},
		{`\b(the|an) end$`, long + "end"},
		{`[^a]{9}x`, long},
		{"plain text", long + "plain text"},
		{"", ""},
	}
	for _, tt := range tests {
		p, err := sitemon.CompilePattern(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		match, complete := p.MatchUntil([]byte(tt.text), func() bool { return false })
		if want := p.MatchString(tt.text); match != want || !complete {
			t.Errorf("%q in %d bytes: got %v, complete %v, want %v", tt.expr, len(tt.text), match, complete, want)
		}
		if _, complete := p.MatchUntil([]byte(tt.text), func() bool { return true }); complete != (len(tt.text) < 100 || tt.expr == "plain text") {
			t.Errorf("%q in %d bytes: complete %v where it is to stop", tt.expr, len(tt.text), complete)
		}
	}
	if match, complete := (sitemon.Pattern{}).MatchUntil([]byte("a"), nil); match || !complete {
		t.Errorf("the zero pattern: %v, %v", match, complete)
	}
}

func TestCapture(t *testing.T) {
	long := strings.Repeat("b", 1<<20)
	for _, tt := range []struct {
		expr, text string
		stop       bool
		want       string
	}{
		{`queue (?P<queue>\d+) of (?<max>\d+)`, "queue 12 of 30", false, "queue=12 max=30 "},
		{`(\d+) (?P<b>\d+)`, "1 2", false, "b=2 "},
		{`(?P<a>x)|(?P<b>y)`, "zy", false, "b=y "},
		{`(?P<a>x)`, "y", false, ""},
		{`(?P<n>[^a]{3})[^a]*(?P<end>x|y)$`, long + "ÿy", false, "n=bbb end=y "},
		{`(?P<n>[^a]{3})[^a]*(?P<end>x|y)$`, long + "y", true, ""},
	} {
		p, err := sitemon.CompilePattern(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		match, complete := p.Capture([]byte(tt.text), func() bool { return tt.stop }, func(name string, text []byte) { got += name + "=" + string(text) + " " })
		if got != tt.want || !p.Captures() || complete == tt.stop || !tt.stop && match != p.MatchString(tt.text) {
			t.Errorf("%s: %q, match %v, complete %v", tt.expr, got, match, complete)
		}
	}
}
