package web

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sitemon"
)

// briefAge is how old the list of all sites in brief may be where no event has come
// since. Events tell of statuses; what may be older is the error of a site that is still
// down.
const briefAge = time.Second

// briefSites keeps the list of all sites in brief for a moment: with thousands of sites
// it is most of what a fetch costs, and one event makes all pages that are open fetch.
// Whoever waits while it is read shares the error, too: a store that does not answer
// would make each wait for all before. It keeps nothing unless it runs.
type briefSites struct {
	sites   Sites
	seen    func() string // the id of the last event
	running atomic.Bool
	turn    chan struct{} // holds one token: who has it may read

	mu   sync.Mutex
	at   time.Time
	key  string // of the last event before it was read
	list []sitemon.SiteState

	err    error     // of the last reading that failed
	failed time.Time // when that was
}

func newBriefSites(sites Sites, seen func() string) *briefSites {
	b := &briefSites{sites: sites, seen: seen, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// all returns all sites in brief. The list is shared, never to be changed. told is the
// id of the event of which whoever asks was told last, "" for none: that of another
// process may be of what this one does not know yet, and is behind what is kept.
func (b *briefSites) all(ctx context.Context, told string) ([]sitemon.SiteState, error) {
	if !b.running.Load() {
		return b.sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	}
	asked, oldest := time.Now(), time.Time{}
	if told != "" && epochOf(told) != epochOf(b.seen()) {
		oldest = asked
	}
	if list, ok := b.kept(oldest); ok {
		return list, nil
	}
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if list, ok := b.kept(oldest); ok { // others have read it meanwhile
		return list, nil
	}
	if err := b.failedSince(asked); err != nil {
		return nil, err
	}
	key, at := b.seen(), time.Now()
	list, err := b.sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.key, b.at, b.list = key, at, list
	case ctx.Err() == nil: // else whoever asked has left, which says nothing of the store
		b.err, b.failed = err, time.Now()
	}
	return list, err
}

// kept returns the list where it is new enough, and was read from a moment on.
func (b *briefSites) kept(oldest time.Time) ([]sitemon.SiteState, bool) {
	key := b.seen()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list, b.list != nil && b.key == key && time.Since(b.at) < briefAge && !b.at.Before(oldest)
}

// failedSince is the error of a reading that failed after a moment, nil for none.
func (b *briefSites) failedSince(asked time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed.After(asked) {
		return b.err
	}
	return nil
}

// epochOf is the part of an event's id by which processes differ.
func epochOf(id string) string {
	epoch, _, _ := strings.Cut(id, "-")
	return epoch
}

// run lets it keep the list until ctx ends.
func (b *briefSites) run(ctx context.Context) {
	b.running.Store(true)
	defer b.running.Store(false)
	forget := time.NewTicker(time.Minute) // thousands of sites take megabytes
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-forget.C:
			b.mu.Lock()
			if time.Since(b.at) >= briefAge {
				b.list = nil
			}
			b.mu.Unlock()
		}
	}
}
