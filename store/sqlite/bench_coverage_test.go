//go:build unix

package sqlite_test

import (
	"testing"
	"time"

	"sitemon"
)

// BenchmarkCoverage counts the slots of a day of 10,000 sites, each of which has ten
// reports and two gaps. The metric is the processor's time.
func BenchmarkCoverage(b *testing.B) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	doc := fleet(10_000, time.Minute)
	db, _ := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	round := 0
	var batch []sitemon.Report
	for r := range due(doc, now) {
		if batch = append(batch, r); len(batch) < len(doc.Sites) {
			continue
		}
		now = now.Add(time.Minute)
		if round != 3 && round != 7 {
			if _, err := db.Record(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
		if batch, round = nil, round+1; round == 12 {
			break
		}
	}
	began := cpu(b)
	for b.Loop() {
		list, err := db.Coverage(b.Context(), now.Add(-24*time.Hour), now)
		if err != nil || len(list) != 1 || list[0].Missing != 20_000 {
			b.Fatal(list, err)
		}
	}
	b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
}
