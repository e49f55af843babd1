package postgres

import (
	"context"
	"time"

	"sitemon"
	"sitemon/store/internal/ledger"
)

// alertQueries are what deciding on alerts reads of reports.
func alertQueries() ledger.ReportQueries {
	return ledger.ReportQueries{
		Newest: "SELECT r.slot, r.outcome FROM site_locations l " + newest + " WHERE l.site_id = $1 AND r.slot IS NOT NULL",
		Failed: `SELECT count(*) FROM (SELECT 1 FROM site_locations l JOIN site_reports r ON r.site_location_id = l.id AND r.slot >= $2 AND r.outcome = 2
 WHERE l.site_id = $1 LIMIT $3) f`,
		Heard: `SELECT 1 FROM site_locations l JOIN sites s ON s.site_id = l.site_id AND s.enabled WHERE l.location = $1
 AND EXISTS (SELECT 1 FROM site_reports r WHERE r.site_location_id = l.id AND r.slot >= $2) LIMIT 1`,
		Certificates: `SELECT l.site_id, min(r.certificate_expires_at) FROM site_locations l JOIN sites s ON s.site_id = l.site_id AND s.enabled
CROSS JOIN LATERAL (SELECT certificate_expires_at FROM site_reports
 WHERE site_location_id = l.id AND slot >= $2 AND slot >= l.slot ORDER BY slot DESC LIMIT 1) r
WHERE r.certificate_expires_at < $1 GROUP BY l.site_id`,
	}
}

// DecideAlerts makes notices and notifications of what has happened until now.
// judged is the time up to which reports have been read; zero: nobody knows. It is
// to be called each second, by any number of stores.
func (db *DB) DecideAlerts(ctx context.Context, now, judged time.Time) (err error) {
	defer wrap(&err, "decide on alerts")
	return ledger.Alerts{Write: db.ledgerWrite, Read: db.ledgerRead, Queries: alertQueries(), Past: db}.Decide(ctx, now, judged)
}

// TakeNotifications returns at most limit notifications that are to be delivered
// now, for this process to do so within a minute; others do not get them
// meanwhile. Each is then to be settled with [DB.NotificationSent].
func (db *DB) TakeNotifications(ctx context.Context, now time.Time, limit int) (list []sitemon.Notification, err error) {
	err = db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		list, err = ledger.TakeNotifications(ctx, tx, now, limit, db.instance)
		return err
	})
	return list, err
}

// NotificationSent says that a notification was delivered, or why not: then it is
// tried again later, for a day.
func (db *DB) NotificationSent(ctx context.Context, id string, now time.Time, failure error) error {
	return db.ledgerWrite(ctx, func(ctx context.Context, tx ledger.Tx) error {
		return ledger.NotificationSent(ctx, tx, id, now, failure)
	})
}

// Documents returns what each document has beside its sites, by its source: alerting,
// maintenance, status pages.
func (db *DB) Documents(ctx context.Context) (all map[string]sitemon.Document, err error) {
	err = db.ledgerRead(ctx, func(ctx context.Context, tx ledger.Tx) (err error) {
		all, err = ledger.Documents(ctx, tx)
		return err
	})
	return all, err
}
