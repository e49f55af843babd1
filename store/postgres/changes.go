package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
)

// longestWrite is longer than any transaction lasts that changes a status.
const longestWrite = writeTimeout + 5*time.Second

// overtaken is how many numbers before the newest one may appear after it when
// somebody begins to follow.
const overtaken = 1000

// following is what the one who follows changes of status has been told.
type following struct {
	marks []seenMark
	told  map[int64]struct{} // numbers after the oldest mark
}

// seenMark is the newest number at a time.
type seenMark struct {
	at  time.Time
	seq int64
}

// Changes returns the changes of status that were written after the one with the
// number since, and the number of the newest one, to go on from. With a negative
// number it returns nothing but that. It is for one who follows what all processes
// change, and calls it again and again: changes are told once each, also where one
// transaction overtakes another. Of several changes of one site between two calls
// only the last is seen.
func (db *DB) Changes(ctx context.Context, since int64) (changes []sitemon.StatusChange, newest int64, err error) {
	defer wrap(&err, "read changes of status")
	db.followMu.Lock()
	defer db.followMu.Unlock()
	now, first := time.Now(), since < 0
	if first || db.following.told == nil {
		db.following = following{told: map[int64]struct{}{}}
	}
	f := &db.following
	from := f.from(now, since)
	var all []sitemon.StatusChange
	var seqs []int64
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if first {
			if err := tx.QueryRow(ctx, "SELECT coalesce(max(changed_seq), 0) - $1 FROM site_status", overtaken).Scan(&from); err != nil {
				return err
			}
		}
		all, seqs, err = changesAfter(ctx, tx, from)
		return err
	})
	if err != nil {
		return nil, since, err
	}
	newest = max(since, 0)
	for i, seq := range seqs {
		if _, told := f.told[seq]; !told && seq > 0 { // 0: a site that has just been added
			f.told[seq] = struct{}{}
			changes = append(changes, all[i])
		}
		newest = max(newest, seq)
	}
	if first {
		f.marks = []seenMark{{now, from}}
		return nil, newest, nil
	}
	f.marks = append(f.marks, seenMark{now, newest})
	return changes, newest, nil
}

// changesAfter reads changes of status with their numbers.
func changesAfter(ctx context.Context, tx pgx.Tx, seq int64) (changes []sitemon.StatusChange, seqs []int64, err error) {
	err = eachRow(ctx, tx, `SELECT t.changed_seq, n.name, t.status, t.since, t.reason, t.error
FROM site_status t JOIN site_names n ON n.id = t.site_id WHERE t.changed_seq > $1 ORDER BY t.changed_seq`, []any{seq}, func(row pgx.Rows) error {
		var seq int64
		var c sitemon.StatusChange
		var at pgtype.Timestamptz
		err := row.Scan(&seq, &c.Site, (*string)(&c.Status), &at, (*string)(&c.Reason), &c.Error)
		c.Since = orZero(at)
		changes, seqs = append(changes, c), append(seqs, seq)
		return err
	})
	return changes, seqs, err
}

// from returns the number after which changes may have appeared since the last
// call, and forgets what was told before it.
func (f *following) from(now time.Time, since int64) int64 {
	old := 0
	for old+1 < len(f.marks) && now.Sub(f.marks[old+1].at) > longestWrite {
		old++
	}
	f.marks = f.marks[old:]
	if len(f.marks) == 0 {
		return since
	}
	from := min(since, f.marks[0].seq)
	for seq := range f.told {
		if seq <= from {
			delete(f.told, seq)
		}
	}
	return from
}
