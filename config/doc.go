// Package config reads what people write: the sites document (sites.yaml, or a
// folder of such files) and the daemon's own settings. It also watches the
// document for changes.
//
// A document is read in one strict walk over its YAML nodes: [Parse] begins it
// (sites.go), walker.site reads each site (document.go), walker.sections the
// channels and maintenances (sections.go). Names that stand for something are looked
// up at the end (links.go). One table of keys (siteObject in keys_site.go,
// sectionKeys, and the objects that they lead to) says what there can be; the walk, its "did you mean", the JSON Schema ([Schema]) and
// docs/sites-file.md are made from it or held to it by tests. Every fault of a
// document is found in one run, each with file, line and column:
//
//	files, err := config.ReadSites("sites.yaml")
//	…
//	doc, warnings, err := config.Parse(files, config.ParseOptions{Lookup: os.LookupEnv})
//	if problems, ok := errors.AsType[sitemon.Problems](err); ok {
//		… // one a line: sites.yaml:4:15: interval: 30 has no unit: write 30s …
//	}
//
// References such as ${TOKEN} are checked by Parse, stored as they are, and
// expanded only to probe, by an [Expander].
//
// The settings are gathered by [Load] (settings_load.go); one table of options says
// where each can be set (settings_options.go).
package config
