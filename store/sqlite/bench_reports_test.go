//go:build unix

package sqlite_test

import (
	"testing"
	"time"

	"sitemon"
)

// BenchmarkReports reads the page of a site's newest reports, and of the ten that are
// down among the 200,000 that it has of two days and a half.
func BenchmarkReports(b *testing.B) {
	const reports, downs = 200_000, 10
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	doc := fleet(1, time.Second)
	db, _ := openBench(b, func() time.Time { return now })
	if _, _, err := db.SyncSites(b.Context(), doc); err != nil {
		b.Fatal(err)
	}
	n := 0
	var batch []sitemon.Report
	for r := range due(doc, now) {
		if n++; n%(reports/downs) == 0 {
			r.Outcome, r.Reason = sitemon.OutcomeDown, sitemon.ReasonStatus
		}
		if batch = append(batch, r); len(batch) < 10_000 {
			continue
		}
		now = r.Slot
		if _, err := db.Record(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if batch = nil; n == reports {
			break
		}
	}
	for _, c := range []struct {
		name    string
		outcome sitemon.Outcome
		want    int
	}{{"newest", "", 100}, {"down", sitemon.OutcomeDown, downs}, {"unknown", sitemon.OutcomeUnknown, 0}, {"up", sitemon.OutcomeUp, 100}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				list, _, err := db.Reports(b.Context(), sitemon.ReportQuery{Site: doc.Sites[0].Name, Outcome: c.outcome, Limit: 100})
				if err != nil || len(list) != c.want {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}
