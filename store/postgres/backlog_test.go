package postgres_test

import (
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// TestBacklogIsNoSilence: what is read late is judged as of its own time, also
// where a site was edited meanwhile.
func TestBacklogIsNoSilence(t *testing.T) {
	begin := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	now := begin
	db := open(t, testkit.Postgres(t), postgres.Options{Clock: func() time.Time { return now }})
	define(t, db, "a")
	record := func(i int) {
		t.Helper()
		r := sitemon.Report{
			Site: "a", Location: "default", Slot: begin.Add(time.Duration(i) * time.Minute), Interval: time.Minute, Outcome: sitemon.OutcomeUp,
		}
		if _, err := db.Record(t.Context(), []sitemon.Report{r}); err != nil {
			t.Fatal(err)
		}
	}
	status := func(what string, want sitemon.Status) {
		t.Helper()
		s, err := db.Site(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if s.Status != want {
			t.Errorf("%s: %s, want %s", what, s.Status, want)
		}
	}
	tick := func(at time.Time) {
		t.Helper()
		if _, err := db.Tick(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	record(0)
	now = begin.Add(time.Hour)
	tick(begin.Add(time.Minute)) // up to where reports have been read
	status("reports wait to be read", sitemon.StatusUp)
	record(1)
	status("the next one is read", sitemon.StatusUp)
	doc := sitemon.Document{Source: "sites.yaml", Hash: "edited", Sites: []sitemon.Site{{
		Name: "a", URL: "https://a.example.org/", Kind: sitemon.KindHTTP, Enabled: true, Interval: time.Minute, Timeout: time.Second,
		FailureThreshold: 3, SuccessThreshold: 1, Definition: []byte(`{"name":"a","failure_threshold":3}`),
	}}}
	if _, _, err := db.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	record(2)
	status("one is read after an edit", sitemon.StatusUp)
	record(3)
	tick(begin.Add(3 * time.Minute))
	status("all are read", sitemon.StatusUp)
	tick(begin.Add(10 * time.Minute))
	status("and then nothing came", sitemon.StatusUnknown)
	record(11)
	status("until something came", sitemon.StatusUp)
}
