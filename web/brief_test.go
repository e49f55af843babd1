package web_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/web"
)

// briefCounter counts how often all sites are read.
type briefCounter struct {
	*apiStore
	mu    sync.Mutex
	reads int
}

func (c *briefCounter) Sites(ctx context.Context, q sitemon.SiteQuery) ([]sitemon.SiteState, error) {
	if q.Brief {
		c.mu.Lock()
		c.reads++
		c.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
	return c.apiStore.Sites(ctx, q)
}

// Pages that fetch at the same time share one reading of all sites, which is as new as
// the last event, and a second old at most.
func TestOverviewReadsSitesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, hub := &briefCounter{apiStore: newAPIStore()}, web.NewHub()
		s := newServer(t, store.apiStore, func(o *web.Options) { o.Sites, o.Hub = store, hub })
		ln := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- s.Serve(ctx, ln) }()
		transport := &http.Transport{DialContext: ln.dial}
		client := &http.Client{Transport: transport}
		heading := func() string {
			resp, err := client.Get("http://localhost:8080/?parts=summary")
			if err != nil {
				t.Error(err)
				return ""
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			return string(text)
		}
		want := func(reads int, heads string) {
			t.Helper()
			var pages sync.WaitGroup
			for range 20 {
				pages.Go(func() {
					if text := heading(); !strings.Contains(text, heads) {
						t.Errorf("a page says %s, want %q", text, heads)
					}
				})
			}
			pages.Wait()
			if store.reads != reads {
				t.Errorf("all sites were read %d times, want %d", store.reads, reads)
			}
		}
		want(1, "1 of 3 sites down, 1 unknown")
		want(1, "1 of 3 sites down, 1 unknown")
		store.apiStore.mu.Lock()
		store.sites[0].Status = sitemon.StatusDown
		store.apiStore.mu.Unlock()
		hub.Status(sitemon.StatusChange{Site: "docs", Status: sitemon.StatusDown})
		want(2, "2 of 3 sites down, 1 unknown")
		time.Sleep(time.Second)
		want(3, "2 of 3 sites down, 1 unknown")
		transport.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
