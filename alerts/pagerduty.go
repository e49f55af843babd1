package alerts

import (
	"fmt"

	"sitemon"
)

// pagerDuty is the library's name of the service that knows incidents of its own: it
// gets an event for each site, so that a recovery resolves what it belongs to.
const pagerDuty = "pagerduty"

// pagerDutySeverities are the severities of its Events API v2 by ours.
var pagerDutySeverities = map[sitemon.Severity]string{
	sitemon.SeverityCritical: "critical", sitemon.SeverityWarning: "warning", sitemon.SeverityInfo: "info",
}

// pagerDutyEvents makes the events of a notification.
func pagerDutyEvents(n sitemon.Notification) []message {
	event := func(text, source, key string) message {
		m := message{text: text, params: map[string]string{"severity": "error", "source": source, "dedup_key": key, "client": "SiteMon"}}
		if severity, ok := pagerDutySeverities[n.Severity]; ok {
			m.params["severity"] = severity
		}
		if n.Resolved {
			m.params["action"] = "resolve"
		}
		return m
	}
	if len(n.Sites) == 0 {
		key := n.Kind
		if key == sitemon.NotifyMonitorBack {
			key = sitemon.NotifyMonitorSilent
		}
		return []message{event(Title(n), n.Source, fmt.Sprintf("sitemon/%s/%s", n.Source, key))}
	}
	list := make([]message, len(n.Sites))
	for i, s := range n.Sites {
		text := Title(sitemon.Notification{Kind: n.Kind, Summary: s.Name + ": " + s.Error})
		key := fmt.Sprintf("sitemon/%s/%s/%s", n.Source, alertNames[n.Kind], s.Name)
		if s.Incident != 0 {
			key = fmt.Sprintf("sitemon/incident/%d", s.Incident)
		}
		list[i] = event(text, s.Name, key)
	}
	return list
}
