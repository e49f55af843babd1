package config

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	minReminder           = time.Minute
	maxReminder           = 30 * 24 * time.Hour
	minAlertWindow        = time.Minute
	maxAlertWindow        = 366 * 24 * time.Hour
	defaultLatencyWindow  = 10 * time.Minute
	defaultAvailabilityIn = time.Hour
	defaultPercentile     = 95
)

// alertKinds are what alerts.on can name.
var alertKinds = []sitemon.AlertKind{
	sitemon.AlertDown, sitemon.AlertCertificate, sitemon.AlertSLO, sitemon.AlertLatency, sitemon.AlertAvailability,
}

var severities = []string{string(sitemon.SeverityInfo), string(sitemon.SeverityWarning), string(sitemon.SeverityCritical)}

var alertObject = newAlertObject()

func newAlertObject() *object[sitemon.Alert] {
	o := newObject("an entry of alerts", slices.Concat(alertToKeys(), alertHowKeys()), nil)
	o.aliases = map[string]string{
		"channel": "to", "channels": "to", "receiver": "to", "type": "to", "notify": "to", "kinds": "on", "for": "failure_threshold",
		"sendonresolved": "send_resolved", "resolved": "send_resolved", "repeatinterval": "reminder_interval", "minimumreminderinterval": "reminder_interval", "reminder": "reminder_interval",
		"priority": "severity", "level": "severity", "threshold": "failure_threshold", "responsetime": "latency", "uptime": "availability",
	}
	return o
}

// alertToKeys say what is told, and to whom.
func alertToKeys() []key[sitemon.Alert] {
	return []key[sitemon.Alert]{
		{
			keyInfo: keyInfo{name: "to", value: typeNames, must: true, example: "[ops]", doc: "The channels that are told, by their names in `alerting.channels`."},
			read: func(w *walker, f field, a *sitemon.Alert) {
				a.To = w.nameList("to", f.value, func(name string, n *yaml.Node) bool { w.refer(linkChannel, "to", name, n); return true })
				if a.To == nil {
					w.fail(f.value, "to is an empty list; name a channel")
				}
			},
		},
		{
			keyInfo: keyInfo{
				name: "on", value: typeKinds, def: "down, certificate and slo, and latency and availability where they are set", example: "[down, certificate]",
				doc: "What is told: `down`, `certificate` (it expires in 30, 14, 7 and 1 days), `slo` (the error budget burns too fast), `latency`, `availability`.",
			},
			read: func(w *walker, f field, a *sitemon.Alert) { a.On = w.alertKinds(f.value) },
		},
		{
			keyInfo: keyInfo{
				name: "latency", value: typeMapping(latencyObject.info), example: "{ above: 800ms }",
				doc: "Tells when a percentile of the durations is too high.",
			},
			read: func(w *walker, f field, a *sitemon.Alert) {
				a.Latency = &sitemon.LatencyAlert{Percentile: defaultPercentile, Window: defaultLatencyWindow}
				latencyObject.read(w, f, a.Latency)
			},
		},
		{
			keyInfo: keyInfo{
				name: "availability", value: typeMapping(availabilityObject.info), example: "{ below: 99, window: 6h }",
				doc: "Tells when the availability is too low.",
			},
			read: func(w *walker, f field, a *sitemon.Alert) {
				a.Availability = &sitemon.AvailabilityAlert{Window: defaultAvailabilityIn}
				availabilityObject.read(w, f, a.Availability)
			},
		},
	}
}

// alertHowKeys say how it is told.
func alertHowKeys() []key[sitemon.Alert] {
	return []key[sitemon.Alert]{
		{
			keyInfo: keyInfo{name: "send_resolved", value: typeBool, def: "true", example: "false", doc: "Whether the end of the trouble is told too."},
			read: func(w *walker, f field, a *sitemon.Alert) {
				start := len(w.out)
				a.SendResolved = w.boolean("send_resolved", f.value)
				w.leaveOut(start, a.SendResolved)
			},
		},
		{
			keyInfo: keyInfo{name: "reminder_interval", value: typeDuration, example: "4h", doc: "The time from one reminder to the next while the trouble lasts, from 1m to 30d. Without it there are none."},
			read: func(w *walker, f field, a *sitemon.Alert) {
				a.ReminderInterval, _ = w.duration("reminder_interval", f.value, minReminder, maxReminder)
			},
		},
		{
			keyInfo: keyInfo{name: "severity", value: typeWords(severities...), def: "critical", example: "warning", doc: "How much it matters. In quiet hours only critical alerts are sent."},
			read: func(w *walker, f field, a *sitemon.Alert) {
				start := len(w.out)
				if i := w.choice("severity", f.value, severities...); i >= 0 {
					a.Severity = sitemon.Severity(severities[i])
				}
				w.leaveOut(start, a.Severity == sitemon.SeverityCritical)
			},
		},
		{
			keyInfo: keyInfo{
				name: "failure_threshold", value: typeCount(1, maxThreshold), def: "that of the site", example: "5",
				doc: "How many failed reports an incident must have before it is told. It makes an alert later than the status, never sooner.",
			},
			read: func(w *walker, f field, a *sitemon.Alert) {
				a.FailureThreshold = w.integer("failure_threshold", f.value, 1, maxThreshold)
			},
		},
	}
}

var latencyObject = newObject("alerts.latency", []key[sitemon.LatencyAlert]{
	{
		keyInfo: keyInfo{name: "above", value: typeDuration, must: true, example: "800ms", doc: "The duration that is too high, at most 24h."},
		read: func(w *walker, f field, l *sitemon.LatencyAlert) {
			l.Above, _ = w.duration("above", f.value, time.Millisecond, maxLatency)
		},
	},
	{
		keyInfo: keyInfo{name: "percentile", value: valueInfo{name: "50, 95 or 99", schema: schema{"enum": []int{50, 95, 99}}}, def: "95", example: "99", doc: "The percentile that is looked at."},
		read: func(w *walker, f field, l *sitemon.LatencyAlert) {
			start := len(w.out)
			before := w.faults
			l.Percentile = w.integer("percentile", f.value, 1, 100)
			if w.faults == before && !slices.Contains([]int{50, 95, 99}, l.Percentile) {
				w.fail(f.value, "percentile must be 50, 95 or 99, not %d", l.Percentile)
			}
			w.leaveOut(start, l.Percentile == defaultPercentile)
		},
	},
	{
		keyInfo: keyInfo{name: "window", value: typeDuration, def: "10m", example: "30m", doc: "The time that it is about, ending now: from 1m to 366d."},
		read: func(w *walker, f field, l *sitemon.LatencyAlert) {
			start := len(w.out)
			l.Window, _ = w.duration("window", f.value, minAlertWindow, maxAlertWindow)
			w.leaveOut(start, l.Window == defaultLatencyWindow)
		},
	},
}, nil)

var availabilityObject = newObject("alerts.availability", []key[sitemon.AvailabilityAlert]{
	{
		keyInfo: keyInfo{name: "below", value: typePercent, must: true, example: "99", doc: "The availability in percent that is just enough: above 0 and below 100."},
		read:    func(w *walker, f field, a *sitemon.AvailabilityAlert) { a.Below = w.percent("below", f.value) },
	},
	{
		keyInfo: keyInfo{name: "window", value: typeDuration, def: "1h", example: "6h", doc: "The time that it is about, ending now: from 1m to 366d."},
		read: func(w *walker, f field, a *sitemon.AvailabilityAlert) {
			start := len(w.out)
			a.Window, _ = w.duration("window", f.value, minAlertWindow, maxAlertWindow)
			w.leaveOut(start, a.Window == defaultAvailabilityIn)
		},
	},
}, nil)

var (
	typeNames = valueInfo{name: "list of texts", schema: oneOrMore(typeName.schema)}
	typeKinds = valueInfo{name: "list of words", schema: oneOrMore(schema{"enum": alertKinds})}
)

// alerts reads the alerts of a site: mappings, or names of channels in their place.
// An empty list is none, and says nothing.
func (w *walker) alerts(n *yaml.Node) []sitemon.Alert {
	if v := deref(n); v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		return nil
	}
	var alerts []sitemon.Alert
	w.items("alerts", n, func(n *yaml.Node) {
		a := sitemon.Alert{SendResolved: true, Severity: sitemon.SeverityCritical}
		if v := deref(n); v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
			name := w.shortLine("alerts", n)
			if name != "" {
				w.refer(linkChannel, "alerts", name, n)
			}
			a.To = []string{name}
			w.out = append(appendNames(append(w.out, `{"to":`...), a.To), '}')
		} else {
			w.alert(n, &a)
		}
		alerts = append(alerts, a)
	})
	return alerts
}

// alert reads one mapping of alerts.
func (w *walker) alert(n *yaml.Node, a *sitemon.Alert) {
	before := w.faults
	alertObject.read(w, field{value: n}, a)
	if w.faults > before || a.On == nil {
		return
	}
	for _, k := range []struct {
		kind sitemon.AlertKind
		set  bool
	}{{sitemon.AlertLatency, a.Latency != nil}, {sitemon.AlertAvailability, a.Availability != nil}} {
		switch named := slices.Contains(a.On, k.kind); {
		case named && !k.set:
			w.fail(n, "on names %s, and the key %s is not there; it says what is told", k.kind, k.kind)
		case !named && k.set:
			w.fail(n, "%s is set, and on does not name it; take on out, or add %s to it", k.kind, k.kind)
		}
	}
}

func (w *walker) alertKinds(n *yaml.Node) []sitemon.AlertKind {
	var kinds []sitemon.AlertKind
	words := make([]string, len(alertKinds))
	for i, k := range alertKinds {
		words[i] = string(k)
	}
	w.items("on", n, func(n *yaml.Node) {
		i := w.choice("on", n, words...)
		if i < 0 {
			return
		}
		if slices.Contains(kinds, alertKinds[i]) {
			w.fail(n, "on: %s is there twice", words[i])
		}
		kinds = append(kinds, alertKinds[i])
	})
	return kinds
}

// clockTime says what is wrong with a time of day such as 22:00, or "".
func clockTime(s string) string {
	if _, err := time.Parse("15:04", s); err != nil || len(s) != len("15:04") || strings.ContainsAny(s, "+-") {
		return quote(s) + " is no time of day; write for example 22:00"
	}
	return ""
}
