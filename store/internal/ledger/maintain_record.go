package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sitemon/maintenance"
)

// recording is a transaction that records maintenance.
type recording struct {
	Tx
	now  time.Time
	plan []planned
	tags string

	sites    map[string][]covered                 // by source
	recorded map[recordKey]*recorded              // that end after a while ago
	wanted   map[recordKey]maintenance.Occurrence // of plans, that go on now
	changed  bool
}

// covered is a site that maintenance may be for.
type covered struct {
	id          int64
	name, group string
	tags        []string
}

// recordKey is a record of one occurrence.
type recordKey struct {
	site  int64
	title string
	to    int64 // microseconds since 1970
}

// recorded is a row of site_maintenance.
type recorded struct {
	from   time.Time
	source string // of the site; "" for one that is not there any more, or by hand
}

func (r *recording) run(ctx context.Context) error {
	if err := r.readSites(ctx); err != nil {
		return err
	}
	if err := r.readRecorded(ctx); err != nil {
		return err
	}
	r.wanted = map[recordKey]maintenance.Occurrence{}
	for _, p := range r.plan {
		for _, o := range p.Between(r.now.Add(-catchUp), r.now.Add(time.Microsecond)) {
			if !o.End.After(r.now) && o.Start.Before(p.loadedAt) {
				continue // who knows what was planned then
			}
			for _, s := range r.sites[p.source] {
				if !p.Covers(s.name, s.group, s.tags) {
					continue
				}
				key := recordKey{s.id, p.title, o.End.UnixMicro()}
				r.wanted[key] = o
				if r.recorded[key] != nil {
					continue
				}
				if err := r.record(ctx, s.id, p, o); err != nil {
					return err
				}
				r.recorded[key] = &recorded{from: o.Start}
			}
		}
	}
	for key, rec := range r.recorded {
		if _, ok := r.wanted[key]; !ok && key.to > r.now.UnixMicro() {
			if err := r.cut(ctx, key, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSites reads the sites of documents that plan a maintenance.
func (r *recording) readSites(ctx context.Context) error {
	r.sites = map[string][]covered{}
	for _, p := range r.plan {
		if _, ok := r.sites[p.source]; ok {
			continue
		}
		list := []covered{}
		err := r.Query(ctx, `SELECT s.site_id, n.name, s."group", `+r.tags+` FROM sites s JOIN site_names n ON n.id = s.site_id
WHERE s.source = $1 ORDER BY s.site_id`, []any{p.source}, func(scan func(dest ...any) error) error {
			var s covered
			var tags string
			if err := scan(&s.id, &s.name, &s.group, &tags); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(tags), &s.tags); err != nil {
				return fmt.Errorf("tags of site %q: %w", s.name, err)
			}
			list = append(list, s)
			return nil
		})
		if err != nil {
			return err
		}
		r.sites[p.source] = list
	}
	return nil
}

func (r *recording) readRecorded(ctx context.Context) error {
	r.recorded = map[recordKey]*recorded{}
	return r.Query(ctx, `SELECT m.site_id, m."from", m."to", m.title, coalesce(s.source, '') FROM site_maintenance m
LEFT JOIN sites s ON s.site_id = m.site_id WHERE m."to" > $1`, []any{r.now.Add(-catchUp)}, func(scan func(dest ...any) error) error {
		var key recordKey
		var rec recorded
		var from, to Moment
		err := scan(&key.site, &from, &to, &key.title, &rec.source)
		rec.from, key.to = from.Time, to.UnixMicro()
		r.recorded[key] = &rec
		return err
	})
}

// record writes an occurrence that has begun: from its start on, but not from before
// its generation was loaded.
func (r *recording) record(ctx context.Context, site int64, p planned, o maintenance.Occurrence) error {
	from := later(o.Start, p.loadedAt)
	if !from.Before(o.End) {
		return nil
	}
	n, err := r.Exec(ctx, `INSERT INTO site_maintenance (site_id, "from", "to", title) VALUES ($1, $2, $3, $4)
ON CONFLICT (site_id, "from", title) DO UPDATE SET "to" = excluded."to" WHERE site_maintenance."to" <> excluded."to"`,
		site, from, o.End, p.title)
	if err != nil || n == 0 {
		return err
	}
	r.changed = true
	if err := Mark(ctx, r, site, from); err != nil {
		return err
	}
	// That of its end is seen to when it has come.
	_, err = r.Exec(ctx, `INSERT INTO incident_marks (site_id, "from", due) VALUES ($1, $2, $2)`, site, o.End)
	if err != nil {
		return err
	}
	return r.sumAgain(ctx, site, from, o.End)
}

// cut ends a record whose maintenance is not planned any more: when the generation
// was loaded that does not plan it.
func (r *recording) cut(ctx context.Context, key recordKey, rec *recorded) error {
	at := r.now
	for _, p := range r.plan {
		if p.source == rec.source && p.loadedAt.Before(at) && p.loadedAt.After(rec.from) {
			at = p.loadedAt
		}
	}
	to := time.UnixMicro(key.to).UTC()
	query, args := `UPDATE site_maintenance SET "to" = $4 WHERE site_id = $1 AND "from" = $2 AND title = $3`, []any{key.site, rec.from, key.title, at}
	if !rec.from.Before(at) {
		query, args = `DELETE FROM site_maintenance WHERE site_id = $1 AND "from" = $2 AND title = $3`, args[:3]
	}
	if _, err := r.Exec(ctx, query, args...); err != nil {
		return err
	}
	r.changed = true
	if err := Mark(ctx, r, key.site, later(rec.from, at)); err != nil {
		return err
	}
	return r.sumAgain(ctx, key.site, at, to)
}

// sumAgain asks for the sums of availability to be made again that a record changes.
func (r *recording) sumAgain(ctx context.Context, site int64, from, to time.Time) error {
	_, err := r.Exec(ctx, `INSERT INTO availability_marks (site_id, "from", "to") VALUES ($1, $2, $3)`,
		site, from.Truncate(sumStep), to.Add(sumStep-1).Truncate(sumStep))
	return err
}
