package alerts

import (
	"testing"

	"sitemon"
)

// The service itself takes nothing but TLS with a certificate that everybody trusts,
// so what it is given is looked at here.
func TestPagerDutyEvents(t *testing.T) {
	n := sitemon.Notification{
		Source: "sites.yaml", Kind: sitemon.NotifyDown, Severity: sitemon.SeverityWarning,
		Sites: []sitemon.NotifiedSite{{Name: "api", Error: "status 503", Incident: 42}, {Name: "shop", Error: "status 500", Incident: 43}},
	}
	down := pagerDutyEvents(n)
	n.Kind, n.Resolved = sitemon.NotifyRecovered, true
	up := pagerDutyEvents(n)
	if len(down) != 2 || len(up) != 2 {
		t.Fatalf("%d and %d events of two sites", len(down), len(up))
	}
	for i := range down {
		if down[i].params["dedup_key"] != up[i].params["dedup_key"] || down[i].params["dedup_key"] == down[1-i].params["dedup_key"] {
			t.Errorf("keys %q, %q", down[i].params["dedup_key"], up[i].params["dedup_key"])
		}
		if _, ok := down[i].params["action"]; ok || up[i].params["action"] != "resolve" {
			t.Errorf("actions %q, %q", down[i].params["action"], up[i].params["action"])
		}
	}
	if down[0].params["severity"] != "warning" || down[0].text != "Down: api: status 503" {
		t.Errorf("event %+v", down[0])
	}
	silent := pagerDutyEvents(sitemon.Notification{Source: "sites.yaml", Kind: sitemon.NotifyMonitorSilent})
	back := pagerDutyEvents(sitemon.Notification{Source: "sites.yaml", Kind: sitemon.NotifyMonitorBack, Resolved: true})
	if silent[0].params["dedup_key"] != back[0].params["dedup_key"] {
		t.Errorf("keys %q, %q", silent[0].params["dedup_key"], back[0].params["dedup_key"])
	}
}
