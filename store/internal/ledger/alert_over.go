package ledger

import (
	"context"
	"time"
)

// counterpart is the notice that told first what another says is over, and what
// became of it.
type counterpart struct {
	id                int64 // 0: there is none
	state             string
	notification      string
	delivered, gaveUp bool
	leased            time.Time // until then somebody is delivering it
}

// pending reports whether it may still be delivered.
func (c *counterpart) pending() bool { return c.notification != "" && !c.delivered && !c.gaveUp }

// counterpart reads the notice to the same channel about the same.
func (r *round) counterpart(ctx context.Context, n *notice, kind, occurrence string) (c counterpart, err error) {
	err = r.tx.Query(ctx, `SELECT d.id, d.state, coalesce(d.notification_id, ''), m.delivered_at IS NOT NULL, m.gave_up_at IS NOT NULL, m.lease_until
FROM notices d LEFT JOIN notifications m ON m.id = d.notification_id
WHERE d.source = $1 AND d.channel = $2 AND d.kind = $3 AND d.subject = $4 AND d.occurrence = $5`,
		[]any{n.source, n.channel, kind, n.subject, occurrence}, func(scan func(dest ...any) error) error {
			var leased Moment
			err := scan(&c.id, &c.state, &c.notification, &c.delivered, &c.gaveUp, &leased)
			c.leased = leased.Time
			return err
		})
	return c, err
}

// firsts are the kinds of notices by those that say that they are over.
var firsts = map[string]string{
	kindRecovered: kindDown, kindMonitorBack: kindMonitorSilent, kindLatencyOver: kindLatency, kindSLOOver: kindSLO,
}

// lookOver says what becomes of a notice that something is over: it is told after
// what was told first has arrived. What has not, and is not on its way just now,
// is taken back.
func (r *round) lookOver(ctx context.Context, n *notice) (verdict, error) {
	c, err := r.counterpart(ctx, n, firsts[n.kind], n.occurrence)
	switch {
	case err != nil:
		return verdict{}, err
	case c.delivered:
		return verdict{state: stateReady}, nil
	case c.gaveUp || c.id == 0:
		return verdict{state: stateDropped}, nil
	case c.leased.After(r.now):
		return held(r.now.Add(time.Second)), nil
	}
	if c.notification != "" {
		taken, err := r.takeBack(ctx, c.id, c.notification)
		if err != nil || !taken {
			return held(r.now.Add(time.Second)), err
		}
	}
	if n.kind == kindRecovered {
		// What was to be told then says that the site was down.
		_, err = r.tx.Exec(ctx, "UPDATE notices SET state = 'held', due_at = $2 WHERE id = $1 AND state <> 'sent'", c.id, r.now)
		return verdict{state: stateDropped}, err
	}
	_, err = r.tx.Exec(ctx, "UPDATE notices SET state = 'dropped', due_at = $2 WHERE id = $1", c.id, r.now)
	if n.kind == kindMonitorBack && c.notification != "" {
		return verdict{state: stateReady}, err // it says how long that was
	}
	return verdict{state: stateDropped}, err
}

// takeBack takes a notice out of a notification that has not been delivered. It
// reports false where somebody is at that just now.
func (r *round) takeBack(ctx context.Context, notice int64, notification string) (bool, error) {
	m, err := r.lockNotification(ctx, notification)
	if err != nil || m == nil {
		return false, err
	}
	_, err = r.tx.Exec(ctx, "UPDATE notices SET notification_id = NULL, state = 'held', due_at = $2 WHERE id = $1", notice, r.now)
	if err != nil {
		return false, err
	}
	left, err := r.notices(ctx, "d.notification_id = $1 ORDER BY d.id", []any{notification}, "")
	if err != nil {
		return false, err
	}
	if len(left) == 0 {
		_, err := r.tx.Exec(ctx, "UPDATE notifications SET next_at = NULL, gave_up_at = $2, last_error = $3 WHERE id = $1",
			notification, r.now, "it was over before it could be delivered")
		return err == nil, err
	}
	m.incidents, err = r.incidentsOf(ctx, left)
	if err != nil {
		return false, err
	}
	m.notices = left
	for _, n := range left {
		m.cause = max(m.cause, n.cause)
	}
	return true, r.rewrite(ctx, m)
}
