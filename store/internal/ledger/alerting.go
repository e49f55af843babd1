package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sitemon/availability"
)

// How alerts are decided
//
// Every writer decides each second. What is to be decided lies in tables, and who
// decides takes the rows for the time of a transaction, so that any number of
// writers may do so at once. A notice exists once, by its key, however often it is
// asked for. On its way it goes through these steps, each of which looks only at
// rows that are due:
//
//  1. An incident that began or ended leaves a row in alert_marks (a trigger sees to
//     that). Taking it makes notices, one for each channel of the site's alerts.
//  2. An incident of a site that depends on others asks for its cause.
//  3. A notice that is held is looked at when it is due, and becomes ready, or is
//     held longer, suppressed or dropped.
//  4. Ready notices of a channel that say the same become one notification.
//  5. Package alerts takes notifications and delivers them.
const (
	// takeAtOnce is how many rows one transaction takes.
	takeAtOnce = 200

	// ParentWait is how long a notice waits at most for the sites on which its own
	// depends to be probed.
	ParentWait = 90 * time.Second
	// RecoveryWait is how long the recovery of sites waits at most, after that of the
	// site on which they depend, for the others that were told with it.
	RecoveryWait = 2 * time.Minute
	// FlapIncidents is how many incidents of a site a channel is told in FlapWindow;
	// further ones only once they last for FlapLasts.
	FlapIncidents = 4
	FlapWindow    = time.Hour
	FlapLasts     = 5 * time.Minute
	// TooOld is when an incident that is over is not told any more, and a
	// notification is not tried any more.
	TooOld = 24 * time.Hour
	// LogRetention is how long notices and notifications are kept.
	LogRetention = 90 * 24 * time.Hour
)

// Transact runs f in a transaction. It may run it several times.
type Transact func(ctx context.Context, f func(ctx context.Context, tx Tx) error) error

// ReportQueries are queries for reports, which each store packs its own way.
type ReportQueries struct {
	// Newest returns slot and outcome (0 up, 1 degraded, 2 down, 3 unknown) of the
	// newest report of each location of the site $1.
	Newest string
	// Failed counts the failed reports of the site $1 from $2 on, up to $3 of them.
	Failed string
	// Heard returns a row if an enabled site of the location $1 has a report from $2
	// on.
	Heard string
	// Certificates returns, of each enabled site with certificates that expire before
	// $1 by its newest reports from $2 on, its number and the first expiry.
	Certificates string
}

// Past answers what the availability was.
type Past interface {
	Availability(ctx context.Context, q availability.Query) (availability.Result, error)
	Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (map[string][]availability.Figure, error)
}

// Alerts decides whom trouble of sites is told.
type Alerts struct {
	Write, Read Transact
	Queries     ReportQueries
	Past        Past
}

// Decide makes notices and notifications of what has happened until now. judged is
// the time up to which reports have been read; zero: nobody knows. It is to be
// called each second, by any number of writers, and costs next to nothing where
// nothing is due.
func (a Alerts) Decide(ctx context.Context, now, judged time.Time) error {
	now, judged = now.UTC().Truncate(time.Microsecond), judged.UTC().Truncate(time.Microsecond)
	var due dueSteps
	err := a.Read(ctx, func(ctx context.Context, tx Tx) (err error) {
		due, err = readDue(ctx, tx, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("look what alerts are due: %w", err)
	}
	d := decision{a, now, judged}
	for _, step := range []struct {
		name string
		due  bool
		run  func(ctx context.Context) error
	}{
		{"watch locations", due.locations, d.watchLocations},
		{"look at certificates", due.certificates, d.lookAtCertificates},
		{"look at figures", due.figures, d.lookAtFigures},
		{"delete old notices", due.log, d.prune},
		{"take incidents", due.marks, d.repeat((*round).takeMarks)},
		{"find causes", due.marks || due.causes, d.repeat((*round).takeCauses)},
		{"look at notices", true, d.repeat((*round).takeHeld)},
		{"make notifications", true, d.flush},
	} {
		if !step.due {
			continue
		}
		if !due.any() {
			return nil
		}
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// dueSteps says which steps have something to do.
type dueSteps struct {
	marks, causes, held, ready            bool
	locations, figures, certificates, log bool
}

// any reports whether anything is due.
func (d *dueSteps) any() bool {
	return d.marks || d.causes || d.held || d.ready || d.locations || d.figures || d.certificates || d.log
}

func readDue(ctx context.Context, tx Tx, now time.Time) (d dueSteps, err error) {
	err = tx.Query(ctx, `SELECT EXISTS (SELECT 1 FROM alert_marks), EXISTS (SELECT 1 FROM incident_causes WHERE due_at <= $1),
 EXISTS (SELECT 1 FROM notices WHERE state = 'held' AND due_at <= $1), EXISTS (SELECT 1 FROM notices WHERE state = 'ready')`,
		[]any{now}, func(scan func(dest ...any) error) error { return scan(&d.marks, &d.causes, &d.held, &d.ready) })
	if err != nil {
		return d, err
	}
	d.locations, d.figures, d.certificates, d.log = true, true, true, true
	err = tx.Query(ctx, "SELECT name, checked_at FROM alert_watches WHERE name IN ($1, $2, $3, $4)",
		[]any{watchLocations, watchFigures, watchCertificates, watchLog}, func(scan func(dest ...any) error) error {
			var name string
			var checked Moment
			err := scan(&name, &checked)
			due := !now.Before(checked.Add(watchEvery(name)))
			switch name {
			case watchLocations:
				d.locations = due
			case watchFigures:
				d.figures = due
			case watchCertificates:
				d.certificates = due
			case watchLog:
				d.log = due
			}
			return err
		})
	return d, err
}

// decision is one call of [Alerts.Decide].
type decision struct {
	Alerts
	now, judged time.Time
}

// repeat runs a step in one transaction after another until it has taken all that
// is due.
func (d *decision) repeat(step func(r *round, ctx context.Context) (taken int, err error)) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for {
			var taken int
			err := d.Write(ctx, func(ctx context.Context, tx Tx) (err error) {
				taken, err = step(d.round(tx), ctx)
				return err
			})
			if err != nil || taken < takeAtOnce {
				return err
			}
		}
	}
}

func (d *decision) round(tx Tx) *round {
	return &round{
		tx: tx, now: d.now, queries: d.Queries,
		documents: map[string]*channels{}, parents: map[string]*parent{}, newest: map[int64][]newestReport{}, open: map[string]int{},
	}
}

// round is one transaction of deciding, with what it has read.
type round struct {
	tx      Tx
	now     time.Time
	queries ReportQueries

	documents map[string]*channels
	parents   map[string]*parent
	newest    map[int64][]newestReport
	open      map[string]int
}

// newestReport is the newest report of a location.
type newestReport struct {
	slot   time.Time
	failed bool
}

// newestReports returns the newest reports of a site, one of each location.
func (r *round) newestReports(ctx context.Context, site int64) ([]newestReport, error) {
	if list, ok := r.newest[site]; ok {
		return list, nil
	}
	var list []newestReport
	err := r.tx.Query(ctx, r.queries.Newest, []any{site}, func(scan func(dest ...any) error) error {
		var slot Moment
		var outcome int
		err := scan(&slot, &outcome)
		list = append(list, newestReport{slot.Time, outcome == 2})
		return err
	})
	r.newest[site] = list
	return list, err
}

// heardAfter reports whether a location has a report from after a moment, and
// whether one of those failed.
func heardAfter(list []newestReport, after time.Time) (heard, failed bool) {
	for _, n := range list {
		if n.slot.After(after) {
			heard, failed = true, failed || n.failed
		}
	}
	return heard, failed
}

// listSizes are the lengths of lists in queries: a few, so that the statements are
// few that a store prepares.
var listSizes = [...]int{1, 16, 256}

// eachList calls f with a list of parameters, from $1 on, for all ids in turn. The
// arguments that f adds are those after them.
func eachList(ids []int64, f func(list string, args []any) error) error {
	for len(ids) > 0 {
		n := listSizes[len(listSizes)-1]
		for _, size := range listSizes {
			if len(ids) <= size {
				n = size
				break
			}
		}
		var b strings.Builder
		args := make([]any, n)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i + 1))
			args[i] = ids[min(i, len(ids)-1)]
		}
		if err := f("("+b.String()+")", args); err != nil {
			return err
		}
		ids = ids[min(n, len(ids)):]
	}
	return nil
}

// orNull is NULL for 0.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}
