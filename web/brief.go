package web

import (
	"context"
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
// It keeps nothing unless it runs.
type briefSites struct {
	sites   Sites
	seen    func() string // the id of the last event
	running atomic.Bool
	turn    chan struct{} // holds one token: who has it may read

	mu   sync.Mutex
	at   time.Time
	key  string // of the last event before it was read
	list []sitemon.SiteState
}

func newBriefSites(sites Sites, seen func() string) *briefSites {
	b := &briefSites{sites: sites, seen: seen, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// all returns all sites in brief. The list is shared, never to be changed.
func (b *briefSites) all(ctx context.Context) ([]sitemon.SiteState, error) {
	if !b.running.Load() {
		return b.sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	}
	if list, ok := b.kept(); ok {
		return list, nil
	}
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if list, ok := b.kept(); ok { // others have read it meanwhile
		return list, nil
	}
	key, at := b.seen(), time.Now()
	list, err := b.sites.Sites(ctx, sitemon.SiteQuery{Brief: true})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.key, b.at, b.list = key, at, list
	return list, nil
}

// kept returns the list where it is new enough.
func (b *briefSites) kept() ([]sitemon.SiteState, bool) {
	key := b.seen()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.list, b.list != nil && b.key == key && time.Since(b.at) < briefAge
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
