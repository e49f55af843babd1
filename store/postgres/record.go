package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sitemon"
	"sitemon/status"
)

// Record stores reports in one transaction, and with them what follows: gaps,
// the status of their sites, and marks on rollups that a late report changes. A
// report whose identity is there already changes nothing and counts as a
// duplicate; one older than the retention counts as expired. A site that no
// document defines has its reports recorded too, and is not shown. Any number of
// stores may record at the same time, also the same reports.
//
// After an error nothing was recorded, or the connection was lost at the very end
// and all was; the same batch may be given again. An error that wraps
// [sitemon.ErrInvalid] is about one of the reports, which no store can hold.
func (db *DB) Record(ctx context.Context, reports []sitemon.Report) (rec sitemon.Recorded, err error) {
	defer wrap(&err, "record %d reports", len(reports))
	if len(reports) == 0 {
		return rec, nil
	}
	if err := db.ready(); err != nil {
		return rec, err
	}
	if err := db.lock(ctx); err != nil {
		return rec, err
	}
	defer db.unlock()
	b := &batch{db: db, now: db.clock()}
	if err := b.take(reports); err != nil {
		return rec, err
	}
	if len(b.entries) == 0 {
		return sitemon.Recorded{Expired: b.expired}, nil
	}
	if err = b.record(ctx); err != nil {
		db.memory = newMemory() // whatever it was, the database knows better
		return rec, err
	}
	return b.recorded(), nil
}

// batch is a transaction that records reports.
type batch struct {
	db  *DB
	now time.Time

	entries []entry
	expired int

	locations []*location // of the entries, by id
	sites     []*site     // of the locations
	claimed   time.Time   // reports of a slot before this leave a mark; zero: none does
	late      []*entry    // that are not newer than what was there
	events    []event     // at which a status may change
	missing   gapRows     // before the new reports
	spans     []span      // in which slots may be missing: that takes more than the present plan
	marks     rollupMarks
	incidents incidentMarks
	evidence  evidenceRows
	changes   []sitemon.StatusChange
	out       *pgx.Batch // what is written last
}

// entry is a report of a batch.
type entry struct {
	r         *sitemon.Report
	l         *location
	duplicate bool
}

// touched is what a batch makes of a location.
type touched struct {
	before   track
	track    track
	takeOver bool // the memory of it was not complete
	dirty    bool // its row is to be written
	judged   bool // there is an event of it
	evidence time.Time
}

type track = status.Track

// take checks reports and leaves out what is too old.
func (b *batch) take(reports []sitemon.Report) error {
	b.entries = make([]entry, 0, len(reports))
	oldest := b.db.kept(b.now)
	for i := range reports {
		r := &reports[i]
		if ms := r.Slot.Truncate(time.Millisecond); !ms.Equal(r.Slot) {
			c := *r
			c.Slot, r = ms, &c
		}
		if err := check(r, b.now); err != nil {
			return fmt.Errorf("site %q, slot %s: %w", r.Site, r.Slot.UTC().Format(sitemon.SlotFormat), err)
		}
		if r.Slot.Before(oldest) {
			b.expired++
			continue
		}
		b.entries = append(b.entries, entry{r: r})
	}
	return nil
}

// record runs the transaction, once more where what was remembered had become
// wrong behind our back, or a partition was missing.
func (b *batch) record(ctx context.Context) error {
	for try := 1; ; try++ {
		err := b.try(ctx)
		switch {
		case err == nil || try == 3 || ctx.Err() != nil:
			return err
		case isNoPartition(err):
			from, to := b.bounds()
			if err := b.db.ensurePartitions(ctx, from, to); err != nil {
				return err
			}
		case errors.Is(err, errForgotten) || code(err) == codeUnique || code(err) == codeForeignKey:
			b.db.memory = newMemory()
		default:
			return err
		}
	}
}

func (b *batch) try(ctx context.Context) error {
	m := b.db.memory
	if u := m.find(b.entries); u != nil {
		if err := b.db.meet(ctx, u); err != nil {
			return fmt.Errorf("meet new names: %w", err)
		}
		if m.find(b.entries) != nil {
			return errForgotten
		}
	}
	b.locate()
	defer func() {
		for _, l := range b.locations {
			l.batch = nil
		}
	}()
	if err := b.db.write(ctx, b.run); err != nil {
		return err
	}
	for _, l := range b.locations {
		l.known, l.track = true, l.batch.track
		l.seen = l.seen && !l.batch.dirty
		l.evidence = later(l.evidence, l.batch.evidence)
	}
	return nil
}

// bounds are the first and the last slot.
func (b *batch) bounds() (from, to time.Time) {
	from, to = b.entries[0].r.Slot, b.entries[0].r.Slot
	for _, e := range b.entries {
		if e.r.Slot.Before(from) {
			from = e.r.Slot
		}
		to = later(to, e.r.Slot)
	}
	return from, to
}

// errForgotten is about a row that was there before and is not any more.
var errForgotten = errors.New("a row that was known is gone")

// locate collects the locations of all reports, and their sites.
func (b *batch) locate() {
	b.locations, b.sites = b.locations[:0], b.sites[:0]
	sites := map[*site]struct{}{}
	for i := range b.entries {
		l := b.entries[i].l
		if l.batch != nil {
			continue
		}
		l.batch = &touched{}
		b.locations = append(b.locations, l)
		if _, ok := sites[l.site]; !ok {
			sites[l.site] = struct{}{}
			b.sites = append(b.sites, l.site)
		}
	}
	slices.SortFunc(b.locations, func(x, y *location) int { return cmp.Compare(x.id, y.id) })
}

// run is the transaction. It may run several times.
func (b *batch) run(ctx context.Context, tx pgx.Tx) error {
	b.late, b.events, b.missing, b.spans = nil, nil, gapRows{}, nil
	b.marks, b.incidents, b.evidence, b.out = rollupMarks{}, incidentMarks{}, evidenceRows{}, &pgx.Batch{}
	for i := range b.entries {
		b.entries[i].duplicate = false
	}
	if err := b.lockLocations(ctx, tx); err != nil {
		return fmt.Errorf("lock locations: %w", err)
	}
	if err := b.db.memory.loadDefinitions(ctx, tx, b.sites); err != nil {
		return fmt.Errorf("read definitions: %w", err)
	}
	if err := b.findDuplicates(ctx, tx); err != nil {
		return fmt.Errorf("look for duplicates: %w", err)
	}
	b.advance()
	if err := b.copyRows(ctx, tx); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	if err := b.gaps(ctx, tx); err != nil {
		return fmt.Errorf("derive gaps: %w", err)
	}
	var err error
	if b.changes, err = judge(ctx, tx, b.events, b.now, b.incidents, b.out); err != nil {
		return fmt.Errorf("judge sites: %w", err)
	}
	b.save()
	return tx.SendBatch(ctx, b.out).Close()
}

// lockRows locks rows in the order of their ids and says how many are there and of
// which of them another store has changed the track.
const lockRows = `WITH l AS MATERIALIZED (SELECT id, writer FROM site_locations WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE)
SELECT count(*), coalesce(array_agg(id) FILTER (WHERE writer <> $2), '{}') FROM l`

// lockLocations locks the rows of the locations and brings the memory of them up to
// date. What is read of the database besides is read after that.
func (b *batch) lockLocations(ctx context.Context, tx pgx.Tx) error {
	m := b.db.memory
	ids := make([]int64, len(b.locations))
	for i, l := range b.locations {
		*l.batch = touched{before: l.track, evidence: l.evidence}
		ids[i] = l.id
	}
	var there int
	var foreign []int64
	var claimed pgtype.Timestamptz
	q := &pgx.Batch{}
	q.Queue("SELECT pg_advisory_xact_lock_shared($1)", lockRollup)
	q.Queue(lockRows, ids, b.db.id).QueryRow(func(row pgx.Row) error { return row.Scan(&there, &foreign) })
	q.Queue("SELECT " + definitionsVersion + ", (SELECT claimed FROM availability_progress)").
		QueryRow(func(row pgx.Row) error { return row.Scan(&m.version, &claimed) })
	if err := tx.SendBatch(ctx, q).Close(); err != nil {
		return err
	}
	if there != len(ids) {
		return errForgotten
	}
	b.claimed = orZero(claimed)
	for _, id := range foreign {
		m.byID[id].known = false
	}
	var load []int64
	for _, l := range b.locations {
		if !l.known {
			load = append(load, l.id)
		}
	}
	if err := m.loadTracks(ctx, tx, load); err != nil {
		return err
	}
	for _, l := range b.locations {
		l.batch.track = l.batch.before
	}
	return nil
}

// recorded is what became of the batch.
func (b *batch) recorded() sitemon.Recorded {
	rec := sitemon.Recorded{New: make([]sitemon.Report, 0, len(b.entries)), Expired: b.expired, Changes: b.changes}
	for _, e := range b.entries {
		if e.duplicate {
			rec.Duplicates++
		} else {
			rec.New = append(rec.New, *e.r)
		}
	}
	return rec
}

// save queues what is written beside the reports.
func (b *batch) save() {
	var tracks []held
	for _, l := range b.locations {
		if l.batch.takeOver || l.seen && !l.batch.track.Silent.IsZero() {
			l.batch.dirty = true
		}
		if l.batch.dirty {
			tracks = append(tracks, held{l.id, l.site.id, l.name, l.batch.track})
		}
	}
	saveTracks(b.out, tracks, b.db.id)
	b.incidents.save(b.out)
	b.evidence.save(b.out)
	b.marks.save(b.out)
}
