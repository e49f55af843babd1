package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
)

// The tables of the original system have names that ours have too. They are set
// aside with this suffix and left as they are, so that there is a way back.
const asideSuffix = "_before_go"

// seedTables are the tables of the original system.
func seedTables() []string { return []string{"sites", "site_status", "site_reports"} }

// SeedSite returns the name of the site that had this id in the original system,
// and its interval; 0 while it has none. The error wraps [sitemon.ErrNotFound] if
// there is no such site, or the database was not that system's.
func (db *DB) SeedSite(ctx context.Context, id int64) (name string, interval time.Duration, err error) {
	defer wrap(&err, "look for site %d of the original system", id)
	err = db.view(ctx, func(ctx context.Context, tx pgx.Tx) error {
		found, err := hasTable(ctx, tx, "sites"+asideSuffix)
		if err != nil {
			return err
		}
		if !found {
			return sitemon.ErrNotFound
		}
		var ms pgtype.Int8
		err = tx.QueryRow(ctx, `SELECT n.name, s.interval_ms FROM site_names n LEFT JOIN sites s ON s.site_id = n.id
WHERE n.id::bigint = $1 AND EXISTS (SELECT FROM sites`+asideSuffix+` o WHERE o.id = n.id)`, id).Scan(&name, &ms)
		interval = time.Duration(ms.Int64) * time.Millisecond
		if errors.Is(err, pgx.ErrNoRows) {
			return sitemon.ErrNotFound
		}
		return err
	})
	return name, interval, err
}

// hasTable reports whether there is a table, or anything else of that name. It asks
// the catalog itself, as functions may remember within a transaction that something
// was not there.
func hasTable(ctx context.Context, q rowQuerier, name string) (found bool, err error) {
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid))", name).Scan(&found)
	return found, err
}

// setAside renames the tables of the original system where they are found, with
// their indexes, and reports whether they were.
func setAside(ctx context.Context, tx pgx.Tx) (found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname = 'sites' AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND a.attname = 'test_url')`).Scan(&found)
	if err != nil || !found {
		return false, err
	}
	indexes, err := strs(ctx, tx, `SELECT i.relname::text FROM pg_class t JOIN pg_index x ON x.indrelid = t.oid JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.relname = ANY ($1) AND pg_table_is_visible(t.oid)`, seedTables())
	if err != nil {
		return false, err
	}
	for _, index := range indexes {
		if err := rename(ctx, tx, "INDEX", index); err != nil {
			return false, err
		}
	}
	for _, table := range seedTables() {
		there, err := hasTable(ctx, tx, table)
		if err == nil && there {
			err = rename(ctx, tx, "TABLE", table)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func rename(ctx context.Context, tx pgx.Tx, kind, name string) error {
	aside := name
	if most := 63 - len(asideSuffix); len(aside) > most {
		aside = aside[:most]
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("ALTER %s %s RENAME TO %s", kind, pgx.Identifier{name}.Sanitize(), pgx.Identifier{aside + asideSuffix}.Sanitize()))
	if err != nil {
		return fmt.Errorf("set %s aside: %w", name, err)
	}
	return nil
}

// seedSite is a site of the original system.
type seedSite struct {
	id      int64
	name    string
	url     string
	regex   pgtype.Text
	enabled bool
}

// takeOver copies what the original system had into our tables. Its sites become
// rows written by hand, which are taken up as such.
func (db *DB) takeOver(ctx context.Context, tx pgx.Tx) error {
	sites, err := seedSites(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the old sites: %w", err)
	}
	var ids []int64
	var names, urls []string
	var regexes []pgtype.Text
	var enabled []bool
	for _, s := range sites {
		ids, names, urls = append(ids, s.id), append(names, s.name), append(urls, s.url)
		regexes, enabled = append(regexes, s.regex), append(enabled, s.enabled)
	}
	b := &pgx.Batch{}
	b.Queue("INSERT INTO site_names (id, name) SELECT * FROM unnest($1::int[], $2::text[])", ids, names)
	b.Queue("SELECT setval(pg_get_serial_sequence('site_names', 'id'), greatest(max(id), 1)) FROM site_names")
	b.Queue("INSERT INTO sites (name, url, regex, enabled) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[])",
		names, urls, regexes, enabled)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("write the sites: %w", err)
	}
	n, err := db.takeOverReports(ctx, tx, sites)
	if err != nil {
		return fmt.Errorf("copy the old reports: %w", err)
	}
	db.log.InfoContext(ctx, "the tables of the original system have been taken over",
		"kept_with_suffix", asideSuffix, "sites", len(sites), "reports", n)
	return nil
}

// seedSites reads the old sites, with names that are fit for a key.
func seedSites(ctx context.Context, tx pgx.Tx) (sites []seedSite, err error) {
	var given []string
	err = eachRow(ctx, tx, `SELECT id, coalesce(name::text, ''), coalesce(test_url::text, ''), nullif(regex::text, ''), coalesce(enabled, true)
FROM sites`+asideSuffix+" ORDER BY id", nil, func(row pgx.Rows) error {
		var s seedSite
		err := row.Scan(&s.id, &s.name, &s.url, &s.regex, &s.enabled)
		sites, given = append(sites, s), append(given, s.name)
		return err
	})
	for i, name := range uniqueNames(given) {
		sites[i].name = name
	}
	return sites, err
}

// uniqueNames returns names of at most maxName characters, the first of several
// that are the same as it is and the others with a number.
func uniqueNames(given []string) []string {
	names := make([]string, len(given))
	taken := make(map[string]bool, len(given))
	for i, name := range given {
		name = strings.TrimSpace(name)
		if name == "" {
			name = "site"
		}
		name = shortened(name, maxName)
		names[i] = name
		taken[name] = true
	}
	seen := make(map[string]bool, len(given))
	for i, name := range names {
		unique := name
		for n := 2; seen[unique] || unique != name && taken[unique]; n++ {
			suffix := fmt.Sprintf(" (%d)", n)
			unique = shortened(name, maxName-len(suffix)) + suffix
		}
		seen[unique] = true
		names[i] = unique
	}
	return names
}

// shortened returns the first characters of a text.
func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(slices.Clip(r[:most]))
	}
	return s
}
