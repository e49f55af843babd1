package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"golang.org/x/sync/errgroup"

	"sitemon"
	"sitemon/store/internal/history"
)

// sitesPresent and sitesRemoved select the columns of a [sitemon.SiteState].
const (
	sitesPresent = `SELECT s.site_id, s.name, s.url, s.kind, s."group", s.tags, s.interval_ms, s.timeout_ms, s.enabled, s.source,
 t.status, t.since, t.reason, t.error, s.rules
FROM sites s JOIN site_status t ON t.site_id = s.site_id`
	sitesRemoved = `SELECT n.id AS site_id, n.name, '' AS url, '' AS kind, '' AS "group", '{}'::text[] AS tags,
 p.interval_ms, 0::bigint AS timeout_ms, false AS enabled, '' AS source, 'unknown' AS status, NULL::timestamptz AS since, '' AS reason, '' AS error, '' AS rules
FROM site_names n CROSS JOIN LATERAL (SELECT interval_ms FROM site_plans WHERE site_id = n.id ORDER BY "from" DESC LIMIT 1) p
WHERE NOT EXISTS (SELECT 1 FROM sites WHERE site_id = n.id)`
)

const (
	// sitesAtOnce is how many sites one connection reads whole. The newest report of
	// each is somewhere else on disk: of more sites several connections look for them.
	sitesAtOnce = 250
	// siteReaders is how many connections do that at most.
	siteReaders = 4
)

// Sites lists the sites that match a query, by name (in the order of its bytes). Each
// is as it was at one moment, which of more than [sitesAtOnce] is not the same for all.
func (db *DB) Sites(ctx context.Context, q sitemon.SiteQuery) (sites []sitemon.SiteState, err error) {
	defer wrap(&err, "list sites")
	few := q.Limit > 0 && q.Limit <= sitesAtOnce || q.Names != nil && len(q.Names) <= sitesAtOnce
	if few || q.Brief {
		return db.listSites(ctx, q)
	}
	whole := q
	q.Brief = true
	if sites, err = db.listSites(ctx, q); err != nil {
		return nil, err
	}
	names := make([]string, len(sites))
	for i := range sites {
		names[i] = sites[i].Name
	}
	whole.After, whole.Limit = "", 0
	parts := slices.Collect(slices.Chunk(names, sitesAtOnce))
	found := make([][]sitemon.SiteState, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(siteReaders)
	for i, part := range parts {
		g.Go(func() (err error) {
			of := whole
			of.Names = part
			found[i], err = db.listSites(ctx, of)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// listSites lists sites with one connection.
func (db *DB) listSites(ctx context.Context, q sitemon.SiteQuery) (sites []sitemon.SiteState, err error) {
	from, where, args := sitesPresent, []string{"name > $1"}, []any{q.After}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if q.Removed {
		from = sitesRemoved
	}
	if q.Group != nil {
		and(`"group" = $%d`, *q.Group)
	}
	if q.Tag != "" {
		and("$%d = ANY (tags)", q.Tag)
	}
	if q.Status != "" {
		and("status = $%d", string(q.Status))
	}
	if q.Names != nil {
		and("name = ANY ($%d)", q.Names)
	}
	limit := pgtype.Int8{Int64: int64(q.Limit), Valid: q.Limit > 0 && q.Text == ""}
	args = append(args, limit)
	query := fmt.Sprintf("SELECT * FROM (%s) AS n WHERE %s ORDER BY name LIMIT $%d", from, strings.Join(where, " AND "), len(args))
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sites, err = siteStates(ctx, tx, query, args, q.Brief, db.clock(), history.Match(q))
		return err
	})
	return sites, err
}

// Site returns one present site. The error wraps [sitemon.ErrNotFound] where
// there is none of that name, or it was removed.
func (db *DB) Site(ctx context.Context, name string) (s sitemon.SiteState, err error) {
	defer wrap(&err, "read site %q", name)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sites, err := siteStates(ctx, tx, sitesPresent+" WHERE s.name = $1", []any{name}, false, db.clock(),
			func(*sitemon.SiteState) bool { return true })
		if err != nil {
			return err
		}
		if len(sites) == 0 {
			return sitemon.ErrNotFound
		}
		s = sites[0]
		return nil
	})
	return s, err
}

// siteStates runs a query for sites and, unless it is to be brief, adds what their
// locations say, and the newest reports.
func siteStates(ctx context.Context, tx pgx.Tx, query string, args []any, brief bool, now time.Time, keep func(*sitemon.SiteState) bool) ([]sitemon.SiteState, error) {
	var sites []sitemon.SiteState
	var ids []int64
	err := eachRow(ctx, tx, query, args, func(row pgx.Rows) error {
		var s sitemon.SiteState
		var id, intervalMS, timeoutMS int64
		var since pgtype.Timestamptz
		var rules string
		err := row.Scan(&id, &s.Name, &s.URL, (*string)(&s.Kind), &s.Group, &s.Tags, &intervalMS, &timeoutMS, &s.Enabled, &s.Source,
			(*string)(&s.Status), &since, (*string)(&s.Reason), &s.Error, &rules)
		s.Interval, s.Timeout = time.Duration(intervalMS)*time.Millisecond, time.Duration(timeoutMS)*time.Millisecond
		s.Since, s.Rules = orZero(since), history.RulesOf(rules)
		if err == nil && keep(&s) {
			sites, ids = append(sites, s), append(ids, id)
		}
		return err
	})
	if err != nil || brief || len(sites) == 0 {
		return sites, err
	}
	return sites, addLocations(ctx, tx, sites, ids, now)
}

// addLocations fills in the locations and the newest report of each site.
func addLocations(ctx context.Context, tx pgx.Tx, sites []sitemon.SiteState, ids []int64, now time.Time) error {
	byID := make(map[int64]*sitemon.SiteState, len(ids))
	for i, id := range ids {
		byID[id] = &sites[i]
	}
	var l trackRow
	var r reportRow
	dest := append(l.dest(), r.dest()...)
	return eachRow(ctx, tx, "SELECT "+located+", "+reportColumns+" FROM site_locations l "+newest+reportWords+
		` WHERE l.site_id = ANY ($1) ORDER BY l.site_id, l.location COLLATE "C"`, []any{ids}, func(row pgx.Rows) error {
		if err := row.Scan(dest...); err != nil {
			return err
		}
		s := byID[l.site]
		s.Locations = append(s.Locations, history.LocationState(l.location, l.track(&r), now))
		if r.slot.Valid && (s.LastReport == nil || s.LastReport.Slot.Before(r.slot.Time)) {
			s.LastReport = r.report(s.Name, l.location)
		}
		return nil
	})
}
