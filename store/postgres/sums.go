package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/rollup"
)

// The tables of sums have their sites by time: what is read of many sites at once
// lies together, and what is made last is written in one place. What is looked up
// is looked up by both, one time after the other.

// sumNumbers are the numbers of a sum, in the order of the columns.
type sumNumbers [16]int64

func numbersOf(s *availability.Sum) sumNumbers {
	return sumNumbers{
		s.Up.Milliseconds(), s.Degraded.Milliseconds(), s.Down.Milliseconds(), s.Maintenance.Milliseconds(),
		int64(s.Reports), int64(s.Timed), s.Total.Microseconds(), s.Max.Microseconds(),
		s.MaintenanceUp.Milliseconds(), s.MaintenanceDegraded.Milliseconds(), s.MaintenanceDown.Milliseconds(),
		s.Phases.Resolve.Microseconds(), s.Phases.Connect.Microseconds(), s.Phases.TLS.Microseconds(),
		s.Phases.Processing.Microseconds(), s.Phases.Transfer.Microseconds(),
	}
}

func (n *sumNumbers) sum() availability.Sum {
	ms := func(i int) time.Duration { return time.Duration(n[i]) * time.Millisecond }
	us := func(i int) time.Duration { return time.Duration(n[i]) * time.Microsecond }
	return availability.Sum{
		Up: ms(0), Degraded: ms(1), Down: ms(2), Maintenance: ms(3), Reports: int(n[4]), Timed: int(n[5]), Total: us(6), Max: us(7),
		MaintenanceUp: ms(8), MaintenanceDegraded: ms(9), MaintenanceDown: ms(10),
		Phases: sitemon.Phases{Resolve: us(11), Connect: us(12), TLS: us(13), Processing: us(14), Transfer: us(15)},
	}
}

// readSums looks up each sum of some sites that begins in any of some windows.
const readSums = `SELECT a.start, a.site_id, a.up_ms, a.degraded_ms, a.down_ms, a.maintenance_ms, a.reports, a.timed,
 a.latency_sum_us, a.latency_max_us, coalesce(a.maintenance_up_ms, 0), coalesce(a.maintenance_degraded_ms, 0),
 coalesce(a.maintenance_down_ms, 0), coalesce(a.resolve_sum_us, 0), coalesce(a.connect_sum_us, 0), coalesce(a.tls_sum_us, 0),
 coalesce(a.processing_sum_us, 0), coalesce(a.transfer_sum_us, 0), a.durations
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS w ("from", "to")
CROSS JOIN LATERAL generate_series(w."from", w."to" - $4::bigint * interval '1 second', $4::bigint * interval '1 second') AS t
CROSS JOIN LATERAL (SELECT * FROM %s WHERE start = t AND site_id = ANY ($1) OFFSET 0) a
ORDER BY a.start`

// eachSum calls f for the sums of a level of some sites that begin in any of some
// windows, in the order of their time. The row is used again after f.
func eachSum(ctx context.Context, q querier, level rollup.Level, sites []int64, from, to []time.Time, f func(r *rollup.Row)) error {
	var r rollup.Row
	var n sumNumbers
	var durations pgtype.DriverBytes
	dest := []any{&r.Start, &r.Site}
	for i := range n {
		dest = append(dest, &n[i])
	}
	dest = append(dest, &durations)
	args := []any{sites, from, to, int64(level.Width() / time.Second)}
	return eachRow(ctx, q, fmt.Sprintf(readSums, level.Table()), args, func(row pgx.Rows) (err error) {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		r.Start, r.Sum = r.Start.UTC(), n.sum()
		if r.Sum.Durations, err = availability.ParseHistogram(durations); err != nil {
			return fmt.Errorf("%s of site %d at %s: %w", level.Table(), r.Site, r.Start.Format(time.RFC3339), err)
		}
		f(&r)
		return nil
	})
}

// saveSums writes sums of a level, in the place of those that are there.
func saveSums(ctx context.Context, tx pgx.Tx, level rollup.Level, sums []rollup.Row) error {
	if len(sums) == 0 {
		return nil
	}
	slices.SortFunc(sums, func(a, b rollup.Row) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Site, b.Site)) })
	starts, sites, durations := make([]time.Time, len(sums)), make([]int64, len(sums)), make([][]byte, len(sums))
	var columns [len(sumNumbers{})][]int64
	for i := range columns {
		columns[i] = make([]int64, len(sums))
	}
	for i := range sums {
		s := &sums[i]
		starts[i], sites[i], durations[i] = s.Start, s.Site, s.Sum.Durations.Bytes()
		for k, v := range numbersOf(&s.Sum) {
			columns[k][i] = v
		}
	}
	args := []any{starts, sites}
	for _, c := range columns {
		args = append(args, c)
	}
	_, err := tx.Exec(ctx, "INSERT INTO "+level.Table()+writeSums, append(args, durations)...)
	return err
}

// writeSums is what comes after the table.
const writeSums = ` (start, site_id, up_ms, degraded_ms, down_ms, maintenance_ms, reports, timed, latency_sum_us, latency_max_us,
 maintenance_up_ms, maintenance_degraded_ms, maintenance_down_ms, resolve_sum_us, connect_sum_us, tls_sum_us, processing_sum_us, transfer_sum_us, durations)
SELECT start, site, up, degraded, down, maintenance, reports, timed, total, longest, nullif(m_up, 0), nullif(m_degraded, 0), nullif(m_down, 0),
 nullif(resolve, 0), nullif(connect, 0), nullif(tls, 0), nullif(processing, 0), nullif(transfer, 0), durations
FROM unnest($1::timestamptz[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::bigint[], $10::bigint[],
 $11::int[], $12::int[], $13::int[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[])
 AS n (start, site, up, degraded, down, maintenance, reports, timed, total, longest, m_up, m_degraded, m_down,
  resolve, connect, tls, processing, transfer, durations)
ON CONFLICT (start, site_id) DO UPDATE SET up_ms = excluded.up_ms, degraded_ms = excluded.degraded_ms, down_ms = excluded.down_ms,
 maintenance_ms = excluded.maintenance_ms, reports = excluded.reports, timed = excluded.timed,
 latency_sum_us = excluded.latency_sum_us, latency_max_us = excluded.latency_max_us,
 maintenance_up_ms = excluded.maintenance_up_ms, maintenance_degraded_ms = excluded.maintenance_degraded_ms,
 maintenance_down_ms = excluded.maintenance_down_ms, resolve_sum_us = excluded.resolve_sum_us, connect_sum_us = excluded.connect_sum_us,
 tls_sum_us = excluded.tls_sum_us, processing_sum_us = excluded.processing_sum_us, transfer_sum_us = excluded.transfer_sum_us, durations = excluded.durations`
