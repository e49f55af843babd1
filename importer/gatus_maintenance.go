package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// firstDay is a day from which on what comes again counts.
var firstDay = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// gatusMaintenance takes a time of maintenance; without sites it is for all.
func (r *Result) gatusMaintenance(where string, m mapping, sites []string) {
	on := m.flag("enabled", len(m) > 0)
	start := m.text("start")
	if !on || start == "" {
		return
	}
	length, ok := duration(m.text("duration"))
	at, err := time.Parse("15:04", start)
	if !ok || err != nil {
		r.lose(where, "its maintenance at %s has no start or no duration that can be read", start)
		return
	}
	day, rule := firstDay, ""
	if days := m.texts("every"); len(days) > 0 {
		for !slices.Contains(days, day.Weekday().String()) && day.Before(firstDay.AddDate(0, 0, 7)) {
			day = day.AddDate(0, 0, 1)
		}
		var short []string
		for _, d := range days {
			short = append(short, strings.ToUpper(d[:min(2, len(d))]))
		}
		rule = "FREQ=WEEKLY;BYDAY=" + strings.Join(short, ",")
	}
	title := "Maintenance"
	if len(sites) > 0 {
		title += " of " + sites[0]
	}
	keys := []Key{{"start", day.Format(time.DateOnly) + "T" + at.Format("15:04:05")}, {"duration", span(length)}}
	if zone := m.text("timezone"); zone != "" {
		keys = append(keys, Key{"timezone", zone})
	}
	if rule != "" {
		keys = append(keys, Key{"rrule", rule})
	} else {
		keys = append(keys, Key{"every", "day"})
	}
	if len(sites) > 0 {
		keys = append(keys, Key{"sites", sites})
	}
	r.leftover(where, m, "of its maintenance is not carried over")
	r.Maintenances = append(r.Maintenances, Maintenance{fmt.Sprintf("%s, %s", title, start), keys})
}

// gatusWindows takes the times of maintenance of one site.
func (r *Result) gatusWindows(windows []any) {
	if len(r.Sites) == 0 {
		return
	}
	site := r.Sites[len(r.Sites)-1].Name
	for _, w := range windows {
		r.gatusMaintenance(site, asMapping(w), []string{site})
	}
}
