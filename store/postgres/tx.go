package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sitemon"
)

const (
	// writeTimeout bounds a transaction that writes, the wait for its locks included.
	// A network that swallows everything is noticed by it at the latest.
	writeTimeout = 15 * time.Second
	// writeTries is how often a transaction is tried that the server ended for the
	// sake of another one.
	writeTries = 8
)

// beginWrite begins a transaction that writes. The server ends it where it hears no
// more of us, as nobody else gets past its locks. Compiling a query takes longer
// than any of ours runs.
var beginWrite = pgx.TxOptions{BeginQuery: fmt.Sprintf(
	"BEGIN; SET LOCAL statement_timeout = %d; SET LOCAL idle_in_transaction_session_timeout = %[1]d; SET LOCAL jit = off",
	writeTimeout.Milliseconds())}

// ErrNotPrepared is wrapped by errors of a store that has not reached its database
// yet.
var ErrNotPrepared = errors.New("the database has not been reached yet")

// ready returns nil once the store is prepared.
func (db *DB) ready() error {
	select {
	case <-db.prepared:
		return nil
	default:
		return ErrNotPrepared
	}
}

// write runs f in a transaction, with a context that ends after [writeTimeout]. It
// runs it again where the server ended it because of a deadlock or a serialization
// failure, or where the connection had been cut before it began, so f may run
// several times and what it leaves in memory is to be right only after the last.
func (db *DB) write(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	if err := db.ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := db.transact(ctx, beginWrite, f)
		if err == nil || try == writeTries || ctx.Err() != nil || !again(err) {
			return db.explain(err)
		}
		// Two that fell over each other should not do so again.
		if err := sleep(ctx, rand.N(time.Duration(try)*10*time.Millisecond)); err != nil {
			return err
		}
	}
}

// errAgain is an error after which a transaction is to be run again.
type errAgain struct{ error }

func (e errAgain) Unwrap() error { return e.error }

// again reports whether a transaction is to be run again after an error.
func again(err error) bool {
	if _, ok := errors.AsType[errAgain](err); ok {
		return true
	}
	switch code(err) {
	case codeDeadlock, codeSerialization:
		return true
	}
	return false
}

// transact runs f in one transaction.
func (db *DB) transact(ctx context.Context, opts pgx.TxOptions, f func(ctx context.Context, tx pgx.Tx) error) (err error) {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	defer func() {
		if code(err) == codeReadOnly {
			// A server that has become a replica: the next connections find the new primary.
			_ = conn.Conn().Close(ctx)
			db.pool.Reset()
		}
	}()
	tx, err := conn.BeginTx(ctx, opts)
	if err != nil {
		if conn.Conn().IsClosed() && ctx.Err() == nil {
			db.pool.Reset() // the others were cut with it
			return errAgain{err}
		}
		return err
	}
	defer func() {
		// After a commit it does nothing; f may also have panicked.
		if back := tx.Rollback(ctx); back != nil && !errors.Is(back, pgx.ErrTxClosed) && !conn.Conn().IsClosed() {
			_ = conn.Conn().Close(ctx)
		}
	}()
	if err := f(ctx, tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// SQLSTATEs that mean something to us.
const (
	codeDeadlock      = "40P01"
	codeSerialization = "40001"
	codeReadOnly      = "25006"
	codeNoLock        = "55P03" // lock_timeout
	codeCheck         = "23514" // also: no partition for a row
	codeUnique        = "23505"
	codeForeignKey    = "23503"
	codeNoDatabase    = "3D000"
	codeNoTable       = "42P01"
	codeNoPrivilege   = "42501"
	codeBadPassword   = "28P01"
	codeNotAllowed    = "28000" // pg_hba.conf refuses, or the role does not exist
)

// code is the SQLSTATE of an error; "" if it has none.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// explain makes an error about a value that no column takes, which comes again
// whenever it is tried, one that wraps [sitemon.ErrInvalid]. It takes the password
// out of errors of connecting, which name where we tried to get to.
func (db *DB) explain(err error) error {
	if strings.HasPrefix(code(err), "22") {
		return fmt.Errorf("%w: %w", sitemon.ErrInvalid, err)
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("no connection to %s: %w", db.where, errors.Unwrap(e))
	}
	return err
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lock waits until no other batch is recorded, or the context ends.
func (db *DB) lock(ctx context.Context) error {
	select {
	case db.recording <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *DB) unlock() { <-db.recording }
