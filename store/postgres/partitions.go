package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// daysAhead is how many days of partitions there are to be beyond today.
const daysAhead = 3

// partitionName is the partition of site_reports that holds a day of UTC.
func partitionName(start time.Time) string { return "site_reports_" + start.UTC().Format("20060102") }

// ensurePartitions makes the partitions of all days from the one of from to the
// one of to, as far as they are missing.
func (db *DB) ensurePartitions(ctx context.Context, from, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return db.transact(ctx, beginWrite, func(ctx context.Context, tx pgx.Tx) error { return attachPartitions(ctx, tx, from, to) })
}

func attachPartitions(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	missing, err := missingPartitions(ctx, tx, from, to)
	if err != nil || len(missing) == 0 {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockPartitions); err != nil {
		return err
	}
	if missing, err = missingPartitions(ctx, tx, from, to); err != nil {
		return err
	}
	for _, start := range missing {
		// Attached like this, a partition locks nobody out. A table of its name that is
		// there already was detached, and not dropped any more.
		name, bound := partitionName(start), func(t time.Time) string { return t.Format("2006-01-02 15:04:05-07") }
		_, err := tx.Conn().PgConn().Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (LIKE site_reports INCLUDING ALL);
ALTER TABLE site_reports ATTACH PARTITION %[1]s FOR VALUES FROM ('%[2]s') TO ('%[3]s')`,
			name, bound(start), bound(start.Add(day)))).ReadAll()
		if err != nil {
			return fmt.Errorf("make partition %s: %w", name, err)
		}
	}
	return nil
}

// missingPartitions returns the days without a partition, oldest first.
func missingPartitions(ctx context.Context, q querier, from, to time.Time) (missing []time.Time, err error) {
	there := map[string]bool{}
	err = eachRow(ctx, q, "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'site_reports'::regclass",
		nil, func(row pgx.Rows) error {
			var name string
			err := row.Scan(&name)
			there[name] = true
			return err
		})
	for start := from.UTC().Truncate(day); !start.After(to); start = start.Add(day) {
		if !there[partitionName(start)] {
			missing = append(missing, start)
		}
	}
	return missing, err
}
