package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// How long [DB.Prepare] waits between two tries.
const (
	firstWait = 100 * time.Millisecond
	longWait  = 5 * time.Second
)

// Prepare waits, with back-off, until the database answers and has the schema that
// this program needs, which it brings up to date itself where Options.MigrateSchema
// says so. It logs once what it waits for and why, and once that it is there. It
// returns nil then, or an error where waiting can't help: a schema that is newer
// than this program, or ctx ended.
func (db *DB) Prepare(ctx context.Context) error {
	began := db.clock()
	last := trouble{}
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := db.prepare(ctx)
		if err == nil {
			break
		}
		if errors.Is(err, errSchemaNewer) || ctx.Err() != nil {
			return fmt.Errorf("prepare the store in %s: %w", db.where, err)
		}
		if t := troubleOf(err); t != last {
			last = t
			db.sayWaiting(ctx, t, err)
		}
		if e := sleep(ctx, wait/2+rand.N(wait/2)); e != nil {
			return fmt.Errorf("prepare the store in %s: %w: %w", db.where, e, err)
		}
	}
	if last != (trouble{}) {
		db.log.InfoContext(ctx, "the store is there", "store", db.where, "duration", db.clock().Sub(began).Round(time.Millisecond))
	}
	db.preparing.Lock()
	defer db.preparing.Unlock()
	if db.ready() != nil {
		close(db.prepared)
	}
	return nil
}

// sayWaiting logs why the store is waited for.
func (db *DB) sayWaiting(ctx context.Context, t trouble, err error) {
	args := []any{"store", db.where, "reason", t.kind}
	level := slog.LevelWarn
	if !errors.Is(err, errSchemaMissing) {
		args = append(args, "err", db.explain(err))
	}
	if t.hint != "" {
		level = slog.LevelError
		args = append(args, "hint", t.hint)
	}
	db.log.Log(ctx, level, "waiting for the store", args...)
}

// prepare is one try of [DB.Prepare].
func (db *DB) prepare(ctx context.Context) error {
	if !db.migrates {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return requireSchema(ctx, db.pool)
	}
	if _, err := db.migrate(ctx); err != nil {
		return err
	}
	p, err := readProgress(ctx, db.pool)
	if err != nil {
		return err
	}
	db.cut.Store(p.Cut.Unix())
	now := db.clock()
	return db.ensurePartitions(ctx, db.kept(now), now.Add(daysAhead*day))
}
