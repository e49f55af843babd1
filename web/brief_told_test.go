package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// overview asks a server that serves for the overview, at several times at once.
type overview struct {
	t      *testing.T
	server *web.Server
	client *http.Client
}

// withOverview runs a test with a server that serves, in a bubble of its own time.
func withOverview(t *testing.T, store *apiStore, edit func(*web.Options), test func(*overview)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, store, func(o *web.Options) { o.Now = time.Now }, edit)
		ln := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- s.Serve(ctx, ln) }()
		transport := &http.Transport{DialContext: ln.dial}
		test(&overview{t, s, &http.Client{Transport: transport}})
		transport.CloseIdleConnections()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// get returns the status of a page, and what it says.
func (o *overview) get(path, told string) (int, string) {
	r, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, "http://localhost:8080"+path, nil)
	if err != nil {
		o.t.Error(err)
		return 0, ""
	}
	r.Header.Set("Last-Event-ID", told)
	resp, err := o.client.Do(r)
	if err != nil {
		o.t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// at makes n requests at once.
func (o *overview) at(n int, path, told string, each func(status int, text string)) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() { each(o.get(path, told)) })
	}
	all.Wait()
}

// A page that another process has told of an event is not made of what this one kept
// from before it.
func TestOverviewToldByAnother(t *testing.T) {
	store, hub := &briefCounter{apiStore: newAPIStore()}, web.NewHub()
	withOverview(t, store.apiStore, func(o *web.Options) { o.Sites, o.Hub = store, hub }, func(o *overview) {
		want := func(told string, reads int, heads string) {
			t.Helper()
			o.at(10, "/?parts=summary", told, func(_ int, text string) {
				if !strings.Contains(text, heads) {
					t.Errorf("told %q: a page says %s, want %q", told, text, heads)
				}
			})
			if store.reads != reads {
				t.Errorf("told %q: all sites were read %d times, want %d", told, store.reads, reads)
			}
		}
		want("", 1, "1 of 3 sites down")
		store.apiStore.mu.Lock()
		store.sites[0].Status = sitemon.StatusDown
		store.apiStore.mu.Unlock()
		want(hub.Seen(), 1, "1 of 3 sites down")
		want("another-7", 2, "2 of 3 sites down")
	})
}

// silentSites answers after five seconds that it does not.
type silentSites struct {
	*apiStore
	reads atomic.Int64
}

func (s *silentSites) Sites(ctx context.Context, _ sitemon.SiteQuery) ([]sitemon.SiteState, error) {
	s.reads.Add(1)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	<-ctx.Done()
	return nil, ctx.Err()
}

// Pages do not wait for each other to find that the store does not answer.
func TestOverviewWhileTheStoreHangs(t *testing.T) {
	store := &silentSites{apiStore: newAPIStore()}
	withOverview(t, store.apiStore, func(o *web.Options) { o.Sites = store }, func(o *overview) {
		began := time.Now()
		o.at(20, "/?parts=summary", "", func(status int, _ string) {
			if took := time.Since(began); status != http.StatusServiceUnavailable || took > 10*time.Second {
				t.Errorf("a page answers %d after %s", status, took)
			}
		})
		if n := store.reads.Load(); n > 2 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}

// What is kept of sites goes when nobody looks any more.
func TestCachesForget(t *testing.T) {
	withOverview(t, manySites(100, nil), func(*web.Options) {}, func(o *overview) {
		if status, _ := o.get("/", ""); status != http.StatusOK || o.server.Kept() == 0 {
			t.Errorf("status %d, %d values are kept of those that were shown", status, o.server.Kept())
		}
		time.Sleep(time.Hour)
		if n := o.server.Kept(); n > 0 {
			t.Errorf("%d values are kept of those that nobody has looked at for an hour", n)
		}
	})
}

// A panic while the rows are drawn ends the request, or nothing where they are drawn in
// the background.
func TestPanicOfARow(t *testing.T) {
	store := newAPIStore()
	var falls atomic.Bool
	store.series = func(availability.SeriesQuery) []availability.SeriesBucket {
		if falls.Load() {
			panic("no rows today")
		}
		return nil
	}
	withOverview(t, store, func(*web.Options) {}, func(o *overview) {
		want := func(want int) {
			t.Helper()
			if status, _ := o.get("/", ""); status != want {
				t.Errorf("status %d, want %d", status, want)
			}
			synctest.Wait()
		}
		want(http.StatusOK)
		falls.Store(true)
		time.Sleep(5 * time.Minute)
		want(http.StatusOK) // and reads anew in the background
		time.Sleep(time.Hour)
		want(http.StatusInternalServerError)
		falls.Store(false)
		want(http.StatusOK)
	})
}

// lateStore fails where figures are read, and panics a little later where days are.
type lateStore struct{ *apiStore }

func (lateStore) Availabilities(context.Context, []string, time.Time, []time.Duration) (map[string][]availability.Figure, error) {
	time.Sleep(100 * time.Millisecond)
	return nil, errors.New("no figures")
}

func (lateStore) Series(context.Context, availability.SeriesQuery) (map[string][]availability.SeriesBucket, error) {
	time.Sleep(time.Second)
	panic("a bug in the series")
}

// A panic is logged also where something else failed before it.
func TestPanicAfterAnError(t *testing.T) {
	store := newAPIStore()
	var log strings.Builder
	withOverview(t, store, func(o *web.Options) {
		o.History, o.Logger = lateStore{store}, slog.New(slog.NewTextHandler(&log, nil))
	}, func(o *overview) {
		if status, _ := o.get("/", ""); status != http.StatusInternalServerError || !strings.Contains(log.String(), "a bug in the series") {
			t.Errorf("status %d, the log says %s", status, log.String())
		}
	})
}
