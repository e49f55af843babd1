package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sitemon"
	"sitemon/store/internal/history"
)

// copyReports takes the rows that appendRow makes. Reports are copied and not
// inserted, as that is two to three times as fast: whoever holds the lock of a
// location knows which of them are there already.
const copyReports = `COPY site_reports (slot, site_location_id, interval_ms, lateness_us, duration_us, resolve_us, connect_us, tls_us,
 processing_us, transfer_us, body_bytes, certificate_expires_at, generation, monitor_id, reason_id, gap_id, outcome, status_code,
 attempts, body_truncated, remote_addr, error, "values") FROM STDIN (FORMAT binary)`

const (
	copyColumns = 23
	copyHeader  = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	copyTrailer = "\xff\xff"
)

// copyRows writes the rows of the reports that are not there yet.
func (b *batch) copyRows(ctx context.Context, tx pgx.Tx) error {
	buf := append(b.db.buffer[:0], copyHeader...)
	n := int64(0)
	for i := range b.entries {
		if e := &b.entries[i]; !e.duplicate {
			buf = b.db.memory.appendRow(buf, e.l.id, e.r)
			n++
		}
	}
	buf = append(buf, copyTrailer...)
	b.db.buffer = buf
	if n == 0 {
		return nil
	}
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(buf), copyReports)
	if err == nil && tag.RowsAffected() != n {
		err = fmt.Errorf("%d rows of %d were written", tag.RowsAffected(), n)
	}
	return err
}

// isNoPartition reports whether an error says that a slot's day has no partition.
func isNoPartition(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == codeCheck && strings.Contains(e.Message, "no partition")
}

// row appends the fields of a row in the binary form of COPY.
type row []byte

// appendRow appends the row of a report.
func (m *memory) appendRow(buf []byte, location int64, r *sitemon.Report) []byte {
	f := row(binary.BigEndian.AppendUint16(buf, copyColumns))
	f.time(r.Slot)
	f.int32(int32(location))
	f.int32(int32(r.Interval.Milliseconds()))
	if r.StartedAt.IsZero() {
		f.null()
	} else {
		f.int64(r.StartedAt.Sub(r.Slot).Microseconds())
	}
	f.int64(r.Duration.Microseconds())
	for _, d := range r.Phases.All() {
		f.int64OrNull(d.Microseconds())
	}
	f.int64OrNull(r.BodyBytes)
	f.timeOrNull(r.CertificateExpiresAt)
	f.int64OrNull(r.Generation)
	f.word(m.monitors, r.Monitor)
	f.word(m.reasons, string(r.Reason))
	f.word(m.reasons, r.Gap)
	f.int16(int16(history.OutcomeNumber(r.Outcome)))
	f.int16OrNull(int16(r.StatusCode))
	f.int16OrNull(int16(r.Attempts))
	if r.BodyTruncated {
		f = append(f, 0, 0, 0, 1, 1)
	} else {
		f.null()
	}
	f.textOrNull(r.RemoteAddr)
	f.textOrNull(r.Error)
	f.textOrNull(string(r.Values)) // the binary form of json is its text
	return f
}

// epochMicros is 2000-01-01, from which Postgres counts.
const epochMicros = 946_684_800_000_000

func (f *row) null()         { *f = append(*f, 0xff, 0xff, 0xff, 0xff) }
func (f *row) int16(n int16) { *f = binary.BigEndian.AppendUint16(append(*f, 0, 0, 0, 2), uint16(n)) }

func (f *row) int32(n int32) { *f = binary.BigEndian.AppendUint32(append(*f, 0, 0, 0, 4), uint32(n)) }

func (f *row) int64(n int64) { *f = binary.BigEndian.AppendUint64(append(*f, 0, 0, 0, 8), uint64(n)) }

func (f *row) time(t time.Time) { f.int64(t.UnixMicro() - epochMicros) }

func (f *row) int16OrNull(n int16) {
	if n == 0 {
		f.null()
	} else {
		f.int16(n)
	}
}

func (f *row) int64OrNull(n int64) {
	if n == 0 {
		f.null()
	} else {
		f.int64(n)
	}
}

func (f *row) timeOrNull(t time.Time) {
	if t.IsZero() {
		f.null()
	} else {
		f.time(t)
	}
}

func (f *row) textOrNull(s string) {
	if s == "" {
		f.null()
		return
	}
	*f = append(binary.BigEndian.AppendUint32(*f, uint32(len(s))), s...)
}

// word appends the number of a text.
func (f *row) word(numbers map[string]int32, s string) {
	if s == "" {
		f.null()
	} else {
		f.int32(numbers[s])
	}
}
