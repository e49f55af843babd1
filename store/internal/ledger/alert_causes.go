package ledger

import (
	"context"
	"fmt"
	"time"

	"sitemon"
)

// parent is a site on which others depend.
type parent struct {
	site     int64
	name     string
	rules    sitemon.Rules
	incident int64 // that goes on; 0: none
	started  time.Time
	planned  bool // it is paused or in maintenance: nothing is to be learned from it
}

// takeCauses finds out which incidents are the likely causes of others.
func (r *round) takeCauses(ctx context.Context) (taken int, err error) {
	asked := map[int64]struct{ at, after time.Time }{}
	var ids []int64
	err = r.tx.Query(ctx, fmt.Sprintf("SELECT incident_id, asked_at, after FROM incident_causes WHERE due_at <= $1 ORDER BY due_at LIMIT %d", takeAtOnce)+
		r.tx.SkipLocked(), []any{r.now}, func(scan func(dest ...any) error) error {
		var id int64
		var at, after Moment
		err := scan(&id, &at, &after)
		asked[id] = struct{ at, after time.Time }{at.Time, after.Time}
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	incidents, err := r.incidents(ctx, ids)
	if err != nil {
		return 0, err
	}
	for id, a := range asked {
		if err := r.findCause(ctx, incidents[id], a.at, a.after); err != nil {
			return 0, fmt.Errorf("incident %d: %w", id, err)
		}
	}
	return len(ids), nil
}

// findCause finds out the cause of an incident, or when to look again. asked is
// when that began, and reports from after a moment tell.
func (r *round) findCause(ctx context.Context, i *affected, asked, after time.Time) error {
	if i.over() {
		_, err := r.tx.Exec(ctx, "UPDATE incident_causes SET due_at = NULL WHERE incident_id = $1", i.id)
		return err
	}
	again := after.After(i.started) // what caused it is over
	if again {
		own, err := r.newestReports(ctx, i.site)
		if err != nil {
			return err
		}
		// It may be up again too: its next report tells.
		if heard, _ := heardAfter(own, after); !heard && r.now.Sub(asked) < max(ParentWait, 2*i.interval) {
			return r.askAgain(ctx, i)
		}
	}
	told := after // that it failed; of what has ended, its last report tells too
	if again {
		told = after.Add(-time.Millisecond)
	}
	cause, waiting, err := r.topmost(ctx, i.rules.DependsOn, told, map[string]bool{i.name: true})
	if err != nil {
		return err
	}
	if waiting && r.now.Sub(asked) < ParentWait {
		return r.askAgain(ctx, i)
	}
	if err := r.foundCause(ctx, i, cause); err != nil {
		return err
	}
	if !again {
		return nil
	}
	return r.stillDown(ctx, i, cause)
}

func (r *round) askAgain(ctx context.Context, i *affected) error {
	_, err := r.tx.Exec(ctx, "UPDATE incident_causes SET due_at = $2 WHERE incident_id = $1", i.id, r.now.Add(time.Second))
	return err
}

// foundCause writes down the cause of an incident; nil: none. Its notices are
// looked at again.
func (r *round) foundCause(ctx context.Context, i *affected, cause *parent) error {
	var id int64
	if cause != nil {
		id = cause.incident
	}
	if _, err := r.tx.Exec(ctx, "UPDATE incident_causes SET due_at = NULL, cause_id = $2 WHERE incident_id = $1", i.id, orNull(id)); err != nil {
		return err
	}
	_, err := r.tx.Exec(ctx, `UPDATE notices SET state = 'held', due_at = $2
WHERE incident_id = $1 AND kind = 'down' AND state IN ('held', 'suppressed')`, i.id, r.now)
	if err != nil || cause == nil {
		return err
	}
	n, err := r.tx.Exec(ctx, "UPDATE incidents SET parent = $2, changed_at = $3 WHERE id = $1 AND parent <> $2", i.id, cause.name, r.now)
	if err != nil || n == 0 {
		return err
	}
	return r.event(ctx, i.id, sitemon.EventParent, cause.name+" is down, on which it depends")
}

// stillDown reminds the channels that were told of an incident together with its
// cause, now that that is over.
func (r *round) stillDown(ctx context.Context, i *affected, cause *parent) error {
	if cause != nil {
		return nil // another one
	}
	told, err := r.notices(ctx, "d.incident_id = $1 AND d.kind = 'down' AND d.state = 'sent' AND d.cause_id IS NOT NULL", []any{i.id}, "")
	if err != nil {
		return err
	}
	for _, d := range told {
		n := notice{
			source: d.source, channel: d.channel, kind: kindReminder, subject: d.subject, occurrence: fmt.Sprintf("after incident %d", d.cause),
			due: r.now, incident: i.id, site: i.site, severity: d.severity, alert: d.alert, total: 1,
		}
		if err := r.hold(ctx, &n); err != nil {
			return err
		}
	}
	return nil
}

// event adds a line to an incident's timeline.
func (r *round) event(ctx context.Context, incident int64, kind sitemon.IncidentEventKind, text string) error {
	_, err := r.tx.Exec(ctx, "INSERT INTO incident_events (incident_id, at, kind, text) VALUES ($1, $2, $3, $4)", incident, r.now, string(kind), text)
	return err
}

// topmost returns the topmost site that is down of those on which a site depends
// that failed at a moment; nil if there is none. waiting: nothing is known yet of
// one of them since then.
func (r *round) topmost(ctx context.Context, names []string, failed time.Time, seen map[string]bool) (top *parent, waiting bool, err error) {
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		p, err := r.parent(ctx, name)
		if err != nil {
			return nil, false, err
		}
		switch {
		case p == nil || p.planned && p.incident == 0:
		case p.incident == 0:
			newest, err := r.newestReports(ctx, p.site)
			if err != nil {
				return nil, false, err
			}
			// One that failed once may be down at the next report.
			heard, bad := heardAfter(newest, failed)
			waiting = waiting || !heard || bad
		default:
			above, unsure, err := r.topmost(ctx, p.rules.DependsOn, p.started, seen)
			if above == nil {
				above = p
			}
			return above, unsure, err
		}
	}
	return nil, waiting, nil
}

// parent reads a site on which others depend; nil if there is none of the name.
func (r *round) parent(ctx context.Context, name string) (*parent, error) {
	if p, ok := r.parents[name]; ok {
		return p, nil
	}
	var found *parent
	err := r.tx.Query(ctx, `SELECT s.site_id, s.enabled, s.rules, coalesce(t.status, ''), coalesce(i.id, 0), i.started_at
FROM site_names n JOIN sites s ON s.site_id = n.id LEFT JOIN site_status t ON t.site_id = n.id
LEFT JOIN incidents i ON i.site_id = n.id AND i.ended_at IS NULL AND NOT i.withdrawn
WHERE n.name = $1 ORDER BY i.started_at DESC LIMIT 1`, []any{name}, func(scan func(dest ...any) error) error {
		p := &parent{name: name}
		var enabled bool
		var rules, status string
		var started Moment
		err := scan(&p.site, &enabled, &rules, &status, &p.incident, &started)
		p.started, p.rules = started.Time, rulesOf(rules)
		p.planned = !enabled || status == string(sitemon.StatusMaintenance)
		found = p
		return err
	})
	r.parents[name] = found
	return found, err
}
