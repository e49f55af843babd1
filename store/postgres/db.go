// Package postgres keeps sites, reports and what follows from them in Postgres,
// for any number of monitors and writers that share it.
//
// Every change is one transaction. There is no session state and no leader, so it
// works behind PgBouncer in transaction mode: what many processes change is
// guarded by row locks, taken in the order of ids, and by transaction-level
// advisory locks.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const day = 24 * time.Hour

// How long what is recorded is kept unless [Options] say otherwise.
const (
	DefaultRetention     = 30 * day  // raw reports
	DefaultHourRetention = 730 * day // sums of hours
)

// Options change how a store works. The zero value is fit for use.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged
	// Instance names this process among those that share the store.
	Instance string
	// Retention is how long raw reports are kept; 0 is [DefaultRetention].
	Retention time.Duration
	// HourRetention is how long sums of hours are kept; those of days stay for
	// ever. 0 is [DefaultHourRetention].
	HourRetention time.Duration
	// Clock tells the time; nil is [time.Now].
	Clock func() time.Time
}

// DB is an open store. Its methods are safe for concurrent use.
type DB struct {
	pool          *pgxpool.Pool
	log           *slog.Logger
	instance      string
	retention     time.Duration // of raw reports
	hourRetention time.Duration
	clock         func() time.Time
}

// Open connects to the database that a DSN names, which must be there and must
// have the schema that this program needs. Call [DB.Close] when done.
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("open store: the Postgres DSN can't be read") // the library's words may hold the password
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db := &DB{
		pool:          pool,
		log:           cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		instance:      opts.Instance,
		retention:     cmp.Or(opts.Retention, DefaultRetention),
		hourRetention: cmp.Or(opts.HourRetention, DefaultHourRetention),
		clock:         opts.Clock,
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	return db, nil
}

// Close ends all connections.
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}

// write runs f in a transaction, again where the server ended it because of a
// deadlock or a serialization failure.
func (db *DB) write(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db.pool, f)
}
