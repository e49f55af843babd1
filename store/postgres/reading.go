package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// ownerGone is after how long without a word the owner of a partition of a topic
// counts as gone.
const ownerGone = 10 * time.Second

// ReadTo stores up to which times this process has read the partitions of a topic
// that it owns: everything that was sent before them is recorded. It is to be called
// each second or so, as a partition of which nobody says anything for ten seconds
// counts as read by nobody. partitions is how many the topic has.
func (db *DB) ReadTo(ctx context.Context, topic string, partitions int, read map[int]time.Time) (err error) {
	defer wrap(&err, "store how far %d partitions of %s are read", len(read), topic)
	if len(read) == 0 {
		return nil
	}
	numbers, times := make([]int, 0, len(read)), make([]time.Time, 0, len(read))
	for p, at := range read {
		numbers, times = append(numbers, p), append(times, at)
	}
	// By the clock of the server, so that those of writers need not agree.
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO writer_partitions (topic, partition, partitions, read_to, writer, seen_at)
SELECT $1, n.partition, $2, n.read_to, $3, clock_timestamp() FROM unnest($4::int[], $5::timestamptz[]) AS n (partition, read_to) ORDER BY n.partition
ON CONFLICT (topic, partition) DO UPDATE SET partitions = excluded.partitions, read_to = excluded.read_to,
 writer = excluded.writer, seen_at = excluded.seen_at`, topic, partitions, db.instance, numbers, times)
		return err
	})
}

// Judged returns the time up to which all partitions of a topic have been read, and
// now at most: who has said nothing before it is silent. It is false while a
// partition is read by nobody, as then nobody knows.
func (db *DB) Judged(ctx context.Context, topic string, now time.Time) (at time.Time, ok bool, err error) {
	defer wrap(&err, "read how far %s is read", topic)
	var there, want int
	var least pgtype.Timestamptz
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `WITH p AS (SELECT * FROM writer_partitions WHERE topic = $1),
n AS (SELECT partitions FROM p ORDER BY seen_at DESC LIMIT 1)
SELECT count(*) FILTER (WHERE p.seen_at > clock_timestamp() - $2::bigint * interval '1 microsecond'), coalesce(min(n.partitions), 0), min(p.read_to)
FROM p, n WHERE p.partition < n.partitions`, topic, ownerGone.Microseconds()).Scan(&there, &want, &least)
	})
	if err != nil {
		return time.Time{}, false, err
	}
	if there < want || want == 0 {
		return time.Time{}, false, nil
	}
	if at = orZero(least); at.After(now) {
		at = now
	}
	return at, true, nil
}
