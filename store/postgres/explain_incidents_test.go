package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// fillIncidents makes a fleet with a long past of incidents.
func fillIncidents(t *testing.T, db *DB, now time.Time) sitemon.Document {
	t.Helper()
	doc := sitemon.Document{Source: "sites.yaml", Hash: "one"}
	var reports []sitemon.Report
	for i := range 2000 {
		name := fmt.Sprintf("site-%04d", i)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://example.org/", Kind: sitemon.KindHTTP, Enabled: true, Interval: time.Minute,
			Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q}`, name),
		})
		reports = append(reports, sitemon.Report{
			Site: name, Location: "default", Slot: now, Interval: time.Minute, Outcome: sitemon.OutcomeUp, Duration: time.Millisecond,
		})
	}
	if _, _, err := db.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Record(t.Context(), reports); err != nil {
		t.Fatal(err)
	}
	if _, err := db.DeriveIncidents(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	past := fmt.Sprintf("generate_series(timestamptz '%s', timestamptz '%s', interval '1 day') t",
		now.Add(-20*day).Format(time.RFC3339), now.Add(-day).Format(time.RFC3339))
	for _, sql := range []string{
		`INSERT INTO incidents (site_id, started_at, confirmed_at, ended_at, settled_at, ended_by, reason, error, locations, told, reports, changed_at)
SELECT id, t, t, t + interval '5 minutes', t + interval '5 minutes', 'recovered', 'status', '', '["default"]', '[]', 5, t FROM site_names, ` + past,
		"INSERT INTO incident_events (incident_id, at, kind) SELECT id, started_at, 'comment' FROM incidents",
		"INSERT INTO site_evidence (site_location_id, slot, evidence) SELECT id, t, '{}' FROM site_locations, " + past,
		`INSERT INTO site_maintenance (site_id, "from", "to", title) SELECT id, t, t + interval '1 hour', 'works' FROM site_names, ` + past,
	} {
		if _, err := db.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.pool.Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
	return doc
}

// scanned lists the tables, of some, that a plan reads as a whole.
func (n node) scanned(tables []string) (scans []string) {
	if n.Type == "Seq Scan" && slices.Contains(tables, n.Table) {
		scans = append(scans, n.Table)
	}
	for _, p := range n.Plans {
		scans = append(scans, p.scanned(tables)...)
	}
	return scans
}

// What is done each second, and what is asked of incidents, does not depend on how
// many there are.
func TestIncidentPlans(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 32, 0, 0, time.UTC)
	var c clock
	c.set(now)
	db, traced := openTraced(t, c.now)
	doc := fillIncidents(t, db, now)
	ctx := t.Context()
	tell := func(o sitemon.Outcome, after time.Duration) error {
		c.set(now.Add(after))
		_, err := db.Record(ctx, []sitemon.Report{{
			Site: "site-0001", Location: "default", Slot: now.Add(after), Interval: time.Minute, Outcome: o,
			Reason: sitemon.ReasonStatus, Evidence: "{}",
		}})
		return err
	}
	derive := func() error { _, err := db.DeriveIncidents(ctx, c.now()); return err }
	open := true
	list := func(q sitemon.IncidentQuery) func() error {
		return func() error { _, _, err := db.Incidents(ctx, q); return err }
	}
	tables := []string{
		"incidents", "incident_events", "site_evidence", "site_maintenance", "site_status", "site_locations", "site_plans",
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"nothing to derive", derive},
		{"tick", func() error { _, err := db.Tick(ctx, now); return err }},
		{"maintain", func() error { return db.Maintain(ctx, now) }},
		{"down", func() error { return tell(sitemon.OutcomeDown, time.Minute) }},
		{"an incident begins", derive},
		{"down for longer", func() error { return tell(sitemon.OutcomeDown, 2*time.Minute) }},
		{"a reload", func() error {
			doc.Sites[1].Definition = []byte(`{"name":"site-0001","group":"x"}`)
			_, _, err := db.SyncSites(ctx, doc)
			return err
		}},
		{"a page", list(sitemon.IncidentQuery{Limit: 20})},
		{"a site's", list(sitemon.IncidentQuery{Site: "site-0001"})},
		{"open ones", list(sitemon.IncidentQuery{Open: &open})},
		{"of a day", list(sitemon.IncidentQuery{From: now.Add(-9 * day), To: now.Add(-8 * day), Limit: 20})},
		{"one", func() error { _, err := db.Incident(ctx, 7); return err }},
		{"a comment", func() error { _, err := db.CommentIncident(ctx, 7, "ann", "words"); return err }},
		{"up", func() error { return tell(sitemon.OutcomeUp, 3*time.Minute) }},
		{"an incident ends", derive},
	} {
		t.Run(step.name, func(t *testing.T) {
			traced.taken()
			if err := step.run(); err != nil {
				t.Fatal(err)
			}
			ran := traced.taken()
			for _, s := range ran {
				if scans := explain(t, db, s).scanned(tables); len(scans) > 0 {
					t.Errorf("reads %v as a whole:\n%s", scans, s.sql)
				}
			}
		})
	}
}

// filtered is how many reports a plan reads and leaves out, of each partition.
func (n node) filtered() (rows float64) {
	if strings.HasPrefix(n.Table, "site_reports_") {
		rows = n.Left
	}
	for _, p := range n.Plans {
		rows += p.filtered()
	}
	return rows
}
