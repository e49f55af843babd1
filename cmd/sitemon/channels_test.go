package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sitemon/alerts"
	"sitemon/config"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Every example of a channel in the documents is one that the notification library
// can use.
func TestChannelExamples(t *testing.T) {
	doc, err := os.ReadFile("../../docs/channels.md")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{ // where just any text will not do
		"OPS_URL": "ntfy://ntfy.sh/ops", "TEAMS_WORKFLOW_URL": "https://example.org/workflow",
		"SLACK_T": "T00000000", "SLACK_B": "B00000000", "SLACK_KEY": strings.Repeat("a", 24),
		"TEAMS_GROUP": "11111111-4444-4444-8444-cccccccccccc", "TEAMS_TENANT": "22222222-4444-4444-8444-cccccccccccc",
		"TEAMS_ID": strings.Repeat("3", 32), "TEAMS_OWNER": "44444444-4444-4444-8444-cccccccccccc", "TEAMS_EXTRA": "V2" + strings.Repeat("a", 44),
		"TELEGRAM_TOKEN": "123456789:" + strings.Repeat("A", 35), "PAGERDUTY_KEY": strings.Repeat("e", 32),
		"GOTIFY_TOKEN": "A" + strings.Repeat("b", 14),
	}
	lookup := func(name string) (string, bool) {
		if v, ok := values[name]; ok {
			return v, true
		}
		return "abcdefgh", true
	}
	sender := alerts.New(alerts.Options{Expander: config.NewExpander(lookup, nil, nil)})
	channels := 0
	for _, block := range yamlBlock.FindAllSubmatch(doc, -1) {
		parsed, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: block[1]}}, config.ParseOptions{Source: "sites.yaml", Lookup: lookup})
		if err != nil {
			t.Errorf("%v in\n%s", err, block[1])
			continue
		}
		for _, c := range parsed.Alerting.Channels {
			channels++
			if err := sender.Check(c); err != nil {
				t.Errorf("channel %s: %v", c.Name, err)
			}
		}
	}
	if channels < 20 {
		t.Errorf("only %d channels were found", channels)
	}
}
