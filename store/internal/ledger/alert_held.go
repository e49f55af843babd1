package ledger

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// verdict is what becomes of a notice that was looked at.
type verdict struct {
	state string
	due   time.Time // when to look again, if it is held
}

func held(until time.Time) verdict { return verdict{stateHeld, until} }

// takeHeld looks at the notices that are due.
func (r *round) takeHeld(ctx context.Context) (taken int, err error) {
	list, err := r.notices(ctx, fmt.Sprintf("d.state = 'held' AND d.due_at <= $1 ORDER BY d.due_at, d.id LIMIT %d", takeAtOnce),
		[]any{r.now}, r.tx.SkipLocked())
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var ids []int64
	for _, n := range list {
		ids = append(ids, n.incident, n.cause)
	}
	incidents, err := r.incidents(ctx, ids)
	if err != nil {
		return 0, err
	}
	for _, n := range list {
		v, err := r.look(ctx, n, incidents)
		if err != nil {
			return 0, fmt.Errorf("%s, %s: %w", n.kind, n.subject, err)
		}
		if v.due.IsZero() {
			v.due = r.now
		}
		_, err = r.tx.Exec(ctx, "UPDATE notices SET state = $2, due_at = $3, cause_id = $4, text = $5, notification_id = $6 WHERE id = $1",
			n.id, v.state, v.due, orNull(n.cause), n.text, textOrNull(n.notification))
		if err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// look says what becomes of a notice.
func (r *round) look(ctx context.Context, n *notice, incidents map[int64]*affected) (verdict, error) {
	c, err := r.channel(ctx, n.source, n.channel)
	if err != nil || c == nil {
		return verdict{state: stateDropped}, err
	}
	var v verdict
	i := incidents[n.incident]
	switch n.kind {
	case kindDown:
		v, err = r.lookDown(ctx, n, i)
	case kindRecovered:
		v, err = r.lookRecovered(ctx, n, i, incidents[n.cause])
	case kindReminder:
		v, err = r.lookReminder(ctx, n, i)
	case kindMonitorBack, kindLatencyOver, kindSLOOver:
		v, err = r.lookOver(ctx, n)
	default:
		v = verdict{state: stateReady}
	}
	if err == nil && v.state == stateReady {
		if until := r.quiet(c, n.severity); !until.IsZero() {
			v = held(until)
		}
	}
	return v, err
}

// lookDown says what becomes of the notice that a site is down.
func (r *round) lookDown(ctx context.Context, n *notice, i *affected) (verdict, error) {
	if i.withdrawn || i.ended.IsZero() && alertTo(&i.rules, sitemon.AlertDown, n.channel) == nil {
		return verdict{state: stateDropped}, nil
	}
	if v, err := r.threshold(ctx, n, i); err != nil || v.state != "" {
		return v, err
	}
	if i.asking && !i.over() {
		return held(r.now.Add(time.Second)), nil
	}
	n.cause = i.cause
	told, err := r.told(ctx, n)
	switch {
	case err != nil:
		return verdict{}, err
	case told != "" && n.cause == 0: // the notification about those that it caused names it
		n.notification = told
		return verdict{state: stateSent}, nil
	case told != "" && i.over():
		return verdict{state: stateDropped}, nil
	case told != "":
		return verdict{state: stateSuppressed}, nil
	}
	return r.damp(ctx, n, i)
}

// threshold holds the notice of an incident that has not had enough failed reports
// yet.
func (r *round) threshold(ctx context.Context, n *notice, i *affected) (verdict, error) {
	want := n.alert.FailureThreshold
	if want <= 1 {
		return verdict{}, nil
	}
	failed := 0
	err := r.tx.Query(ctx, r.queries.Failed, []any{i.site, i.started, want}, func(scan func(dest ...any) error) error { return scan(&failed) })
	switch {
	case err != nil:
		return verdict{}, err
	case failed >= want:
		return verdict{}, nil
	case i.over():
		return verdict{state: stateDropped}, nil
	}
	return held(r.now.Add(min(max(i.interval/4, time.Second), 10*time.Second))), nil
}

// told returns the notification in which a channel has been told of the cause of a
// notice, or of what its incident caused; "" if there is none.
func (r *round) told(ctx context.Context, n *notice) (id string, err error) {
	query := `d.state = 'sent' AND d.kind = 'down' AND d.source = $1 AND d.channel = $2`
	args := []any{n.source, n.channel, n.cause}
	if n.cause != 0 {
		query += " AND (d.incident_id = $3 OR d.cause_id = $3)"
	} else {
		query += " AND d.cause_id = $3"
		args[2] = n.incident
	}
	err = r.tx.Query(ctx, "SELECT coalesce(d.notification_id, '') FROM notices d WHERE "+query+" LIMIT 1", args,
		func(scan func(dest ...any) error) error { return scan(&id) })
	return id, err
}

// damp holds the notices of a site whose status changes all the time.
func (r *round) damp(ctx context.Context, n *notice, i *affected) (verdict, error) {
	told := 0
	err := r.tx.Query(ctx, `SELECT count(*) FROM notices WHERE site_id = $1 AND kind = 'down' AND due_at > $2
 AND state = 'sent' AND source = $3 AND channel = $4 AND incident_id <> $5`,
		[]any{n.site, r.now.Add(-FlapWindow), n.source, n.channel, n.incident}, func(scan func(dest ...any) error) error { return scan(&told) })
	if err != nil {
		return verdict{}, err
	}
	n.text = ""
	if told < FlapIncidents {
		return verdict{state: stateReady}, nil
	}
	switch lasts := i.started.Add(FlapLasts); {
	case i.over() && i.ended.Before(lasts):
		return verdict{state: stateDropped}, nil
	case !i.over() && r.now.Before(lasts):
		return held(lasts), nil
	}
	n.text = "flapping"
	return verdict{state: stateReady}, nil
}

// lookRecovered says what becomes of the notice that a site is up again. cause is
// the incident that was the likely cause; nil for none.
func (r *round) lookRecovered(ctx context.Context, n *notice, i, cause *affected) (verdict, error) {
	if !i.over() {
		return verdict{state: stateDropped}, nil // late reports say that it goes on
	}
	if v, err := r.lookOver(ctx, n); err != nil || v.state != stateReady || cause == nil {
		return v, err
	}
	if !cause.over() {
		newest, err := r.newestReports(ctx, cause.site)
		if err != nil {
			return verdict{}, err
		}
		// Its own cause may be over too: the next report tells.
		if heard, _ := heardAfter(newest, i.ended); !heard && r.now.Sub(n.created) < ParentWait {
			return held(r.now.Add(time.Second)), nil
		}
		return verdict{state: stateReady}, nil
	}
	if cause.withdrawn || !r.now.Before(cause.ended.Add(RecoveryWait)) {
		return verdict{state: stateReady}, nil
	}
	open, err := r.openWith(ctx, n)
	if err != nil || open == 0 {
		return verdict{state: stateReady}, err
	}
	return held(r.now.Add(time.Second)), nil
}

// openWith counts the incidents that go on of those that a channel was told
// together with that of a notice.
func (r *round) openWith(ctx context.Context, n *notice) (open int, err error) {
	key := fmt.Sprintf("%d %q %q", n.cause, n.source, n.channel)
	if open, ok := r.open[key]; ok {
		return open, nil
	}
	err = r.tx.Query(ctx, `SELECT count(*) FROM notices d JOIN incidents i ON i.id = d.incident_id
WHERE d.cause_id = $1 AND d.source = $2 AND d.channel = $3 AND d.kind = 'down' AND d.state = 'sent' AND i.ended_at IS NULL AND NOT i.withdrawn`,
		[]any{n.cause, n.source, n.channel}, func(scan func(dest ...any) error) error { return scan(&open) })
	r.open[key] = open
	return open, err
}

// lookReminder says what becomes of a reminder. A regular one is followed by the
// next.
func (r *round) lookReminder(ctx context.Context, n *notice, i *affected) (verdict, error) {
	a := alertTo(&i.rules, sitemon.AlertDown, n.channel)
	if i.over() || !i.acknowledged.IsZero() || a == nil {
		return verdict{state: stateDropped}, nil
	}
	c, err := r.counterpart(ctx, n, kindDown, "")
	if err != nil {
		return verdict{}, err
	}
	var k int
	if _, err := fmt.Sscanf(n.occurrence, "%d", &k); err != nil { // after its cause was over
		switch {
		case c.delivered:
			return verdict{state: stateReady}, nil
		case c.pending():
			return held(r.now.Add(time.Second)), nil
		}
		return verdict{state: stateDropped}, nil
	}
	if a.ReminderInterval <= 0 || c.id == 0 {
		return verdict{state: stateDropped}, nil
	}
	if !c.delivered {
		return held(r.now.Add(a.ReminderInterval)), nil
	}
	next := *n
	next.occurrence, next.due, next.alert = fmt.Sprint(k+1), later(n.due.Add(a.ReminderInterval), r.now.Add(a.ReminderInterval/2)), a
	return verdict{state: stateReady}, r.hold(ctx, &next)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
