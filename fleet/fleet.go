// Package fleet decides which sites a monitor of a shared store probes: all that
// the store has, whoever put them there, of which its share is its own.
//
// The store is the truth. A document that it does not have yet, because it is
// away, lies over what it last said until it is stored; and what it last said is
// kept in a file, so that a monitor can start without it.
package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"sitemon"
)

const (
	// pollEvery is how often the store is asked whether something has changed. A
	// notification only makes it earlier.
	pollEvery = time.Second
	// patience is how long an edit waits for the store.
	patience = 500 * time.Millisecond
	// pollTimeout bounds one look at the store.
	pollTimeout = 10 * time.Second
)

// Row is a site as the store has it.
type Row struct {
	Name       string
	Source     string // the document that owns it; "" a row put in by hand
	Definition json.RawMessage
	// Version is another one after each change of the row.
	Version string
	// Generation brought the row in as it is, at LoadedAt; Due says that it is due
	// at once then, at its extra slot, as one of Together.
	Generation int64
	LoadedAt   time.Time
	Due        bool
	Together   int
}

// Store is what many monitors share.
type Store interface {
	// Version counts up with each change of any site.
	Version(ctx context.Context) (int64, error)
	// Rows returns the rows whose version is not the one that the caller has, the
	// names that are gone, and the newest generation.
	Rows(ctx context.Context, have map[string]string) (changed []Row, removed []string, gen sitemon.Generation, err error)
	// Adopt makes sites of the rows that people wrote.
	Adopt(ctx context.Context) error
}

// Scheduler runs a set of sites.
type Scheduler interface {
	Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site)
}

// Share is a part of all sites.
type Share interface{ Has(site string) bool }

// Options is what a [Fleet] is made of. All but Share are required.
type Options struct {
	Store     Store
	Scheduler Scheduler
	// Source is the document of this monitor.
	Source string
	// Decode makes a site of its stored definition.
	Decode func(name string, definition []byte) (sitemon.Site, error)
	// File is where the sites are kept for a start without the store.
	File string
	// Share is the part that is probed at first; nil: all.
	Share  Share
	Logger *slog.Logger
}

// Fleet is the sites that are there, and those that are probed. It is safe for
// concurrent use.
type Fleet struct {
	opts Options
	log  *slog.Logger
	wake chan struct{}

	mu      sync.Mutex // held while the scheduler is given sites, so that they come in order
	rows    map[string]*row
	overlay map[string]*sitemon.Site // the document that is not stored yet; nil: none
	share   Share
	gen     sitemon.Generation
	version int64 // up to which the rows are the store's
	read    bool  // the rows have been read from the store
	away    bool  // the store did not answer last time
}

// row is a site of the store; site is nil where this program can't read it.
type row struct {
	site    *sitemon.Site
	source  string
	version string
}

// New returns a fleet without sites.
func New(opts Options) *Fleet {
	return &Fleet{
		opts: opts, log: opts.Logger.With("component", "fleet"), wake: make(chan struct{}, 1),
		rows: map[string]*row{}, share: opts.Share,
	}
}

// Wake says that something may have changed in the store. It returns at once.
func (f *Fleet) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // one is waiting already
	}
}

// Apply makes a document the one of this monitor. Once it is stored, what the
// store says of it counts: sites of others keep their owners.
func (f *Fleet) Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !gen.Unstored {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.refresh(ctx); err == nil {
			return
		}
	}
	overlay := make(map[string]*sitemon.Site, len(sites))
	for i := range sites {
		overlay[sites[i].Name] = &sites[i]
	}
	// Whoever made the plan may not know what runs from before.
	same := func(name string) bool {
		before, after := f.effective(name), overlay[name]
		return before != nil && after != nil && bytes.Equal(before.Definition, after.Definition)
	}
	plan.Added = slices.DeleteFunc(slices.Clone(plan.Added), same)
	plan.Changed = slices.DeleteFunc(slices.Clone(plan.Changed), func(c sitemon.Change) bool { return same(c.Name) })
	f.overlay = overlay
	f.apply(gen, plan)
}

// Own makes share the part that is probed.
func (f *Fleet) Own(share Share) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share = share
	if f.gen.LoadedAt.IsZero() {
		return // nothing is known yet
	}
	f.apply(f.gen, sitemon.Plan{})
}

// Running returns the newest generation of all sites.
func (f *Fleet) Running() sitemon.Generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gen
}

// Run follows the store until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		f.poll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// poll brings in what has changed in the store. A failure is said once.
func (f *Fleet) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	err := f.follow(ctx)
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	f.mu.Lock()
	away := f.away
	f.away = err != nil
	f.mu.Unlock()
	switch {
	case err != nil && !away:
		f.log.Warn("the sites of the store can't be read: those that run go on, and it is tried again", "err", err)
	case err == nil && away:
		f.log.Info("the sites of the store are followed again")
	}
}

func (f *Fleet) follow(ctx context.Context) error {
	version, err := f.opts.Store.Version(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	known := f.read && f.version == version && f.overlay == nil
	f.mu.Unlock()
	if known {
		return nil
	}
	if err := f.opts.Store.Adopt(ctx); err != nil {
		return fmt.Errorf("take up the rows put in by hand: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.overlay != nil && f.gen.Unstored {
		return nil // what runs is newer than what the store has
	}
	return f.refresh(ctx)
}

// refresh reads what has changed in the store and applies it. It is called with
// the lock held.
func (f *Fleet) refresh(ctx context.Context) error {
	version, err := f.opts.Store.Version(ctx) // before the rows: they are at least as new
	if err != nil {
		return err
	}
	have := make(map[string]string, len(f.rows))
	for name, r := range f.rows {
		have[name] = r.version
	}
	changed, removed, gen, err := f.opts.Store.Rows(ctx, have)
	if err != nil {
		return err
	}
	first := !f.read
	f.read, f.version = true, version
	if !first && len(changed)+len(removed) == 0 && f.overlay == nil && gen == f.gen {
		return nil
	}
	for _, name := range removed {
		delete(f.rows, name)
	}
	plans := f.take(changed)
	f.overlay, f.gen = nil, gen
	if len(plans) == 0 {
		f.give(gen, sitemon.Plan{})
	}
	for _, p := range plans {
		g := gen
		g.Number, g.LoadedAt = p.Generation, p.loadedAt
		f.give(g, p.Plan)
	}
	f.save()
	return nil
}

// duePlan names the sites that one generation made due at once.
type duePlan struct {
	sitemon.Plan
	loadedAt time.Time
}

// take puts changed rows in, and returns what is due at once, the oldest
// generation first. A row that says what runs already is not due.
func (f *Fleet) take(changed []Row) []duePlan {
	due := map[int64]*duePlan{}
	for _, c := range changed {
		site, err := f.opts.Decode(c.Name, c.Definition)
		r := &row{source: c.Source, version: c.Version}
		if err != nil {
			f.log.Error("a site of the store can't be read: it is not probed", "site", c.Name, "err", err)
		} else {
			r.site = &site
		}
		running := f.effective(c.Name)
		same := running != nil && r.site != nil && bytes.Equal(running.Definition, r.site.Definition)
		f.rows[c.Name] = r
		if !c.Due || same || r.site == nil {
			continue
		}
		p := due[c.Generation]
		if p == nil {
			p = &duePlan{Plan: sitemon.Plan{Generation: c.Generation, Together: c.Together}, loadedAt: c.LoadedAt}
			due[c.Generation] = p
		}
		p.Added = append(p.Added, c.Name)
	}
	plans := make([]duePlan, 0, len(due))
	for _, n := range slices.Sorted(maps.Keys(due)) {
		plans = append(plans, *due[n])
	}
	return plans
}

// effective returns a site as it is to be probed, nil if it is not.
func (f *Fleet) effective(name string) *sitemon.Site {
	r := f.rows[name]
	if f.overlay != nil && (r == nil || r.source == f.opts.Source || r.source == "") {
		if s, ok := f.overlay[name]; ok {
			return s
		}
		if r != nil && r.source == f.opts.Source {
			return nil // the document has it no more
		}
	}
	if r == nil {
		return nil
	}
	return r.site
}

// apply makes a generation the running one.
func (f *Fleet) apply(gen sitemon.Generation, plan sitemon.Plan) {
	f.gen = gen
	f.give(gen, plan)
}

// give gives the scheduler all sites of the share.
func (f *Fleet) give(gen sitemon.Generation, plan sitemon.Plan) {
	sites := make([]sitemon.Site, 0, len(f.rows)+len(f.overlay))
	add := func(name string) {
		if f.share != nil && !f.share.Has(name) {
			return
		}
		if s := f.effective(name); s != nil {
			sites = append(sites, *s)
		}
	}
	for name := range f.rows {
		add(name)
	}
	for name := range f.overlay {
		if f.rows[name] == nil {
			add(name)
		}
	}
	slices.SortFunc(sites, func(a, b sitemon.Site) int { return cmp.Compare(a.Name, b.Name) })
	f.opts.Scheduler.Apply(gen, plan, sites)
}
