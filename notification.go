package sitemon

import (
	"encoding/json"
	"slices"
	"time"
)

// NotificationKind says what a [Notification] is about.
type NotificationKind string

// The kinds of notifications.
const (
	NotifyDown          NotificationKind = "down"
	NotifyRecovered     NotificationKind = "recovered" // sites are not down any more
	NotifyReminder      NotificationKind = "reminder"  // sites are still down
	NotifyMonitorSilent NotificationKind = "monitor_silent"
	NotifyMonitorBack   NotificationKind = "monitor_back"
	NotifyCertificate   NotificationKind = "certificate" // certificates expire soon
	NotifySLO           NotificationKind = "slo"         // an error budget burns too fast, or an availability is too low
	NotifyLatency       NotificationKind = "latency"     // a percentile of the durations is too high
	NotifyTest          NotificationKind = "test"
)

// Notification is one message to one channel.
type Notification struct {
	// ID is the same at each attempt to deliver it, and of no other notification. It
	// is the Idempotency-Key of a webhook.
	ID string
	// Source is the document whose channel it goes to.
	Source, Channel string
	// Target is that of the channel as the document has it: ${…} not expanded.
	Target json.RawMessage

	Kind NotificationKind
	// Resolved: it says that what was told before is over. Those of the kinds
	// recovered and monitor_back always do; those of the kinds slo and latency may.
	Resolved bool
	Severity Severity
	At       time.Time // when it was made
	Summary  string    // one line, for a person
	// Cause is the site on which the others depend and that is down itself; "": none.
	Cause string
	// Sites are those that it is about, the cause first; at most [MaxNotifiedSites].
	Sites []NotifiedSite
	Total int // how many sites it is about
	// Attempt counts the attempts to deliver it, this one among them.
	Attempt int
	// Fallback names the channel that did not take it, and for which this one stands
	// in; "": none.
	Fallback string
}

// MaxNotifiedSites is how many sites a notification names.
const MaxNotifiedSites = 200

// NotifiedSite is a site as a notification tells of it.
type NotifiedSite struct {
	Name   string    `json:"name"`
	Group  string    `json:"group"`
	URL    string    `json:"url"` // redacted
	Status Status    `json:"status"`
	Since  time.Time `json:"since,omitzero"` // of the status
	Reason Reason    `json:"reason"`
	// Error is what is wrong with it in words; where nothing is any more, what was.
	Error string `json:"error"`
	// Incident is its number; 0: it is not about one.
	Incident int64 `json:"incident,omitempty"`
	// StartedAt and EndedAt are those of the incident.
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// notificationMessage is the form of a notification in a webhook, version 1.
type notificationMessage struct {
	Version  int              `json:"version"`
	ID       string           `json:"id"`
	Kind     NotificationKind `json:"kind"`
	Resolved bool             `json:"resolved"`
	Severity Severity         `json:"severity"`
	Source   string           `json:"source,omitempty"`
	Channel  string           `json:"channel"`
	Fallback string           `json:"fallback_for,omitempty"`
	At       time.Time        `json:"at"`
	Summary  string           `json:"summary"`
	Cause    string           `json:"cause,omitempty"`
	Sites    []NotifiedSite   `json:"sites"`
	Total    int              `json:"total"`
}

// Payload returns the notification as the JSON object that a webhook gets. It is
// the same at each attempt.
func (n *Notification) Payload() ([]byte, error) {
	m := notificationMessage{
		Version: 1, ID: n.ID, Kind: n.Kind, Resolved: n.Resolved, Severity: n.Severity, Source: n.Source, Channel: n.Channel,
		Fallback: n.Fallback, At: n.At.UTC(), Summary: n.Summary, Cause: n.Cause, Sites: n.Sites, Total: n.Total,
	}
	if m.Sites == nil {
		m.Sites = []NotifiedSite{}
	}
	return json.Marshal(m)
}

// Tells reports whether an alert is about a kind of trouble.
func (a *Alert) Tells(k AlertKind) bool {
	switch {
	case k == AlertLatency && a.Latency == nil, k == AlertAvailability && a.Availability == nil:
		return false
	case len(a.On) > 0:
		return slices.Contains(a.On, k)
	}
	return true
}
