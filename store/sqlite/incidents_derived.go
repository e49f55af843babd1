package sqlite

import (
	"context"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

// deriveFor is after how long [DB.DeriveIncidents] leaves the rest to the next call.
const deriveFor = 5 * time.Second

// dropCalm takes away marks that can lead to nothing: no incident goes on at their
// site, nor ended after the earliest of them, no location sees it fail now, and none
// has since, or for long enough before that no vote can stem from it. They are most of
// them where many sites begin or are heard again. All marks of a site count together, as
// others may be at work on one of them.
const dropCalm = `DELETE FROM incident_marks WHERE due <= $1 AND site_id IN (
 SELECT m.site_id FROM (SELECT site_id, min("from") AS "from" FROM incident_marks GROUP BY site_id) m
 WHERE NOT EXISTS (SELECT 1 FROM incidents i WHERE i.site_id = m.site_id AND i.settled_at IS NULL)
 AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.site_id = m.site_id AND i.settled_at >= m."from")
 AND NOT EXISTS (SELECT 1 FROM site_plans p WHERE p.site_id = m.site_id AND p.success_threshold > 10)
 AND NOT EXISTS (SELECT 1 FROM site_locations l WHERE l.site_id = m.site_id AND (l.failures > 0 OR l.status = 'down'
  OR EXISTS (SELECT 1 FROM site_reports r WHERE r.id >= (l.id << 42) + m."from" / 1000 - 20 * l.interval_ms - 600000
   AND r.id < (l.id + 1) << 42 AND r.outcome = 2))))`

// DeriveIncidents brings the incidents up to date with what was recorded, and
// returns those that changed. now is the time up to which reports have been read. It
// is to be called each second or so, and costs next to nothing where nothing has
// happened; where very much has, several calls do it.
func (db *DB) DeriveIncidents(ctx context.Context, now time.Time) (changes []sitemon.IncidentChange, err error) {
	defer wrap(&err, "derive incidents")
	var more bool
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		more, err = ledger.Due(ctx, tx, now)
		return err
	})
	if err != nil || !more {
		return nil, err
	}
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error {
		_, err := tx.Exec(ctx, dropCalm, now)
		return err
	})
	for began := time.Now(); more && err == nil && time.Since(began) < deriveFor; {
		var some []sitemon.IncidentChange
		err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
			some, more, err = ledger.Derive(ctx, tx, db.source(tx), now)
			return err
		})
		if err == nil {
			changes = append(changes, some...)
		}
	}
	return changes, err
}

// Incidents lists incidents, newest first, and returns the cursor of the next page;
// "" on the last one. The error wraps [sitemon.ErrInvalid] where the cursor is none.
func (db *DB) Incidents(ctx context.Context, q sitemon.IncidentQuery) (list []sitemon.Incident, next string, err error) {
	defer wrap(&err, "list incidents")
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		list, next, err = ledger.List(ctx, tx, db.source(tx), q)
		return err
	})
	return list, next, err
}

// Incident returns an incident with its timeline and evidence. The error wraps
// [sitemon.ErrNotFound] where there is none.
func (db *DB) Incident(ctx context.Context, id int64) (i sitemon.Incident, err error) {
	defer wrap(&err, "read incident %d", id)
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		i, err = ledger.Get(ctx, tx, db.source(tx), id)
		return err
	})
	return i, err
}

// AcknowledgeIncident notes that somebody knows of an incident; the first one stays.
// The error wraps [sitemon.ErrNotFound] where there is none.
func (db *DB) AcknowledgeIncident(ctx context.Context, id int64, by string) (i sitemon.Incident, err error) {
	defer wrap(&err, "acknowledge incident %d", id)
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		i, err = ledger.Acknowledge(ctx, tx, db.source(tx), id, by, db.now())
		return err
	})
	return i, err
}

// CommentIncident adds words of somebody to an incident. The error wraps
// [sitemon.ErrNotFound] where there is none, and [sitemon.ErrInvalid] where there are
// no words.
func (db *DB) CommentIncident(ctx context.Context, id int64, by, text string) (i sitemon.Incident, err error) {
	defer wrap(&err, "comment on incident %d", id)
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		i, err = ledger.Comment(ctx, tx, db.source(tx), id, by, text, db.now())
		return err
	})
	return i, err
}

// now is the time as the tables have it.
func (db *DB) now() time.Time { return db.clock().UTC().Truncate(time.Microsecond) }
