package postgres

import (
	"testing"
	"time"

	"sitemon"
)

// A process that has not heard yet that another one deleted reports before their time
// derives no incident from what is left of them.
func TestShrinkBesideOthers(t *testing.T) {
	c, end := &clock{}, testEpoch.Add(3*day)
	c.set(end)
	dbs := openSame(t, 2, c)
	first, second := dbs[0], dbs[1]
	doc := sitemon.Document{Source: "test", Sites: []sitemon.Site{{Name: "a", URL: "http://a.invalid/", Kind: "http", Enabled: true, Interval: 10 * time.Minute, Timeout: time.Second}}}
	c.set(testEpoch.Add(-time.Hour))
	if _, _, err := first.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	c.set(end)
	report := func(at time.Time) sitemon.Report {
		r := sitemon.Report{Site: "a", Location: "default", Slot: at, Interval: 10 * time.Minute, Outcome: sitemon.OutcomeUp}
		if since := at.Sub(testEpoch); since >= time.Hour && since < 3*time.Hour {
			r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, "connect_refused", "connection refused"
		}
		return r
	}
	var reports []sitemon.Report
	for at := testEpoch; at.Before(end); at = at.Add(10 * time.Minute) {
		reports = append(reports, report(at))
	}
	if _, err := first.Record(t.Context(), reports); err != nil {
		t.Fatal(err)
	}
	incident := func(db *DB) (found sitemon.Incident) {
		t.Helper()
		if _, err := db.DeriveIncidents(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		list, _, err := db.Incidents(t.Context(), sitemon.IncidentQuery{Site: "a"})
		if err != nil || len(list) != 1 {
			t.Fatalf("got %d incidents, %v; want 1: %+v", len(list), err, list)
		}
		return list[0]
	}
	before := incident(first)
	first.maxSize = 1
	if err := first.Retain(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if second.cut.Load() == first.cut.Load() {
		t.Fatal("the second store knows of the cut already: the test tells nothing")
	}
	if _, err := second.Record(t.Context(), []sitemon.Report{report(testEpoch.Add(2*time.Hour + 5*time.Minute))}); err != nil {
		t.Fatal(err)
	}
	after := incident(second)
	if after.ID != before.ID || !after.StartedAt.Equal(before.StartedAt) || !after.EndedAt.Equal(before.EndedAt) {
		t.Errorf("the incident was %+v and is %+v", before, after)
	}
	if after := incident(second); after.Reports < before.Reports {
		t.Errorf("the incident had %d failed reports and has %d", before.Reports, after.Reports)
	}
}

// What others keep in the same database is no reason to delete reports.
func TestShrinkCountsItsOwn(t *testing.T) {
	c := &clock{}
	c.set(testEpoch)
	db := openSame(t, 1, c)[0]
	size := func() int64 {
		t.Helper()
		use, err := shrinking{db, func() error { return nil }}.Use(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return use.Size
	}
	before := size()
	_, err := db.pool.Exec(t.Context(), "CREATE SCHEMA others; CREATE TABLE others.files AS SELECT repeat(md5(n::text), 50) AS content FROM generate_series(1, 5000) AS n")
	if err != nil {
		t.Fatal(err)
	}
	if after := size(); before == 0 || after != before {
		t.Errorf("a table of others makes %d bytes of %d", after, before)
	}
}
