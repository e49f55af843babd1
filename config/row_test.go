package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/config"
)

func TestSiteFromRow(t *testing.T) {
	owned, err := config.DecodeSite("a", []byte(`{"name":"a","url":"https://example.org/${PATH_OF_A:-x}","interval":"30s","timeout":"5s","group":"g","failure_threshold":2}`))
	check(t, err)
	tests := []struct {
		name string
		row  config.Row
		want string // parts of the definition
	}{
		{"least", config.Row{Name: "a", URL: "http://example.org/", Enabled: true}, `"url":"http://example.org/"`},
		{"the default interval", config.Row{Name: "a", URL: "http://example.org/", Enabled: true}, `"interval":"1m30s" "timeout":"10s"`},
		{"interval and timeout", config.Row{Name: "a", URL: "http://example.org/", Enabled: true, Interval: 5 * time.Second, Timeout: 1500 * time.Millisecond}, `"interval":"5s" "timeout":"1.5s"`},
		{"a timeout that the interval bounds", config.Row{Name: "a", URL: "http://example.org/", Enabled: true, Interval: 5 * time.Second}, `"timeout":"5s"`},
		{"paused", config.Row{Name: "a", URL: "http://example.org/"}, `"enabled":false`},
		{"regex", config.Row{Name: "a", URL: "http://example.org/", Enabled: true, Regex: `wel"come\s`}, `"regex":"wel\"come\\s"`},
		{"nothing is expanded", config.Row{Name: "a", URL: "http://example.org/${POSTGRES_DSN}", Enabled: true}, `"url":"http://example.org/$${POSTGRES_DSN}"`},
		{
			"owned by a file",
			config.Row{Name: "a", URL: owned.URL, Interval: 10 * time.Second, Timeout: owned.Timeout, Enabled: true, Definition: owned.Definition},
			`"interval":"10s" "timeout":"5s" "group":"g" "failure_threshold":2 https://example.org/${PATH_OF_A:-x}`,
		},
		{
			"owned, and paused by hand",
			config.Row{Name: "a", URL: owned.URL, Interval: owned.Interval, Timeout: owned.Timeout, Definition: owned.Definition},
			`"interval":"30s" "enabled":false`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := config.SiteFromRow(tt.row, 90*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for want := range strings.SplitSeq(tt.want, " ") {
				if !strings.Contains(string(s.Definition), want) {
					t.Errorf("the definition lacks %s: %s", want, s.Definition)
				}
			}
		})
	}
	for name, row := range map[string]config.Row{
		"no scheme":     {Name: "a", URL: "example.org", Enabled: true},
		"a bad regex":   {Name: "a", URL: "http://example.org/", Regex: "(", Enabled: true},
		"a bad timeout": {Name: "a", URL: "http://example.org/", Interval: time.Second, Timeout: time.Minute, Enabled: true},
		"a bad name":    {Name: "a\nb", URL: "http://example.org/", Enabled: true},
	} {
		if _, err := config.SiteFromRow(row, time.Minute); !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("%s: got %v, want an ErrInvalid", name, err)
		}
	}
}
