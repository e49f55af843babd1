package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
)

// tickRows is of how many locations a transaction looks whether they are silent.
const tickRows = 1000

// Tick makes the sites unknown whose locations have fallen silent by now, which is
// the time up to which reports have been read, and lets those enter and leave
// maintenance of which [DB.Maintain] has written so. It returns the changes, and costs
// next to nothing where none is due. Any number of stores may tick.
func (db *DB) Tick(ctx context.Context, now time.Time) (changes []sitemon.StatusChange, err error) {
	defer wrap(&err, "tick")
	if err := db.ready(); err != nil {
		return nil, err
	}
	if err := db.lock(ctx); err != nil {
		return nil, err
	}
	defer db.unlock()
	db.judged = later(db.judged, now)
	for {
		t := ticking{db: db, now: now}
		if err := db.write(ctx, t.run); err != nil {
			db.memory = newMemory()
			return changes, err
		}
		changes = append(changes, t.changes...)
		for _, id := range t.silent {
			if l := db.memory.byID[id]; l != nil {
				l.seen = true
			}
		}
		if t.rows < tickRows {
			return changes, nil
		}
	}
}

// maintenanceFlips finds the sites of which a maintenance has begun or is over.
const maintenanceFlips = `SELECT m.site_id FROM site_maintenance m JOIN site_status t ON t.site_id = m.site_id
WHERE m."to" > $1 AND m."from" <= $1 AND t.status NOT IN ('maintenance', 'paused')
UNION SELECT t.site_id FROM site_status t WHERE t.status = 'maintenance'
 AND NOT EXISTS (SELECT 1 FROM site_maintenance m WHERE m.site_id = t.site_id AND m."from" <= $1 AND m."to" > $1)`

// ticking is a transaction that looks at some locations.
type ticking struct {
	db      *DB
	now     time.Time
	rows    int
	silent  []int64 // locations
	changes []sitemon.StatusChange
}

func (t *ticking) run(ctx context.Context, tx pgx.Tx) error {
	t.rows, t.silent = 0, nil
	tracks, err := t.due(ctx, tx)
	if err != nil {
		return err
	}
	flips, err := numbers(ctx, tx, maintenanceFlips, t.now)
	if err != nil || len(tracks)+len(flips) == 0 {
		return err
	}
	ids, looks := make([]int64, len(tracks)), make([]pgtype.Timestamptz, len(tracks))
	var events []event
	marks := incidentMarks{}
	for i, h := range tracks {
		ids[i] = h.id
		if silent := h.track.Silent; t.now.Before(silent) {
			looks[i] = orNull(silent) // it has reported since
			continue
		}
		t.silent = append(t.silent, h.id)
		events = append(events, event{site: h.site, at: t.now, from: h.track.Silent})
		marks.from(h.site, h.track.Silent)
	}
	for _, id := range flips {
		events = append(events, event{site: id, at: t.now, from: t.now})
	}
	out := &pgx.Batch{}
	out.Queue(`UPDATE site_locations l SET look_at = n.at, writer = CASE WHEN n.at IS NULL AND l.writer <> $3 THEN '' ELSE l.writer END
FROM unnest($1::int[], $2::timestamptz[]) AS n (id, at) WHERE l.id = n.id`, ids, looks, t.db.id)
	if t.changes, err = judge(ctx, tx, events, t.db.clock(), marks, out); err != nil {
		return fmt.Errorf("judge sites: %w", err)
	}
	marks.save(out)
	return tx.SendBatch(ctx, out).Close()
}

// due locks the locations at which it is time to look, but for those that somebody
// records for just now, and returns their tracks.
func (t *ticking) due(ctx context.Context, tx pgx.Tx) (tracks []held, err error) {
	var read []int64
	err = eachRow(ctx, tx, `SELECT id, writer FROM site_locations WHERE look_at <= $1 ORDER BY look_at LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED`, []any{t.now, tickRows}, func(row pgx.Rows) error {
		var id int64
		var writer string
		err := row.Scan(&id, &writer)
		t.rows++
		if l := t.db.memory.byID[id]; l != nil && l.known && writer == t.db.id {
			tracks = append(tracks, held{id, l.site.id, l.name, l.track})
		} else {
			read = append(read, id)
		}
		return err
	})
	if err != nil || len(read) == 0 {
		return tracks, err
	}
	more, err := readTracks(ctx, tx, "WHERE l.id = ANY ($1)", read)
	return append(tracks, more...), err
}
