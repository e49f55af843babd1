package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"sitemon/store/internal/ledger"
	"sitemon/store/internal/rollup"
)

// How long what is recorded is kept unless [Options] say otherwise.
const (
	DefaultRetention           = 30 * day  // raw reports
	DefaultFiveMinuteRetention = 14 * day  // sums of 5 minutes
	DefaultHourRetention       = 730 * day // sums of hours
)

const (
	readers = 4
	// busyTimeout is how long a statement waits for a lock that another process
	// holds, such as a sqlite3 shell.
	busyTimeout = 5 * time.Second
	// readTimeout bounds every read: a reader that stays keeps the WAL from being
	// emptied.
	readTimeout = 5 * time.Second
	// pageSize is small because every report of another site dirties a page of its
	// own, which goes into the WAL as a whole. It is fixed when the file is made.
	pageSize = 2048
	// walPages is when a commit moves the WAL into the file by itself; [DB.Tick]
	// does so earlier and without holding up the writer.
	walPages = 48_000
	walBytes = 32 << 20
)

// Options change how a store works. The zero value is fit for use.
type Options struct {
	Logger *slog.Logger // nil: nothing is logged
	// Retention is how long raw reports are kept; 0 is [DefaultRetention].
	Retention time.Duration
	// FiveMinuteRetention is how long sums of 5 minutes are kept; 0 is
	// [DefaultFiveMinuteRetention].
	FiveMinuteRetention time.Duration
	// HourRetention is how long sums of hours are kept, at least a day longer than
	// reports and sums of 5 minutes; those of days stay for ever. 0 is
	// [DefaultHourRetention].
	HourRetention time.Duration
	// MaxSize is how large the store may become, in bytes, before the oldest reports are
	// deleted before their time; 0: as large as its disk allows. A twentieth of the
	// disk is left free in any case. The reports of the last day always stay.
	MaxSize int64
	// ReadOnly opens the file without migrating it or writing to it, also while
	// another process has it open. What would write gives an error.
	ReadOnly bool
	// Clock tells the time; nil is [time.Now].
	Clock func() time.Time
}

// DB is an open store. Its methods are safe for concurrent use.
type DB struct {
	path          string
	log           *slog.Logger
	retention     time.Duration // of raw reports
	fiveRetention time.Duration
	hourRetention time.Duration
	maxSize       int64
	clock         func() time.Time

	read *sql.DB
	pool *sql.DB // the one connection of conn, and the one that empties the WAL

	rollup   sync.Mutex   // held while rolling up and deleting; taken before writing
	retained time.Time    // what is older has been deleted; guarded by rollup
	tooLarge bool         // and that was said; guarded by rollup
	cut      atomic.Int64 // reports of slots before this are gone, as the store was too large; in microseconds

	maintaining sync.Mutex // guards maintainer; taken before writing
	maintainer  ledger.Maintainer

	writing chan struct{} // full while someone writes; guards what follows
	conn    *sql.Conn     // nil: read only, or closed
	stmts   map[string]*sql.Stmt
	insert  driver.StmtExecContext // of a report
	args    []driver.NamedValue    // of insert
	writes  int                    // statements since the WAL was emptied
	state   *state                 // nil: to be read again
}

var errReadOnly = errors.New("the store is open for reading only, or closed")

// Open opens the store in the file at path, which it creates or migrates where
// that is needed, and reads the state of the present sites. A file that a newer
// SiteMon wrote is an error. Call [DB.Close] when done.
func Open(ctx context.Context, path string, opts Options) (_ *DB, err error) {
	defer wrap(&err, "open store %s", path)
	db := &DB{
		path:          path,
		log:           cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		retention:     cmp.Or(opts.Retention, DefaultRetention),
		fiveRetention: cmp.Or(opts.FiveMinuteRetention, DefaultFiveMinuteRetention),
		hourRetention: cmp.Or(opts.HourRetention, DefaultHourRetention),
		maxSize:       opts.MaxSize,
		clock:         opts.Clock,
		writing:       make(chan struct{}, 1),
		stmts:         map[string]*sql.Stmt{},
	}
	if db.clock == nil {
		db.clock = time.Now
	}
	db.hourRetention = rollup.Retention{Reports: db.retention, FiveMinutes: db.fiveRetention, Hours: db.hourRetention}.Sound().Hours
	if err := db.open(ctx, opts.ReadOnly); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, readOnly bool) (err error) {
	if readOnly {
		if db.read, err = openReaders(db.path); err != nil {
			return err
		}
		if err := requireSchema(ctx, db.read); err != nil {
			return err
		}
		return db.readCut(ctx)
	}
	if _, err := migrate(ctx, db.path, db.log); err != nil {
		return err
	}
	if err := db.openWriter(ctx); err != nil {
		return err
	}
	if db.read, err = openReaders(db.path); err != nil {
		return err
	}
	if err := db.readCut(ctx); err != nil {
		return err
	}
	return db.write(ctx, func(context.Context) error { return nil }) // loads the state
}

// openWriter opens the connection that writes and prepares the statement that
// every report needs.
func (db *DB) openWriter(ctx context.Context) (err error) {
	if db.pool, err = sql.Open("sqlite", dsn(db.path, writerPragmas...)); err != nil {
		return err
	}
	db.pool.SetMaxOpenConns(2)
	if db.conn, err = db.pool.Conn(ctx); err != nil {
		return err
	}
	return db.conn.Raw(func(c any) error {
		p, ok := c.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("the driver cannot prepare statements")
		}
		s, err := p.PrepareContext(ctx, insertReport)
		if err != nil {
			return err
		}
		if db.insert, ok = s.(driver.StmtExecContext); !ok {
			return errors.New("the driver cannot run prepared statements")
		}
		return nil
	})
}

// openReaders opens the connections that read. Their pages cost at most 1 MiB
// each.
func openReaders(path string) (*sql.DB, error) {
	d, err := sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-1024)")+"&mode=ro")
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(readers)
	d.SetMaxIdleConns(readers)
	return d, nil
}

var writerPragmas = []string{
	"synchronous(NORMAL)", "cache_size(-4096)", "temp_store(MEMORY)",
	fmt.Sprintf("wal_autocheckpoint(%d)", walPages),
	fmt.Sprintf("journal_size_limit(%d)", walBytes),
}

// dsn names a file to the driver. Pragmas run in their order, when a connection
// is made.
func dsn(path string, pragmas ...string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive letter
		path = "/" + path
	}
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}}
	q["_pragma"] = append(q["_pragma"], pragmas...)
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Close waits for the transaction at hand and closes the file.
func (db *DB) Close() error {
	db.writing <- struct{}{}
	defer db.unlock()
	var errs []error
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	for _, s := range db.stmts {
		errs = append(errs, s.Close())
	}
	if s, ok := db.insert.(driver.Stmt); ok && db.conn != nil {
		errs = append(errs, db.conn.Raw(func(any) error { return s.Close() }))
	}
	if db.conn != nil {
		errs = append(errs, db.conn.Close())
	}
	if db.pool != nil {
		errs = append(errs, db.pool.Close())
	}
	db.stmts, db.insert, db.conn, db.state = nil, nil, nil, nil
	return errors.Join(errs...)
}
