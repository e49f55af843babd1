package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
	"sitemon/store/internal/history"
)

// readTimeout bounds every read.
const readTimeout = 5 * time.Second

// beginRead begins a transaction that sees one moment. The server ends its
// statements too where it hears no more of us. Compiling a query takes longer than
// any of ours runs.
var beginRead = pgx.TxOptions{BeginQuery: fmt.Sprintf(
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL jit = off", readTimeout.Milliseconds())}

// view runs f in a transaction that sees one moment, for at most [readTimeout]. A
// connection that had been cut before is no error.
func (db *DB) view(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	if err := db.ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := db.transact(ctx, beginRead, f)
		if _, cut := errors.AsType[errAgain](err); !cut || try == writeTries || ctx.Err() != nil {
			return db.explain(err)
		}
	}
}

// eachRow runs a query and calls f for each of its rows.
func eachRow(ctx context.Context, q querier, query string, args []any, f func(row pgx.Rows) error) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// querier is what can be asked: a transaction or the pool.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// siteID returns the number of a name that the store has heard of. The error wraps
// [sitemon.ErrNotFound] otherwise.
func siteID(ctx context.Context, tx pgx.Tx, name string) (id int64, err error) {
	err = tx.QueryRow(ctx, "SELECT id FROM site_names WHERE name = $1", name).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = sitemon.ErrNotFound
	}
	return id, err
}

// reportColumns are the columns that [reportRow] takes; the reports are called r,
// and reportWords belongs to them.
const (
	reportColumns = `r.slot, r.lateness_us, r.interval_ms, r.outcome, rr.name, r.error, r.status_code, r.duration_us,
 r.resolve_us, r.connect_us, r.tls_us, r.processing_us, r.transfer_us, r.body_bytes, r.body_truncated, r.remote_addr,
 r.certificate_expires_at, rm.instance, r.generation, r.attempts, rg.name, r."values"::text`
	reportWords = `
LEFT JOIN reasons rr ON rr.id = r.reason_id LEFT JOIN monitors rm ON rm.id = r.monitor_id LEFT JOIN reasons rg ON rg.id = r.gap_id`
)

// reportRow is a row of site_reports, or nothing.
type reportRow struct {
	slot, expires                             pgtype.Timestamptz
	lateness, duration, body, generation      pgtype.Int8
	resolve, connect, tls, processing, transf pgtype.Int8
	ms                                        pgtype.Int4
	outcome, code, attempts                   pgtype.Int2
	truncated                                 pgtype.Bool
	reason, text, addr, monitor, gap, values  pgtype.Text
}

// dest are the places of reportColumns.
func (r *reportRow) dest() []any {
	return []any{
		&r.slot, &r.lateness, &r.ms, &r.outcome, &r.reason, &r.text, &r.code, &r.duration,
		&r.resolve, &r.connect, &r.tls, &r.processing, &r.transf, &r.body, &r.truncated, &r.addr,
		&r.expires, &r.monitor, &r.generation, &r.attempts, &r.gap, &r.values,
	}
}

// report makes a report of the row of a site and location.
func (r *reportRow) report(site, location string) *sitemon.Report {
	us := func(n pgtype.Int8) time.Duration { return time.Duration(n.Int64) * time.Microsecond }
	c := &sitemon.Report{
		Site: site, Location: location, Slot: r.slot.Time.UTC(), Interval: time.Duration(r.ms.Int32) * time.Millisecond,
		Outcome: history.OutcomeOf(r.outcome.Int16), Reason: sitemon.Reason(r.reason.String), Error: r.text.String,
		StatusCode: int(r.code.Int16), Duration: us(r.duration),
		Phases: sitemon.Phases{
			Resolve: us(r.resolve), Connect: us(r.connect), TLS: us(r.tls), Processing: us(r.processing), Transfer: us(r.transf),
		},
		BodyBytes: r.body.Int64, BodyTruncated: r.truncated.Bool, RemoteAddr: r.addr.String,
		Monitor: r.monitor.String, Generation: r.generation.Int64, Attempts: int(r.attempts.Int16), Gap: r.gap.String,
		Values: sitemon.ReadValues(r.values.String),
	}
	if r.lateness.Valid {
		c.StartedAt = c.Slot.Add(us(r.lateness))
	}
	if r.expires.Valid {
		c.CertificateExpiresAt = r.expires.Time.UTC()
	}
	return c
}

// located are the columns of a site_locations row called l that [trackRow] takes.
const located = `l.site_id, l.id, l.location, l.slot, l.interval_ms, l.silent_at, l.outcome, l.failures, l.successes,
 l.row_slot, l.status, l.since, l.fault_reason, l.fault_error, l.blind_reason, l.blind_error`

// newest joins the newest report r of each location l. The slot of the location's
// row is never a later one, so that older partitions are left alone; they are
// tried from the newest on until one has a report.
const newest = `LEFT JOIN LATERAL (SELECT * FROM site_reports
 WHERE site_location_id = l.id AND slot >= l.slot ORDER BY slot DESC LIMIT 1) r ON true`

// trackRow is a row of site_locations.
type trackRow struct {
	site, id, ms                                     int64
	location, outcome, status                        string
	faultReason, faultError, blindReason, blindError string
	failures, successes                              int
	slot                                             time.Time
	silent, row, since                               pgtype.Timestamptz
}

func (r *trackRow) dest() []any {
	return []any{
		&r.site, &r.id, &r.location, &r.slot, &r.ms, &r.silent, &r.outcome, &r.failures, &r.successes,
		&r.row, &r.status, &r.since, &r.faultReason, &r.faultError, &r.blindReason, &r.blindError,
	}
}

// track makes a track of the row, which the newest report brings up to date: while
// reports say the same as before, the row stays as it is.
func (r *trackRow) track(newest *reportRow) status.Track {
	t := status.Track{
		Slot: r.slot.UTC(), Interval: time.Duration(r.ms) * time.Millisecond, Silent: orZero(r.silent),
		Outcome: sitemon.Outcome(r.outcome), Failures: r.failures, Successes: r.successes, Row: orZero(r.row),
		Status: sitemon.Status(r.status), Since: orZero(r.since),
		Fault: status.Cause{Reason: sitemon.Reason(r.faultReason), Error: r.faultError},
		Blind: status.Cause{Reason: sitemon.Reason(r.blindReason), Error: r.blindError},
	}
	if newest.slot.Valid && newest.slot.Time.After(t.Slot) {
		t.Slot, t.Interval = newest.slot.Time.UTC(), time.Duration(newest.ms.Int32)*time.Millisecond
		if history.OutcomeOf(newest.outcome.Int16) != sitemon.OutcomeUnknown {
			t.Silent = t.Slot.Add(t.Interval + status.Grace(t.Interval))
		}
	}
	return t
}

// orZero is the zero time for NULL.
func orZero(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// wrap says in an error what was being done.
func wrap(err *error, format string, args ...any) {
	if *err != nil {
		*err = fmt.Errorf(format+": %w", append(args, *err)...)
	}
}
