package alerts

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"sitemon"
)

// alertmanagerBase is a Prometheus Alertmanager, which gets an alert for each site
// of a notification (POST /api/v2/alerts of its OpenAPI description).
type alertmanagerBase struct {
	URL  string `json:"url"`
	http httpClient
}

// firesFor is how long an alert that is not resolved holds in Alertmanager without
// being sent again. Its own default, 5 minutes, is made for those who send each
// minute.
const firesFor = 30 * 24 * time.Hour

// postableAlert is an alert as Alertmanager takes it.
type postableAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     *time.Time        `json:"startsAt,omitempty"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func (a *alertmanagerBase) check() error { return checkURL(a.URL) }

func (a *alertmanagerBase) send(ctx context.Context, n sitemon.Notification) error {
	if err := a.check(); err != nil {
		return err
	}
	body, err := json.Marshal(postableAlerts(n))
	if err != nil {
		return err
	}
	return a.http.post(ctx, strings.TrimSuffix(a.URL, "/")+"/api/v2/alerts", nil, body)
}

// alertNames are the label alertname of each kind. What resolves an alert has the
// labels of what began it.
var alertNames = map[sitemon.NotificationKind]string{
	sitemon.NotifyDown:          "SiteDown",
	sitemon.NotifyReminder:      "SiteDown",
	sitemon.NotifyRecovered:     "SiteDown",
	sitemon.NotifyMonitorSilent: "MonitorSilent",
	sitemon.NotifyMonitorBack:   "MonitorSilent",
	sitemon.NotifyCertificate:   "SiteCertificateExpires",
	sitemon.NotifySLO:           "SiteErrorBudgetBurns",
	sitemon.NotifyLatency:       "SiteSlow",
	sitemon.NotifyTest:          "SiteMonTest",
}

// postableAlerts makes the alerts of a notification.
func postableAlerts(n sitemon.Notification) []postableAlert {
	name := alertNames[n.Kind]
	resolved := n.Resolved
	alerts := make([]postableAlert, 0, max(len(n.Sites), 1))
	add := func(labels map[string]string, description string, since time.Time) {
		labels["alertname"], labels["source"] = name, n.Source
		a := postableAlert{Labels: labels, Annotations: map[string]string{"summary": n.Summary}, EndsAt: n.At.Add(firesFor)}
		if description != "" {
			a.Annotations["description"] = description
		}
		if n.Cause != "" {
			a.Annotations["cause"] = n.Cause
		}
		if !since.IsZero() {
			a.StartsAt = &since
		}
		if resolved {
			a.EndsAt = n.At
		}
		alerts = append(alerts, a)
	}
	for _, s := range n.Sites {
		labels := map[string]string{"site": s.Name, "instance": s.URL, "severity": string(n.Severity)}
		if s.Group != "" {
			labels["group"] = s.Group
		}
		since := s.StartedAt
		if since.IsZero() {
			since = s.Since
		}
		if resolved { // when it began is not said: Alertmanager knows
			since = time.Time{}
		}
		add(labels, s.Error, since)
	}
	if len(n.Sites) == 0 {
		add(map[string]string{"severity": string(n.Severity)}, "", time.Time{})
	}
	return alerts
}
