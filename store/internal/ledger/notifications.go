package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sitemon"
)

const (
	// Lease is how long who takes a notification has to deliver it before somebody
	// else may.
	Lease = time.Minute
	// FallbackAfter is how long a channel fails before its fallback gets what it does
	// not take.
	FallbackAfter = 10 * time.Minute

	firstRetry = 5 * time.Second
	lastRetry  = 5 * time.Minute
)

// TakeNotifications returns notifications that are to be delivered now, the ones
// that have waited longest first, for who to do so within [Lease]. Each is then to
// be settled by [NotificationSent].
func TakeNotifications(ctx context.Context, tx Tx, now time.Time, limit int, who string) (list []sitemon.Notification, err error) {
	now = now.UTC().Truncate(time.Microsecond)
	err = tx.Query(ctx, fmt.Sprintf(`SELECT id, source, channel, kind, resolved, severity, created_at, summary, cause, sites, total, attempts,
 coalesce(fallback_of, '') FROM notifications WHERE next_at <= $1 ORDER BY next_at, created_at, id LIMIT %d`, limit)+tx.SkipLocked(),
		[]any{now}, func(scan func(dest ...any) error) error {
			var n sitemon.Notification
			var at Moment
			var sites string
			err := scan(&n.ID, &n.Source, &n.Channel, (*string)(&n.Kind), &n.Resolved, (*string)(&n.Severity), &at, &n.Summary, &n.Cause,
				&sites, &n.Total, &n.Attempt, &n.Fallback)
			if err != nil {
				return err
			}
			n.At, n.Attempt = at.Time, n.Attempt+1
			list = append(list, n)
			return json.Unmarshal([]byte(sites), &list[len(list)-1].Sites)
		})
	if err != nil {
		return nil, fmt.Errorf("take notifications: %w", err)
	}
	r := &round{tx: tx, now: now, documents: map[string]*channels{}}
	kept := list[:0]
	for _, n := range list {
		ok, err := r.lease(ctx, &n, who)
		if err != nil {
			return nil, fmt.Errorf("take notification %s: %w", n.ID, err)
		}
		if ok {
			kept = append(kept, n)
		}
	}
	return kept, nil
}

// lease gives a notification to who, with the target of its channel. It is given up
// where the channel is gone.
func (r *round) lease(ctx context.Context, n *sitemon.Notification, who string) (ok bool, err error) {
	c, err := r.channel(ctx, n.Source, n.Channel)
	if err != nil {
		return false, err
	}
	if c == nil {
		_, err := r.tx.Exec(ctx, "UPDATE notifications SET next_at = NULL, gave_up_at = $2, last_error = $3 WHERE id = $1",
			n.ID, r.now, "the channel is gone")
		return false, err
	}
	n.Target = c.Target
	if n.Fallback != "" {
		err := r.tx.Query(ctx, "SELECT channel FROM notifications WHERE id = $1", []any{n.Fallback},
			func(scan func(dest ...any) error) error { return scan(&n.Fallback) })
		if err != nil {
			return false, err
		}
	}
	until := r.now.Add(Lease)
	_, err = r.tx.Exec(ctx, "UPDATE notifications SET next_at = $2, lease_until = $2, leased_by = $3 WHERE id = $1",
		n.ID, until, who)
	return true, err
}

// delivery is a notification whose row is locked.
type delivery struct {
	id string
	address
	kind            sitemon.NotificationKind
	resolved        bool
	created, failed time.Time
	attempts        int
	fallbackOf      string
}

// lockDelivery locks a notification that is not settled; nil if it is, or somebody
// else is at it.
func (r *round) lockDelivery(ctx context.Context, id string) (d *delivery, leased time.Time, err error) {
	err = r.tx.Query(ctx, `SELECT id, source, channel, kind, resolved, created_at, failed_at, attempts, coalesce(fallback_of, ''), lease_until
FROM notifications WHERE id = $1 AND delivered_at IS NULL AND gave_up_at IS NULL`+r.tx.SkipLocked(), []any{id},
		func(scan func(dest ...any) error) error {
			d = &delivery{}
			var created, failed, until Moment
			err := scan(&d.id, &d.source, &d.channel, (*string)(&d.kind), &d.resolved, &created, &failed, &d.attempts, &d.fallbackOf, &until)
			d.created, d.failed, leased = created.Time, failed.Time, until.Time
			return err
		})
	return d, leased, err
}

// lockNotification locks a notification that nobody is delivering, as a message;
// nil if somebody may be, or has.
func (r *round) lockNotification(ctx context.Context, id string) (*message, error) {
	d, leased, err := r.lockDelivery(ctx, id)
	if err != nil || d == nil || leased.After(r.now) {
		return nil, err
	}
	return &message{address: d.address, id: id, kind: d.kind, resolved: d.resolved}, nil
}

// NotificationSent settles a notification that was taken: delivered, or to be tried
// again after a failure, for [TooOld]. What its channel does not take for
// [FallbackAfter] goes to the channel's fallback too. The timelines of its incidents
// say what became of it.
func NotificationSent(ctx context.Context, tx Tx, id string, now time.Time, failure error) (err error) {
	r := &round{tx: tx, now: now.UTC().Truncate(time.Microsecond), documents: map[string]*channels{}}
	d, _, err := r.lockDelivery(ctx, id)
	if err != nil || d == nil {
		return err
	}
	if failure == nil {
		err = r.delivered(ctx, d)
	} else {
		err = r.failed(ctx, d, failure)
	}
	if err != nil {
		return fmt.Errorf("settle notification %s: %w", id, err)
	}
	return nil
}

func (r *round) delivered(ctx context.Context, d *delivery) error {
	_, err := r.tx.Exec(ctx, "UPDATE notifications SET delivered_at = $2, next_at = NULL, lease_until = NULL, attempts = attempts + 1 WHERE id = $1", d.id, r.now)
	if err != nil {
		return err
	}
	_, err = r.tx.Exec(ctx, "UPDATE alert_channels SET failing_since = NULL, last_error = '' WHERE source = $1 AND name = $2 AND failing_since IS NOT NULL",
		d.source, d.channel)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s told to %s", d.words(), d.channel)
	if d.fallbackOf != "" {
		text += ", as another channel did not take it"
	}
	return r.tellIncidents(ctx, d, text)
}

// words names what is told in a timeline.
func (d *delivery) words() string {
	if d.kind == sitemon.NotifyRecovered {
		return "recovery"
	}
	return string(d.kind)
}

func (r *round) failed(ctx context.Context, d *delivery, failure error) error {
	text := strings.ToValidUTF8(failure.Error(), "�")
	if d.failed.IsZero() {
		d.failed = r.now
	}
	_, err := r.tx.Exec(ctx, `INSERT INTO alert_channels (source, name, failing_since, last_error) VALUES ($1, $2, $3, $4)
ON CONFLICT (source, name) DO UPDATE SET failing_since = coalesce(alert_channels.failing_since, excluded.failing_since), last_error = excluded.last_error`,
		d.source, d.channel, r.now, text)
	if err != nil {
		return err
	}
	next := r.now.Add(min(firstRetry<<min(d.attempts, 10), lastRetry))
	if next.Sub(d.created) < TooOld {
		_, err := r.tx.Exec(ctx, "UPDATE notifications SET next_at = $2, lease_until = NULL, failed_at = $3, last_error = $4, attempts = attempts + 1 WHERE id = $1",
			d.id, next, d.failed, text)
		if err != nil {
			return err
		}
		return r.fallBack(ctx, d)
	}
	_, err = r.tx.Exec(ctx, "UPDATE notifications SET next_at = NULL, lease_until = NULL, gave_up_at = $2, failed_at = $3, last_error = $4, attempts = attempts + 1 WHERE id = $1",
		d.id, r.now, d.failed, text)
	if err != nil {
		return err
	}
	return r.tellIncidents(ctx, d, fmt.Sprintf("%s could not be told to %s: %s", d.words(), d.channel, text))
}

// fallBack gives a notification to the fallback of its channel too, once, where the
// channel has failed for long enough.
func (r *round) fallBack(ctx context.Context, d *delivery) error {
	if d.fallbackOf != "" {
		return nil
	}
	since := d.failed
	err := r.tx.Query(ctx, "SELECT failing_since FROM alert_channels WHERE source = $1 AND name = $2", []any{d.source, d.channel},
		func(scan func(dest ...any) error) error {
			var m Moment
			err := scan(&m)
			if !m.IsZero() && m.Before(since) {
				since = m.Time
			}
			return err
		})
	if err != nil || r.now.Sub(since) < FallbackAfter {
		return err
	}
	c, err := r.channel(ctx, d.source, d.channel)
	if err != nil || c == nil || c.Fallback == "" || c.Fallback == d.channel {
		return err
	}
	_, err = r.tx.Exec(ctx, `INSERT INTO notifications (id, source, channel, kind, resolved, severity, created_at, summary, cause, sites, total, next_at, fallback_of)
SELECT $1, source, $2, kind, resolved, severity, $3, $4 || summary, cause, sites, total, $3, id FROM notifications WHERE id = $5 ON CONFLICT DO NOTHING`,
		rand.Text(), c.Fallback, r.now, "(instead of "+d.channel+", which fails) ", d.id)
	return err
}

// tellIncidents adds a line to the timelines of the incidents of a notification.
func (r *round) tellIncidents(ctx context.Context, d *delivery, text string) error {
	id := d.id
	if d.fallbackOf != "" {
		id = d.fallbackOf
	}
	_, err := r.tx.Exec(ctx, `INSERT INTO incident_events (incident_id, at, kind, text)
SELECT incident_id, $2, $3, $4 FROM notices WHERE notification_id = $1 AND incident_id IS NOT NULL`,
		id, r.now, string(sitemon.EventAlert), text)
	return err
}
