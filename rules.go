package sitemon

import (
	"encoding/json"
	"slices"
	"time"
)

// StatusPage is a page for people who use some of the sites. The JSON form is that of
// the store.
type StatusPage struct {
	Path        string `json:"path"` // the last part of its address
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Sites, Groups and Tags select its components; none of them: all sites of the
	// document.
	Sites  []string `json:"sites,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Tags   []string `json:"tags,omitempty"`
	// Public pages are for everybody, others for those who may read everything else.
	Public   bool   `json:"public,omitempty"`
	Timezone string `json:"timezone,omitempty"` // of its days and times; "": UTC
	Logo     string `json:"logo,omitempty"`     // an image as a data URL; "": none
}

// Shows reports whether a site is one of the page's components.
func (p *StatusPage) Shows(name, group string, tags []string) bool {
	if p.Sites == nil && p.Groups == nil && p.Tags == nil {
		return true
	}
	return slices.Contains(p.Sites, name) || slices.Contains(p.Groups, group) ||
		slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(p.Tags, t) })
}

// Quorum is how many locations must say down before a site is; below 1 and not
// Majority it is 1.
type Quorum int

// Majority is more than half of the locations known at a moment.
const Majority Quorum = -1

// Needs returns how many of the known locations must say down.
func (q Quorum) Needs(known int) int {
	if q == Majority {
		return known/2 + 1
	}
	return max(int(q), 1)
}

// Rules are what follows from a site's status. They change nothing in how it is
// probed or judged. The JSON form is that of the store.
type Rules struct {
	// DependsOn names the sites without which this one can't work.
	DependsOn []string `json:"depends_on,omitempty"`
	SLO       *SLO     `json:"slo,omitempty"`
	Alerts    []Alert  `json:"alerts,omitempty"`
}

// SLO is a promised availability.
type SLO struct {
	Target float64       `json:"target"` // percent, above 0 and below 100
	Window time.Duration `json:"window"` // that it is about, ending now
}

// Severity says how much an alert matters.
type Severity string

// The severities, the least first.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// AlertKind is a kind of trouble that an [Alert] tells of.
type AlertKind string

// The kinds of trouble.
const (
	AlertDown         AlertKind = "down"
	AlertCertificate  AlertKind = "certificate"  // expires in 30, 14, 7, 1 days
	AlertSLO          AlertKind = "slo"          // the error budget burns too fast
	AlertLatency      AlertKind = "latency"      // a percentile is too high
	AlertAvailability AlertKind = "availability" // it is too low
)

// Alert says to whom trouble of a site is told, and how.
type Alert struct {
	To []string `json:"to"` // channels of the site's document
	// On is what is told; the default is down, certificate and slo, and latency and
	// availability where those are set.
	On           []AlertKind `json:"on,omitempty"`
	SendResolved bool        `json:"send_resolved"` // default true
	// ReminderInterval is the time between two reminders while it lasts; 0: none.
	ReminderInterval time.Duration `json:"reminder_interval,omitempty"`
	Severity         Severity      `json:"severity"` // default critical
	// FailureThreshold is how many failed reports an incident must have before it is
	// told; below 1 it is told once it is one.
	FailureThreshold int                `json:"failure_threshold,omitempty"`
	Latency          *LatencyAlert      `json:"latency,omitempty"`
	Availability     *AvailabilityAlert `json:"availability,omitempty"`
}

// LatencyAlert is about a percentile of the durations in a window that ends now.
type LatencyAlert struct {
	Above      time.Duration `json:"above"`
	Percentile int           `json:"percentile"` // 50, 95 or 99; default 95
	Window     time.Duration `json:"window"`     // default 10 minutes
}

// AvailabilityAlert is about the availability in a window that ends now.
type AvailabilityAlert struct {
	Below  float64       `json:"below"`  // percent
	Window time.Duration `json:"window"` // default an hour
}

// Alerting is how a document's alerts are delivered. The JSON form is that of the
// store.
type Alerting struct {
	Channels []Channel `json:"channels"` // sorted by name
	// GroupWait is how long a notification waits for others like it.
	GroupWait time.Duration `json:"group_wait"`
	// MonitorSilent are the channels that are told when a location sends no more
	// reports; nil: every channel that a site uses.
	MonitorSilent []string `json:"monitor_silent,omitempty"`
}

// Channel is a way to tell people.
type Channel struct {
	Name string `json:"name"`
	// Target is a JSON object with one of the keys url, webhook and alertmanager, as
	// the document has it: ${…} references are not expanded. It goes into the store
	// and to the sender and nowhere else, as it may hold credentials.
	Target json.RawMessage `json:"target"`
	// Fallback is the channel that gets what this one does not take; "": none.
	Fallback string `json:"fallback,omitempty"`
	// MaxPerMinute bounds its notifications; 0: no bound.
	MaxPerMinute int          `json:"max_per_minute,omitempty"`
	QuietHours   []QuietHours `json:"quiet_hours,omitempty"`
}

// QuietHours is a time of day at which only critical alerts are sent; the others
// wait until it is over.
type QuietHours struct {
	From     string `json:"from"`               // "22:00"
	To       string `json:"to"`                 // "07:00"; before From: on the next day
	Timezone string `json:"timezone,omitempty"` // default UTC
}

// Maintenance is a time in which sites may be down, as a document has it. The JSON
// form is that of the store.
type Maintenance struct {
	Title string `json:"title"`
	// Start is the local time at which it begins, "2026-12-01T22:00:00"; with a rule
	// the earliest that it can.
	Start    string        `json:"start"`
	Duration time.Duration `json:"duration"`
	Timezone string        `json:"timezone,omitempty"` // default UTC
	// RRule says how it comes again (RFC 5545 section 3.3.10); "": once.
	RRule string `json:"rrule,omitempty"`
	// It is for the sites that one of these names; all empty: for all of the document.
	Sites  []string `json:"sites,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Tags   []string `json:"tags,omitempty"`
}
