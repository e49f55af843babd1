package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

// AlertStore is a store that decides on alerts.
type AlertStore interface {
	Store
	DecideAlerts(ctx context.Context, now, judged time.Time) error
	TakeNotifications(ctx context.Context, now time.Time, limit int) ([]sitemon.Notification, error)
	NotificationSent(ctx context.Context, id string, now time.Time, failure error) error
}

// RunAlerts checks what a store decides on alerts, and what it keeps to be
// delivered. open opens stores that share one empty database, and lends
// transactions of it.
func RunAlerts(t *testing.T, open func(t *testing.T, opts Options) ([]AlertStore, Transact)) {
	for _, c := range []struct {
		name string
		run  func(a *alerting)
	}{
		{"told once", testToldOnce},
		{"threshold", testAlertThreshold},
		{"grouped", testGrouped},
		{"reminders", testReminders},
		{"was down", testWasDown},
		{"withdrawn", testWithdrawn},
		{"quiet hours", testQuietHours},
		{"rate", testRate},
		{"flapping", testFlapping},
		{"fallback", testFallback},
		{"lease", testLease},
		{"channel gone", testChannelGone},
		{"parent of a hundred", testHundred},
		{"parent seen later", testParentLater},
		{"parent up again", testParentUp},
		{"monitor silent", testMonitorSilent},
		{"no reports", testNoReports},
		{"certificates", testCertificates},
		{"figures", testFigures},
		{"many writers", testManyWriters},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &harness{T: t, ctx: t.Context()}
			h.set(epoch)
			stores, write := open(t, Options{Clock: h.clock, Retention: 30 * 24 * time.Hour})
			h.Store = stores[0]
			c.run(&alerting{harness: h, stores: stores, write: write, open: map[string]int64{}})
		})
	}
}

// alerting is a test with what was delivered in it.
type alerting struct {
	*harness
	stores []AlertStore
	write  Transact
	open   map[string]int64 // incidents, by site
	refuse func(n sitemon.Notification) error
	still  bool // the time stands still up to which reports are read
	judged time.Time
	sent   []sitemon.Notification
}

// decide lets all stores decide at once.
func (a *alerting) decide() {
	a.Helper()
	if !a.still {
		a.judged = a.clock()
	}
	errs := make([]error, len(a.stores))
	var wg sync.WaitGroup
	for i, s := range a.stores {
		wg.Go(func() { errs[i] = s.DecideAlerts(a.ctx, a.clock(), a.judged) })
	}
	wg.Wait()
	a.check(errors.Join(errs...))
}

// deliver takes what is due and delivers it, unless it is refused.
func (a *alerting) deliver() {
	a.Helper()
	for i, s := range a.stores {
		list, err := s.TakeNotifications(a.ctx, a.clock(), 50)
		a.check(err)
		for _, n := range list {
			var failure error
			if a.refuse != nil {
				failure = a.refuse(n)
			}
			if failure == nil {
				a.sent = append(a.sent, n)
			}
			a.check(a.stores[(i+1)%len(a.stores)].NotificationSent(a.ctx, n.ID, a.clock(), failure))
		}
	}
}

// run lets time pass in steps of a second, or of step.
func (a *alerting) run(d time.Duration, step ...time.Duration) {
	a.Helper()
	by := time.Second
	if len(step) > 0 {
		by = step[0]
	}
	for ; d > 0; d -= by {
		a.pass(min(d, by))
		a.decide()
		a.deliver()
	}
}

// told compares what was delivered since it was asked last; what was made at one
// moment comes in the order of its words.
func (a *alerting) told(want ...string) {
	a.Helper()
	got := []string{}
	words := func(n sitemon.Notification) string { return fmt.Sprintf("%s %s: %s", n.Channel, n.Kind, n.Summary) }
	slices.SortStableFunc(a.sent, func(x, y sitemon.Notification) int {
		return cmp.Or(x.At.Compare(y.At), strings.Compare(words(x), words(y)))
	})
	for _, n := range a.sent {
		got = append(got, words(n))
	}
	a.sent = nil
	if want == nil {
		want = []string{}
	}
	a.equal("delivered at "+a.clock().Format(time.TimeOnly), got, want)
}

func (a *alerting) transact(f func(ctx context.Context, tx ledger.Tx) error) {
	a.Helper()
	a.check(a.write(a.ctx, f))
}

// exec runs a statement.
func (a *alerting) exec(query string, args ...any) {
	a.Helper()
	a.transact(func(ctx context.Context, tx ledger.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
}

// texts reads a column of texts.
func (a *alerting) texts(query string, args ...any) (list []string) {
	a.Helper()
	a.transact(func(ctx context.Context, tx ledger.Tx) error {
		list = nil
		return tx.Query(ctx, query, args, func(scan func(dest ...any) error) error {
			var s string
			err := scan(&s)
			list = append(list, s)
			return err
		})
	})
	return list
}

// down records a failed report of sites now, with which an incident begins.
func (a *alerting) down(names ...string) {
	a.Helper()
	a.bad(names...)
	changes, err := a.DeriveIncidents(a.ctx, a.clock())
	a.check(err)
	for _, c := range changes {
		if c.Began {
			a.open[c.Site] = c.ID
		}
	}
	a.equal("incidents that began", len(changes), len(names))
}

// up records a good report of sites now, with which their incidents end.
func (a *alerting) up(names ...string) {
	a.Helper()
	a.good(names...)
	changes, err := a.DeriveIncidents(a.ctx, a.clock())
	a.check(err)
	for _, c := range changes {
		a.equal("the incident that ended", []any{c.ID, c.Ended}, []any{a.open[c.Site], true})
	}
	a.equal("incidents that ended", len(changes), len(names))
}

// good and bad record reports of sites now that change no incident.
func (a *alerting) good(names ...string) { a.reports(sitemon.OutcomeUp, names) }
func (a *alerting) bad(names ...string)  { a.reports(sitemon.OutcomeDown, names) }

func (a *alerting) reports(o sitemon.Outcome, names []string) {
	a.Helper()
	var list []sitemon.Report
	for _, name := range names {
		list = append(list, report(name, a.clock(), o))
	}
	a.record(list...)
}

// setUp syncs sites with channels: ops, and fallback for what it does not take.
func (a *alerting) setUp(change func(*sitemon.Alerting), sites ...sitemon.Site) {
	a.Helper()
	doc := document(sites...)
	doc.Alerting = sitemon.Alerting{
		GroupWait: 10 * time.Second, MonitorSilent: []string{"nobody"},
		Channels: []sitemon.Channel{
			{Name: "fallback", Target: []byte(`{"url":"${FALLBACK}"}`)},
			{Name: "ops", Target: []byte(`{"url":"${OPS}"}`), Fallback: "fallback"},
		},
	}
	if change != nil {
		change(&doc.Alerting)
	}
	doc.Hash += fmt.Sprint(doc.Alerting)
	_, _, err := a.SyncSites(a.ctx, doc)
	a.check(err)
}

// alerts gives a site an alert to ops.
func alerts(change ...func(*sitemon.Alert)) func(*sitemon.Site) {
	return func(s *sitemon.Site) {
		al := sitemon.Alert{To: []string{"ops"}, SendResolved: true, Severity: sitemon.SeverityCritical}
		for _, f := range change {
			f(&al)
		}
		r := sitemon.Rules{}
		if s.Rules != nil {
			r = *s.Rules
		}
		r.Alerts = append(r.Alerts, al)
		s.Rules = &r
	}
}

// dependsOn makes a site depend on others.
func dependsOn(names ...string) func(*sitemon.Site) {
	return func(s *sitemon.Site) {
		r := sitemon.Rules{}
		if s.Rules != nil {
			r = *s.Rules
		}
		r.DependsOn = names
		s.Rules = &r
	}
}

func inGroup(name string) func(*sitemon.Site) { return func(s *sitemon.Site) { s.Group = name } }
