package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sitemon"
)

// warnDays are before how many days an expiry is told.
var warnDays = [...]int{1, 7, 14, 30}

// lookAtCertificates tells of certificates that expire soon.
func (d *decision) lookAtCertificates(ctx context.Context) error {
	var claimed bool
	err := d.Write(ctx, func(ctx context.Context, tx Tx) (err error) {
		_, claimed, err = d.round(tx).claim(ctx, watchCertificates)
		return err
	})
	if err != nil || !claimed {
		return err
	}
	const day = 24 * time.Hour
	expires := map[int64]time.Time{}
	err = d.Read(ctx, func(ctx context.Context, tx Tx) error {
		clear(expires)
		args := []any{d.now.Add(time.Duration(warnDays[len(warnDays)-1]) * day), d.now.Add(-2 * day)}
		return tx.Query(ctx, d.Queries.Certificates, args, func(scan func(dest ...any) error) error {
			var id int64
			var at Moment
			err := scan(&id, &at)
			expires[id] = at.Time
			return err
		})
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(expires)), takeAtOnce) {
		err := d.Write(ctx, func(ctx context.Context, tx Tx) error { return d.round(tx).tellExpiries(ctx, part, expires) })
		if err != nil {
			return err
		}
	}
	return nil
}

// tellExpiries makes the notices of certificates that expire soon.
func (r *round) tellExpiries(ctx context.Context, ids []int64, expires map[int64]time.Time) error {
	var sites []*measured
	err := eachList(ids, func(list string, args []any) error {
		return r.tx.Query(ctx, `SELECT s.site_id, n.name, s.source, s.rules FROM sites s JOIN site_names n ON n.id = s.site_id
WHERE s.site_id IN `+list, args, func(scan func(dest ...any) error) error {
			m := &measured{}
			var text string
			err := scan(&m.id, &m.name, &m.source, &text)
			m.rules = rulesOf(text)
			sites = append(sites, m)
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, s := range sites {
		at := expires[s.id]
		days, text := expiry(s.name, at, r.now)
		for i := range s.rules.Alerts {
			a := &s.rules.Alerts[i]
			if !a.Tells(sitemon.AlertCertificate) {
				continue
			}
			for _, to := range a.To {
				n := notice{
					source: s.source, channel: to, kind: kindCertificate, subject: fmt.Sprintf("certificate of site %d", s.id),
					occurrence: fmt.Sprintf("%s/%d", at.Format(time.RFC3339), days), due: r.now, site: s.id, severity: a.Severity, alert: a, text: text, total: 1,
				}
				if err := r.hold(ctx, &n); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// expiry returns the least of warnDays before which a certificate expires, and what
// to say.
func expiry(site string, at, now time.Time) (days int, text string) {
	left := at.Sub(now)
	for _, days = range warnDays {
		if left <= time.Duration(days)*24*time.Hour {
			break
		}
	}
	if left <= 0 {
		return days, fmt.Sprintf("the certificate of %s has expired on %s", site, moment(at))
	}
	return days, fmt.Sprintf("the certificate of %s expires in %s, on %s", site, spell(left), moment(at))
}
