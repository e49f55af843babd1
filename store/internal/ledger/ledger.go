// Package ledger keeps, in either store, what follows from the status of sites and
// happens seldom: incidents, maintenance, notices and notifications. Its SQL is
// written once, in what both engines understand; a store lends it its transactions.
//
// SQL here has its parameters as $1, $2, …, and its moments as [time.Time] on the
// way in and [Moment] on the way out.
package ledger

import (
	"context"
	"fmt"
	"time"
)

// Tx is a transaction of a store. Arguments may be int, int64, float64, string,
// bool, []byte, [time.Time] (the zero time is NULL) and nil.
type Tx interface {
	// Query calls f for each row; f scans it, and leaves the transaction alone.
	Query(ctx context.Context, query string, args []any, f func(scan func(dest ...any) error) error) error
	// Exec returns how many rows it changed.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	// SkipLocked is what ends a SELECT that takes rows for itself and leaves out those
	// that others have taken: "" where there is only one that writes.
	SkipLocked() string
}

// Moment is a time read from a column of either store; NULL is the zero time.
type Moment struct{ time.Time }

// Scan implements [database/sql.Scanner].
func (m *Moment) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		m.Time = time.Time{}
	case int64:
		m.Time = time.UnixMicro(v).UTC()
	case time.Time:
		m.Time = v.UTC()
	default:
		return fmt.Errorf("a moment can't be a %T", v)
	}
	return nil
}
