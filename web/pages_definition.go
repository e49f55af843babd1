package web

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sitemon"
)

// definitionView is a site's definition on its page.
type definitionView struct {
	Source     string
	Generation int64
	Own        []definitionRow
	Defaults   []definitionRow
	History    []definitionEdit
	// Unplaced: it is not known where the values are written.
	Unplaced bool
}

// DefaultsText counts the keys that have their defaults.
func (v *definitionView) DefaultsText() string { return plural(len(v.Defaults), "key") }

// definitionRow is a key with its value.
type definitionRow struct {
	Key, Value string
	From       string // "site", "defaults", in words
	Where      string // "sites.yaml:12:5", "" where it is in no file
}

// definitionEdit is a reload that changed the site.
type definitionEdit struct {
	At         timeView
	Generation int64
	Text       string // "Added", "Changed"
	Keys       []sitemon.KeyChange
}

// originWords say where values come from.
var originWords = map[sitemon.DefinitionOrigin]string{
	sitemon.FromSite: "the site", sitemon.FromDefaults: "defaults", sitemon.FromAnchor: "an anchor",
	sitemon.FromScanInterval: "SCAN_INTERVAL", sitemon.FromProgram: "the program", sitemon.FromTable: "the table sites",
	sitemon.FromUnknown: "–",
}

// leadingKeys come first, as everybody looks for them.
var leadingKeys = []string{"name", "url", "group", "tags", "enabled", "interval", "timeout"}

// definitionView reads what a site's page says of its definition, nil for nothing.
func (s *Server) definitionView(ctx context.Context, name string, changes []definitionChange) (*definitionView, error) {
	d, err := s.definitionOf(ctx, name)
	if err != nil || d == nil {
		return nil, err
	}
	v := &definitionView{Source: d.Source, Generation: d.Generation}
	for _, k := range d.Keys {
		row := definitionRow{Key: k.Key, Value: valueText(k.Value), From: originWords[k.From]}
		if k.Line > 0 {
			row.Where = fmt.Sprintf("%s:%d:%d", k.File, k.Line, k.Column)
		}
		if k.From == sitemon.FromProgram {
			v.Defaults = append(v.Defaults, row)
			continue
		}
		v.Unplaced = v.Unplaced || k.From == sitemon.FromUnknown
		v.Own = append(v.Own, row)
	}
	slices.SortStableFunc(v.Own, func(a, b definitionRow) int { return leading(a.Key) - leading(b.Key) })
	for _, c := range changes {
		v.History = append(v.History, definitionEdit{newTimeView(c.reload.At), c.reload.Generation, capital(c.kind), c.values()})
	}
	return v, nil
}

// leading is where a key stands before the others.
func leading(key string) int {
	if i := slices.Index(leadingKeys, key); i >= 0 {
		return i
	}
	return len(leadingKeys)
}

// values are what became of the keys that changed; of an older reload their names
// alone.
func (c definitionChange) values() []sitemon.KeyChange {
	if len(c.change) > 0 {
		return c.change
	}
	var keys []sitemon.KeyChange
	for _, k := range c.keys {
		keys = append(keys, sitemon.KeyChange{Key: k})
	}
	return keys
}

// text is the change in a line: "definition changed: interval, timeout".
func (c definitionChange) text() string {
	switch c.kind {
	case "added":
		return "added to the sites file"
	case "removed":
		return "removed from the sites file"
	}
	return "definition changed: " + shortened(strings.Join(c.keys, ", "), 80)
}
