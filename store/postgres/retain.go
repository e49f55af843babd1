package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/ledger"
	"sitemon/store/internal/rollup"
)

const (
	// stepKeys is of how many sites or locations a transaction deletes rows.
	stepKeys = 500
	// detachTimeout is how long a partition waits for those who use it.
	detachTimeout = 30 * time.Second
	// keptHashes is how long the contents that documents had are remembered.
	keptHashes = 2 * 365 * day
)

// Retain rolls up, makes the partitions of the days to come, and deletes the raw
// reports and gaps that are older than the retention, and sums older than theirs; more
// reports while the database is too large. What is deleted has been rolled up before.
// Reports go by whole days, with their partition; until then they are not shown any
// more. It does nothing while another process is at it.
func (db *DB) Retain(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "delete what is older than the retention")
	if err := db.ready(); err != nil {
		return err
	}
	p, err := readProgress(ctx, db.pool) // another process may have cut
	if err != nil {
		return err
	}
	db.cut.Store(p.Cut.Unix())
	return db.alone(ctx, func(ctx context.Context, still func() error) error {
		if err := db.ensurePartitions(ctx, db.kept(now), now.Add(daysAhead*day)); err != nil {
			return fmt.Errorf("make partitions: %w", err)
		}
		p, err := db.rollUp(ctx, now, still)
		if err != nil {
			return fmt.Errorf("roll up: %w", err)
		}
		until := earlier(now.Add(-db.retention).UTC().Truncate(time.Hour), p.Hours)
		if until.Unix() > db.retained.Load() { // whole hours go
			if err := db.retain(ctx, p, until, now, still); err != nil {
				return err
			}
			db.retained.Store(until.Unix())
		}
		return db.shrink(ctx, earlier(now.Add(-day), p.Hours), still)
	})
}

// retainStep is one of several things that are done one after the other.
type retainStep struct {
	what string
	do   func() error
}

// retain deletes the reports before until and what belongs to them, and sums.
func (db *DB) retain(ctx context.Context, p rollup.Progress, until, now time.Time, still func() error) error {
	fives := earlier(now.Add(-db.keep.FiveMinutes).UTC().Truncate(time.Hour), p.Hours)
	hours := earlier(now.Add(-db.keep.Hours).UTC().Truncate(day), p.Days)
	return inTurn(still, append(db.reportSteps(ctx, until, still),
		retainStep{"sums of 5 minutes", func() error { return db.retainSums(ctx, rollup.FiveMinutes, fives, still) }},
		retainStep{"sums of hours", func() error { return db.retainSums(ctx, rollup.Hours, hours, still) }},
		retainStep{"heartbeats", func() error { return db.retainHeartbeats(ctx, until, now) }},
		retainStep{"hashes", func() error { return db.retainHashes(ctx, now.Add(-keptHashes)) }},
	))
}

// reportSteps delete the reports and gaps before until, and what they had seen.
func (db *DB) reportSteps(ctx context.Context, until time.Time, still func() error) []retainStep {
	return []retainStep{
		{"reports", func() error { return db.dropPartitions(ctx, until, still) }},
		{"gaps", func() error { return db.retainGaps(ctx, until, still) }},
		{"evidence", func() error {
			return db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error { return ledger.RetainEvidence(ctx, tx, until) })
		}},
	}
}

func inTurn(still func() error, steps []retainStep) error {
	for _, step := range steps {
		if err := still(); err != nil {
			return err
		}
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// oldest is the first slot that is shown. The partition that it is in may have
// older ones.
func (db *DB) oldest() time.Time { return db.kept(db.clock()).UTC().Truncate(time.Hour) }

// partitionEnds lists the partitions of site_reports that end until a moment, and
// those that were to be dropped before and are left over. A pending one has begun
// to be detached, and has to be before any other one; a free one has been.
const partitionEnds = `WITH parts AS (
 SELECT c.relname, i.inhparent, i.inhdetachpending AS pending,
  (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(.+)''\)'))[1]::timestamptz AS ends
 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'site_reports'::regclass)
SELECT relname, pending, false AS free FROM parts WHERE pending OR ends <= $1
UNION ALL
SELECT c.relname, false, true FROM pg_class c
WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^site_reports_[0-9]{8}$'
 AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'site_reports'::regclass)
ORDER BY pending DESC, relname`

// dropPartitions drops the partitions whose days end until a moment. Nobody who
// records or reads waits for it. One that somebody uses for long is left for the
// next time.
func (db *DB) dropPartitions(ctx context.Context, until time.Time, still func() error) error {
	type partition struct {
		name          string
		pending, free bool
	}
	rows, err := db.pool.Query(ctx, partitionEnds, until)
	if err != nil {
		return err
	}
	old, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p partition, err error) {
		return p, row.Scan(&p.name, &p.pending, &p.free)
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range old {
		if err := still(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		var err error
		if !p.free {
			err = db.detach(ctx, p.name, p.pending)
		}
		if err == nil {
			err = db.drop(ctx, p.name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("drop %s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// detach takes a partition out of its table. The server does so in transactions of
// its own, between which it waits for all who use the table.
func (db *DB) detach(ctx context.Context, name string, pending bool) error {
	how := "CONCURRENTLY"
	if pending {
		how = "FINALIZE"
	}
	ctx, cancel := context.WithTimeout(ctx, detachTimeout)
	defer cancel()
	_, err := db.pool.Exec(ctx, "ALTER TABLE site_reports DETACH PARTITION "+pgx.Identifier{name}.Sanitize()+" "+how)
	return err
}

// drop drops a table that is no partition any more.
func (db *DB) drop(ctx context.Context, name string) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = 2000; DROP TABLE IF EXISTS "+pgx.Identifier{name}.Sanitize())
		return err
	})
}

// retainGaps deletes the gaps that end before until.
func (db *DB) retainGaps(ctx context.Context, until time.Time, still func() error) error {
	return db.inSteps(ctx, "site_locations", still, `DELETE FROM site_gaps WHERE ctid = ANY (ARRAY(SELECT g.row FROM site_locations l
 CROSS JOIN LATERAL (SELECT ctid AS row FROM site_gaps WHERE site_location_id = l.id AND from_slot < $3 AND to_slot < $3 OFFSET 0) g
 WHERE l.id >= $1 AND l.id < $2))`, until)
}

// deletedSums is how many sums a transaction deletes, about.
const deletedSums = 50_000

// retainSums deletes the sums of a level before until, oldest first.
func (db *DB) retainSums(ctx context.Context, level rollup.Level, until time.Time, still func() error) error {
	for {
		if err := still(); err != nil {
			return err
		}
		var deleted int64
		err := db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, "DELETE FROM "+level.Table()+" WHERE ctid = ANY (ARRAY(SELECT ctid FROM "+level.Table()+
				" WHERE start < $1 ORDER BY start LIMIT $2))", until, deletedSums)
			deleted = tag.RowsAffected()
			return err
		})
		if err != nil || deleted < deletedSums {
			return err
		}
	}
}

// inSteps runs a statement for all ids of a table, some of them at a time: it
// gets the first one, the one after the last, and a moment.
func (db *DB) inSteps(ctx context.Context, table string, still func() error, statement string, until time.Time) error {
	var last int64
	if err := db.pool.QueryRow(ctx, "SELECT coalesce(max(id), 0) FROM "+table).Scan(&last); err != nil {
		return err
	}
	for id := int64(0); id <= last; id += stepKeys {
		if err := still(); err != nil {
			return err
		}
		err := db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, statement, id, id+stepKeys, until)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// retainHashes forgets the contents of documents that were applied last before a
// moment, but for the present ones.
func (db *DB) retainHashes(ctx context.Context, until time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM document_hashes h WHERE seen_at < $1
AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.source = h.source AND d.hash = h.hash)`, until)
		return err
	})
}

// shown narrows a query to the reports that are kept.
func (db *DB) shown(q sitemon.ReportQuery) sitemon.ReportQuery {
	if oldest := db.oldest(); q.From.Before(oldest) {
		q.From = oldest
	}
	return q
}
