//go:build unix

package sqlite_test

import (
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
