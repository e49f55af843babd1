package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// section is a key at the top of a file that is looked at once all files are read.
type section struct {
	file       string
	key, value *yaml.Node
}

// sectionKeys are the sections beside the sites.
var sectionKeys = []keyInfo{
	{
		name: "alerting", value: typeMapping(alertingObject.info),
		doc: "How alerts are delivered. Which sites have some, their key `alerts` says.",
	},
	{
		name: "maintenance", value: valueInfo{name: "list of mappings", mapping: maintenanceObject.info, list: true, empty: true},
		doc: "Times in which sites may be down: they are shown as in maintenance, nobody is alarmed, and availability leaves that time out.",
	},
	{
		name: "status_pages", value: valueInfo{name: "list of mappings", mapping: statusPageObject.info, list: true, empty: true},
		doc: "Pages for the people who use the sites: how they are and were, without what is nobody's business.",
	},
}

// sections walks what the files have beside sites and defaults.
func (w *walker) sections() {
	w.alerting.GroupWait = defaultGroupWait
	for _, s := range w.beside {
		w.file, w.out = s.file, w.out[:0]
		switch s.key.Value {
		case "alerting":
			alertingObject.read(w, field{value: s.value}, &w.alerting)
		case "maintenance":
			w.maintenances(s.value)
		case "status_pages":
			w.statusPages(s.value)
		}
	}
	slices.SortFunc(w.alerting.Channels, func(a, b sitemon.Channel) int { return strings.Compare(a.Name, b.Name) })
}
