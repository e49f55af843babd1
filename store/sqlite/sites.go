package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sitemon"
	"sitemon/store/internal/history"
)

// sitesPresent and sitesRemoved select the columns of a [sitemon.SiteState].
const (
	sitesPresent = `SELECT n.id, n.name, s.url, s.kind, s."group", s.tags, s.interval_ms, s.timeout_ms, s.enabled, s.source,
       t.status, t.since, t.reason, t.error, s.rules
FROM site_names n JOIN sites s ON s.site_id = n.id JOIN site_status t ON t.site_id = n.id`
	sitesRemoved = `SELECT n.id, n.name, '' AS url, '' AS kind, '' AS "group", '[]' AS tags, p.interval_ms, 0, 0, '' AS source,
       'unknown' AS status, NULL, '', '', '' AS rules
FROM site_names n JOIN site_plans p ON p.site_id = n.id
 AND p."from" = (SELECT max("from") FROM site_plans WHERE site_id = n.id)`
)

// Sites lists the sites that match a query, by name (in the order of its bytes).
func (db *DB) Sites(ctx context.Context, q sitemon.SiteQuery) (sites []sitemon.SiteState, err error) {
	defer wrap(&err, "list sites")
	ctx, cancel := reading(ctx)
	defer cancel()
	from, where, args := sitesPresent, []string{"n.name > ?"}, []any{q.After}
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.Removed {
		from = sitesRemoved
		and("NOT EXISTS (SELECT 1 FROM sites WHERE site_id = n.id)")
	}
	if q.Group != nil {
		and(`"group" = ?`, *q.Group)
	}
	if q.Tag != "" {
		and("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", q.Tag)
	}
	if q.Status != "" {
		and("status = ?", q.Status)
	}
	if q.Names != nil {
		names, err := json.Marshal(q.Names)
		if err != nil {
			return nil, err
		}
		and("name IN (SELECT value FROM json_each(?))", string(names))
	}
	limit := q.Limit
	if limit <= 0 || q.Text != "" {
		limit = -1
	}
	query := fmt.Sprintf("SELECT * FROM (%s) AS n WHERE %s ORDER BY name LIMIT ?", from, strings.Join(where, " AND "))
	return db.siteStates(ctx, query, append(args, limit), q.Brief, history.Match(q))
}

// Site returns one present site. The error wraps [sitemon.ErrNotFound] where
// there is none of that name, or it was removed.
func (db *DB) Site(ctx context.Context, name string) (s sitemon.SiteState, err error) {
	defer wrap(&err, "read site %q", name)
	ctx, cancel := reading(ctx)
	defer cancel()
	sites, err := db.siteStates(ctx, sitesPresent+" WHERE n.name = ?", []any{name}, false,
		func(*sitemon.SiteState) bool { return true })
	if err != nil {
		return s, err
	}
	if len(sites) == 0 {
		return s, sitemon.ErrNotFound
	}
	return sites[0], nil
}

// siteStates runs a query for sites and, unless it is to be brief, adds what their
// locations say, and the newest reports, all as of one moment.
func (db *DB) siteStates(ctx context.Context, query string, args []any, brief bool, keep func(*sitemon.SiteState) bool) ([]sitemon.SiteState, error) {
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	var sites []sitemon.SiteState
	var ids []int64
	err = each(ctx, tx, query, args, func(row scanner) error {
		id, s, err := scanSite(row)
		if err != nil {
			return err
		}
		if keep(&s) {
			sites, ids = append(sites, s), append(ids, id)
		}
		return nil
	})
	if err != nil || brief {
		return sites, err
	}
	return sites, db.addLocations(ctx, tx, sites, ids)
}

func scanSite(row scanner) (id int64, s sitemon.SiteState, err error) {
	var tags []byte
	var rules string
	var intervalMS, timeoutMS int64
	var since sql.NullInt64
	err = row.Scan(&id, &s.Name, &s.URL, &s.Kind, &s.Group, &tags, &intervalMS, &timeoutMS, &s.Enabled, &s.Source,
		&s.Status, &since, &s.Reason, &s.Error, &rules)
	if err != nil {
		return 0, s, err
	}
	s.Interval = time.Duration(intervalMS) * time.Millisecond
	s.Timeout = time.Duration(timeoutMS) * time.Millisecond
	s.Since, s.Rules = momentOrZero(since), history.RulesOf(rules)
	return id, s, json.Unmarshal(tags, &s.Tags)
}

// addLocations fills in the locations and the newest report of each site.
func (db *DB) addLocations(ctx context.Context, q querier, sites []sitemon.SiteState, ids []int64) error {
	byID := make(map[int64]*sitemon.SiteState, len(ids))
	for i, id := range ids {
		byID[id] = &sites[i]
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	const these = "WHERE l.site_id IN (SELECT value FROM json_each(?))"
	now := db.clock()
	newest := map[int64]*sitemon.SiteState{} // by location
	err = eachTrack(ctx, q, these+" ORDER BY l.site_id, l.location", []any{string(list)}, func(siteID int64, l *location) {
		s := byID[siteID]
		s.Locations = append(s.Locations, history.LocationState(l.name, l.track, now))
		newest[l.id] = s
	})
	if err != nil {
		return err
	}
	return eachReport(ctx, q, "FROM site_locations l JOIN site_names n ON n.id = l.site_id JOIN site_reports r"+
		" ON r.id = (SELECT max(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id + 1) << 42) "+these, []any{string(list)},
		func(id int64, r *sitemon.Report) error {
			s := newest[id>>slotBits]
			if s.LastReport == nil || s.LastReport.Slot.Before(r.Slot) {
				s.LastReport = r
			}
			return nil
		})
}
