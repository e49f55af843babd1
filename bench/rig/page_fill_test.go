package main

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/sqlite"
)

// A copied past is that of its original: reports, sums, incidents and status.
func TestCopyPast(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "sitemon.db")
	fleet := demoFleet(4)
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	past := history{from: now.Add(-3 * day), to: now, interval: time.Minute, keep: rawDays * day, step: day}
	if err := past.record(ctx, path, fleet[:2]); err != nil {
		t.Fatal(err)
	}
	past.from = now
	if err := past.record(ctx, path, fleet); err != nil {
		t.Fatal(err)
	}
	if err := copyPast(ctx, path, fleet, 2); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	read := func(site string) (seen []any) {
		t.Helper()
		reports, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: site, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range reports {
			reports[i].Site = ""
		}
		shown, err := db.Availability(ctx, availability.Query{Site: site, From: past.from.Add(-3 * day), To: now, Step: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		state, err := db.Site(ctx, site)
		if err != nil {
			t.Fatal(err)
		}
		incidents, _, err := db.Incidents(ctx, sitemon.IncidentQuery{Site: site, Limit: 100})
		if err != nil || len(reports) < 1000 {
			t.Fatalf("%s has %d reports; %v", site, len(reports), err)
		}
		return []any{reports, shown, state.Status, state.Since, len(incidents)}
	}
	for i, s := range fleet[2:] {
		if !reflect.DeepEqual(read(s.name), read(fleet[i].name)) {
			t.Errorf("the past of %s is not that of %s", s.name, fleet[i].name)
		}
	}
	if reflect.DeepEqual(read(fleet[0].name), read(fleet[1].name)) {
		t.Error("all have the same past")
	}
}
