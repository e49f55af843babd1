package web_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// A day that has begun in one zone only is, where a link leads to another zone, the
// day that is there.
func TestDayOfAnotherZone(t *testing.T) {
	s := dayServer(t, nil, time.Time{}) // it is 10:00 of the 24th, UTC
	for _, c := range []struct{ name, query, want string }{
		{"tomorrow has begun", "day=2026-11-25&tz=Pacific/Kiritimati", "Wednesday, 25 November 2026"},
		{"from there to UTC", "day=2026-11-25", "Tuesday, 24 November 2026"},
		{"to the other end", "day=2026-11-25&tz=Pacific/Pago_Pago", "Monday, 23 November 2026"},
		{"yesterday", "day=2026-11-23&tz=Pacific/Pago_Pago", "Monday, 23 November 2026"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if text := page(t, s, "/sites/docs?parts=minutes&"+c.query, 200); !strings.Contains(text, c.want) {
				t.Errorf("got %s, want %s", words(text), c.want)
			}
		})
	}
	if text := page(t, s, "/sites/docs?parts=minutes&day=2026-11-26", 400); !strings.Contains(text, "today") {
		t.Errorf("a day that has begun nowhere: got %s", words(text))
	}
}

// An hour that is to come is not in the charts.
func TestHoursToCome(t *testing.T) {
	text := page(t, dayServer(t, nil, time.Time{}), "/sites/docs?parts=minutes&day=2026-11-24", 200)
	if n := strings.Count(text, "data-window"); n != 10 {
		t.Errorf("%d hours lead to the charts, want the 10 that have begun", n)
	}
	if strings.Contains(text, "T23%3A00") {
		t.Error("the last hour of the day leads to the charts")
	}
}

// The end of the certificate is that of the newest report that has one, whichever
// reports are listed.
func TestCertificateOfNewest(t *testing.T) {
	store := newAPIStore()
	report := func(age time.Duration, outcome sitemon.Outcome, ends time.Time) sitemon.Report {
		return sitemon.Report{Site: "docs", Location: "default", Slot: testNow.Add(-age), Outcome: outcome, CertificateExpiresAt: ends}
	}
	refused := report(time.Minute, sitemon.OutcomeDown, time.Time{})
	store.sites[0].LastReport = &refused
	store.reports = []sitemon.Report{
		refused,
		report(2*time.Minute, sitemon.OutcomeUp, testNow.Add(60*24*time.Hour)),
		report(20*24*time.Hour, sitemon.OutcomeDegraded, testNow.Add(-3*24*time.Hour)),
	}
	s := newServer(t, store)
	for name, query := range map[string]string{"newest": "", "filtered": "&outcome=degraded", "older": "&before=second"} {
		t.Run(name, func(t *testing.T) {
			if text := page(t, s, "/sites/docs?parts=state"+query, 200); !strings.Contains(text, "certificate ends in 60 d") {
				t.Errorf("got %s", words(text))
			}
		})
	}
}

// fallingStore panics where the charts are read.
type fallingStore struct{ *apiStore }

func (fallingStore) Availability(context.Context, availability.Query) (availability.Result, error) {
	panic("no charts today")
}

// A panic while a page is read ends that request alone, though its parts are read at
// once.
func TestPanicOfAPart(t *testing.T) {
	store := newAPIStore()
	s := newServer(t, store, func(o *web.Options) { o.History = fallingStore{store} })
	page(t, s, "/sites/docs", 500)
	page(t, s, "/sites/docs?parts=last", 200)
}
