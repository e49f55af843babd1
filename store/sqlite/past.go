package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/store/internal/history"
	"sitemon/store/internal/rollup"
)

// sumColumns are the columns of sums that are stored, but for site_id and start.
const sumColumns = `up_ms, degraded_ms, down_ms, maintenance_ms, maintenance_up_ms, maintenance_degraded_ms, maintenance_down_ms,
 reports, timed, latency_sum_us, latency_max_us, resolve_sum_us, connect_sum_us, tls_sum_us, processing_sum_us, transfer_sum_us, durations`

// sumValues are the values of sumColumns.
func sumValues(s availability.Sum) []any {
	return []any{
		s.Up.Milliseconds(), s.Degraded.Milliseconds(), s.Down.Milliseconds(),
		s.Maintenance.Milliseconds(), s.MaintenanceUp.Milliseconds(), s.MaintenanceDegraded.Milliseconds(), s.MaintenanceDown.Milliseconds(),
		s.Reports, s.Timed, s.Total.Microseconds(), s.Max.Microseconds(),
		s.Phases.Resolve.Microseconds(), s.Phases.Connect.Microseconds(), s.Phases.TLS.Microseconds(),
		s.Phases.Processing.Microseconds(), s.Phases.Transfer.Microseconds(), s.Durations.Bytes(),
	}
}

// eachSum calls f for the sums of a level for which a condition holds.
func eachSum(ctx context.Context, q querier, level rollup.Level, where string, args []any, f func(rollup.Row)) error {
	return each(ctx, q, fmt.Sprintf("SELECT site_id, start, %s FROM %s WHERE %s", sumColumns, level.Table(), where), args,
		func(row scanner) error {
			var r rollup.Row
			var at int64
			var ms [7]int64
			var us [7]int64
			var durations sql.RawBytes
			s := &r.Sum
			err := row.Scan(&r.Site, &at, &ms[0], &ms[1], &ms[2], &ms[3], &ms[4], &ms[5], &ms[6], &s.Reports, &s.Timed,
				&us[0], &us[1], &us[2], &us[3], &us[4], &us[5], &us[6], &durations)
			if err != nil {
				return err
			}
			r.Start = moment(at)
			for i, d := range []*time.Duration{
				&s.Up, &s.Degraded, &s.Down, &s.Maintenance, &s.MaintenanceUp, &s.MaintenanceDegraded, &s.MaintenanceDown,
			} {
				*d = time.Duration(ms[i]) * time.Millisecond
			}
			for i, d := range []*time.Duration{
				&s.Total, &s.Max, &s.Phases.Resolve, &s.Phases.Connect, &s.Phases.TLS, &s.Phases.Processing, &s.Phases.Transfer,
			} {
				*d = time.Duration(us[i]) * time.Microsecond
			}
			if s.Durations, err = availability.ParseHistogram(durations); err != nil {
				return fmt.Errorf("%s of site %d at %s: %w", level.Table(), r.Site, r.Start.Format(time.RFC3339), err)
			}
			f(r)
			return nil
		})
}

// Terms implements [rollup.Raw].
func (s past) Terms(ctx context.Context, sites []int64, from, to time.Time, f func(site int64, t availability.Terms)) error {
	list, err := json.Marshal(sites)
	if err != nil {
		return err
	}
	maintenance := map[int64][]availability.Window{}
	err = each(ctx, s.q, `SELECT m.site_id, m."from", m."to" FROM json_each(?1) j JOIN site_maintenance m ON m.site_id = j.value
WHERE m."to" > ?2 AND m."from" < ?3`, []any{string(list), micros(from), micros(to)}, func(row scanner) error {
		var site, from, to int64
		err := row.Scan(&site, &from, &to)
		maintenance[site] = append(maintenance[site], availability.Window{From: moment(from), To: moment(to)})
		return err
	})
	if err != nil {
		return err
	}
	plans, err := s.plans(ctx, string(list), to)
	if err != nil {
		return err
	}
	for _, site := range sites {
		if len(plans[site]) == 0 && len(maintenance[site]) == 0 {
			continue
		}
		locations := map[string]int64{}
		if len(plans[site]) > 0 {
			err := each(ctx, s.q, "SELECT location, id FROM site_locations WHERE site_id = ?", []any{site}, func(row scanner) error {
				var name string
				var id int64
				err := row.Scan(&name, &id)
				locations[name] = id
				return err
			})
			if err != nil {
				return err
			}
		}
		f(site, rollup.TermsOf(plans[site], locations, maintenance[site]))
	}
	return nil
}

// plans returns the plans of those of some sites, a JSON array, that ever had
// unusual votes until a moment, oldest first.
func (s past) plans(ctx context.Context, sites string, until time.Time) (map[int64][]rollup.Plan, error) {
	plans := map[int64][]rollup.Plan{}
	err := each(ctx, s.q, `SELECT p.site_id, p."from", p.quorum, p.locations FROM json_each(?1) j JOIN site_plans p ON p.site_id = j.value
WHERE p."from" < ?2 AND EXISTS (SELECT 1 FROM site_plans u WHERE u.site_id = p.site_id AND (u.quorum <> 1 OR u.locations <> ''))
ORDER BY p.site_id, p."from"`, []any{sites, micros(until)}, func(row scanner) error {
		var site, at int64
		var p rollup.Plan
		var quorum int
		var locations string
		if err := row.Scan(&site, &at, &quorum, &locations); err != nil {
			return err
		}
		p.From, p.Quorum = moment(at), sitemon.Quorum(quorum)
		if locations != "" {
			if err := json.Unmarshal([]byte(locations), &p.Locations); err != nil {
				return fmt.Errorf("locations of site %d from %s on: %w", site, p.From.Format(time.RFC3339), err)
			}
		}
		plans[site] = append(plans[site], p)
		return nil
	})
	return plans, err
}

// phaseColumns are those of the phases of a report.
const phaseColumns = ", coalesce(r.resolve_us, 0), coalesce(r.connect_us, 0), coalesce(r.tls_us, 0), coalesce(r.processing_us, 0), coalesce(r.transfer_us, 0)"

// Reports implements [rollup.Raw].
func (s past) Reports(ctx context.Context, sites []int64, from, to time.Time, phases bool, f func(site int64, reports []availability.Report)) error {
	list, err := json.Marshal(sites)
	if err != nil {
		return err
	}
	var reports []availability.Report
	var current, site, id, ms, outcome int64
	var us [6]int64
	columns, dest := "", []any{&site, &id, &ms, &outcome, &us[0]}
	if phases {
		columns, dest = phaseColumns, append(dest, &us[1], &us[2], &us[3], &us[4], &us[5])
	}
	err = each(ctx, s.q, "SELECT l.site_id, r.id, r.interval_ms, r.outcome, r.duration_us"+columns+`
FROM json_each(?1) AS j CROSS JOIN site_locations l ON l.site_id = j.value CROSS JOIN site_reports r
 ON r.id >= coalesce((SELECT max(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id << 42) + ?2), (l.id << 42) + ?2)
 AND r.id < (l.id << 42) + ?3`, []any{string(list), history.CeilMilli(from), history.CeilMilli(to)}, func(row scanner) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		if site != current && len(reports) > 0 {
			f(current, reports)
			reports = reports[:0]
		}
		current = site
		r := availability.Report{
			Location: id >> slotBits, Slot: slotOf(id), Interval: time.Duration(ms) * time.Millisecond, Outcome: history.OutcomeOf(outcome),
		}
		for i, d := range [...]*time.Duration{&r.Duration, &r.Phases.Resolve, &r.Phases.Connect, &r.Phases.TLS, &r.Phases.Processing, &r.Phases.Transfer} {
			*d = time.Duration(us[i]) * time.Microsecond
		}
		reports = append(reports, r)
		return nil
	})
	if err == nil && len(reports) > 0 {
		f(current, reports)
	}
	return err
}
