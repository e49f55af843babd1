package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// A run that failed is said to have failed, not to have answered with a status code,
// wherever a person reads it.
func TestFailedRunsInWords(t *testing.T) {
	const said = "the run ended with exit code 3 at 2026-11-24 09:59:00 UTC"
	store := beatAPI()
	slot := testNow.Add(-time.Minute)
	r := sitemon.Report{Site: "backup/nightly", Location: "default", Slot: slot, Interval: time.Minute, Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus, Error: said}
	st := &store.sites[0]
	st.Status, st.Since, st.Reason, st.Error, st.LastReport = sitemon.StatusDown, slot, r.Reason, r.Error, &r
	store.reports = append(store.reports, r)
	i := sitemon.Incident{ID: 77, Site: st.Name, URL: st.URL, StartedAt: slot, ConfirmedAt: slot, Reason: r.Reason, Error: r.Error, Locations: []string{"default"}, Reports: 1}
	store.incidents = append([]sitemon.Incident{i}, store.incidents...)
	s := newServer(t, store)
	for _, path := range []string{"/?q=backup", "/sites/backup%2Fnightly", "/incidents?site=backup%2Fnightly", "/incidents/77", "/sites/backup%2Fnightly?report=" + slot.UTC().Format(time.RFC3339)} {
		w := ask(s, "GET", path)
		wantStatus(t, w, http.StatusOK)
		page := w.Body.String()
		if !strings.Contains(strings.ToLower(page), "the run failed") || !strings.Contains(page, said) {
			t.Errorf("%s does not say that the run failed", path)
		}
		if strings.Contains(strings.ToLower(page), "unexpected status code") {
			t.Errorf("%s speaks of a status code", path)
		}
	}
}
