package config

import (
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

const (
	maxRetries       = 10
	maxRetryInterval = time.Hour
	// defaultRetryInterval is the time between two attempts.
	defaultRetryInterval = time.Second
	maxQuorum            = 100
	minSLOWindow         = time.Hour
	maxSLOWindow         = 366 * 24 * time.Hour
	defaultSLOWindow     = 30 * 24 * time.Hour
)

// retryKeys say how often a failed probe is made again within its slot, and from
// where a site is probed.
func retryKeys() []key[draft] {
	return []key[draft]{
		{
			keyInfo: keyInfo{
				name: "retries", value: typeCount(0, maxRetries), def: "0", example: "2",
				doc: "How many further attempts a failed probe gets within its slot, from 0 to 10. The last attempt's result is the slot's one report. Each attempt has the `timeout`, and all of them end before the site's next slot: one that would have less than half of its timeout until then is left out.",
			},
			read: func(w *walker, f field, d *draft) {
				start := len(w.out)
				d.site.Retries = w.integer("retries", f.value, 0, maxRetries)
				w.leaveOut(start, d.site.Retries == 0)
			},
		},
		{
			keyInfo: keyInfo{
				name: "retry_interval", value: typeDuration, def: "1s", example: "500ms",
				doc: "The time between two attempts, at most 1h; 0s for none.",
			},
			read: func(w *walker, f field, d *draft) {
				start := len(w.out)
				d.retry = f
				d.site.RetryInterval, _ = w.duration("retry_interval", f.value, 0, maxRetryInterval)
				w.leaveOut(start, d.site.RetryInterval == defaultRetryInterval)
			},
		},
		{
			keyInfo: keyInfo{
				name: "locations", value: typeTags, def: "all", example: "[fra, nyc]",
				doc: "From where the site is probed: the `--location`s of the monitors. An empty list takes those of `defaults` away.",
			},
			read: func(w *walker, f field, d *draft) {
				d.site.Locations = w.nameList("locations", f.value, func(string, *yaml.Node) bool { return true })
			},
		},
		{
			keyInfo: keyInfo{
				name: "quorum", value: typeQuorum, def: "1", example: "majority",
				doc: "How many locations have to say down before the site is: a number, or `majority` for more than half of those that are known at the moment.",
			},
			read: func(w *walker, f field, d *draft) {
				start := len(w.out)
				d.quorum, d.site.Quorum = f, w.quorum(f.value)
				w.leaveOut(start, d.site.Quorum == 1)
			},
		},
	}
}

// ruleKeys say what follows from a site's status.
func ruleKeys() []key[draft] {
	return []key[draft]{
		{
			keyInfo: keyInfo{
				name: "depends_on", value: typeTags, part: partRules, example: "[router]",
				doc: "The sites without which this one can't work, of the same document. While one of them is down, alerts of this one are held back and its incidents point to it. A site that `defaults` would let depend on itself does not. An empty list takes those of `defaults` away.",
			},
			read: func(w *walker, f field, d *draft) { w.dependsOn(f, d) },
		},
		{
			keyInfo: keyInfo{
				name: "slo", value: typeMapping(sloObject.info), part: partRules, example: "{ target: 99.9 }",
				doc: "A promised availability. Its alerts tell when the error budget burns too fast.",
			},
			read: func(w *walker, f field, d *draft) {
				d.rules.SLO = &sitemon.SLO{Window: defaultSLOWindow}
				sloObject.read(w, f.alone(), d.rules.SLO)
			},
		},
		{
			keyInfo: keyInfo{
				name: "alerts", value: typeShortList(alertObject.info), part: partRules, example: "[{ to: ops, reminder_interval: 4h }]",
				doc: "To whom trouble of the site is told, and how. `alerts: ops` is the short form of `alerts: [{ to: ops }]`. An empty list takes those of `defaults` away.",
			},
			read: func(w *walker, f field, d *draft) { d.rules.Alerts = w.alerts(f.value) },
		},
	}
}

var sloObject = newObject("slo", []key[sitemon.SLO]{
	{
		keyInfo: keyInfo{
			name: "target", value: typePercent, must: true, example: "99.9",
			doc: "The promised availability in percent: above 0 and below 100.",
		},
		read: func(w *walker, f field, s *sitemon.SLO) { s.Target = w.percent("target", f.value) },
	},
	{
		keyInfo: keyInfo{
			name: "window", value: typeDuration, def: "30d", example: "7d",
			doc: "The time that it is about, ending now: from 1h to 366d.",
		},
		read: func(w *walker, f field, s *sitemon.SLO) {
			start := len(w.out)
			s.Window, _ = w.duration("window", f.value, minSLOWindow, maxSLOWindow)
			w.leaveOut(start, s.Window == defaultSLOWindow)
		},
	},
}, nil)

var (
	typeQuorum  = valueInfo{name: "number or majority", schema: schema{"anyOf": []schema{{"type": "integer", "minimum": 1, "maximum": maxQuorum}, {"enum": []string{"majority"}}}}}
	typePercent = valueInfo{name: "number", schema: schema{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}}
)

// leaveOut takes back what was written since start, if it is what holds without it
// too.
func (w *walker) leaveOut(start int, isDefault bool) {
	if isDefault {
		w.out = w.out[:start]
	}
}

func (w *walker) quorum(n *yaml.Node) sitemon.Quorum {
	v := deref(n)
	if v.Kind != yaml.ScalarNode || v.Tag != "!!str" {
		return sitemon.Quorum(w.integer("quorum", n, 1, maxQuorum))
	}
	if _, err := strconv.Atoi(v.Value); err == nil {
		w.fail(n, "quorum must be a number, not a text; take out the quotes")
		return 1
	}
	if v.Value != "majority" {
		w.fail(n, "quorum must be a number or majority, not %s", quote(v.Value))
	}
	w.out = appendJSON(w.out, v.Value)
	return sitemon.Majority
}

// percent reads a number above 0 and below 100.
func (w *walker) percent(name string, n *yaml.Node) float64 {
	before := w.faults
	p := w.number(name, n)
	switch {
	case w.faults > before:
	case p <= 0 || p >= 100:
		w.fail(n, "%s must be above 0 and below 100 percent, not %s", name, deref(n).Value)
	case p < 1:
		w.fail(n, "%s is in percent, and %s is less than one; 0.999 is written 99.9", name, deref(n).Value)
	}
	return p
}

// nameList reads a list of names, each once, of which keep takes those that count.
// An empty one is none, and says nothing.
func (w *walker) nameList(key string, n *yaml.Node, keep func(name string, n *yaml.Node) bool) []string {
	start := len(w.out)
	if v := deref(n); v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	w.items(key, n, func(n *yaml.Node) {
		name := w.shortLine(key, n)
		if name != "" && seen[name] {
			w.fail(n, "%s: %s is there twice", key, quote(name))
		}
		seen[name] = true
		if name != "" && keep(name, n) {
			names = append(names, name)
		}
	})
	w.out = w.out[:start]
	if names != nil {
		w.out = appendNames(w.out, names)
	}
	return names
}

func appendNames(b []byte, names []string) []byte {
	b = append(b, '[')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, name)
	}
	return append(b, ']')
}

func (w *walker) dependsOn(f field, d *draft) {
	d.rules.DependsOn = w.nameList("depends_on", f.value, func(name string, n *yaml.Node) bool {
		if name == w.self && f.inherited {
			return false
		}
		if name == w.self {
			w.fail(n, "depends_on: a site can't depend on itself")
		}
		w.refer(linkSite, "depends_on", name, n)
		return true
	})
	d.parents = f
}
