package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sitemon"
)

// The kinds of notices. Those of notifications are [sitemon.NotificationKind]; what
// says that something is over is a kind of its own here.
const (
	kindDown          = "down"
	kindRecovered     = "recovered"
	kindReminder      = "reminder"
	kindMonitorSilent = "monitor_silent"
	kindMonitorBack   = "monitor_back"
	kindCertificate   = "certificate"
	kindSLO           = "slo"
	kindSLOOver       = "slo_over"
	kindLatency       = "latency"
	kindLatencyOver   = "latency_over"
)

// The states of notices.
const (
	stateHeld       = "held"
	stateReady      = "ready"
	stateSent       = "sent"
	stateSuppressed = "suppressed"
	stateDropped    = "dropped"
)

// affected is an incident with its site as it is now.
type affected struct {
	id, site                    int64
	name, reason, text, endedBy string
	started, confirmed, ended   time.Time
	acknowledged                time.Time
	withdrawn, present          bool
	source, group, url          string
	rules                       sitemon.Rules
	interval                    time.Duration
	status                      string
	since                       time.Time
	asking                      bool // its cause is to be found out
	cause                       int64
}

// over reports whether the incident has ended, or never was.
func (i *affected) over() bool { return i.withdrawn || !i.ended.IsZero() }

const affectedQuery = `SELECT i.id, i.site_id, n.name, i.started_at, i.confirmed_at, i.ended_at, i.ended_by, i.reason, i.error,
 i.acknowledged_at, i.withdrawn, s.site_id IS NOT NULL, coalesce(s.source, ''), coalesce(s."group", ''), coalesce(s.url, ''),
 coalesce(s.rules, ''), coalesce(s.interval_ms, 0), coalesce(t.status, ''), t.since, c.due_at IS NOT NULL, coalesce(c.cause_id, 0)
FROM incidents i JOIN site_names n ON n.id = i.site_id
LEFT JOIN sites s ON s.site_id = i.site_id LEFT JOIN site_status t ON t.site_id = i.site_id
LEFT JOIN incident_causes c ON c.incident_id = i.id WHERE i.id IN `

// incidents reads incidents by their numbers.
func (r *round) incidents(ctx context.Context, ids []int64) (map[int64]*affected, error) {
	all := make(map[int64]*affected, len(ids))
	slices.Sort(ids)
	err := eachList(slices.Compact(ids), func(list string, args []any) error {
		return r.tx.Query(ctx, affectedQuery+list, args, func(scan func(dest ...any) error) error {
			var i affected
			var started, confirmed, ended, acknowledged, since Moment
			var rules string
			var ms int64
			err := scan(&i.id, &i.site, &i.name, &started, &confirmed, &ended, &i.endedBy, &i.reason, &i.text,
				&acknowledged, &i.withdrawn, &i.present, &i.source, &i.group, &i.url,
				&rules, &ms, &i.status, &since, &i.asking, &i.cause)
			i.started, i.confirmed, i.ended, i.acknowledged, i.since = started.Time, confirmed.Time, ended.Time, acknowledged.Time, since.Time
			i.rules, i.interval = rulesOf(rules), time.Duration(ms)*time.Millisecond
			all[i.id] = &i
			return err
		})
	})
	return all, err
}

// subject is what notices about the incident are about.
func (i *affected) subject() string { return fmt.Sprintf("incident %d", i.id) }

// takeMarks makes notices of incidents that began or ended.
func (r *round) takeMarks(ctx context.Context) (taken int, err error) {
	marks := map[int64][]int64{} // by incident
	err = r.tx.Query(ctx, fmt.Sprintf("SELECT id, incident_id FROM alert_marks ORDER BY id LIMIT %d", takeAtOnce)+r.tx.SkipLocked(), nil,
		func(scan func(dest ...any) error) error {
			var id, incident int64
			err := scan(&id, &incident)
			marks[incident] = append(marks[incident], id)
			return err
		})
	if err != nil || len(marks) == 0 {
		return 0, err
	}
	var ids, locked []int64
	for id := range marks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	// Two that decide about one incident wait for each other.
	err = eachList(ids, func(list string, args []any) error {
		return r.tx.Query(ctx, "SELECT id FROM incidents WHERE id IN "+list+" ORDER BY id"+r.tx.SkipLocked(), args,
			func(scan func(dest ...any) error) error {
				var id int64
				err := scan(&id)
				locked = append(locked, id)
				return err
			})
	})
	if err != nil {
		return 0, err
	}
	incidents, err := r.incidents(ctx, slices.Clone(locked))
	if err != nil {
		return 0, err
	}
	var done []int64
	for _, id := range locked {
		if err := r.changed(ctx, incidents[id]); err != nil {
			return 0, fmt.Errorf("incident %d: %w", id, err)
		}
		done = append(done, marks[id]...)
	}
	err = eachList(done, func(list string, args []any) error {
		_, err := r.tx.Exec(ctx, "DELETE FROM alert_marks WHERE id IN "+list, args...)
		return err
	})
	return len(done), err
}

// changed makes notices of an incident that began or ended, or both.
func (r *round) changed(ctx context.Context, i *affected) error {
	if !i.withdrawn && (i.ended.IsZero() || r.now.Sub(i.ended) < TooOld) {
		if err := r.began(ctx, i); err != nil {
			return err
		}
	}
	if !i.over() {
		return nil
	}
	return r.ended(ctx, i)
}

// began makes the notices of an incident, one for each channel, and asks for its
// cause.
func (r *round) began(ctx context.Context, i *affected) error {
	if len(i.rules.DependsOn) > 0 && i.ended.IsZero() {
		_, err := r.tx.Exec(ctx, `INSERT INTO incident_causes (incident_id, asked_at, after, due_at) VALUES ($1, $2, $3, $2)
ON CONFLICT DO NOTHING`, i.id, r.now, i.started)
		if err != nil {
			return err
		}
	}
	told := map[string]bool{}
	for k := range i.rules.Alerts {
		a := &i.rules.Alerts[k]
		if !a.Tells(sitemon.AlertDown) {
			continue
		}
		for _, to := range a.To {
			if told[to] {
				continue
			}
			told[to] = true
			n := notice{
				source: i.source, channel: to, kind: kindDown, subject: i.subject(), due: r.now,
				incident: i.id, site: i.site, severity: a.Severity, alert: a, total: 1,
			}
			if err := r.hold(ctx, &n); err != nil {
				return err
			}
		}
	}
	return nil
}

// ended settles the notices of an incident that is over, and asks again for the
// causes of those that it may have caused.
func (r *round) ended(ctx context.Context, i *affected) error {
	_, err := r.tx.Exec(ctx, `UPDATE notices SET state = 'held', due_at = $2
WHERE incident_id = $1 AND kind IN ('down', 'reminder') AND state IN ('held', 'ready', 'suppressed')`, i.id, r.now)
	if err != nil {
		return err
	}
	if _, err := r.tx.Exec(ctx, "UPDATE incident_causes SET due_at = NULL WHERE incident_id = $1", i.id); err != nil {
		return err
	}
	told, err := r.notices(ctx, `d.incident_id = $1 AND d.kind = 'down' AND d.state = 'sent'
 AND EXISTS (SELECT 1 FROM notifications m WHERE m.id = d.notification_id AND NOT m.resolved)`, []any{i.id}, "")
	if err != nil {
		return err
	}
	for _, d := range told {
		if !d.alert.SendResolved {
			continue
		}
		n := notice{
			source: d.source, channel: d.channel, kind: kindRecovered, subject: d.subject, due: r.now,
			incident: i.id, site: i.site, cause: d.cause, severity: d.severity, alert: d.alert, total: 1,
		}
		if err := r.hold(ctx, &n); err != nil {
			return err
		}
	}
	after := i.ended
	if after.IsZero() {
		after = r.now
	}
	_, err = r.tx.Exec(ctx, `UPDATE incident_causes SET asked_at = $2, after = $3, due_at = $2
WHERE cause_id = $1 AND incident_id IN (SELECT id FROM incidents WHERE ended_at IS NULL AND NOT withdrawn)`, i.id, r.now, after)
	return err
}

// notice is a row of the table notices.
type notice struct {
	id                        int64
	source, channel           string
	kind, subject, occurrence string
	due, created              time.Time
	incident, site, cause     int64
	severity                  sitemon.Severity
	alert                     *sitemon.Alert // never nil where it is read
	text                      string
	total                     int
	notification              string
}

// hold adds a notice that is held, unless it is there.
func (r *round) hold(ctx context.Context, n *notice) error {
	rule := ""
	if n.alert != nil {
		b, err := json.Marshal(n.alert)
		if err != nil {
			return fmt.Errorf("write an alert: %w", err)
		}
		rule = string(b)
	}
	_, err := r.tx.Exec(ctx, `INSERT INTO notices (source, channel, kind, subject, occurrence, state, due_at, created_at,
 incident_id, site_id, cause_id, severity, rule, text, total)
VALUES ($1, $2, $3, $4, $5, 'held', $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		n.source, n.channel, n.kind, n.subject, n.occurrence, n.due, r.now,
		orNull(n.incident), orNull(n.site), orNull(n.cause), string(cmp.Or(n.severity, sitemon.SeverityCritical)), rule, n.text, n.total)
	return err
}

// notices reads notices d. lock ends the query of those that are to be taken.
func (r *round) notices(ctx context.Context, where string, args []any, lock string) (list []*notice, err error) {
	err = r.tx.Query(ctx, `SELECT d.id, d.source, d.channel, d.kind, d.subject, d.occurrence, d.due_at, d.created_at,
 coalesce(d.incident_id, 0), coalesce(d.site_id, 0), coalesce(d.cause_id, 0), d.severity, d.rule, d.text, d.total, coalesce(d.notification_id, '')
FROM notices d WHERE `+where+lock, args, func(scan func(dest ...any) error) error {
		n := &notice{alert: &sitemon.Alert{}}
		var due, created Moment
		var rule string
		err := scan(&n.id, &n.source, &n.channel, &n.kind, &n.subject, &n.occurrence, &due, &created,
			&n.incident, &n.site, &n.cause, (*string)(&n.severity), &rule, &n.text, &n.total, &n.notification)
		n.due, n.created = due.Time, created.Time
		if rule != "" {
			_ = json.Unmarshal([]byte(rule), n.alert) // as [rulesOf] has it
		}
		list = append(list, n)
		return err
	})
	return list, err
}
