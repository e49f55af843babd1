package web_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/web"
)

// certified makes a store of sites whose certificates end at several times.
func certified() *apiStore {
	f := manySites(5, nil)
	for i, left := range []time.Duration{90 * 24 * time.Hour, 10 * 24 * time.Hour, -3 * 24 * time.Hour, 0, 400 * 24 * time.Hour} {
		f.sites[i].Enabled = i != 4
		if left != 0 {
			f.sites[i].LastReport.CertificateExpiresAt = testNow.Add(left)
		}
	}
	f.sites[0].Name, f.sites[0].URL = "=1+1,\"<b>", "https://u:hunter2@a.example.org/"
	f.sites[0].LastReport.Site = f.sites[0].Name
	return f
}

func TestCertificatesPage(t *testing.T) {
	s := newServer(t, certified())
	text := page(t, s, "/certificates", 200)
	said := words(text)
	for _, want := range []string{
		"2 of 3 certificates ended or end within 30 days",
		`site-00002 https://2.example.org/ Ended 2026-11-21 10:00:00 UTC 3 d ago site-00001 https://1.example.org/ Ends soon 2026-12-04 10:00:00 UTC in 10 d =1+1,"<b>`,
		"Good 2027-02-22 10:00:00 UTC in 90 d",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q; it says\n%s", want, said)
		}
	}
	for _, bad := range []string{"hunter2@", "<b>", "site-00003", "site-00004"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if got := words(page(t, s, "/certificates?q=site-00001", 200)); !strings.Contains(got, "1 of 1 certificate ") || strings.Contains(got, "site-00002") {
		t.Errorf("a search finds %s", got)
	}
	if got := words(page(t, newServer(t, manySites(1, map[int]sitemon.Status{})), "/certificates", 200)); !strings.Contains(got, "No site has shown a certificate yet") {
		t.Errorf("without a certificate the page says %s", got)
	}
}

func TestCertificatesAsCSVAndCalendar(t *testing.T) {
	s := newServer(t, certified(), func(o *web.Options) { o.Version = "1" })
	rows, err := csv.NewReader(ask(s, "GET", "/certificates.csv").Body).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("got %q: %v", rows, err)
	}
	if got := rows[3]; got[0] != "'=1+1,\"<b>" || !strings.Contains(got[2], "a.example.org") || strings.Contains(got[2], "hunter2") || got[4] != "90" {
		t.Errorf("got the row %q", got)
	}
	calendar := ask(s, "GET", "/certificates.ics").Body.String()
	for _, want := range []string{"DTSTART:20261121T100000Z\r\n", "SUMMARY:The certificate of site-00001 ends\r\n", "TRIGGER:-PT168H0M0S\r\n", "URL:http://localhost:8080/sites/site-00001\r\n"} {
		if !strings.Contains(calendar, want) {
			t.Errorf("the calendar does not hold %q:\n%s", want, calendar)
		}
	}
	if strings.Count(calendar, "BEGIN:VEVENT") != 3 || strings.Contains(calendar, "hunter2") {
		t.Errorf("the calendar is\n%s", calendar)
	}
	guardedServer := guarded(t, certified())
	for _, target := range []string{"/certificates.csv", "/certificates.ics"} {
		wantStatus(t, ask(guardedServer, "GET", target), 401)
		wantStatus(t, ask(guardedServer, "GET", target, viewerToken), 200)
	}
}
