//go:build unix

package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/sqlite"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fleet(n int, interval time.Duration) sitemon.Document {
	doc := sitemon.Document{Source: "sites.yaml", Hash: "one"}
	for i := range n {
		name := fmt.Sprintf("site-%05d", i)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Group: "fleet", Enabled: true,
			Interval: interval, Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1,
			Definition: fmt.Appendf(nil, `{"enabled":true,"expect":{"status":["200-399"]},"failure_threshold":1,"group":"fleet","interval":%q,`+
				`"method":"GET","name":%q,"success_threshold":1,"tags":[],"timeout":"1s","url":"https://%s.example.org/"}`, interval, name, name),
		})
	}
	return doc
}

// due returns the reports of a fleet in the order of their slots, from a moment
// on, round after round.
func due(doc sitemon.Document, from time.Time) func(yield func(sitemon.Report) bool) {
	grids := make([]slot.Grid, len(doc.Sites))
	interval := doc.Sites[0].Interval
	at := make([][]int, interval/time.Millisecond) // sites by their place in the interval
	for i, s := range doc.Sites {
		grids[i] = slot.NewGrid(s.Name, s.Interval)
		k := grids[i].After(from).Sub(from) % interval / time.Millisecond
		at[k] = append(at[k], i)
	}
	return func(yield func(sitemon.Report) bool) {
		for ms := 0; ; ms++ {
			for _, i := range at[ms%len(at)] {
				t := from.Add(time.Duration(ms) * time.Millisecond)
				slotAt := grids[i].AtOrBefore(t)
				if slotAt.Before(from) {
					continue
				}
				us := time.Microsecond
				jitter := time.Duration((ms*7919 + i) % 5000)
				if !yield(sitemon.Report{
					Site: doc.Sites[i].Name, Location: "default", Slot: slotAt, StartedAt: slotAt.Add(600*us + jitter*us), Interval: interval,
					Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 18211*us + jitter*us,
					Phases:    sitemon.Phases{Resolve: 301 * us, Connect: 240 * us, TLS: 1911 * us, Processing: 15414*us + jitter*us, Transfer: 345 * us},
					BodyBytes: 512, RemoteAddr: "192.0.2.7:443", CertificateExpiresAt: from.Add(90 * 24 * time.Hour), Monitor: "host-1", Generation: 1,
				}) {
					return
				}
			}
		}
	}
}

func openBench(b *testing.B, clock func() time.Time) (*sqlite.DB, string) {
	path := filepath.Join(b.TempDir(), "sitemon.db")
	db, err := sqlite.Open(b.Context(), path, sqlite.Options{Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db, path
}

// BenchmarkRecord records the reports of 10,000 sites at 10 s in batches of 150,
// and ticks each second, as the daemon does. One operation is one report.
func BenchmarkRecord(b *testing.B) {
	const batch = 150
	doc := fleet(10_000, 10*time.Second)
	now := time.Now().UTC().Truncate(time.Hour)
	db, path := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	warm := 3 * len(doc.Sites) // every site has some reports before it counts
	var used time.Duration
	var reports []sitemon.Report
	n, second := 0, now
	b.ResetTimer()
	for r := range due(doc, now) {
		if reports = append(reports, r); len(reports) < batch {
			continue
		}
		now = r.Slot
		if n == warm/batch*batch {
			b.ResetTimer()
			used = cpu(b)
		}
		rec, err := db.Record(b.Context(), reports)
		if err != nil {
			b.Fatal(err)
		}
		if len(rec.New) != batch {
			b.Fatalf("recorded %d of %d", len(rec.New), batch)
		}
		if now.Sub(second) >= time.Second {
			second = now
			if _, err := db.Tick(b.Context(), now); err != nil {
				b.Fatal(err)
			}
		}
		n += batch
		reports = reports[:0]
		if n >= warm+b.N {
			break
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(n-warm), "cpu-µs/report")
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(n), "B/report")
}

func BenchmarkSync(b *testing.B) {
	b.Run("first", func(b *testing.B) {
		doc := fleet(10_000, time.Minute)
		for b.Loop() {
			b.StopTimer()
			db, _ := openBench(b, nil)
			b.StartTimer()
			if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one edited", func(b *testing.B) {
		doc := fleet(10_000, time.Minute)
		db, _ := openBench(b, nil)
		if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
			b.Fatal(err)
		}
		n := 0
		for b.Loop() {
			n++
			doc.Sites[n%len(doc.Sites)].Definition = fmt.Appendf(nil, `{"name":"edited %d"}`, n)
			_, plan, err := db.SyncSites(b.Context(), doc)
			if err != nil {
				b.Fatal(err)
			}
			if len(plan.Changed) != 1 {
				b.Fatalf("changed %d sites", len(plan.Changed))
			}
		}
	})
}

// BenchmarkAvailabilities is what a list of 1,000 sites asks, with 90 days of
// sums and half an hour of reports at 60 s behind each.
func BenchmarkAvailabilities(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 31, 0, 0, time.UTC)
	doc := fleet(1000, time.Minute)
	db, path := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	var batch []sitemon.Report
	for r := range due(doc, now.Add(-31*time.Minute)) {
		if r.Slot.After(now) {
			break
		}
		batch = append(batch, r)
	}
	if _, err := db.Record(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	side, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	hour := now.Truncate(time.Hour).UnixMicro()
	for _, q := range []string{
		`INSERT INTO availability_progress VALUES (1, ?1, ?1 / 86400000000 * 86400000000, ?1)`,
		`WITH RECURSIVE t (at) AS (SELECT ?1 - 3600000000 UNION ALL SELECT at - 3600000000 FROM t LIMIT 2160)
INSERT INTO availability_1h SELECT id, at, 3600000, 0, 0, 60, 60, 1200000, 50000 FROM t, site_names ORDER BY id, at`,
		`INSERT INTO availability_1d SELECT site_id, start / 86400000000 * 86400000000 AS day, sum(up_ms), 0, 0, sum(reports), sum(timed), sum(latency_sum_us),
max(latency_max_us) FROM availability_1h WHERE start < ?1 GROUP BY 1, 2`,
	} {
		if _, err := side.ExecContext(b.Context(), q, hour); err != nil {
			b.Fatal(err)
		}
	}
	if err := side.Close(); err != nil {
		b.Fatal(err)
	}
	var names []string
	for _, s := range doc.Sites {
		names = append(names, s.Name)
	}
	d := 24 * time.Hour
	for b.Loop() {
		figures, err := db.Availabilities(b.Context(), names, now, []time.Duration{d, 7 * d, 30 * d, 90 * d})
		if err != nil {
			b.Fatal(err)
		}
		if len(figures) != len(names) || figures[names[0]][3].Coverage < 0.99 {
			b.Fatalf("%d figures, coverage %v", len(figures), figures[names[0]])
		}
	}
}

// BenchmarkSites lists 1,000 of 10,000 sites with their newest reports.
func BenchmarkSites(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	doc := fleet(10_000, time.Minute)
	db, _ := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	var batch []sitemon.Report
	for r := range due(doc, now) {
		if batch = append(batch, r); len(batch) == len(doc.Sites) {
			break
		}
	}
	now = now.Add(time.Minute)
	if _, err := db.Record(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		sites, err := db.Sites(b.Context(), sitemon.SiteQuery{Limit: 1000})
		if err != nil || len(sites) != 1000 || sites[999].LastReport == nil {
			b.Fatal(len(sites), err)
		}
	}
}

// BenchmarkTick ticks over 10,000 sites of which none is due.
func BenchmarkTick(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	db, _ := openBench(b, func() time.Time { return now })
	doc := fleet(10_000, time.Minute)
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := db.Tick(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRollup rolls up an hour of 1,000 sites at 10 s. One operation is one
// report.
func BenchmarkRollup(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	doc := fleet(1000, 10*time.Second)
	db, _ := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	if err := db.Rollup(b.Context(), now); err != nil {
		b.Fatal(err)
	}
	var batch []sitemon.Report
	n := 0
	for r := range due(doc, now) {
		if r.Slot.Sub(now) >= time.Hour {
			break
		}
		if batch = append(batch, r); len(batch) == 1000 {
			if _, err := db.Record(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch, n = batch[:0], n+1000
		}
	}
	used := cpu(b)
	b.ResetTimer()
	if err := db.Rollup(b.Context(), now.Add(time.Hour+2*time.Minute)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(n), "cpu-µs/report")
}
