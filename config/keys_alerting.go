package config

import (
	"encoding/json"
	"slices"
	"strings"
	"text/template/parse"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	defaultGroupWait = 10 * time.Second
	maxGroupWait     = time.Hour
	maxPerMinute     = 1000
)

// alertingObject is the section alerting. In a folder the sections of all files are
// put together.
var alertingObject = newAlertingObject()

func newAlertingObject() *object[sitemon.Alerting] {
	o := newObject("alerting", []key[sitemon.Alerting]{
		{
			keyInfo: keyInfo{
				name: "channels", value: typeTable("mapping of channels", channelObject.info), example: `{ ops: { url: "${OPS_URL}" } }`,
				doc: "The ways to tell people, by the names that `alerts.to` has for them.",
			},
			read: func(w *walker, f field, a *sitemon.Alerting) { w.channelsOf(f.value, a) },
		},
		{
			keyInfo: keyInfo{
				name: "group_wait", value: typeDuration, def: "10s", example: "30s",
				doc: "How long a notification waits for others, so that what fails together is told together; at most 1h.",
			},
			read: func(w *walker, f field, a *sitemon.Alerting) {
				w.once("alerting.group_wait", f.key)
				a.GroupWait, _ = w.duration("group_wait", f.value, 0, maxGroupWait)
			},
		},
		{
			keyInfo: keyInfo{
				name: "monitor_silent", value: typeNames, def: "every channel that a site uses", example: "[ops]",
				doc: "The channels that are told when a location sends no more reports, and when it does again.",
			},
			read: func(w *walker, f field, a *sitemon.Alerting) {
				w.once("alerting.monitor_silent", f.key)
				a.MonitorSilent = w.nameList("monitor_silent", f.value, func(name string, n *yaml.Node) bool {
					w.refer(linkChannel, "monitor_silent", name, n)
					return true
				})
				if a.MonitorSilent == nil {
					w.fail(f.value, "monitor_silent is an empty list; leave the key out, or name a channel")
				}
			},
		},
	}, nil)
	o.aliases = map[string]string{
		"channel": "channels", "receivers": "channels", "providers": "channels", "slack": "channels", "discord": "channels", "email": "channels", "telegram": "channels",
		"teams": "channels", "pagerduty": "channels", "webhook": "channels", "custom": "channels", "smtp": "channels", "ntfy": "channels", "gotify": "channels",
		"groupinterval": "group_wait",
	}
	return o
}

// groupTarget is shared by the keys that each say where a channel leads.
const groupTarget = "target"

var channelObject = newChannelObject()

func newChannelObject() *object[sitemon.Channel] {
	o := newObject("a channel", slices.Concat([]key[sitemon.Channel]{
		channelTarget("url", typeText, `"slack://hook:${OPS_SLACK}@webhook"`,
			"A service by the URL that the notification library [shoutrrr](https://shoutrrr.nickfedor.com/) has for it.",
			func(w *walker, n *yaml.Node) { w.out = appendJSON(w.out, w.channelURL(n)) }),
		channelTarget("webhook", typeMapping(webhookObject.info), `{ url: "https://hooks.example.org/sitemon", secret: "${HOOK_SECRET}" }`,
			"An address that gets a POST with JSON.",
			func(w *walker, n *yaml.Node) { webhookObject.read(w, field{value: n}, &struct{}{}) }),
		channelTarget("alertmanager", typeMapping(alertmanagerObject.info), `{ url: "http://alertmanager:9093" }`,
			"A Prometheus Alertmanager.",
			func(w *walker, n *yaml.Node) { alertmanagerObject.read(w, field{value: n}, &struct{}{}) }),
	}, channelKeys()), map[string]string{groupTarget: "one of url, webhook, alertmanager"})
	o.aliases = map[string]string{"target": "url", "address": "url", "uri": "url", "hook": "webhook", "ratelimit": "max_per_minute", "quiet": "quiet_hours", "silence": "quiet_hours"}
	return o
}

// channelTarget is a key that says where a channel leads. The target is stored as
// the canonical JSON that read writes.
func channelTarget(name string, v valueInfo, example, doc string, read func(w *walker, n *yaml.Node)) key[sitemon.Channel] {
	return key[sitemon.Channel]{
		keyInfo: keyInfo{name: name, value: v, example: example, doc: doc, oneOf: groupTarget},
		read: func(w *walker, f field, c *sitemon.Channel) {
			start := len(w.out)
			read(w, f.value)
			target := append(appendJSON([]byte{'{'}, name), ':')
			c.Target = json.RawMessage(append(append(target, w.out[start:]...), '}'))
		},
	}
}

func channelKeys() []key[sitemon.Channel] {
	return []key[sitemon.Channel]{
		{
			keyInfo: keyInfo{name: "fallback", value: typeName, example: "mail", doc: "The channel that gets what this one does not take."},
			read: func(w *walker, f field, c *sitemon.Channel) {
				c.Fallback = w.shortLine("fallback", f.value)
				if c.Fallback != "" {
					w.refer(linkChannel, "fallback", c.Fallback, f.value)
				}
			},
		},
		{
			keyInfo: keyInfo{name: "max_per_minute", value: typeCount(1, maxPerMinute), example: "20", doc: "How many notifications it gets in a minute at most; more of them wait. Without it there is no bound."},
			read: func(w *walker, f field, c *sitemon.Channel) {
				c.MaxPerMinute = w.integer("max_per_minute", f.value, 1, maxPerMinute)
			},
		},
		{
			keyInfo: keyInfo{
				name: "quiet_hours", value: typeList(quietObject.info), example: `{ from: "22:00", to: "07:00", timezone: Europe/Berlin }`,
				doc: "Times of day at which only critical alerts are sent; the others wait until they are over.",
			},
			read: func(w *walker, f field, c *sitemon.Channel) {
				w.items("quiet_hours", f.value, func(n *yaml.Node) {
					var q sitemon.QuietHours
					before := w.faults
					quietObject.read(w, field{value: n}, &q)
					if w.faults == before && q.From == q.To {
						w.fail(n, "quiet_hours from %s to %s are no time; write another end", q.From, q.To)
					}
					c.QuietHours = append(c.QuietHours, q)
				})
			},
		},
	}
}

var quietObject = newObject("quiet_hours", []key[sitemon.QuietHours]{
	{
		keyInfo: keyInfo{name: "from", value: typeText, must: true, example: `"22:00"`, doc: "When they begin, local time."},
		read:    func(w *walker, f field, q *sitemon.QuietHours) { q.From = w.timeOfDay("from", f.value) },
	},
	{
		keyInfo: keyInfo{name: "to", value: typeText, must: true, example: `"07:00"`, doc: "When they end; if that is before `from`, on the next day."},
		read:    func(w *walker, f field, q *sitemon.QuietHours) { q.To = w.timeOfDay("to", f.value) },
	},
	{
		keyInfo: keyInfo{name: "timezone", value: typeText, def: "UTC", example: "Europe/Berlin", doc: "The time zone of both."},
		read:    func(w *walker, f field, q *sitemon.QuietHours) { q.Timezone = w.timezone("timezone", f.value) },
	},
}, nil)

var webhookObject = newObject("webhook", []key[struct{}]{
	channelText(keyInfo{name: "url", must: true, example: "https://hooks.example.org/sitemon", doc: "The address, http or https."}, httpURL),
	channelText(keyInfo{name: "secret", example: `"${HOOK_SECRET}"`, doc: "With it the body is signed: the header `X-SiteMon-Signature` is `sha256=` and its HMAC-SHA256 in hexadecimal."}, filledCredential),
	channelText(keyInfo{name: "template", example: `'{"text": {{json .summary}}}'`, doc: "A Go template of the body. It gets the object that would be sent without it, and the function `json`."}, bodyTemplate),
	{
		keyInfo: keyInfo{name: "headers", value: typeHeaders, example: `{ Authorization: "Bearer ${TOKEN}" }`, doc: "Header fields of the request."},
		read:    func(w *walker, f field, _ *struct{}) { w.headers("headers", f, headerFault) },
	},
}, nil)

var alertmanagerObject = newObject("alertmanager", []key[struct{}]{
	channelText(keyInfo{name: "url", must: true, example: "http://alertmanager:9093", doc: "Its address, without `/api/v2`."}, httpURL),
}, nil)

// channelText is a text of a channel. It is kept in the channel's target only.
func channelText(info keyInfo, read func(w *walker, name string, n *yaml.Node) string) key[struct{}] {
	var text string
	return textKey(info, read, func(*struct{}) *string { return &text })
}

func filledCredential(w *walker, name string, n *yaml.Node) string {
	if isBlank(n) {
		w.fail(n, "%s is empty", name)
	}
	return w.credential(name, n)
}

// bodyTemplate reads a template and checks its form; what it uses is known where it
// is run.
func bodyTemplate(w *walker, name string, n *yaml.Node) string {
	s, ok := w.reference(name, n)
	if !ok {
		return s
	}
	t := parse.New(name)
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(s, "", "", map[string]*parse.Tree{}); err != nil {
		w.fail(n, "template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return s
}

func (w *walker) timeOfDay(name string, n *yaml.Node) string {
	s, ok := w.text(name, n)
	if ok {
		if fault := clockTime(s); fault != "" {
			w.fail(n, "%s: %s", name, fault)
		}
	}
	w.out = appendJSON(w.out, s)
	return s
}

// timezone reads the name of a time zone.
func (w *walker) timezone(name string, n *yaml.Node) string {
	s, ok := w.line(name, n)
	if _, err := time.LoadLocation(s); ok && (err != nil || s == "" || s == "Local") {
		w.fail(n, "%s: %s is no time zone; write a name such as Europe/Berlin or UTC", name, quote(s))
	}
	w.out = appendJSON(w.out, s)
	return s
}

// channelsOf reads the channels of one file.
func (w *walker) channelsOf(n *yaml.Node, a *sitemon.Alerting) {
	m := deref(n)
	if m.Kind != yaml.MappingNode {
		w.fail(n, "channels must be a mapping of names and channels, as in { ops: { url: \"${OPS_URL}\" } }, not %s", describe(m))
		return
	}
	w.sending = true
	defer func() { w.sending = false }()
	for _, f := range w.pairs(m, nil) {
		name := w.shortLine("the name of a channel", f.key)
		if name == "" {
			continue
		}
		w.once("alerting.channels."+name, f.key)
		c := sitemon.Channel{Name: name}
		channelObject.read(w, field{value: f.value}, &c)
		w.channels = append(w.channels, channelAt{name, c.Fallback, w.at(f.key)})
		a.Channels = append(a.Channels, c)
	}
}
