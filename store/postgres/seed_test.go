package postgres_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// originalTables are those of the original system, with some rows. Its times are
// those of Berlin.
const originalTables = `
CREATE TABLE sites (id serial PRIMARY KEY, name varchar(300), enabled boolean DEFAULT true, test_url text NOT NULL, regex text);
CREATE TABLE site_status (site_id integer PRIMARY KEY REFERENCES sites (id), reachable boolean, latency real, status_code integer,
 content_valid boolean, last_update timestamp(0));
CREATE TABLE site_reports (site_id integer REFERENCES sites (id), "timestamp" timestamp(0), reachable boolean, status_code integer,
 content_valid boolean, latency real, PRIMARY KEY (site_id, "timestamp"));
INSERT INTO sites (id, name, enabled, test_url, regex) VALUES
 (1, 'docs', true, 'https://docs.example.org/', 'Welcome'), (2, 'docs', true, 'https://docs.example.net/', NULL),
 (3, 'docs (2)', NULL, 'https://docs.example.com/', ''), (5, NULL, false, 'https://nobody.example.org/', NULL),
 (7, repeat('ä', 300), true, 'https://long.example.org/', '(?<=look)around');
SELECT setval('sites_id_seq', 7);
INSERT INTO site_status VALUES (1, true, 0.5, 200, true, '2026-11-24 10:59:30');
INSERT INTO site_reports SELECT 1, '2026-11-24 10:00:00'::timestamp + i * interval '30 s', i <> 100, CASE WHEN i <> 100 THEN 200 END,
 CASE WHEN i <> 100 THEN i < 110 END, CASE WHEN i <> 100 THEN 0.25 END FROM generate_series(0, 119) i;
INSERT INTO site_reports VALUES (1, '2026-10-24 10:00:00', true, 200, true, 1), -- beyond the retention
 (2, '2026-10-25 02:30:00', true, 99999, NULL, 'NaN'), (2, '2026-10-26 12:00:00', false, NULL, NULL, NULL);
`

func TestOriginalSystemIsTakenOver(t *testing.T) {
	dsn := testkit.Postgres(t)
	side := connect(t, dsn)
	execute(t, side, originalTables)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	opts := postgres.Options{Clock: func() time.Time { return now }, SeedZone: berlin, Retention: 31 * 24 * time.Hour}
	db := open(t, dsn, opts)
	ctx := t.Context()
	adopted, err := db.Adopt(ctx, func(row postgres.HandRow) (sitemon.Site, error) {
		if _, err := regexp.Compile(row.Regex); err != nil {
			return sitemon.Site{}, err
		}
		return sitemon.Site{
			Name: row.Name, URL: row.URL, Kind: sitemon.KindHTTP, Enabled: row.Enabled, Interval: 30 * time.Second, Timeout: 10 * time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q,"url":%q}`, row.Name, row.URL),
		}, nil
	})
	if err != nil || adopted != 4 {
		t.Fatalf("took up %d sites: %v", adopted, err)
	}
	long := strings.Repeat("ä", 200)
	for _, c := range []struct {
		id   int64
		name string
	}{{1, "docs"}, {2, "docs (3)"}, {3, "docs (2)"}, {5, "site"}, {7, long}} {
		name, _, err := db.SeedSite(ctx, c.id)
		if err != nil || name != c.name {
			t.Errorf("site %d is %q, want %q: %v", c.id, name, c.name, err)
		}
	}
	if _, _, err := db.SeedSite(ctx, 4); !errors.Is(err, sitemon.ErrNotFound) {
		t.Errorf("a site that never was: %v, want ErrNotFound", err)
	}
	define(t, db, "one more")
	var id int64
	if err := side.QueryRow(ctx, "SELECT id FROM site_names WHERE name = 'one more'").Scan(&id); err != nil || id != 8 {
		t.Errorf("the id of a site of our own: %d, %v", id, err)
	}
	if _, _, err := db.SeedSite(ctx, id); !errors.Is(err, sitemon.ErrNotFound) {
		t.Errorf("a site of our own: %v, want ErrNotFound", err)
	}
	s, err := db.Site(ctx, "docs")
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 24, 9, 55, 0, 0, time.UTC)
	if s.Status != sitemon.StatusDown || !s.Since.Equal(since) || s.Reason != sitemon.ReasonBody || s.LastReport == nil {
		t.Errorf("docs is %s since %s, %s", s.Status, s.Since, s.Reason)
	}
	verifyTakenReports(t, db)
	var kept int
	if err := side.QueryRow(ctx, "SELECT count(*) FROM site_reports_before_go").Scan(&kept); err != nil || kept != 123 {
		t.Errorf("%d old rows are kept: %v", kept, err)
	}
	again := open(t, dsn, opts)
	if list, err := again.Sites(ctx, sitemon.SiteQuery{}); err != nil || len(list) != 5 {
		t.Errorf("%d sites after the second start: %v", len(list), err)
	}
}

func verifyTakenReports(t *testing.T, db *postgres.DB) {
	t.Helper()
	docs, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: "docs", Limit: 1000})
	if err != nil || len(docs) != 120 {
		t.Fatalf("%d reports of docs: %v", len(docs), err)
	}
	slot := func(i int) time.Time {
		return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).Add(time.Duration(i) * 30 * time.Second)
	}
	for _, want := range []sitemon.Report{
		{Slot: slot(0), Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 250 * time.Millisecond},
		{Slot: slot(100), Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonConnectError, Error: "not reachable"},
		{
			Slot: slot(119), Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonBody, Error: "the content was not valid", StatusCode: 200,
			Duration: 250 * time.Millisecond,
		},
	} {
		want.Site, want.Location, want.Interval = "docs", "default", 30*time.Second
		got := docs[119-int(want.Slot.Sub(slot(0))/(30*time.Second))]
		if got != want {
			t.Errorf("report:\n got %+v\nwant %+v", got, want)
		}
	}
	other, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: "docs (3)", Limit: 1000})
	if err != nil || len(other) != 2 {
		t.Fatalf("%d reports of docs (3): %v", len(other), err)
	}
	if r := other[1]; r.StatusCode != 0 || r.Duration != 0 || r.Outcome != sitemon.OutcomeUp {
		t.Errorf("a report with numbers that are none: %+v", r)
	}
}

func TestOriginalSystemIsLeftAloneOnFailure(t *testing.T) {
	dsn := testkit.Postgres(t)
	side := connect(t, dsn)
	execute(t, side, originalTables+"; CREATE VIEW gaps AS SELECT 1 AS x")
	if _, err := postgres.Migrate(t.Context(), dsn, postgres.Options{}); err == nil {
		t.Fatal("migrated over a view of the same name")
	}
	var sites int
	if err := side.QueryRow(t.Context(), "SELECT count(*) FROM sites WHERE test_url <> ''").Scan(&sites); err != nil || sites != 5 {
		t.Errorf("%d old sites are left: %v", sites, err)
	}
	if _, _, err := open(t, testkit.Postgres(t), postgres.Options{}).SeedSite(t.Context(), 1); !errors.Is(err, sitemon.ErrNotFound) {
		t.Errorf("a store that took nothing over: %v, want ErrNotFound", err)
	}
}
