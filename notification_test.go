package sitemon_test

import (
	"testing"
	"time"

	"sitemon"
)

func TestPayload(t *testing.T) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		n    sitemon.Notification
		want string
	}{
		"down with a cause": {
			sitemon.Notification{
				ID: "k1", Source: "sites.yaml", Channel: "hook", Target: []byte(`{"url":"secret"}`), Kind: sitemon.NotifyDown,
				Severity: sitemon.SeverityCritical, At: at, Summary: "2 sites down", Cause: "db", Total: 2, Attempt: 3,
				Sites: []sitemon.NotifiedSite{{
					Name: "db", Group: "core", URL: "tcp://db:5432", Status: sitemon.StatusDown, Since: at, StartedAt: at,
					Reason: sitemon.ReasonStatus, Error: "refused", Incident: 42,
				}},
			},
			`{"version":1,"id":"k1","kind":"down","resolved":false,"severity":"critical","source":"sites.yaml","channel":"hook",` +
				`"at":"2026-11-25T10:00:00Z","summary":"2 sites down","cause":"db","sites":[{"name":"db","group":"core","url":"tcp://db:5432",` +
				`"status":"down","since":"2026-11-25T10:00:00Z","reason":"status","error":"refused","incident":42,"started_at":"2026-11-25T10:00:00Z"}],"total":2}`,
		},
		"test": {
			sitemon.Notification{ID: "k2", Channel: "hook", Kind: sitemon.NotifyTest, Severity: sitemon.SeverityInfo, At: at, Summary: "hello"},
			`{"version":1,"id":"k2","kind":"test","resolved":false,"severity":"info","channel":"hook","at":"2026-11-25T10:00:00Z",` +
				`"summary":"hello","sites":[],"total":0}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.n.Payload()
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestAlertTells(t *testing.T) {
	latency := &sitemon.LatencyAlert{}
	for name, c := range map[string]struct {
		alert sitemon.Alert
		kind  sitemon.AlertKind
		want  bool
	}{
		"default":            {sitemon.Alert{}, sitemon.AlertDown, true},
		"default slo":        {sitemon.Alert{}, sitemon.AlertSLO, true},
		"latency is not set": {sitemon.Alert{On: []sitemon.AlertKind{sitemon.AlertLatency}}, sitemon.AlertLatency, false},
		"latency is set":     {sitemon.Alert{Latency: latency}, sitemon.AlertLatency, true},
		"only another":       {sitemon.Alert{Latency: latency, On: []sitemon.AlertKind{sitemon.AlertDown}}, sitemon.AlertLatency, false},
		"named":              {sitemon.Alert{On: []sitemon.AlertKind{sitemon.AlertDown}}, sitemon.AlertDown, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.alert.Tells(c.kind); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}
