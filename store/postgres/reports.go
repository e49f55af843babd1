package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/store/internal/history"
)

// Reports returns a page of a site's reports, newest first, and the cursor of the
// next page; "" on the last one. Reports that are recorded meanwhile neither
// appear on later pages twice nor push others out of them. The error wraps
// [sitemon.ErrNotFound] where the store has never heard of the site, and
// [sitemon.ErrInvalid] where the cursor is none.
func (db *DB) Reports(ctx context.Context, q sitemon.ReportQuery) (reports []sitemon.Report, next string, err error) {
	defer wrap(&err, "list reports of site %q", q.Site)
	page, err := history.NewPage(db.shown(q))
	if err != nil {
		return nil, "", err
	}
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		site, err := siteID(ctx, tx, q.Site)
		if err != nil {
			return err
		}
		locations, err := siteLocations(ctx, tx, site)
		if err != nil {
			return err
		}
		var all []history.Listed
		for _, l := range locations {
			rs, err := newestReports(ctx, tx, q, l, page)
			if err != nil {
				return err
			}
			all = append(all, rs...)
		}
		reports, next = page.Reports(all)
		return nil
	})
	return reports, next, err
}

// siteLocation is a location of a site, by its number.
type siteLocation struct {
	id   int64
	name string
}

func siteLocations(ctx context.Context, tx pgx.Tx, site int64) ([]siteLocation, error) {
	rows, err := tx.Query(ctx, "SELECT id, location FROM site_locations WHERE site_id = $1", site)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l siteLocation, err error) {
		return l, row.Scan(&l.id, &l.name)
	})
}

// newestReports reads the newest reports that a page may have of a location. The
// bounds leave out partitions, and the others are read from the newest on until
// there are enough. An outcome is looked for in an index alone, as a site may have
// been up for months.
func newestReports(ctx context.Context, tx pgx.Tx, q sitemon.ReportQuery, l siteLocation, page history.Page) (list []history.Listed, err error) {
	const bounds = " FROM site_reports WHERE site_location_id = $1 AND slot >= $2 AND slot < $3"
	from, to := page.Slots(l.id)
	args := []any{l.id, time.UnixMilli(from), time.UnixMilli(to), page.Limit}
	query := "(SELECT *" + bounds + " ORDER BY slot DESC LIMIT $4) r"
	if q.Outcome != "" {
		query = "(SELECT slot" + bounds + " AND " + history.WhereOutcome("outcome", q.Outcome) + " ORDER BY slot DESC LIMIT $4) k" +
			" CROSS JOIN LATERAL (SELECT *" + bounds + " AND slot = k.slot) r"
	}
	var r reportRow
	dest := r.dest()
	err = eachRow(ctx, tx, "SELECT "+reportColumns+" FROM "+query+reportWords, args, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		list = append(list, history.Listed{Location: l.id, Report: r.report(q.Site, l.name)})
		return nil
	})
	return list, err
}
