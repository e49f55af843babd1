package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sitemon"
	"sitemon/maintenance"
)

const (
	// planAhead is how far ahead it is worked out when a maintenance begins or ends.
	planAhead = 24 * time.Hour
	// catchUp is how long a maintenance may have been over that nobody has recorded.
	catchUp = 24 * time.Hour
	// sumStep is the length of the shortest sums of availability.
	sumStep = 5 * time.Minute
)

// Maintainer records when sites are in maintenance. Its fields are set by the store;
// one goroutine at a time may use it.
type Maintainer struct {
	Read, Write func(ctx context.Context, f func(ctx context.Context, tx Tx) error) error
	// Tags is SQL for the tags of a row s of sites as a JSON array.
	Tags string

	seen string    // what the documents were
	next time.Time // when something begins or ends
	plan []planned
}

// planned is a maintenance of a document.
type planned struct {
	*maintenance.Window
	source, title string
	loadedAt      time.Time // of the document's generation
}

// Run records the maintenance that has begun by now for the sites that it is for,
// and cuts short what is not planned any more. Where it changed anything it returns
// true: then the status of sites may be another. It costs a short read where nothing
// is due. A maintenance that can't be understood is an error, which keeps the others
// from nothing.
func (m *Maintainer) Run(ctx context.Context, now time.Time) (changed bool, err error) {
	now = now.UTC().Truncate(time.Microsecond)
	plan, seen, bad, err := m.read(ctx)
	if err != nil {
		return false, err
	}
	if seen == m.seen && now.Before(m.next) {
		return false, nil
	}
	err = m.Write(ctx, func(ctx context.Context, tx Tx) error {
		r := recording{Tx: tx, now: now, plan: plan, tags: m.Tags}
		if err := r.run(ctx); err != nil {
			return err
		}
		changed = r.changed
		return nil
	})
	if err != nil {
		return false, err
	}
	m.seen, m.plan, m.next = seen, plan, now.Add(planAhead)
	for _, p := range plan {
		for _, o := range p.Between(now, m.next) {
			for _, edge := range []time.Time{o.Start, o.End} {
				if edge.After(now) && edge.Before(m.next) {
					m.next = edge
				}
			}
		}
	}
	return changed, bad
}

// read returns what is planned, and a text that is another where that may be.
func (m *Maintainer) read(ctx context.Context) (plan []planned, seen string, bad, err error) {
	type document struct {
		source   string
		loadedAt time.Time
	}
	var all []document
	err = m.Read(ctx, func(ctx context.Context, tx Tx) error {
		return tx.Query(ctx, "SELECT source, generation, loaded_at FROM documents ORDER BY source", nil,
			func(scan func(dest ...any) error) error {
				var d document
				var generation int64
				var at Moment
				err := scan(&d.source, &generation, &at)
				d.loadedAt = at.Time
				all, seen = append(all, d), seen+fmt.Sprintf("%q %d %d\n", d.source, generation, at.UnixMicro())
				return err
			})
	})
	if err != nil || seen == m.seen {
		return m.plan, seen, nil, err
	}
	err = m.Read(ctx, func(ctx context.Context, tx Tx) error {
		plan, bad = nil, nil
		return tx.Query(ctx, "SELECT source, loaded_at, maintenance FROM documents WHERE maintenance <> '' ORDER BY source", nil,
			func(scan func(dest ...any) error) error {
				var source, text string
				var at Moment
				if err := scan(&source, &at, &text); err != nil {
					return err
				}
				some, err := parsePlan(source, at.Time, text)
				plan, bad = append(plan, some...), errors.Join(bad, err)
				return nil
			})
	})
	return plan, seen, bad, err
}

// parsePlan reads the maintenance of a document; what it can't read it leaves out.
func parsePlan(source string, loadedAt time.Time, text string) (plan []planned, err error) {
	var list []sitemon.Maintenance
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the maintenance of %q: %w", source, err)
	}
	for _, one := range list {
		w, e := maintenance.Parse(one)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("maintenance %q of %q: %w", one.Title, source, e))
			continue
		}
		plan = append(plan, planned{w, source, one.Title, loadedAt})
	}
	return plan, err
}
