package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"sitemon/store/internal/ledger"
)

// Transact runs f in a transaction that a store lends.
type Transact func(ctx context.Context, f func(ctx context.Context, tx ledger.Tx) error) error

// RunTransactions checks the transactions that a store lends. moment is the type of
// a column with a time.
func RunTransactions(t *testing.T, moment string, write, read Transact) {
	at := time.Date(2026, 11, 25, 10, 0, 0, 123456000, time.FixedZone("", 3600))
	want := ledgerRow{id: 1, started: at.UTC(), reason: "it's \"ü\" $1", reports: 1 << 40, withdrawn: true}
	transact(t, write, func(ctx context.Context, tx ledger.Tx) error {
		_, err := tx.Exec(ctx, `CREATE TABLE things (id integer PRIMARY KEY, started_at `+moment+`, ended_at `+moment+
			`, acknowledged_at `+moment+`, acknowledged_by text, reason text, reports bigint, withdrawn boolean)`)
		return err
	})
	transact(t, write, func(ctx context.Context, tx ledger.Tx) error { return insertRow(ctx, tx, want) })
	for name, tx := range map[string]Transact{"write": write, "read": read} {
		t.Run("values/"+name, func(t *testing.T) {
			transact(t, tx, func(ctx context.Context, tx ledger.Tx) error {
				got, err := ledgerRows(ctx, tx, "started_at = $1", at)
				if err == nil && (len(got) != 1 || got[0] != want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				return err
			})
		})
	}
	t.Run("rows that were changed", func(t *testing.T) {
		transact(t, write, func(ctx context.Context, tx ledger.Tx) error {
			for reports, want := range map[int64]int64{want.reports: 1, 7: 0} {
				n, err := tx.Exec(ctx, "UPDATE things SET acknowledged_at = $1, acknowledged_by = $2 WHERE reports = $3", at, "ann", reports)
				if err != nil || n != want {
					t.Errorf("%d reports: %d rows, %v; want %d", reports, n, err, want)
				}
			}
			return nil
		})
	})
	runRefusals(t, write, read, at)
}

// runRefusals checks what must not remain.
func runRefusals(t *testing.T, write, read Transact, at time.Time) {
	t.Run("an error takes all of it back", func(t *testing.T) {
		broken := errors.New("broken")
		err := write(t.Context(), func(ctx context.Context, tx ledger.Tx) error {
			if _, err := tx.Exec(ctx, "DELETE FROM things"); err != nil {
				t.Error(err)
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Error(err)
		}
		transact(t, read, func(ctx context.Context, tx ledger.Tx) error {
			got, err := ledgerRows(ctx, tx, "withdrawn")
			if len(got) != 1 || !got[0].acknowledged.Equal(at) {
				t.Errorf("got %+v", got)
			}
			return err
		})
	})
	t.Run("who reads can't write", func(t *testing.T) {
		err := read(t.Context(), func(ctx context.Context, tx ledger.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM things")
			return err
		})
		if err == nil {
			t.Error("no error")
		}
	})
	t.Run("rows to take", func(t *testing.T) {
		transact(t, write, func(ctx context.Context, tx ledger.Tx) error {
			got, err := ledgerRows(ctx, tx, "NOT withdrawn OR reports > $1 ORDER BY id LIMIT 1"+tx.SkipLocked(), 5)
			if len(got) != 1 {
				t.Errorf("got %+v", got)
			}
			return err
		})
	})
}

// ledgerRow is a row of a table with a column of each type.
type ledgerRow struct {
	id                           int64
	started, ended, acknowledged time.Time
	reason                       string
	reports                      int64
	withdrawn                    bool
}

func insertRow(ctx context.Context, tx ledger.Tx, r ledgerRow) error {
	_, err := tx.Exec(ctx, `INSERT INTO things (id, started_at, ended_at, reason, reports, withdrawn) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.id, r.started, r.ended, r.reason, r.reports, r.withdrawn)
	return err
}

func ledgerRows(ctx context.Context, tx ledger.Tx, where string, args ...any) (all []ledgerRow, err error) {
	err = tx.Query(ctx, "SELECT id, started_at, ended_at, acknowledged_at, reason, reports, withdrawn FROM things WHERE "+where, args,
		func(scan func(dest ...any) error) error {
			var r ledgerRow
			var started, ended, acknowledged ledger.Moment
			err := scan(&r.id, &started, &ended, &acknowledged, &r.reason, &r.reports, &r.withdrawn)
			r.started, r.ended, r.acknowledged = started.Time, ended.Time, acknowledged.Time
			all = append(all, r)
			return err
		})
	return all, err
}

// transact runs f in a transaction that must succeed.
func transact(t *testing.T, in Transact, f func(ctx context.Context, tx ledger.Tx) error) {
	t.Helper()
	if err := in(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}
