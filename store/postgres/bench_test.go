//go:build unix

package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/slot"
	"sitemon/store/postgres"
)

func fleet(n int, interval time.Duration) sitemon.Document {
	doc := sitemon.Document{Source: "sites.yaml", Hash: "one"}
	for i := range n {
		name := fmt.Sprintf("site-%05d", i)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Group: "fleet", Enabled: true,
			Interval: interval, Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1,
			Definition: fmt.Appendf(nil, `{"enabled":true,"interval":%q,"name":%q,"url":"https://%[2]s.example.org/"}`, interval, name),
		})
	}
	return doc
}

// due returns the reports of a fleet in the order of their slots, from a moment on.
func due(doc sitemon.Document, from time.Time) func(yield func(sitemon.Report) bool) {
	interval := doc.Sites[0].Interval
	at := make([][]string, interval/time.Millisecond) // sites by their place in the interval
	for _, s := range doc.Sites {
		k := slot.NewGrid(s.Name, s.Interval).After(from).Sub(from) % interval / time.Millisecond
		at[k] = append(at[k], s.Name)
	}
	return func(yield func(sitemon.Report) bool) {
		us := time.Microsecond
		for ms := 1; ; ms++ {
			for i, name := range at[ms%len(at)] {
				t := from.Add(time.Duration(ms) * time.Millisecond)
				jitter := time.Duration((ms*7919 + i) % 5000)
				if !yield(sitemon.Report{
					Site: name, Location: "default", Slot: t, StartedAt: t.Add(600*us + jitter*us), Interval: interval,
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

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecord records the reports of 10,000 sites at 10 s and then has psql and
// the library copy the same rows into the same table, emptied, with its key and its
// partitions: of at most the last million. One operation is one report; of many
// millions it logs how the rate changes while the table grows.
func BenchmarkRecord(b *testing.B) {
	for _, size := range []int{1000, 5000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkRecord(b, size) })
	}
}

func benchmarkRecord(b *testing.B, size int) {
	dsn := testkit.Postgres(b)
	now := time.Now().UTC().Truncate(24 * time.Hour)
	db := open(b, dsn, postgres.Options{Clock: func() time.Time { return now }})
	doc := fleet(10_000, 10*time.Second)
	start := now
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	const warm = 20_000
	n, second := 0, time.Now()
	var began, last time.Time
	var used time.Duration
	reports := make([]sitemon.Report, 0, size)
	for r := range due(doc, start) {
		if reports = append(reports, r); len(reports) < size {
			continue
		}
		if began.IsZero() && n >= warm {
			n, began, used = 0, time.Now(), cpu(b)
			last = began
			b.ResetTimer()
		}
		now = r.Slot
		rec, err := db.Record(b.Context(), reports)
		if err != nil || len(rec.New) != size {
			b.Fatalf("recorded %d of %d: %v", len(rec.New), size, err)
		}
		if time.Since(second) >= time.Second {
			second = time.Now()
			if _, err := db.Tick(b.Context(), now); err != nil {
				b.Fatal(err)
			}
		}
		n += size
		if part := b.N / 10; part >= 1_000_000 && !began.IsZero() && n/part > (n-size)/part {
			b.Logf("%d rows: %.0f rows/s", n, float64(part)/time.Since(last).Seconds())
			last = time.Now()
		}
		if reports = reports[:0]; !began.IsZero() && n >= b.N {
			break
		}
	}
	b.StopTimer()
	rate := float64(n) / time.Since(began).Seconds()
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(n), "cpu-µs/report")
	b.ReportMetric(rate, "rows/s")
	if b.N < 100_000 {
		return
	}
	b.ReportMetric(rate/copied(b, dsn, now.Add(-1000*time.Second)), "of-psql-COPY")
}

// copied is how many of the rows from a slot on psql copies into the table in a
// second.
func copied(b *testing.B, dsn string, from time.Time) float64 {
	file := filepath.Join(b.TempDir(), "rows")
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	var rows bytes.Buffer
	tag, err := conn.PgConn().CopyTo(ctx, &rows, "COPY (SELECT * FROM site_reports WHERE slot >= '"+
		from.Format(time.RFC3339)+"' ORDER BY slot) TO STDOUT")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, rows.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "TRUNCATE site_reports"); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	out, err := exec.CommandContext(ctx, "psql", dsn, "-c", `\copy site_reports from '`+file+`'`).CombinedOutput()
	if err != nil {
		testkit.Missing(b, fmt.Sprintf("psql: %v: %s", err, out))
	}
	rate := float64(tag.RowsAffected()) / time.Since(began).Seconds()
	b.ReportMetric(rate, "psql-rows/s")
	return rate
}
