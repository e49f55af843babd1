package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
)

// memory is what a store that records remembers of the database. All of it is
// dropped after an error.
type memory struct {
	sites    map[string]*site
	byID     map[int64]*location
	reasons  map[string]int32
	monitors map[string]int32
	version  int64 // of the definitions
}

// site is a name with what is needed to judge its reports.
type site struct {
	id        int64
	name      string
	known     bool  // definition is that of version
	version   int64 // see memory
	locations []*location
	definition
}

// definition is what reports of a site are judged by.
type definition struct {
	live       bool // it is watched, also if it is paused
	enabled    bool
	planFrom   time.Time // of the open plan; zero: there is none
	grid       slot.Grid
	thresholds status.Thresholds
	probedFrom []string // locations; none: all
}

// location is a site as one location sees it.
type location struct {
	id   int64
	name string
	site *site

	// track is complete if known, as long as the row says so too.
	known bool
	track status.Track
	// seen: the row says that the location has fallen silent, and is not looked at
	// any more.
	seen bool
	// evidence is the slot of the newest one that this store has written.
	evidence time.Time

	batch *touched // what the batch at hand makes of it; nil: nothing
}

func newMemory() *memory {
	return &memory{
		sites: map[string]*site{}, byID: map[int64]*location{}, reasons: map[string]int32{}, monitors: map[string]int32{},
	}
}

// location returns a location that is remembered; nil if it is not.
func (m *memory) location(siteName, name string) *location {
	s := m.sites[siteName]
	if s == nil {
		return nil
	}
	for _, l := range s.locations {
		if l.name == name {
			return l
		}
	}
	return nil
}

// strange collects what is not remembered of the texts of reports.
type strange struct {
	sites, locations []string // of each pair
	pairs            map[[2]string]bool
	reasons          map[string]bool
	monitors         map[string]bool
}

// find gives entries their locations, and returns what is not remembered of their
// texts; nil if all is.
func (m *memory) find(entries []entry) *strange {
	u := &strange{pairs: map[[2]string]bool{}, reasons: map[string]bool{}, monitors: map[string]bool{}}
	monitor := ""
	for i := range entries {
		e := &entries[i]
		r := e.r
		if e.l = m.location(r.Site, r.Location); e.l == nil {
			if pair := [2]string{r.Site, r.Location}; !u.pairs[pair] {
				u.pairs[pair] = true
				u.sites, u.locations = append(u.sites, r.Site), append(u.locations, r.Location)
			}
		}
		if _, ok := m.reasons[string(r.Reason)]; !ok && r.Reason != "" {
			u.reasons[string(r.Reason)] = true
		}
		if _, ok := m.reasons[r.Gap]; !ok && r.Gap != "" {
			u.reasons[r.Gap] = true
		}
		if r.Monitor == monitor { // mostly
			continue
		}
		monitor = r.Monitor
		if _, ok := m.monitors[monitor]; !ok && monitor != "" {
			u.monitors[monitor] = true
		}
	}
	if len(u.pairs)+len(u.reasons)+len(u.monitors) == 0 {
		return nil
	}
	return u
}

// Every text is looked for before it is made, as making one that is there uses up
// a number. Their order keeps two processes from waiting for each other.
const (
	makeSites = `INSERT INTO site_names (name) SELECT DISTINCT name FROM unnest($1::text[]) AS u (name)
WHERE NOT EXISTS (SELECT FROM site_names n WHERE n.name = u.name) ORDER BY name ON CONFLICT DO NOTHING`
	makeLocations = `INSERT INTO site_locations (site_id, location, slot, interval_ms, outcome, failures, successes, status,
 fault_reason, fault_error, blind_reason, blind_error)
SELECT n.id, u.location, 'epoch', 0, '', 0, 0, '', '', '', '', '' FROM unnest($1::text[], $2::text[]) AS u (name, location)
JOIN site_names n ON n.name = u.name
WHERE NOT EXISTS (SELECT FROM site_locations l WHERE l.site_id = n.id AND l.location = u.location)
ORDER BY 1, 2 ON CONFLICT DO NOTHING`
	readLocations = `SELECT n.id, n.name, l.id, l.location FROM unnest($1::text[], $2::text[]) AS u (name, location)
JOIN site_names n ON n.name = u.name JOIN site_locations l ON l.site_id = n.id AND l.location = u.location`
	makeReasons = `INSERT INTO reasons (name) SELECT name FROM unnest($1::text[]) AS u (name)
WHERE NOT EXISTS (SELECT FROM reasons r WHERE r.name = u.name) ORDER BY name ON CONFLICT DO NOTHING`
	readReasons  = "SELECT name, id FROM reasons WHERE name = ANY ($1)"
	makeMonitors = `INSERT INTO monitors (instance) SELECT name FROM unnest($1::text[]) AS u (name)
WHERE NOT EXISTS (SELECT FROM monitors m WHERE m.instance = u.name) ORDER BY name ON CONFLICT DO NOTHING`
	readMonitors = "SELECT instance, id FROM monitors WHERE instance = ANY ($1)"
)

// meet makes the rows of what nobody has heard of before, in a transaction of its
// own, and remembers their numbers, which never change.
func (db *DB) meet(ctx context.Context, u *strange) error {
	reasons, monitors := sorted(u.reasons), sorted(u.monitors)
	return db.write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		b := &pgx.Batch{}
		if len(u.sites) > 0 {
			b.Queue(makeSites, u.sites)
			b.Queue(makeLocations, u.sites, u.locations)
			b.Queue(readLocations, u.sites, u.locations).Query(db.memory.addLocations)
		}
		if len(reasons) > 0 {
			b.Queue(makeReasons, reasons)
			b.Queue(readReasons, reasons).Query(func(rows pgx.Rows) error { return addWords(db.memory.reasons, rows) })
		}
		if len(monitors) > 0 {
			b.Queue(makeMonitors, monitors)
			b.Queue(readMonitors, monitors).Query(func(rows pgx.Rows) error { return addWords(db.memory.monitors, rows) })
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for word := range set {
		list = append(list, word)
	}
	slices.Sort(list)
	return list
}

func (m *memory) addLocations(rows pgx.Rows) error {
	for rows.Next() {
		var siteID, id int64
		var siteName, name string
		if err := rows.Scan(&siteID, &siteName, &id, &name); err != nil {
			return err
		}
		if m.byID[id] != nil {
			continue // a second try
		}
		s := m.sites[siteName]
		if s == nil {
			s = &site{id: siteID, name: siteName}
			m.sites[siteName] = s
		}
		l := &location{id: id, name: name, site: s}
		s.locations = append(s.locations, l)
		m.byID[id] = l
	}
	return rows.Err()
}

func addWords(words map[string]int32, rows pgx.Rows) error {
	for rows.Next() {
		var word string
		var id int32
		if err := rows.Scan(&word, &id); err != nil {
			return err
		}
		words[word] = id
	}
	return rows.Err()
}

// loadTracks reads the tracks of locations whose rows are locked and whose memory
// is not complete.
func (m *memory) loadTracks(ctx context.Context, tx pgx.Tx, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	tracks, err := readTracks(ctx, tx, "WHERE l.id = ANY ($1)", ids)
	if err != nil {
		return err
	}
	for _, t := range tracks {
		l := m.byID[t.id]
		l.batch.before = t.track
		l.batch.takeOver = true
	}
	return nil
}

// loadDefinitions reads the definitions of those of the sites whose memory is not
// of the present version.
func (m *memory) loadDefinitions(ctx context.Context, tx pgx.Tx, sites []*site) error {
	byID := map[int64]*site{}
	var ids []int64
	for _, s := range sites {
		if !s.known || s.version != m.version {
			s.known, s.version, s.definition = false, m.version, definition{}
			byID[s.id] = s
			ids = append(ids, s.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	err := eachRow(ctx, tx, `SELECT s.site_id, s.interval_ms, s.enabled, s.failure_threshold, s.success_threshold, s.locations, p."from"
FROM sites s LEFT JOIN site_plans p ON p.site_id = s.site_id AND p."to" IS NULL
WHERE s.site_id = ANY ($1) AND `+liveRow, []any{ids}, func(row pgx.Rows) error {
		var id, ms int64
		var from pgtype.Timestamptz
		d := definition{live: true}
		err := row.Scan(&id, &ms, &d.enabled, &d.thresholds.Failure, &d.thresholds.Success, &d.probedFrom, &from)
		if err == nil && ms <= 0 {
			err = fmt.Errorf("site %d has an interval of %d ms", id, ms)
		}
		if err != nil {
			return err
		}
		d.planFrom, d.grid = orZero(from), slot.NewGrid(byID[id].name, time.Duration(ms)*time.Millisecond)
		byID[id].definition = d
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range byID {
		s.known = true
	}
	return nil
}

// reasonID is the number of a reason; NULL for none.
func (m *memory) reasonID(r sitemon.Reason) pgtype.Int4 {
	return pgtype.Int4{Int32: m.reasons[string(r)], Valid: r != ""}
}
