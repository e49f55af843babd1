package sqlite

import (
	"context"
	"path/filepath"
	"time"

	"sitemon/store/internal/rollup"
)

// kept is the first slot whose report is kept at a moment.
func (db *DB) kept(now time.Time) time.Time {
	if cut := moment(db.cut.Load()); cut.After(now.Add(-db.retention)) {
		return cut
	}
	return now.Add(-db.retention)
}

// readCut remembers which reports are gone.
func (db *DB) readCut(ctx context.Context) error {
	p, err := readProgress(ctx, db.read)
	db.cut.Store(micros(p.Cut))
	return err
}

// shrink deletes the oldest reports while the store is too large, up to latest.
func (db *DB) shrink(ctx context.Context, latest time.Time) error {
	done, err := rollup.Shrink(ctx, shrinking{db}, db.maxSize, moment(db.cut.Load()), latest)
	if !done.From.IsZero() {
		db.log.Warn("reports are deleted before their time: the store is too large", "before", done.From, "max_size", db.maxSize)
	}
	if over := done.Over > 0; err == nil && over != db.tooLarge {
		db.tooLarge = over
		if over {
			db.log.Error("the store is too large, and only the reports of a day are left: raise retention.max_size, or probe less often",
				"too_many_bytes", done.Over, "max_size", db.maxSize)
		}
	}
	return err
}

// shrinking implements [rollup.Shrinkable].
type shrinking struct{ *DB }

// Use implements [rollup.Shrinkable]. Pages of the file that nothing is in are filled
// before the file grows, so they count as free.
func (db shrinking) Use(ctx context.Context) (use rollup.Use, err error) {
	var pages, unused, size int64
	err = each(ctx, db.read, "SELECT p.page_count, f.freelist_count, s.page_size FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s", nil,
		func(row scanner) error { return row.Scan(&pages, &unused, &size) })
	if err != nil {
		return use, err
	}
	use.Size = (pages - unused) * size
	use.Free, use.Disk = diskOf(filepath.Dir(db.path))
	use.Free += unused * size
	return use, nil
}

// OldestReport implements [rollup.Shrinkable].
func (db shrinking) OldestReport(ctx context.Context) (time.Time, error) {
	return oldestReport(ctx, db.read)
}

// Cut implements [rollup.Shrinkable].
func (db shrinking) Cut(ctx context.Context, until time.Time) error {
	err := db.write(ctx, func(ctx context.Context) error {
		return db.exec(ctx, "UPDATE availability_progress SET reports_from = ?", micros(until))
	})
	if err != nil {
		return err
	}
	db.cut.Store(micros(until))
	return db.deleteReports(ctx, until)
}
