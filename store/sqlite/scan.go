package sqlite

import (
	"context"
	"database/sql"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// reportColumns are the columns that eachReport reads; the tables are called r,
// l and n.
const reportColumns = `SELECT r.id, n.name, l.location, r.lateness_us, r.interval_ms, r.outcome,
 (SELECT name FROM reasons WHERE id = r.reason_id), r.error, r.status_code, r.duration_us,
 r.resolve_us, r.connect_us, r.tls_us, r.processing_us, r.transfer_us, r.body_bytes, r.body_truncated, r.remote_addr,
 r.certificate_expires_at, (SELECT instance FROM monitors WHERE id = r.monitor_id), r.generation, r.attempts,
 (SELECT name FROM reasons WHERE id = r.gap_id), r."values" `

// eachReport runs a query for reports and calls f for each.
func eachReport(ctx context.Context, q querier, from string, args []any, f func(id int64, r *sitemon.Report) error) error {
	return each(ctx, q, reportColumns+from, args, func(row scanner) error {
		id, r, err := scanReport(row)
		if err != nil {
			return err
		}
		return f(id, r)
	})
}

func scanReport(row scanner) (id int64, r *sitemon.Report, err error) {
	r = &sitemon.Report{}
	var lateness, expires, code, body, truncated, generation, attempts sql.NullInt64
	var phases [5]sql.NullInt64
	var ms, outcome, duration int64
	var reason, text, monitor, gap, values sql.NullString
	var addr any
	err = row.Scan(&id, &r.Site, &r.Location, &lateness, &ms, &outcome, &reason, &text, &code, &duration,
		&phases[0], &phases[1], &phases[2], &phases[3], &phases[4], &body, &truncated, &addr,
		&expires, &monitor, &generation, &attempts, &gap, &values)
	if err != nil {
		return 0, nil, err
	}
	us := func(n sql.NullInt64) time.Duration { return time.Duration(n.Int64) * time.Microsecond }
	r.Slot, r.Interval = slotOf(id), time.Duration(ms)*time.Millisecond
	if lateness.Valid {
		r.StartedAt = r.Slot.Add(us(lateness))
	}
	r.Outcome, r.Reason, r.Error = history.OutcomeOf(outcome), sitemon.Reason(reason.String), text.String
	r.StatusCode, r.Duration = int(code.Int64), time.Duration(duration)*time.Microsecond
	r.Phases = sitemon.Phases{
		Resolve: us(phases[0]), Connect: us(phases[1]), TLS: us(phases[2]), Processing: us(phases[3]), Transfer: us(phases[4]),
	}
	r.BodyBytes, r.BodyTruncated, r.RemoteAddr = body.Int64, truncated.Int64 != 0, unpackAddr(addr)
	if expires.Valid {
		r.CertificateExpiresAt = time.Unix(expires.Int64, 0).UTC()
	}
	r.Monitor, r.Generation, r.Attempts, r.Gap = monitor.String, generation.Int64, int(attempts.Int64), gap.String
	r.Values = sitemon.ReadValues(values.String)
	return id, r, nil
}
