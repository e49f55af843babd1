package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"sitemon/schema"
)

// Migrate brings the schema of the file at path up to date, creates the file
// where it is missing, and returns how many migrations it applied. A schema that
// is newer than this program knows is an error that names both versions.
func Migrate(ctx context.Context, path string, logger *slog.Logger) (applied int, err error) {
	defer wrap(&err, "migrate %s", path)
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return migrate(ctx, path, logger)
}

func migrate(ctx context.Context, path string, logger *slog.Logger) (applied int, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return 0, err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	// The page size holds only where the file is still empty.
	for _, pragma := range []string{fmt.Sprintf("page_size = %d", pageSize), "journal_mode = WAL"} {
		if _, err := db.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return 0, err
		}
	}
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return 0, err
	}
	known, err := knownVersion()
	if err != nil || current == known {
		return 0, err
	}
	if current > known {
		return 0, newerError(current, known)
	}
	files, err := schema.SQLite()
	if err != nil {
		return 0, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithSlog(logger), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, err
	}
	if current > 0 {
		logger.InfoContext(ctx, "the schema of the store is brought up to date, which may take minutes where there are many reports", "from", current, "to", known)
	}
	results, err := p.Up(ctx)
	return len(results), err
}

// requireSchema says what is wrong with a file that may not be migrated.
func requireSchema(ctx context.Context, db *sql.DB) error {
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	known, err := knownVersion()
	switch {
	case err != nil:
		return err
	case current > known:
		return newerError(current, known)
	case current < known:
		return fmt.Errorf("its schema has version %d, and this program needs %d: run `sitemon migrate` or start the daemon", current, known)
	}
	return nil
}

func newerError(current, known int64) error {
	return fmt.Errorf("its schema has version %d, and this program knows only up to %d: use the newer SiteMon that wrote it", current, known)
}

// schemaVersion returns the version that the file has; 0 if it has none.
func schemaVersion(ctx context.Context, db *sql.DB) (v int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'").Scan(&v)
	if err != nil || v == 0 {
		return 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&v)
	return v, err
}

// knownVersion returns the version that the embedded migrations lead to.
func knownVersion() (newest int64, err error) {
	files, err := schema.SQLite()
	if err != nil {
		return 0, err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("migration %s has no number: %w", e.Name(), err)
		}
		newest = max(newest, v)
	}
	return newest, nil
}
