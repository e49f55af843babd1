package postgres

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
 AND 0 = (SELECT count(*) FROM site_locations l WHERE l.site_id = m.site_id AND (l.failures > 0 OR l.status = 'down'
  OR EXISTS (SELECT 1 FROM site_reports r WHERE r.site_location_id = l.id AND r.outcome = 2
   AND r.slot >= m."from" - (20 * l.interval_ms + 600000) * interval '1 millisecond'))))`

// DeriveIncidents brings the incidents up to date with what was recorded, and
// returns those that changed. now is the time up to which reports have been read. It
// is to be called each second or so, and costs next to nothing where nothing has
// happened; where very much has, several calls do it. Any number of stores may do so.
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
		err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error {
			src, err := db.deriving(ctx, tx)
			if err != nil {
				return err
			}
			some, more, err = ledger.Derive(ctx, tx, src, now)
			return err
		})
		if err == nil {
			changes = append(changes, some...)
		}
	}
	return changes, err
}

// Maintain records the maintenance that has begun by now, which is the time that it
// is, and cuts short what is not planned any more; the next [DB.Tick] makes the
// statuses of it. It is to be called each second or so, and costs next to nothing where
// nothing is due. Any number of stores may do so. A maintenance that can't be
// understood is an error, which keeps the others from nothing.
func (db *DB) Maintain(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "record maintenance")
	db.maintaining.Lock()
	defer db.maintaining.Unlock()
	db.maintainer.Read, db.maintainer.Write, db.maintainer.Tags = db.ledgerRead, db.ledgerWrite, "array_to_json(s.tags)::text"
	_, err = db.maintainer.Run(ctx, now)
	return err
}

// Incidents lists incidents, newest first, and returns the cursor of the next page;
// "" on the last one. The error wraps [sitemon.ErrInvalid] where the cursor is none.
func (db *DB) Incidents(ctx context.Context, q sitemon.IncidentQuery) (list []sitemon.Incident, next string, err error) {
	defer wrap(&err, "list incidents")
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) error {
		src, err := db.source(ctx, tx)
		if err != nil {
			return err
		}
		list, next, err = ledger.List(ctx, tx, src, q)
		return err
	})
	return list, next, err
}

// Incident returns an incident with its timeline and evidence. The error wraps
// [sitemon.ErrNotFound] where there is none.
func (db *DB) Incident(ctx context.Context, id int64) (i sitemon.Incident, err error) {
	defer wrap(&err, "read incident %d", id)
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) error {
		src, err := db.source(ctx, tx)
		if err != nil {
			return err
		}
		i, err = ledger.Get(ctx, tx, src, id)
		return err
	})
	return i, err
}

// AcknowledgeIncident notes that somebody knows of an incident; the first one stays.
// The error wraps [sitemon.ErrNotFound] where there is none.
func (db *DB) AcknowledgeIncident(ctx context.Context, id int64, by string) (i sitemon.Incident, err error) {
	defer wrap(&err, "acknowledge incident %d", id)
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error {
		src, err := db.source(ctx, tx)
		if err != nil {
			return err
		}
		i, err = ledger.Acknowledge(ctx, tx, src, id, by, db.moment())
		return err
	})
	return i, err
}

// CommentIncident adds words of somebody to an incident. The error wraps
// [sitemon.ErrNotFound] where there is none, and [sitemon.ErrInvalid] where there are
// no words.
func (db *DB) CommentIncident(ctx context.Context, id int64, by, text string) (i sitemon.Incident, err error) {
	defer wrap(&err, "comment on incident %d", id)
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error {
		src, err := db.source(ctx, tx)
		if err != nil {
			return err
		}
		i, err = ledger.Comment(ctx, tx, src, id, by, text, db.moment())
		return err
	})
	return i, err
}

// moment is the time as the tables have it.
func (db *DB) moment() time.Time { return db.clock().UTC().Truncate(time.Microsecond) }
