package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strconv"

	"sitemon/config"
	"sitemon/store/postgres"
	"sitemon/store/sqlite"
	"sitemon/web"
)

// openStored opens the store as it is, to be read only. The error wraps
// [fs.ErrNotExist] where there is none yet.
func openStored(ctx context.Context, s config.Settings) (store, error) {
	if s.Postgres.DSN != "" {
		return openPostgres(ctx, s)
	}
	if _, err := os.Stat(databasePath(s)); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, databasePath(s), sqlite.Options{ReadOnly: true, Logger: slog.New(slog.DiscardHandler)})
}

// openPostgres opens the store in Postgres, which must be there now.
func openPostgres(ctx context.Context, s config.Settings) (store, error) {
	db, err := postgres.Open(ctx, s.Postgres.DSN.Reveal(), postgres.Options{Instance: s.Instance, SeedZone: s.SeedTimezone})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := db.Prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// storedAPI answers as the daemon's API would, from the store alone. It is for
// what reads: nothing runs that could be reloaded.
type storedAPI struct{ handler http.Handler }

func newStoredAPI(db store) storedAPI {
	log := slog.New(slog.DiscardHandler)
	return storedAPI{web.New(web.Options{Sites: db, History: db, Incidents: db, Operations: db, Documents: db, Heartbeats: db, Hub: web.NewHub(), Logger: log}).Handler()}
}

// RoundTrip implements [http.RoundTripper].
func (a storedAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &answer{header: http.Header{}, code: http.StatusOK}
	a.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.code, Status: strconv.Itoa(w.code) + " " + http.StatusText(w.code),
		Header: w.header, Body: io.NopCloser(&w.body), Request: r,
	}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// noStore reports whether an error means that nothing was ever stored.
func noStore(err error) bool { return errors.Is(err, fs.ErrNotExist) }
