//go:build unix

package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// BenchmarkReads asks what pages and lists ask of 10,000 sites at 10 s that have a
// retention's partitions, a few minutes of reports, and 90 days of sums.
func BenchmarkReads(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 31, 0, 0, time.UTC)
	dsn := testkit.Postgres(b)
	db := open(b, dsn, postgres.Options{Clock: func() time.Time { return now }})
	names := fillReads(b, db, dsn, now)
	day := 24 * time.Hour
	windows := []time.Duration{day, 7 * day, 30 * day, 90 * day}
	for _, c := range []struct {
		name string
		read func() (int, error)
		want int
	}{
		{"sites", func() (int, error) {
			sites, err := db.Sites(b.Context(), sitemon.SiteQuery{})
			return len(sites), err
		}, 10_000},
		{"sites in brief", func() (int, error) {
			sites, err := db.Sites(b.Context(), sitemon.SiteQuery{Brief: true})
			return len(sites), err
		}, 10_000},
		{"a page of sites", func() (int, error) {
			sites, err := db.Sites(b.Context(), sitemon.SiteQuery{Limit: 1000})
			return len(sites), err
		}, 1000},
		{"a site", func() (int, error) {
			s, err := db.Site(b.Context(), names[77])
			return len(s.Locations), err
		}, 1},
		{"reports", func() (int, error) {
			reports, _, err := db.Reports(b.Context(), sitemon.ReportQuery{Site: names[77], Limit: 20})
			return len(reports), err
		}, 20},
		{"availability", func() (int, error) {
			r, err := db.Availability(b.Context(), availability.Query{Site: names[77], From: now.Add(-day), To: now, Step: time.Hour})
			return len(r.Buckets), err
		}, 25},
		{"coverage", func() (int, error) {
			list, err := db.Coverage(b.Context(), now.Add(-day), now)
			return len(list), err
		}, 1},
		{"figures of 1000", func() (int, error) {
			figures, err := db.Availabilities(b.Context(), names[:1000], now, windows)
			return len(figures), err
		}, 1000},
		{"figures of 10000", func() (int, error) {
			figures, err := db.Availabilities(b.Context(), names, now, windows)
			return len(figures), err
		}, 10_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if n, err := c.read(); err != nil || n != c.want {
					b.Fatalf("read %d, want %d: %v", n, c.want, err)
				}
			}
		})
	}
}

// fillReads fills a store with history and returns the names of its sites.
func fillReads(b *testing.B, db *postgres.DB, dsn string, now time.Time) (names []string) {
	b.Helper()
	doc := fleet(10_000, 10*time.Second)
	var first []sitemon.Report
	for _, s := range doc.Sites {
		names = append(names, s.Name)
		first = append(first, sitemon.Report{
			Site: s.Name, Location: "default", Slot: now.Add(-5 * time.Minute), Interval: s.Interval, Outcome: sitemon.OutcomeUp, Monitor: "host-1",
		})
	}
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Record(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(b.Context()) }()
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	hour, today, fives := now.Truncate(time.Hour), now.Truncate(24*time.Hour), now.Add(-time.Minute).Truncate(5*time.Minute)
	sums := "INSERT INTO %s (start, site_id, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us) " +
		"SELECT t, id, %d, 0, 0, 1, 1, 1, 1 FROM generate_series(timestamptz '%s', timestamptz '%s', '%s') t, site_names ORDER BY t, id"
	queries := []string{
		fmt.Sprintf(`INSERT INTO site_reports (slot, site_location_id, interval_ms, duration_us, monitor_id, outcome)
SELECT t, l.id, 10000, 20000, 1, 0 FROM generate_series(timestamptz '%s' + interval '10 seconds', timestamptz '%s', '10 seconds') t, site_locations l
ORDER BY t`, at(now.Add(-5*time.Minute)), at(now)),
		fmt.Sprintf(sums, "availability_1d", 86_400_000, at(today.Add(-100*24*time.Hour)), at(today.Add(-24*time.Hour)), "1 day"),
		fmt.Sprintf(sums, "availability_1h", 3_600_000, at(today), at(hour.Add(-time.Hour)), "1 hour"),
		fmt.Sprintf(sums, "availability_5m", 300_000, at(hour), at(fives.Add(-5*time.Minute)), "5 minutes"),
		fmt.Sprintf(`INSERT INTO availability_progress (id, "begin", fives, hours, days, claimed) VALUES (1, '%[4]s', '%[2]s', '%[1]s', '%[3]s', '%[2]s')`,
			at(hour), at(fives), at(today), at(today.Add(-100*24*time.Hour))),
	}
	for _, days := range []time.Duration{1, 7, 30, 90} { // on which windows begin
		d, h := today.Add(-days*24*time.Hour), hour.Add(-days*24*time.Hour)
		queries = append(queries, fmt.Sprintf(sums, "availability_1h", 3_600_000, at(d), at(d.Add(23*time.Hour)), "1 hour"),
			fmt.Sprintf(sums, "availability_5m", 300_000, at(h), at(h.Add(55*time.Minute)), "5 minutes"))
	}
	queries = append([]string{"SET session_replication_role = replica"}, append(queries, "VACUUM ANALYZE")...) // no look at each site
	for _, q := range queries {
		if _, err := conn.Exec(b.Context(), q); err != nil {
			b.Fatalf("%s: %v", q, err)
		}
	}
	return names
}
