//go:build unix

package postgres_test

import (
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// BenchmarkDerive lets a thousand sites fail at once and derives their incidents. One
// operation is one site.
func BenchmarkDerive(b *testing.B) {
	now := time.Now().UTC().Truncate(time.Hour)
	db := open(b, testkit.Postgres(b), postgres.Options{Clock: func() time.Time { return now }})
	doc := fleet(1000, time.Minute)
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	record := func(o sitemon.Outcome) {
		b.Helper()
		var reports []sitemon.Report
		for _, s := range doc.Sites {
			reports = append(reports, sitemon.Report{
				Site: s.Name, Location: "default", Slot: now, Interval: time.Minute, Outcome: o, Reason: sitemon.ReasonStatus,
			})
		}
		if _, err := db.Record(b.Context(), reports); err != nil {
			b.Fatal(err)
		}
	}
	for range 100 {
		record(sitemon.OutcomeUp)
		now = now.Add(time.Minute)
	}
	n := 0
	var used, waited time.Duration
	for n < b.N {
		for _, o := range []sitemon.Outcome{sitemon.OutcomeDown, sitemon.OutcomeUp} {
			now = now.Add(time.Minute)
			record(o)
			cpuBefore, began := cpu(b), time.Now()
			for changed := 0; changed < len(doc.Sites); {
				changes, err := db.DeriveIncidents(b.Context(), now)
				if err != nil {
					b.Fatal(err)
				}
				changed += len(changes)
			}
			used, waited = used+cpu(b)-cpuBefore, waited+time.Since(began)
			n += len(doc.Sites)
		}
	}
	b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/site")
	b.ReportMetric(float64(waited.Microseconds())/float64(n), "µs/site")
}
