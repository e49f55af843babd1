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
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sitemon/store/internal/ledger"
	"sitemon/store/internal/rollup"
)

const day = 24 * time.Hour

// Advisory locks of transactions, by what they guard. Two keys make locks of their
// own: of [lockSlice] the second is the number of a slice of sites. In a roll-out
// other versions hold them too, so each keeps its number: new ones come last.
const (
	lockMigrate    int64 = 0x7369_7465_6d6f_6e00 + iota // the schema ("sitemon" in ASCII)
	lockDocuments                                       // documents and their generations
	lockRollup                                          // availability_progress.claimed: shared to record, exclusive to advance it
	lockPartitions                                      // making partitions and dropping them
	lockSums                                            // rolling up and deleting what is old: one process at a time
	lockCut                                             // availability_progress.reports_from: shared to derive incidents, exclusive to advance it
	lockSlice      int32 = 0x7369_7465                  // the sums of a slice of sites
)

// How long what is recorded is kept unless [Options] say otherwise.
const (
	DefaultRetention           = 30 * day  // raw reports
	DefaultFiveMinuteRetention = 14 * day  // sums of 5 minutes
	DefaultHourRetention       = 730 * day // sums of hours
)

// Options change how a store works. The zero value is fit for use.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged
	// Instance names this process among those that share the store.
	Instance string
	// MigrateSchema lets [DB.Prepare] bring the schema up to date; else it waits for
	// another process to do so.
	MigrateSchema bool
	// Retention is how long raw reports are kept; 0 is [DefaultRetention].
	Retention time.Duration
	// FiveMinuteRetention is how long sums of 5 minutes are kept; 0 is
	// [DefaultFiveMinuteRetention].
	FiveMinuteRetention time.Duration
	// HourRetention is how long sums of hours are kept, at least a day longer than
	// reports and sums of 5 minutes; those of days stay for ever. 0 is
	// [DefaultHourRetention].
	HourRetention time.Duration
	// MaxSize is how large the database may become, in bytes, before the oldest reports
	// are deleted before their time, by whole days; 0: any size. Those of the last day
	// always stay.
	MaxSize int64
	// SeedZone is the zone of the times in the tables of the original system, which
	// are taken over where they are found; nil is that of the process.
	SeedZone *time.Location
	// Clock tells the time; nil is [time.Now].
	Clock func() time.Time
}

// DB is an open store. Its methods are safe for concurrent use.
type DB struct {
	pool      *pgxpool.Pool
	where     string // the database, as errors name it
	log       *slog.Logger
	instance  string
	migrates  bool
	seedZone  *time.Location
	retention time.Duration    // of raw reports
	keep      rollup.Retention // the same, and of sums
	clock     func() time.Time
	prepared  chan struct{}
	id        string       // of this open store, among all in which somebody remembers tracks
	preparing sync.Mutex   // guards closing prepared
	retained  atomic.Int64 // what is older, in seconds since 1970, has been deleted
	maxSize   int64
	cut       atomic.Int64 // what is older, in seconds since 1970, is gone as the database was too large
	tooLarge  atomic.Bool  // and that was said

	followMu  sync.Mutex // guards following
	following following

	maintaining sync.Mutex // guards maintainer
	maintainer  ledger.Maintainer

	editing chan struct{} // full while sites are changed; guards edited
	edited  editedRows

	recording chan struct{} // full while a batch is recorded or a tick runs; guards what follows
	memory    *memory
	judged    time.Time // of the last tick
	buffer    []byte    // of rows on their way
}

// Open returns the store in the database that a DSN names, without dialling: the
// database may be away. Until [DB.Prepare] has returned nil, everything else gives
// an error that wraps [ErrNotPrepared] at once. Call [DB.Close] when done.
func Open(ctx context.Context, dsn string, opts Options) (*DB, error) {
	cfg, err := poolConfig(dsn, opts.Instance)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db := &DB{
		pool:      pool,
		where:     whereOf(cfg.ConnConfig),
		log:       cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		instance:  opts.Instance,
		migrates:  opts.MigrateSchema,
		seedZone:  cmp.Or(opts.SeedZone, time.Local),
		retention: cmp.Or(opts.Retention, DefaultRetention),
		keep: rollup.Retention{
			Reports: cmp.Or(opts.Retention, DefaultRetention), FiveMinutes: cmp.Or(opts.FiveMinuteRetention, DefaultFiveMinuteRetention),
			Hours: cmp.Or(opts.HourRetention, DefaultHourRetention),
		}.Sound(),
		maxSize:   opts.MaxSize,
		clock:     opts.Clock,
		prepared:  make(chan struct{}),
		id:        rand.Text(),
		editing:   make(chan struct{}, 1),
		recording: make(chan struct{}, 1),
		memory:    newMemory(),
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	return db, nil
}

// Prepared is closed once [DB.Prepare] has returned nil.
func (db *DB) Prepared() <-chan struct{} { return db.prepared }

// Close ends all connections.
func (db *DB) Close() error {
	db.pool.Close()
	return nil
}
