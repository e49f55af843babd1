package config

import (
	"errors"
	"time"

	"go.yaml.in/yaml/v3"

	"sitemon"
	"sitemon/maintenance"
)

// maintenanceDraft is an entry of maintenance while it is read.
type maintenanceDraft struct {
	m  sitemon.Maintenance
	at map[string]*yaml.Node // where keys have their values
}

// maxMaintenances bounds how many a document has.
const maxMaintenances = 1000

// groupRule is shared by the keys that say how a maintenance comes again.
const groupRule = "rule"

// everyRules are the rules that the words of `every` stand for.
var everyRules = []struct{ word, rule string }{{"day", "FREQ=DAILY"}, {"week", "FREQ=WEEKLY"}, {"month", "FREQ=MONTHLY"}, {"year", "FREQ=YEARLY"}}

var maintenanceObject = newMaintenanceObject()

func newMaintenanceObject() *object[maintenanceDraft] {
	covers := func(name string, kind linkKind, example, doc string, in func(*sitemon.Maintenance) *[]string) key[maintenanceDraft] {
		return key[maintenanceDraft]{
			keyInfo: keyInfo{name: name, value: typeNames, example: example, doc: doc},
			read: func(w *walker, f field, d *maintenanceDraft) {
				*in(&d.m) = w.nameList(name, f.value, func(s string, n *yaml.Node) bool { w.refer(kind, "maintenance."+name, s, n); return true })
				if *in(&d.m) == nil {
					w.fail(f.value, "%s is an empty list; leave the key out, or write an entry", name)
				}
			},
		}
	}
	o := newObject("an entry of maintenance", append(maintenanceKeys(),
		covers("sites", linkSite, "[docs]", "The sites that it is for, by name. Without `sites`, `groups` and `tags` it is for all of the document.", func(m *sitemon.Maintenance) *[]string { return &m.Sites }),
		covers("groups", linkGroup, "[public]", "The groups whose sites it is for.", func(m *sitemon.Maintenance) *[]string { return &m.Groups }),
		covers("tags", linkTag, "[database]", "The tags whose sites it is for.", func(m *sitemon.Maintenance) *[]string { return &m.Tags }),
	), nil)
	o.aliases = map[string]string{
		"name": "title", "description": "title", "from": "start", "begin": "start", "startsat": "start", "length": "duration", "for": "duration", "tz": "timezone", "zone": "timezone",
		"rule": "rrule", "recurrence": "rrule", "repeat": "every", "site": "sites", "group": "groups", "tag": "tags", "endpoints": "sites",
	}
	return o
}

func maintenanceKeys() []key[maintenanceDraft] {
	text := func(info keyInfo, in func(*sitemon.Maintenance) *string) key[maintenanceDraft] {
		info.value = typeText
		return key[maintenanceDraft]{keyInfo: info, read: func(w *walker, f field, d *maintenanceDraft) {
			d.at[info.name] = f.value
			s, _ := w.line(info.name, f.value)
			w.out = appendJSON(w.out, s)
			*in(&d.m) = s
		}}
	}
	return []key[maintenanceDraft]{
		{
			keyInfo: keyInfo{name: "title", value: typeName, must: true, example: "Upgrade", doc: "What it is, as it is shown: 1 to 200 characters."},
			read:    func(w *walker, f field, d *maintenanceDraft) { d.m.Title = w.shortLine("title", f.value) },
		},
		text(keyInfo{name: "start", must: true, example: "2026-12-06T22:00:00", doc: "The local time at which it begins; with a rule, the earliest one, and the time of day of all."},
			func(m *sitemon.Maintenance) *string { return &m.Start }),
		{
			keyInfo: keyInfo{name: "duration", value: typeDuration, must: true, example: "2h", doc: "How long it takes, from 1m to 366d; one that comes again at most 31d."},
			read: func(w *walker, f field, d *maintenanceDraft) {
				d.at["duration"] = f.value
				d.m.Duration, _ = w.duration("duration", f.value, time.Minute, maxDuration)
			},
		},
		text(keyInfo{name: "timezone", def: "UTC", example: "Europe/Berlin", doc: "The time zone of `start`. Each occurrence has the same local time, in summer and in winter. A time that the clock skips comes as much later as the clock skips; one that comes twice is the first."},
			func(m *sitemon.Maintenance) *string { return &m.Timezone }),
		text(keyInfo{name: "rrule", oneOf: groupRule, example: `"FREQ=WEEKLY;BYDAY=SU"`, doc: "When it comes again: a recurrence rule of iCalendar (RFC 5545). Only times of the rule count, so `start` itself is one only if the rule has it. Hourly is the most. Without `rrule` and `every` it comes once."},
			func(m *sitemon.Maintenance) *string { return &m.RRule }),
		{
			keyInfo: keyInfo{name: "every", value: typeWords("day", "week", "month", "year"), oneOf: groupRule, example: "week", doc: "The short form of the simplest rules. A month without the day of `start` is left out."},
			read: func(w *walker, f field, d *maintenanceDraft) {
				if i := w.choice("every", f.value, "day", "week", "month", "year"); i >= 0 {
					d.m.RRule = everyRules[i].rule
				}
			},
		},
	}
}

// maintenances reads the section maintenance of one file.
func (w *walker) maintenances(n *yaml.Node) {
	if v := deref(n); v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		return
	}
	w.items("maintenance", n, func(n *yaml.Node) {
		if len(w.maintenance) == maxMaintenances {
			w.fail(n, "there are more than %d maintenances", maxMaintenances)
			return
		}
		d := maintenanceDraft{at: map[string]*yaml.Node{}}
		before := w.faults
		maintenanceObject.read(w, field{value: n}, &d)
		if w.faults == before && w.checkMaintenance(&d) {
			w.maintenance = append(w.maintenance, d.m)
		}
	})
}

// checkMaintenance judges the times of a maintenance, and brings its start into
// form.
func (w *walker) checkMaintenance(d *maintenanceDraft) bool {
	window, err := maintenance.Parse(d.m)
	if fault, ok := errors.AsType[*maintenance.Error](err); ok {
		w.fail(d.at[fault.Key], "%s: %s", fault.Key, fault.Message)
		return false
	}
	d.m.Start, _ = maintenance.ParseStart(d.m.Start)
	once := d.m
	once.RRule = ""
	if start, err := maintenance.Parse(once); err == nil && !start.First().Start.Equal(window.First().Start) {
		zone, _ := time.LoadLocation(d.m.Timezone) // "" is UTC; Parse has found it
		w.warn(d.at["start"], "start is no time of the rule; the first one is %s", window.First().Start.In(zone).Format("2006-01-02T15:04:05"))
	}
	return true
}
