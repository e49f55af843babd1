package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/config"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		text  string
		want  time.Duration
		short string // as FormatDuration has it
	}{
		{"30s", 30 * time.Second, "30s"},
		{"90s", 90 * time.Second, "1m30s"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"14d", 14 * 24 * time.Hour, "14d"},
		{"1.5s", 1500 * time.Millisecond, "1.5s"},
		{"0.001s", time.Millisecond, "1ms"},
		{"1d2h3m4s5ms", 26*time.Hour + 3*time.Minute + 4005*time.Millisecond, "1d2h3m4.005s"},
		{"0s", 0, "0s"},
		{"1.10m", 66 * time.Second, "1m6s"},
	}
	for _, tt := range tests {
		got, err := config.ParseDuration(tt.text)
		if err != nil || got != tt.want || config.FormatDuration(got) != tt.short {
			t.Errorf("%s: got %s (%s), %v, want %s (%s)", tt.text, got, config.FormatDuration(got), err, tt.want, tt.short)
		}
	}
	for _, text := range []string{"", "30", "1.5", "-1s", "1", "s", "1 s", "1S", "1m1h", "1s1s", "0.0001ms", "1us", "1..5s", ".5s", "5.s", "9999999d", "1e3s", "+1s", "1ms1s"} {
		if got, err := config.ParseDuration(text); !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("%q: got %s, %v, want ErrInvalid", text, got, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"30s", "1h30m", "14d", "1.5s", "30", "-1s", "99999999999h", "0.0001ms", "1d1h1m1s1ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := config.ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 || d%time.Millisecond != 0 {
			t.Errorf("%q is %d ns", text, d)
		}
		short := config.FormatDuration(d)
		if again, err := config.ParseDuration(short); err != nil || again != d {
			t.Errorf("%q is %s, which is %s, %v", text, short, again, err)
		}
	})
}

func FuzzStatusRange(f *testing.F) {
	for _, s := range []string{"200", "200-299", "2xx", "299-200", " 200 - 204 ", "600", "-", "0200", "200-", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := config.DecodeSite("a", fmt.Appendf(nil, `{"name":"a","url":"http://a","expect":{"status":%s}}`, quoted))
		if err != nil {
			return
		}
		ranges := s.Expect.Status
		if len(ranges) != 1 || ranges[0].From < 100 || ranges[0].To > 599 || ranges[0].From > ranges[0].To {
			t.Errorf("%q is %v", text, ranges)
		}
		bare := strings.ReplaceAll(text, " ", "")
		if bare != ranges[0].String() && bare != fmt.Sprintf("%d-%d", ranges[0].From, ranges[0].To) {
			t.Errorf("%q is %s", text, ranges[0])
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"*.good.yaml", "*.bad.yaml"} {
		for _, path := range testdataFiles(f, pattern) {
			content, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		doc, warnings, err := config.Parse([]config.File{{Name: "sites.yaml", Content: content}}, options())
		if err != nil {
			checkProblems(t, content, err)
			return
		}
		for _, p := range warnings {
			if !p.Warning {
				t.Errorf("a fault among the warnings: %s", p)
			}
		}
		for _, s := range doc.Sites {
			if s.Request == nil || s.Expect == nil || s.Kind == "" || s.Timeout > s.Interval || s.Timeout <= 0 {
				t.Errorf("site %+v is not whole", s)
			}
			checkDefinition(t, s)
		}
	})
}

// checkProblems checks that each problem has a message and lies in the file.
func checkProblems(t *testing.T, content []byte, err error) {
	t.Helper()
	problems, ok := errors.AsType[sitemon.Problems](err)
	if !ok || len(problems) == 0 {
		t.Fatalf("got %v, want problems", err)
	}
	lines := strings.Count(strings.ReplaceAll(string(content), "\r", "\n"), "\n") + 2
	for _, p := range problems {
		if p.Message == "" || p.File != "sites.yaml" || p.Warning || p.Line < 0 || p.Line > lines*2 || (p.Column < 1) != (p.Line == 0) {
			t.Errorf("bad problem %+v for %q", p, content)
		}
	}
}
