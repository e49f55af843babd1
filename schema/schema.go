// Package schema holds the database schemas of SiteMon as numbered migrations,
// embedded into the program: one folder per engine, forward only. What each
// table and column means is written beside it in the SQL.
package schema

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// SQLite returns the migrations for SQLite, as files at the root of the result.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// Postgres returns the migrations for Postgres, as files at the root of the
// result.
func Postgres() (fs.FS, error) { return fs.Sub(files, "postgres") }
