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
	"sitemon/availability"
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

// openPast opens a store with 1,000 sites that have 90 days of sums and half an hour
// of reports at 60 s, and returns it with their names.
func openPast(b *testing.B, now time.Time) (db *sqlite.DB, names []string) {
	b.Helper()
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
	hour := now.Truncate(time.Hour)
	if _, err := side.ExecContext(b.Context(), `INSERT INTO availability_progress (id, "begin", fives, hours, days, claimed) VALUES (1, ?1, ?2, ?2, ?3, ?2)`,
		hour.Add(-90*24*time.Hour).UnixMicro(), hour.UnixMicro(), hour.Truncate(24*time.Hour).UnixMicro()); err != nil {
		b.Fatal(err)
	}
	for _, l := range []struct {
		table string
		width time.Duration
		end   time.Time
		rows  int
	}{
		{"availability_5m", 5 * time.Minute, hour, 14 * 24 * 12},
		{"availability_1h", time.Hour, hour, 91 * 24},
		{"availability_1d", 24 * time.Hour, hour.Truncate(24 * time.Hour), 91},
	} {
		var durations []time.Duration
		n := int(l.width / time.Minute)
		for i := range n {
			durations = append(durations, time.Duration(20_000+1000*(i%37))*time.Microsecond)
		}
		if _, err := side.ExecContext(b.Context(), `WITH RECURSIVE t (at) AS (SELECT ?1 - ?2 UNION ALL SELECT at - ?2 FROM t LIMIT ?3)
INSERT INTO `+l.table+` (site_id, start, up_ms, degraded_ms, down_ms, reports, timed, latency_sum_us, latency_max_us, durations)
SELECT id, at, ?2 / 1000, 0, 0, ?4, ?4, 20000 * ?4, 60000, ?5 FROM t, site_names ORDER BY id, at`,
			l.end.UnixMicro(), l.width.Microseconds(), l.rows, n, availability.HistogramOf(durations...).Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	if err := side.Close(); err != nil {
		b.Fatal(err)
	}
	for _, s := range doc.Sites {
		names = append(names, s.Name)
	}
	return db, names
}

// BenchmarkAvailabilities is what a list of 1,000 sites asks.
func BenchmarkAvailabilities(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 6, 0, 0, time.UTC)
	db, names := openPast(b, now)
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

// BenchmarkAvailability is what the charts of a site ask.
func BenchmarkAvailability(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 6, 0, 0, time.UTC)
	db, names := openPast(b, now)
	for name, q := range map[string]availability.Query{
		"90 days": {From: now.Add(-90 * 24 * time.Hour), Step: 24 * time.Hour},
		"7 days":  {From: now.Add(-7 * 24 * time.Hour), Step: time.Hour},
		"a day":   {From: now.Add(-24 * time.Hour), Step: 15 * time.Minute},
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n++
				q.Site, q.To = names[n%len(names)], now
				res, err := db.Availability(b.Context(), q)
				if err != nil || res.Coverage < 0.99 || res.Total.Latency.P99 == 0 {
					b.Fatalf("%v, %v", res.Total, err)
				}
			}
		})
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

// BenchmarkRollup rolls up an hour of 1,000 sites. The metric is the cost of one
// report.
func BenchmarkRollup(b *testing.B) {
	for _, interval := range []time.Duration{10 * time.Second, time.Minute} {
		b.Run(interval.String(), func(b *testing.B) { benchRollup(b, interval) })
	}
}

func benchRollup(b *testing.B, interval time.Duration) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	doc := fleet(1000, interval)
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
	for at := now; at.Before(now.Add(time.Hour + 2*time.Minute)); at = at.Add(time.Minute) {
		if err := db.Rollup(b.Context(), at); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(n), "cpu-µs/report")
}
