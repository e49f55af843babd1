package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sitemon/status"
	"sitemon/store/internal/history"
	"sitemon/store/internal/ledger"
)

// maintainedFor is how long a maintenance is remembered that is over: what is judged
// may lie a little in the past, and one may follow another.
const maintainedFor = 24 * time.Hour

// terms are what decides on a site's state at a moment beside its locations.
func (st *state) terms(s *site, now time.Time) status.Terms {
	t := status.Terms{Enabled: s.enabled, Quorum: s.quorum, Locations: s.probedFrom}
	if len(st.maintenance) > 0 {
		t.Maintenance = st.maintenance[s.id].Since(now)
	}
	return t
}

// loadMaintenance reads when sites are in maintenance within [DB.write].
func (db *DB) loadMaintenance(ctx context.Context) (map[int64]history.Maintained, error) {
	all := map[int64]history.Maintained{}
	err := each(ctx, db.conn, `SELECT site_id, "from", "to" FROM site_maintenance WHERE "to" > ?`,
		[]any{micros(db.clock().Add(-maintainedFor))}, func(row scanner) error {
			var site, from, to int64
			err := row.Scan(&site, &from, &to)
			all[site] = append(all[site], history.Window{From: moment(from), To: moment(to)})
			return err
		})
	return all, err
}

// Maintain records the maintenance that has begun by now, which is the time that it
// is, and cuts short what is not planned any more; the next [DB.Tick] makes the
// statuses of it. It is to be called each second or so, and costs next to nothing where
// nothing is due. A maintenance that can't be understood is an error, which keeps the
// others from nothing.
func (db *DB) Maintain(ctx context.Context, now time.Time) (err error) {
	defer wrap(&err, "record maintenance")
	db.maintaining.Lock()
	defer db.maintaining.Unlock()
	m := &db.maintainer
	m.Read, m.Tags = db.ledgerRead, "s.tags"
	m.Write = func(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error {
		return db.write(ctx, func(ctx context.Context) (err error) {
			if err := f(ctx, writingTx{db}); err != nil {
				return err
			}
			db.state.maintenance, err = db.loadMaintenance(ctx)
			db.state.flip = time.Time{}
			return err
		})
	}
	_, err = m.Run(ctx, now)
	return err
}

// nextFlip is when a maintenance begins or ends next.
func (st *state) nextFlip(now time.Time) time.Time {
	next := now.Add(time.Hour)
	for _, m := range st.maintenance {
		for _, w := range m {
			for _, at := range [...]time.Time{w.From, w.To} {
				if at.After(now) {
					next = earlier(next, at)
				}
			}
		}
	}
	return next
}

// packNames is a list of names as the tables have it: ” for none.
func packNames(names []string) (string, error) {
	if len(names) == 0 {
		return "", nil
	}
	b, err := json.Marshal(names)
	return string(b), err
}

// unpackNames is the inverse of packNames.
func unpackNames(packed string) (names []string, err error) {
	if packed == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(packed), &names); err != nil {
		return nil, fmt.Errorf("read a list of names: %w", err)
	}
	return names, nil
}
