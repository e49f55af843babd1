package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/config"
)

const channelOps, channelMail = "ops: { url: 'ntfy://ntfy.sh/x' }", "mail: { url: 'ntfy://ntfy.sh/y' }"

func TestSectionsOfAFolder(t *testing.T) {
	alerting := func(format string, args ...any) string {
		return "alerting: { channels: { " + fmt.Sprintf(format, args...) + " } }\n"
	}
	tests := []struct {
		name   string
		files  []config.File
		want   string // channels, group_wait, titles of maintenance
		faults string
	}{
		{name: "together", files: folder("a.yaml", siteA+alerting(channelOps), "b.yaml", siteB+alerting(channelMail)), want: "mail ops 10s"},
		{name: "by themselves", files: folder("a.yaml", siteA, "b.yaml", alerting(channelOps)), want: "ops 10s"},
		{name: "maintenance by itself", files: folder("a.yaml", siteA, "b.yaml", "maintenance: { title: t, start: 2026-12-01T22:00, duration: 1h, sites: a }"), want: "10s t"},
		{name: "one has the wait", files: folder("a.yaml", siteA+"alerting: { group_wait: 1m }\n", "b.yaml", alerting(channelOps)), want: "ops 1m0s"},
		{
			name: "names across files", want: "ops 10s",
			files: folder("a.yaml", "sites: [{ name: a, url: 'http://a', alerts: ops, depends_on: b }]\n", "b.yaml", siteB, "c.yaml", alerting(channelOps)),
		},
		{
			name: "defaults elsewhere", want: "ops 10s",
			files: folder("a.yaml", siteA, "b.yaml", "defaults: { alerts: ops }\n", "c.yaml", alerting(channelOps)),
		},
		{
			name: "a channel twice", files: folder("a.yaml", siteA+alerting(channelOps), "b.yaml", siteB+alerting(channelOps)),
			faults: `b.yaml:2:25: the channel "ops" is already set at a.yaml:2:25`,
		},
		{
			name: "the wait twice", files: folder("a.yaml", siteA+"alerting: { group_wait: 1m }\n", "b.yaml", siteB+"alerting: { group_wait: 1m }\n"),
			faults: "b.yaml:2:13: group_wait is already set at a.yaml:2:13",
		},
		{
			name: "faults where they are", files: folder("a.yaml", siteA, "b.yaml", "defaults: { alerts: opps, depends_on: [c] }\n", "c.yaml", alerting(channelOps)),
			faults: `b.yaml:1:21: alerts: there is no channel "opps", did you mean "ops"?` + "\n" + `b.yaml:1:40: depends_on: there is no site "c", did you mean "a"?`,
		},
		{
			name: "a circle across files", files: folder("a.yaml", "sites: [{ name: a, url: 'http://a', depends_on: b }]\n", "b.yaml", "sites: [{ name: b, url: 'http://b', depends_on: a }]\n"),
			faults: "a.yaml:1:37: depends_on leads back to the site itself: a → b → a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, _, err := config.Parse(tt.files, options())
			if err != nil || tt.faults != "" {
				if d := cmp.Diff(tt.faults, fmt.Sprint(err)); d != "" {
					t.Errorf("faults (-want +got):\n%s", d)
				}
				return
			}
			var got []string
			for _, c := range doc.Alerting.Channels {
				got = append(got, c.Name)
			}
			got = append(got, doc.Alerting.GroupWait.String())
			for _, m := range doc.Maintenance {
				got = append(got, m.Title)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestChannelsAreTheWritersOwn checks that a monitor needs nothing of what channels
// refer to.
func TestChannelsAreTheWritersOwn(t *testing.T) {
	opts := options()
	opts.CheckChannels = false
	const text = "alerting: { channels: { ops: { url: '${NOT_SET}' }, hook: { webhook: { url: 'https://${NOT_SET}/', secret: '${file:/none}' } }, prom: { alertmanager: { url: '${HOST}' } } } }\nsites: []\n"
	doc, warnings, err := config.Parse(folder("sites.yaml", text), opts)
	if err != nil || len(warnings) != 0 || len(doc.Alerting.Channels) != 3 {
		t.Errorf("got %+v, warnings %v, %v", doc.Alerting, warnings, err)
	}
}

func TestDefaultsOfRules(t *testing.T) {
	doc, _, err := parse(siteA)
	if err != nil {
		t.Fatal(err)
	}
	s := doc.Sites[0]
	if s.Retries != 0 || s.RetryInterval != time.Second || s.Quorum != 1 || s.Locations != nil || s.Rules != nil {
		t.Errorf("got %+v", s)
	}
	if want := `{"interval":"1m","name":"a","timeout":"10s","url":"http://a"}`; string(s.Definition) != want {
		t.Errorf("definition %s, want %s", s.Definition, want)
	}
	if doc.Alerting.GroupWait != 10*time.Second || doc.Alerting.MonitorSilent != nil {
		t.Errorf("alerting %+v", doc.Alerting)
	}
}

// TestDefinitionHasNoDefaults checks that what is written and is in effect anyway
// makes no other site.
func TestDefinitionHasNoDefaults(t *testing.T) {
	const head = "alerting: { channels: { " + channelOps + " } }\nsites: [{ name: a, url: 'http://a', "
	tests := []struct{ name, long, short string }{
		{"retries", "retries: 0, retry_interval: 1000ms", ""},
		{"quorum", "quorum: 1", ""},
		{"none", "alerts: [], depends_on: [], locations: []", ""},
		{"slo", "slo: { target: 99.90, window: 720h }", "slo: { target: 99.9 }"},
		{"alerts", "alerts: { to: ops, send_resolved: true, severity: critical }", "alerts: [ops]"},
		{"latency", "alerts: { to: ops, latency: { above: 1s, percentile: 95, window: 10m } }", "alerts: { to: [ops], latency: { above: 1000ms } }"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sites [2]sitemon.Site
			for i, keys := range []string{tt.long, tt.short} {
				doc, _, err := parse(head + keys + " }]\n")
				if err != nil {
					t.Fatal(err)
				}
				sites[i] = doc.Sites[0]
			}
			if d := cmp.Diff(string(sites[1].Definition), string(sites[0].Definition)); d != "" {
				t.Errorf("definitions differ (-short +long):\n%s", d)
			}
		})
	}
}

func TestSharingOfRules(t *testing.T) {
	doc, _, err := parse("defaults: { alerts: ops }\nalerting: { channels: { " + channelOps + ", " + channelMail + " } }\nsites: [{ name: a, url: 'http://a' }, { name: b, url: 'http://b', group: x }, { name: c, url: 'http://c', alerts: mail }]\n")
	if err != nil {
		t.Fatal(err)
	}
	if doc.Sites[0].Rules != doc.Sites[1].Rules || doc.Sites[0].Rules == doc.Sites[2].Rules {
		t.Error("equal rules are two values, or different ones are one")
	}
}

// TestManyNamesThatLeadNowhere would take minutes if all were compared with all.
func TestManyNamesThatLeadNowhere(t *testing.T) {
	var b strings.Builder
	b.WriteString("sites:\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "  - { name: site-%d, url: 'http://a', depends_on: sight-%d-x }\n", i, i)
	}
	_, _, err := parse(b.String())
	if n := strings.Count(fmt.Sprint(err), "there is no site"); n != 4000 {
		t.Errorf("%d faults, want 4000", n)
	}
}

// TestDocsExamples checks that the sites files in the documentation are valid.
func TestDocsExamples(t *testing.T) {
	found := 0
	for _, name := range []string{"sites-file", "kinds", "expressions"} {
		text, err := os.ReadFile("../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "```yaml\n")[1:] {
			content, _, _ := strings.Cut(block, "```")
			found++
			if _, warnings, err := parse(content); err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v, warnings %v in\n%s", name, err, warnings, content)
			}
		}
	}
	if found < 3 {
		t.Errorf("%d examples, want at least 3", found)
	}
}
