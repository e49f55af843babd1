package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"sitemon"
	"sitemon/status"
	"sitemon/store/internal/history"
	"sitemon/store/internal/ledger"
)

// SyncSites makes the stored sites those of a document, in one transaction that
// writes only the differences, and returns the generation that holds now with the
// plan that was carried out. A document that changes neither a site nor anything
// beside them is no new generation, except the first one of a store.
//
// The store holds one document: sites of another source that this one does not
// name leave too. The history of a site that leaves stays.
func (db *DB) SyncSites(ctx context.Context, doc sitemon.Document) (g sitemon.Generation, p sitemon.Plan, err error) {
	defer wrap(&err, "sync %d sites of %s", len(doc.Sites), doc.Source)
	err = db.write(ctx, func(ctx context.Context) error {
		now := db.clock().UTC().Truncate(time.Microsecond)
		y := syncing{db: db, doc: doc, now: now, batch: db.newBatch(now)}
		g, p, err = y.run(ctx)
		return err
	})
	return g, p, err
}

// syncing is a transaction that applies a document.
type syncing struct {
	db  *DB
	doc sitemon.Document
	now time.Time
	gen int64

	order   []int64 // site ids, as in the document
	changed map[string]sitemon.Change
	batch   *batch // collects the tracks and statuses to be written
}

func (y *syncing) run(ctx context.Context) (sitemon.Generation, sitemon.Plan, error) {
	st := y.db.state
	plan, err := y.diff(ctx)
	if err != nil {
		return st.generation, plan, err
	}
	g := st.generation
	y.gen = g.Number
	doc, err := history.PackDocument(y.doc)
	if err != nil {
		return g, plan, err
	}
	if !plan.Empty() || g.Number == 0 || doc != st.packed {
		y.gen++
		g.LoadedAt = y.now
	}
	plan.Generation = y.gen
	if err := y.apply(ctx, plan); err != nil {
		return g, plan, err
	}
	if err := y.putPlaces(ctx); err != nil {
		return g, plan, err
	}
	g.Number, g.Source, g.Hash, g.Sites = y.gen, y.doc.Source, y.doc.Hash, len(y.doc.Sites)
	order := packOrder(y.order)
	if g == st.generation && bytes.Equal(order, st.order) { // so doc is what it was
		return g, plan, nil
	}
	if g.Source != st.generation.Source {
		if err := y.db.exec(ctx, "DELETE FROM documents"); err != nil {
			return g, plan, err
		}
		if err := y.db.exec(ctx, "UPDATE sites SET source = ?1 WHERE source <> ?1", g.Source); err != nil {
			return g, plan, err
		}
	}
	err = y.db.exec(ctx, `INSERT INTO documents (source, generation, hash, loaded_at, sites, site_order, alerting, maintenance, status_pages)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET generation = excluded.generation, hash = excluded.hash, loaded_at = excluded.loaded_at,
 sites = excluded.sites, site_order = excluded.site_order, alerting = excluded.alerting, maintenance = excluded.maintenance,
 status_pages = excluded.status_pages`,
		g.Source, g.Number, g.Hash, micros(g.LoadedAt), g.Sites, order, doc.Alerting, doc.Maintenance, doc.StatusPages)
	st.generation, st.order, st.packed = g, order, doc
	return g, plan, err
}

// diff compares the document with what is stored. Only definitions that differ
// are read.
func (y *syncing) diff(ctx context.Context) (sitemon.Plan, error) {
	st := y.db.state
	var before, after []sitemon.Site
	unchanged := 0
	seen := make(map[string]struct{}, len(y.doc.Sites))
	for i := range y.doc.Sites {
		s := &y.doc.Sites[i]
		if _, ok := seen[s.Name]; ok {
			return sitemon.Plan{}, fmt.Errorf("%w: two sites are named %q", sitemon.ErrInvalid, s.Name)
		}
		seen[s.Name] = struct{}{}
		old, ok := st.sites[s.Name]
		if ok && old.present && old.digest == maphash.Bytes(st.seed, s.Definition) {
			unchanged++
			continue
		}
		after = append(after, *s)
		if ok && old.present {
			b := sitemon.Site{Name: s.Name}
			err := y.db.queryRow(ctx, "SELECT definition FROM sites WHERE site_id = ?", old.id).Scan((*[]byte)(&b.Definition))
			if err != nil {
				return sitemon.Plan{}, err
			}
			before = append(before, b)
		}
	}
	for name, s := range st.sites {
		if _, ok := seen[name]; s.present && !ok {
			before = append(before, sitemon.Site{Name: name})
		}
	}
	plan := sitemon.Diff(before, after)
	plan.Unchanged += unchanged
	return plan, nil
}

// apply writes a plan's sites, plans and statuses.
func (y *syncing) apply(ctx context.Context, plan sitemon.Plan) error {
	y.changed = make(map[string]sitemon.Change, len(plan.Changed))
	for _, c := range plan.Changed {
		y.changed[c.Name] = c
	}
	for _, name := range plan.Removed {
		if err := y.remove(ctx, y.db.state.sites[name]); err != nil {
			return fmt.Errorf("remove site %q: %w", name, err)
		}
	}
	var strange []string
	for _, name := range plan.Added {
		if _, ok := y.db.state.sites[name]; !ok {
			strange = append(strange, name)
		}
	}
	if err := y.db.meet(ctx, strange); err != nil {
		return err
	}
	for i := range y.doc.Sites {
		def := &y.doc.Sites[i]
		s := y.db.state.sites[def.Name]
		y.order = append(y.order, s.id)
		change, changed := y.changed[def.Name]
		if s.present && !changed {
			continue
		}
		if err := y.put(ctx, s, def); err != nil {
			return fmt.Errorf("site %q: %w", def.Name, err)
		}
		if changed && len(s.locations) > 0 {
			if err := ledger.Reloaded(ctx, writingTx{y.db}, s.id, y.now, change.Keys); err != nil {
				return err
			}
		}
	}
	return y.batch.finish(ctx)
}

// put writes the definition of a site that is new or changed.
func (y *syncing) put(ctx context.Context, s *site, def *sitemon.Site) error {
	if err := y.putRow(ctx, s, def); err != nil {
		return err
	}
	if !s.present || !s.plannedAs(def) {
		if err := y.replan(ctx, s, def); err != nil {
			return err
		}
		if len(s.locations) > 0 {
			y.batch.incidentsFrom(s, y.now)
		}
	}
	wasEnabled := s.present && s.enabled
	s.present, s.enabled, s.interval = true, def.Enabled, def.Interval
	s.digest = maphash.Bytes(y.db.state.seed, def.Definition)
	s.thresholds.Failure, s.thresholds.Success = def.FailureThreshold, def.SuccessThreshold
	s.quorum, s.probedFrom = history.Quorum(def.Quorum), def.Locations
	for _, l := range s.locations {
		before := l.track
		if wasEnabled && !def.Enabled {
			l.track.Forget(y.now)
		}
		l.track.Judge(s.thresholds)
		if before != l.track {
			y.batch.locations[l] = struct{}{}
		}
	}
	y.batch.judge(s, y.now)
	return nil
}

// plannedAs reports whether a site's open plan is what a definition says.
func (s *site) plannedAs(def *sitemon.Site) bool {
	return s.interval == def.Interval && s.enabled == def.Enabled && s.quorum == history.Quorum(def.Quorum) && slices.Equal(s.probedFrom, def.Locations) &&
		s.thresholds == status.Thresholds{Failure: def.FailureThreshold, Success: def.SuccessThreshold}
}

// putRow writes the row of a site.
func (y *syncing) putRow(ctx context.Context, s *site, def *sitemon.Site) error {
	tags, err := json.Marshal(append([]string{}, def.Tags...))
	if err != nil {
		return err
	}
	locations, err := packNames(def.Locations)
	if err != nil {
		return err
	}
	rules, err := history.PackRules(def.Rules)
	if err != nil {
		return err
	}
	return y.db.exec(ctx, `INSERT INTO sites (site_id, source, url, kind, "group", tags, interval_ms, timeout_ms, enabled,
 failure_threshold, success_threshold, quorum, locations, rules, definition, generation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET source = excluded.source, url = excluded.url, kind = excluded.kind, "group" = excluded."group",
 tags = excluded.tags, interval_ms = excluded.interval_ms, timeout_ms = excluded.timeout_ms, enabled = excluded.enabled,
 failure_threshold = excluded.failure_threshold, success_threshold = excluded.success_threshold, quorum = excluded.quorum,
 locations = excluded.locations, rules = excluded.rules, definition = excluded.definition, generation = excluded.generation`,
		s.id, y.doc.Source, def.URL, def.Kind, def.Group, string(tags), def.Interval.Milliseconds(), def.Timeout.Milliseconds(),
		def.Enabled, def.FailureThreshold, def.SuccessThreshold, history.Quorum(def.Quorum), locations, rules, string(def.Definition), y.gen)
}

// replan ends the plan of a site and begins another.
func (y *syncing) replan(ctx context.Context, s *site, def *sitemon.Site) error {
	if err := y.endPlan(ctx, s); err != nil {
		return err
	}
	locations, err := packNames(def.Locations)
	if err != nil {
		return err
	}
	s.planFrom = y.now
	return y.db.exec(ctx, `INSERT INTO site_plans (site_id, "from", interval_ms, enabled, failure_threshold, success_threshold, quorum, locations, generation)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET "to" = NULL, interval_ms = excluded.interval_ms, enabled = excluded.enabled,
 failure_threshold = excluded.failure_threshold, success_threshold = excluded.success_threshold, quorum = excluded.quorum,
 locations = excluded.locations, generation = excluded.generation`,
		s.id, micros(y.now), def.Interval.Milliseconds(), def.Enabled, def.FailureThreshold, def.SuccessThreshold, history.Quorum(def.Quorum), locations, y.gen)
}

func (y *syncing) endPlan(ctx context.Context, s *site) error {
	if s.planFrom.IsZero() {
		return nil
	}
	s.planFrom = time.Time{}
	return y.db.exec(ctx, `UPDATE site_plans SET "to" = ? WHERE site_id = ? AND "to" IS NULL`, micros(y.now), s.id)
}

// remove takes away a site's definition. Its name and history stay.
func (y *syncing) remove(ctx context.Context, s *site) error {
	for _, q := range []string{"DELETE FROM sites WHERE site_id = ?", "DELETE FROM site_status WHERE site_id = ?"} {
		if err := y.db.exec(ctx, q, s.id); err != nil {
			return err
		}
	}
	if err := y.endPlan(ctx, s); err != nil {
		return err
	}
	for _, l := range s.locations {
		l.track.Forget(y.now)
		y.batch.locations[l] = struct{}{}
	}
	if len(s.locations) > 0 {
		y.batch.incidentsFrom(s, y.now)
	}
	*s = site{id: s.id, name: s.name, locations: s.locations}
	return nil
}

// Known returns the stored definitions of the present sites in the order of
// their file, with their generation, for a start while the file has faults.
func (db *DB) Known(ctx context.Context) (defs []sitemon.Definition, g sitemon.Generation, err error) {
	defer wrap(&err, "read the known sites")
	ctx, cancel := reading(ctx)
	defer cancel()
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return nil, g, err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	doc, err := document(ctx, tx)
	if err != nil {
		return nil, g, err
	}
	g = doc.generation
	byID := map[int64]sitemon.Definition{}
	err = each(ctx, tx, "SELECT s.site_id, n.name, s.definition FROM sites s JOIN site_names n ON n.id = s.site_id", nil,
		func(row scanner) error {
			var id int64
			var d sitemon.Definition
			err := row.Scan(&id, &d.Name, (*[]byte)(&d.JSON))
			byID[id] = d
			return err
		})
	if err != nil {
		return nil, g, err
	}
	for _, id := range unpackOrder(doc.order) {
		if d, ok := byID[id]; ok {
			defs = append(defs, d)
		}
	}
	return defs, g, nil
}
