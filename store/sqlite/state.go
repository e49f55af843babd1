package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
	"sitemon/store/internal/history"
)

// state is what the writer remembers of the file, so that a report that says the
// same as the one before costs no read and one write. It is guarded by [DB.lock].
type state struct {
	stored
	seed maphash.Seed

	sites    map[string]*site // the present ones, and other names met since
	names    map[string]string
	reasons  map[string]int64
	monitors map[string]int64

	// claimed is availability_progress.claimed.
	claimed int64
	// silence is the moment before which no location falls silent; zero: nobody has
	// looked yet. looked is when that was.
	silence, looked time.Time
	// maintenance is what site_maintenance has of now and of late, by site.
	maintenance map[int64]history.Maintained
	// flip is the moment before which none of it begins or ends.
	flip time.Time
}

// site is a name with what is needed to judge its reports.
type site struct {
	id         int64
	name       string
	present    bool // it has a definition
	enabled    bool
	digest     uint64 // of the definition
	interval   time.Duration
	planFrom   time.Time // of the open plan; zero: there is none
	thresholds status.Thresholds
	quorum     sitemon.Quorum
	probedFrom []string     // locations; none: all
	state      status.State // as site_status has it
	locations  []*location
}

// location is a site as one location sees it.
type location struct {
	id    int64
	name  string
	track status.Track
	// evidence is the slot of the newest one that was stored since the file was
	// opened, in ms since 1970; 0: none.
	evidence int64
}

func (s *site) grid() slot.Grid { return slot.NewGrid(s.name, s.interval) }

func (s *site) location(name string) *location {
	for _, l := range s.locations {
		if l.name == name {
			return l
		}
	}
	return nil
}

// combine returns a site's state at a moment. It is paused from the one on at which
// that is seen first.
func (st *state) combine(s *site, now time.Time) status.State {
	var few [4]status.Located
	located := few[:0]
	for _, l := range s.locations {
		located = append(located, status.Located{Location: l.name, Track: l.track})
	}
	is := status.Combine(now, st.terms(s, now), located)
	if is.Status == sitemon.StatusPaused && len(s.locations) > 0 { // else it never had a report
		is.Since = now
	}
	return is
}

// intern returns the one copy of a text that many sites share.
func (st *state) intern(s string) string {
	if c, ok := st.names[s]; ok {
		return c
	}
	st.names[s] = s
	return s
}

// load reads the state within [DB.write].
func (db *DB) load(ctx context.Context) (*state, error) {
	st := &state{
		seed: maphash.MakeSeed(), sites: map[string]*site{}, names: map[string]string{},
		reasons: map[string]int64{}, monitors: map[string]int64{},
	}
	var err error
	if st.stored, err = document(ctx, db.conn); err != nil {
		return nil, err
	}
	err = db.conn.QueryRowContext(ctx, "SELECT claimed FROM availability_progress").Scan(&st.claimed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if err := dictionary(ctx, db.conn, "SELECT id, name FROM reasons", st.reasons); err != nil {
		return nil, err
	}
	if err := dictionary(ctx, db.conn, "SELECT id, instance FROM monitors", st.monitors); err != nil {
		return nil, err
	}
	if st.maintenance, err = db.loadMaintenance(ctx); err != nil {
		return nil, err
	}
	byID := map[int64]*site{}
	err = each(ctx, db.conn, `SELECT n.id, n.name, s.interval_ms, s.enabled, s.failure_threshold, s.success_threshold, s.quorum, s.locations, s.definition,
       p."from", t.status, t.since, t.reason, t.error
FROM sites s
JOIN site_names n ON n.id = s.site_id
JOIN site_status t ON t.site_id = s.site_id
LEFT JOIN site_plans p ON p.site_id = s.site_id AND p."to" IS NULL`, nil, func(row scanner) error {
		s := &site{present: true}
		var ms int64
		var def sql.RawBytes
		var locations string
		var plan, since sql.NullInt64
		err := row.Scan(&s.id, &s.name, &ms, &s.enabled, &s.thresholds.Failure, &s.thresholds.Success, &s.quorum, &locations, &def,
			&plan, &s.state.Status, &since, &s.state.Reason, &s.state.Error)
		if err != nil {
			return err
		}
		s.probedFrom, err = unpackNames(locations)
		s.interval = time.Duration(ms) * time.Millisecond
		s.digest = maphash.Bytes(st.seed, def)
		s.planFrom, s.state.Since = momentOrZero(plan), momentOrZero(since)
		st.sites[s.name], byID[s.id] = s, s
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, eachTrack(ctx, db.conn, "WHERE l.site_id IN (SELECT site_id FROM sites)", nil, func(siteID int64, l *location) {
		l.name = st.intern(l.name)
		byID[siteID].locations = append(byID[siteID].locations, l)
	})
}

// stored is a document without its sites.
type stored struct {
	generation sitemon.Generation
	order      []byte // documents.site_order
	packed     history.Packed
}

// document returns the stored document; a zero generation where there is none.
func document(ctx context.Context, q querier) (d stored, err error) {
	err = each(ctx, q, "SELECT source, generation, hash, loaded_at, sites, site_order, alerting, maintenance, status_pages FROM documents", nil,
		func(row scanner) error {
			var at int64
			g := &d.generation
			err := row.Scan(&g.Source, &g.Number, &g.Hash, &at, &g.Sites, &d.order, &d.packed.Alerting, &d.packed.Maintenance, &d.packed.StatusPages)
			g.LoadedAt = moment(at)
			return err
		})
	return d, err
}

func dictionary(ctx context.Context, q querier, query string, into map[string]int64) error {
	return each(ctx, q, query, nil, func(row scanner) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		into[name] = id
		return err
	})
}

// eachTrack reads locations with their tracks, which their newest reports bring
// up to date.
func eachTrack(ctx context.Context, q querier, where string, args []any, f func(siteID int64, l *location)) error {
	return each(ctx, q, `SELECT l.site_id, l.id, l.location, l.slot, l.interval_ms, l.silent_at, l.outcome, l.failures, l.successes,
       l.row_slot, l.status, l.since, l.fault_reason, l.fault_error, l.blind_reason, l.blind_error,
       r.id & 0x3ffffffffff, r.interval_ms, r.outcome
FROM site_locations l
LEFT JOIN site_reports r ON r.id = (SELECT max(id) FROM site_reports WHERE id >= l.id << 42 AND id < (l.id + 1) << 42)
`+where, args, func(row scanner) error {
		l := &location{}
		t := &l.track
		var siteID, at, ms int64
		var silent, rowSlot, since, newest, newestMS, newestOutcome sql.NullInt64
		err := row.Scan(&siteID, &l.id, &l.name, &at, &ms, &silent, &t.Outcome, &t.Failures, &t.Successes,
			&rowSlot, &t.Status, &since, &t.Fault.Reason, &t.Fault.Error, &t.Blind.Reason, &t.Blind.Error,
			&newest, &newestMS, &newestOutcome)
		if err != nil {
			return err
		}
		t.Slot, t.Interval = moment(at), time.Duration(ms)*time.Millisecond
		t.Silent, t.Row, t.Since = momentOrZero(silent), momentOrZero(rowSlot), momentOrZero(since)
		if at := time.UnixMilli(newest.Int64).UTC(); newest.Valid && at.After(t.Slot) {
			// Reports that said the same as the one before: see [status.Steady].
			t.Slot, t.Interval = at, time.Duration(newestMS.Int64)*time.Millisecond
			if history.OutcomeOf(newestOutcome.Int64) != sitemon.OutcomeUnknown {
				t.Silent = t.Slot.Add(t.Interval + status.Grace(t.Interval))
			}
		}
		f(siteID, l)
		return nil
	})
}

// siteNamed returns a site by its name within [DB.write]. A name that the store
// does not know gets an id, and waits for its definition.
func (db *DB) siteNamed(ctx context.Context, name string) (*site, error) {
	if s, ok := db.state.sites[name]; ok {
		return s, nil
	}
	if err := db.meet(ctx, []string{name}); err != nil {
		return nil, err
	}
	if s, ok := db.state.sites[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w: the name is not valid UTF-8", sitemon.ErrInvalid)
}

// meet brings names into the state that are not in it, with what is stored of
// them.
func (db *DB) meet(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	err = db.exec(ctx, "INSERT INTO site_names (name) SELECT value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING", string(list))
	if err != nil {
		return err
	}
	byID := make(map[int64]*site, len(names))
	ids := make([]int64, 0, len(names))
	err = each(ctx, db.conn, "SELECT n.id, n.name FROM json_each(?) j JOIN site_names n ON n.name = j.value", []any{string(list)},
		func(row scanner) error {
			s := &site{}
			err := row.Scan(&s.id, &s.name)
			db.state.sites[s.name], byID[s.id] = s, s
			ids = append(ids, s.id)
			return err
		})
	if err != nil {
		return err
	}
	if list, err = json.Marshal(ids); err != nil {
		return err
	}
	return eachTrack(ctx, db.conn, "WHERE l.site_id IN (SELECT value FROM json_each(?))", []any{string(list)}, func(id int64, l *location) {
		l.name = db.state.intern(l.name)
		byID[id].locations = append(byID[id].locations, l)
	})
}

// reasonID returns the number of a reason within [DB.write]; nil for none.
func (db *DB) reasonID(ctx context.Context, name string) (any, error) {
	return db.wordID(ctx, db.state.reasons, name, "INSERT INTO reasons (name) VALUES (?) RETURNING id")
}

// monitorID returns the number of a monitor within [DB.write]; nil for none.
func (db *DB) monitorID(ctx context.Context, instance string) (any, error) {
	return db.wordID(ctx, db.state.monitors, instance, "INSERT INTO monitors (instance) VALUES (?) "+
		"ON CONFLICT (instance) DO UPDATE SET instance = excluded.instance RETURNING id") // its heartbeat may have come first
}

func (db *DB) wordID(ctx context.Context, known map[string]int64, word, insert string) (any, error) {
	if word == "" {
		return nil, nil
	}
	if id, ok := known[word]; ok {
		return id, nil
	}
	var id int64
	if err := db.queryRow(ctx, insert, word).Scan(&id); err != nil {
		return nil, err
	}
	known[word] = id
	return id, nil
}

// packOrder makes documents.site_order.
func packOrder(ids []int64) []byte {
	b := make([]byte, 0, 3*len(ids))
	for _, id := range ids {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// unpackOrder is the inverse of packOrder.
func unpackOrder(b []byte) []int64 {
	var ids []int64
	for len(b) > 0 {
		id, n := binary.Uvarint(b)
		if n <= 0 {
			break
		}
		ids, b = append(ids, int64(id)), b[n:]
	}
	return ids
}
