package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sitemon"
)

// address is a channel of a document.
type address struct{ source, channel string }

// flush makes notifications of ready notices.
func (d *decision) flush(ctx context.Context) error {
	var all []address
	err := d.Read(ctx, func(ctx context.Context, tx Tx) error {
		all = nil
		return tx.Query(ctx, "SELECT DISTINCT source, channel FROM notices WHERE state = 'ready' ORDER BY source, channel", nil,
			func(scan func(dest ...any) error) error {
				var a address
				err := scan(&a.source, &a.channel)
				all = append(all, a)
				return err
			})
	})
	if err != nil {
		return err
	}
	for _, a := range all {
		err := d.Write(ctx, func(ctx context.Context, tx Tx) error { return d.round(tx).flush(ctx, a) })
		if err != nil {
			return fmt.Errorf("channel %q: %w", a.channel, err)
		}
	}
	return nil
}

// flush makes notifications of the ready notices of a channel that have waited long
// enough for others like them.
func (r *round) flush(ctx context.Context, a address) error {
	c, err := r.channel(ctx, a.source, a.channel)
	if err != nil {
		return err
	}
	if c == nil {
		_, err := r.tx.Exec(ctx, "UPDATE notices SET state = 'dropped', due_at = $3 WHERE source = $1 AND channel = $2 AND state = 'ready'",
			a.source, a.channel, r.now)
		return err
	}
	if locked, err := r.lockChannel(ctx, a); err != nil || !locked {
		return err
	}
	groups, err := r.groups(ctx, a)
	if err != nil {
		return err
	}
	wait := r.documents[a.source].GroupWait
	for _, m := range groups {
		if r.now.Before(m.since.Add(wait)) {
			continue
		}
		if full, err := r.full(ctx, a, c.MaxPerMinute); err != nil || full {
			return err
		}
		if err := r.send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// lockChannel lets only one at a time make notifications to a channel.
func (r *round) lockChannel(ctx context.Context, a address) (locked bool, err error) {
	_, err = r.tx.Exec(ctx, "INSERT INTO alert_channels (source, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", a.source, a.channel)
	if err != nil {
		return false, err
	}
	err = r.tx.Query(ctx, "SELECT name FROM alert_channels WHERE source = $1 AND name = $2"+r.tx.SkipLocked(), []any{a.source, a.channel},
		func(scan func(dest ...any) error) error {
			var name string
			locked = true
			return scan(&name)
		})
	return locked, err
}

// full reports whether a channel has got as many notifications in the last minute as
// it may.
func (r *round) full(ctx context.Context, a address, perMinute int) (bool, error) {
	if perMinute <= 0 {
		return false, nil
	}
	n := 0
	err := r.tx.Query(ctx, "SELECT count(*) FROM notifications WHERE source = $1 AND channel = $2 AND created_at > $3",
		[]any{a.source, a.channel, r.now.Add(-time.Minute)}, func(scan func(dest ...any) error) error { return scan(&n) })
	return n >= perMinute, err
}

// message is a notification that is made of notices.
type message struct {
	address
	id        string
	kind      sitemon.NotificationKind
	resolved  bool
	cause     int64 // 0: none
	since     time.Time
	notices   []*notice
	incidents map[int64]*affected
	sites     map[int64]*sitemon.NotifiedSite // of notices without an incident
}

// kindOf is the kind of the notification that a notice becomes.
func kindOf(n *notice, i *affected) (kind sitemon.NotificationKind, resolved bool) {
	switch n.kind {
	case kindDown:
		if i.over() {
			return sitemon.NotifyRecovered, true
		}
	case kindRecovered, kindMonitorBack:
		return sitemon.NotificationKind(n.kind), true
	case kindLatencyOver, kindSLOOver:
		return sitemon.NotificationKind(firsts[n.kind]), true
	}
	return sitemon.NotificationKind(n.kind), false
}

// groups puts the ready notices of a channel together, the group that has waited
// longest first.
func (r *round) groups(ctx context.Context, a address) ([]*message, error) {
	list, err := r.notices(ctx, "d.state = 'ready' AND d.source = $1 AND d.channel = $2 ORDER BY d.due_at, d.id",
		[]any{a.source, a.channel}, r.tx.SkipLocked())
	if err != nil {
		return nil, err
	}
	incidents, err := r.incidentsOf(ctx, list)
	if err != nil {
		return nil, err
	}
	type key struct {
		kind     sitemon.NotificationKind
		resolved bool
		cause    int64
	}
	keyOf := func(n *notice) key {
		kind, resolved := kindOf(n, incidents[n.incident])
		return key{kind, resolved, n.cause}
	}
	caused := map[key]bool{}
	for _, n := range list {
		caused[keyOf(n)] = true
	}
	byKey := map[key]*message{}
	var groups []*message
	for _, n := range list {
		i := incidents[n.incident]
		if pointless(n, i) {
			if err := r.drop(ctx, n); err != nil {
				return nil, err
			}
			continue
		}
		k := keyOf(n)
		if own := (key{k.kind, k.resolved, n.incident}); n.cause == 0 && !k.resolved && caused[own] {
			k = own // it belongs to those that it caused
		}
		m := byKey[k]
		if m == nil {
			m = &message{address: a, kind: k.kind, resolved: k.resolved, cause: k.cause, since: n.due, incidents: incidents}
			byKey[k] = m
			groups = append(groups, m)
		}
		m.notices = append(m.notices, n)
	}
	return groups, nil
}

// pointless reports whether what a notice says is not true any more.
func pointless(n *notice, i *affected) bool {
	switch n.kind {
	case kindReminder:
		return i.over() || !i.acknowledged.IsZero()
	case kindRecovered:
		return !i.over()
	case kindDown:
		return i.withdrawn
	}
	return false
}

func (r *round) drop(ctx context.Context, n *notice) error {
	_, err := r.tx.Exec(ctx, "UPDATE notices SET state = 'dropped', due_at = $2 WHERE id = $1", n.id, r.now)
	return err
}

// incidentsOf reads the incidents of notices, and their causes.
func (r *round) incidentsOf(ctx context.Context, list []*notice) (map[int64]*affected, error) {
	var ids []int64
	for _, n := range list {
		ids = append(ids, n.incident, n.cause)
	}
	return r.incidents(ctx, ids)
}

// send makes the notification of a group.
func (r *round) send(ctx context.Context, m *message) error {
	if m.kind == sitemon.NotifyDown && m.cause != 0 {
		if done, err := r.joinCause(ctx, m); err != nil || done {
			return err
		}
	}
	m.id = rand.Text()
	if err := r.insert(ctx, m); err != nil {
		return err
	}
	ids := make([]int64, len(m.notices))
	for k, n := range m.notices {
		ids[k] = n.id
		if n.kind != kindDown || m.resolved || n.alert.ReminderInterval <= 0 {
			continue
		}
		next := *n
		next.kind, next.occurrence, next.due, next.text = kindReminder, "1", r.now.Add(n.alert.ReminderInterval), ""
		if err := r.hold(ctx, &next); err != nil {
			return err
		}
	}
	return eachList(ids, func(list string, args []any) error {
		k := len(args)
		_, err := r.tx.Exec(ctx, fmt.Sprintf("UPDATE notices SET state = 'sent', notification_id = $%d, due_at = $%d WHERE id IN %s", k+1, k+2, list),
			append(args, m.id, r.now)...)
		return err
	})
}

// joinCause adds the notice of the cause itself to those that it caused. It is done
// where the channel has been told of the cause meanwhile.
func (r *round) joinCause(ctx context.Context, m *message) (done bool, err error) {
	for _, n := range m.notices {
		if n.cause == 0 {
			return false, nil
		}
	}
	told, err := r.told(ctx, m.notices[0])
	if err != nil {
		return false, err
	}
	if told != "" {
		for _, n := range m.notices {
			_, err := r.tx.Exec(ctx, "UPDATE notices SET state = 'suppressed', due_at = $2 WHERE id = $1", n.id, r.now)
			if err != nil {
				return false, err
			}
		}
		return true, nil
	}
	own, err := r.notices(ctx, "d.incident_id = $1 AND d.source = $2 AND d.channel = $3 AND d.kind = 'down' AND d.state = 'held'",
		[]any{m.cause, m.source, m.channel}, r.tx.SkipLocked())
	m.notices = append(own, m.notices...)
	return false, err
}

// insert writes the notification of a group.
func (r *round) insert(ctx context.Context, m *message) error {
	w, err := r.write(ctx, m)
	if err != nil {
		return err
	}
	_, err = r.tx.Exec(ctx, `INSERT INTO notifications (id, source, channel, kind, resolved, severity, created_at, summary, cause, sites, total, next_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $7)`,
		m.id, m.source, m.channel, string(m.kind), m.resolved, string(w.severity), r.now, w.summary, w.cause, w.sites, w.total)
	return err
}

// rewrite writes a notification again of which notices were taken back.
func (r *round) rewrite(ctx context.Context, m *message) error {
	w, err := r.write(ctx, m)
	if err != nil {
		return err
	}
	_, err = r.tx.Exec(ctx, "UPDATE notifications SET severity = $2, summary = $3, cause = $4, sites = $5, total = $6 WHERE id = $1",
		m.id, string(w.severity), w.summary, w.cause, w.sites, w.total)
	return err
}

// written is what a notification says.
type written struct {
	severity       sitemon.Severity
	summary, cause string
	sites          string // JSON
	total          int
}

// write puts into words what a group of notices says.
func (r *round) write(ctx context.Context, m *message) (w written, err error) {
	if err := r.readSites(ctx, m); err != nil {
		return w, err
	}
	c := compose(m)
	b, err := json.Marshal(c.sites)
	if err != nil {
		return w, fmt.Errorf("write the sites of a notification: %w", err)
	}
	w = written{sitemon.SeverityInfo, c.summary, c.cause, string(b), c.total}
	for _, n := range m.notices {
		if rank(n.severity) > rank(w.severity) {
			w.severity = n.severity
		}
	}
	return w, nil
}

func rank(s sitemon.Severity) int {
	return slices.Index([]sitemon.Severity{sitemon.SeverityInfo, sitemon.SeverityWarning, sitemon.SeverityCritical}, s)
}

// readSites reads the sites of notices that are about no incident.
func (r *round) readSites(ctx context.Context, m *message) error {
	m.sites = map[int64]*sitemon.NotifiedSite{}
	var ids []int64
	for _, n := range m.notices {
		if n.incident == 0 && n.site != 0 {
			ids = append(ids, n.site)
		}
	}
	slices.Sort(ids)
	return eachList(slices.Compact(ids), func(list string, args []any) error {
		return r.tx.Query(ctx, `SELECT n.id, n.name, coalesce(s."group", ''), coalesce(s.url, ''), coalesce(t.status, ''), t.since
FROM site_names n LEFT JOIN sites s ON s.site_id = n.id LEFT JOIN site_status t ON t.site_id = n.id WHERE n.id IN `+list, args,
			func(scan func(dest ...any) error) error {
				var id int64
				var s sitemon.NotifiedSite
				var since Moment
				err := scan(&id, &s.Name, &s.Group, &s.URL, (*string)(&s.Status), &since)
				s.URL, s.Since = sitemon.RedactURL(s.URL), since.Time
				s.Status = cmp.Or(s.Status, sitemon.StatusUnknown)
				m.sites[id] = &s
				return err
			})
	})
}
