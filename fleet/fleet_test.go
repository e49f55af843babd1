package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/fleet"
)

// world is a store and a scheduler that a test can look at.
type world struct {
	mu      sync.Mutex
	rows    map[string]fleet.Row
	version int64
	gen     sitemon.Generation
	away    bool
	adopted int

	applied []applied
	log     strings.Builder
}

// applied is one call of the scheduler.
type applied struct {
	gen   sitemon.Generation
	added []string
	sites []string // name=definition
}

func newWorld() *world { return &world{rows: map[string]fleet.Row{}} }

var errAway = errors.New("the store is away")

func (w *world) Version(context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return 0, errAway
	}
	return w.version, nil
}

func (w *world) Rows(_ context.Context, have map[string]string) (changed []fleet.Row, removed []string, _ sitemon.Generation, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return nil, nil, sitemon.Generation{}, errAway
	}
	for name, r := range w.rows {
		if have[name] != r.Version {
			changed = append(changed, r)
		}
	}
	for name := range have {
		if _, ok := w.rows[name]; !ok {
			removed = append(removed, name)
		}
	}
	return changed, removed, w.gen, nil
}

func (w *world) Adopt(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.adopted++
	return nil
}

func (w *world) Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := applied{gen: gen, added: slices.Sorted(slices.Values(plan.Added))}
	for _, s := range sites {
		a.sites = append(a.sites, s.Name+"="+string(s.Definition))
	}
	w.applied = append(w.applied, a)
}

// put changes the store as one generation.
func (w *world) put(source string, due bool, sites ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version++
	w.gen = sitemon.Generation{Number: w.gen.Number + 1, LoadedAt: time.Now().UTC(), Source: source}
	for _, s := range sites {
		name, definition, _ := strings.Cut(s, "=")
		if definition == "" {
			delete(w.rows, name)
			continue
		}
		w.rows[name] = fleet.Row{
			Name: name, Source: source, Definition: json.RawMessage(definition), Version: fmt.Sprint(w.version),
			Generation: w.gen.Number, LoadedAt: w.gen.LoadedAt, Due: due,
		}
	}
	w.gen.Sites = len(w.rows)
}

func (w *world) setAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func decode(name string, definition []byte) (sitemon.Site, error) {
	if string(definition) == `"bad"` {
		return sitemon.Site{}, sitemon.ErrInvalid
	}
	return sitemon.Site{Name: name, Definition: definition, Enabled: true, Interval: time.Minute}, nil
}

func document(sites ...string) (list []sitemon.Site) {
	for _, s := range sites {
		name, definition, _ := strings.Cut(s, "=")
		list = append(list, sitemon.Site{Name: name, Definition: json.RawMessage(definition), Enabled: true})
	}
	return list
}

func (w *world) fleet(t *testing.T, file string) *fleet.Fleet {
	t.Helper()
	return fleet.New(fleet.Options{
		Store: w, Scheduler: w, Source: "mine", Decode: decode, File: file,
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
}

// follow runs the fleet until the test ends, and returns a wait for its polls.
func follow(t *testing.T, f *fleet.Fleet) (settle func()) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return func() {
		time.Sleep(2 * time.Second)
		synctest.Wait()
	}
}

func (w *world) want(t *testing.T, sites string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := "nothing"
	if n := len(w.applied); n > 0 {
		got = strings.Join(w.applied[n-1].sites, " ")
	}
	if got != sites {
		t.Fatalf("probed: %s\nwant:   %s", got, sites)
	}
}

// dues returns what was made due at once since the last call, by generation.
func (w *world) dues() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due []string
	for _, a := range w.applied {
		if len(a.added) > 0 {
			due = append(due, fmt.Sprintf("%d:%s", a.gen.Number, strings.Join(a.added, ",")))
		}
	}
	w.applied = w.applied[len(w.applied)-1:]
	w.applied[0].added = nil
	return strings.Join(due, " ")
}

func TestFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put("", true, "hand=1")
		w.put("mine", true, "a=1", "b=1")
		f := w.fleet(t, filepath.Join(t.TempDir(), "sites.json"))
		settle := follow(t, f)
		settle()
		w.want(t, "a=1 b=1 hand=1")
		if got := w.dues(); got != "1:hand 2:a,b" {
			t.Errorf("due: %q", got)
		}

		calls := len(w.applied)
		settle()
		if len(w.applied) != calls {
			t.Error("nothing has changed, and the scheduler was called")
		}

		w.put("other", true, "c=1")
		w.put("mine", false, "b=2") // such as its group
		w.put("", true, "hand=")
		settle()
		w.want(t, "a=1 b=2 c=1")
		if got := w.dues(); got != "3:c" {
			t.Errorf("due: %q", got)
		}
		if got := f.Running().Number; got != 5 {
			t.Errorf("generation %d runs, want 5", got)
		}

		w.put("other", true, `c="bad"`)
		settle()
		w.want(t, "a=1 b=2")
		if !strings.Contains(w.log.String(), "can't be read") {
			t.Error("a site that can't be read is not mentioned")
		}
	})
}

func TestDocumentThatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put("other", true, "theirs=1")
		f := w.fleet(t, filepath.Join(t.TempDir(), "sites.json"))
		settle := follow(t, f)
		settle()
		w.dues()

		// The reloader stores first, and then applies. What belongs to others stays.
		w.put("mine", true, "a=1")
		f.Apply(w.gen, sitemon.Plan{Added: []string{"a"}}, document("a=1", "theirs=2"))
		w.want(t, "a=1 theirs=1")
		if got := w.dues(); got != "2:a" {
			t.Errorf("due: %q", got)
		}
		settle()
		w.want(t, "a=1 theirs=1")
		if got := w.dues(); got != "" {
			t.Errorf("due a second time: %q", got)
		}
	})
}

func TestDocumentWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.put("", true, "hand=1")
		w.put("other", true, "theirs=1")
		w.put("mine", true, "a=1", "b=1")
		f := w.fleet(t, filepath.Join(t.TempDir(), "sites.json"))
		settle := follow(t, f)
		settle()
		w.dues()

		w.setAway(true)
		unstored := sitemon.Generation{Number: 3, LoadedAt: time.Now(), Unstored: true}
		f.Apply(unstored, sitemon.Plan{Added: []string{"c"}}, document("a=2", "c=1", "theirs=2", "hand=2"))
		w.want(t, "a=2 c=1 hand=2 theirs=1")
		if got := w.dues(); got != "3:c" {
			t.Errorf("due: %q", got)
		}
		settle()
		settle()
		if n := strings.Count(w.log.String(), "can't be read"); n != 1 {
			t.Errorf("the store's absence is said %d times, want once", n)
		}

		// The store is back, and does not have the document yet.
		w.setAway(false)
		settle()
		w.want(t, "a=2 c=1 hand=2 theirs=1")

		// Now it does; what runs already is not due again.
		w.put("mine", true, "a=2", "c=1", "hand=2", "b=")
		f.Apply(w.gen, sitemon.Plan{}, document("a=2", "c=1", "theirs=2", "hand=2"))
		w.want(t, "a=2 c=1 hand=2 theirs=1")
		if got := w.dues(); got != "" {
			t.Errorf("due again: %q", got)
		}
	})
}

// part is a share.
type part string

func (p part) Has(site string) bool { return strings.Contains(string(p), site) }

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		f := w.fleet(t, filepath.Join(t.TempDir(), "sites.json"))
		f.Own(part("ac"))
		if len(w.applied) != 0 {
			t.Fatal("the scheduler was called before any site is known")
		}
		w.put("mine", true, "a=1", "b=1", "c=1")
		settle := follow(t, f)
		settle()
		w.want(t, "a=1 c=1")
		if got := w.dues(); got != "1:a,b,c" { // the moments of extra slots depend on how many changed
			t.Errorf("due: %q", got)
		}
		f.Own(part("bc"))
		w.want(t, "b=1 c=1")
		if got := w.dues(); got != "" {
			t.Errorf("a hand-over makes sites due: %q", got)
		}
	})
}

func TestStartWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "sites.json")
		w := newWorld()
		w.put("mine", true, "a=1")
		w.put("other", true, "b=1")
		settle := follow(t, w.fleet(t, file))
		settle()

		w.setAway(true)
		later := &world{rows: w.rows, version: w.version, gen: w.gen, away: true}
		f := later.fleet(t, file)
		if err := f.Load(); err != nil {
			t.Fatal(err)
		}
		later.want(t, "a=1 b=1")
		sites, gen, err := f.Known(t.Context())
		if err != nil || len(sites) != 2 || gen.Number != 2 {
			t.Errorf("known: %d sites of generation %d, %v", len(sites), gen.Number, err)
		}
		settle = follow(t, f)
		settle()
		later.want(t, "a=1 b=1")
		later.setAway(false)
		later.put("mine", true, "a=")
		settle()
		later.want(t, "b=1")

		// A reloader that has just started takes every site for a new one.
		again := &world{rows: w.rows, version: w.version, gen: w.gen, away: true}
		f = again.fleet(t, file)
		if err := f.Load(); err != nil {
			t.Fatal(err)
		}
		f.Apply(sitemon.Generation{Number: 2, LoadedAt: time.Now(), Unstored: true}, sitemon.Plan{Added: []string{"b", "c"}}, document("b=1", "c=1"))
		again.want(t, "b=1 c=1")
		if got := again.dues(); got != "2:c" {
			t.Errorf("due: %q", got)
		}

		none := newWorld()
		none.away = true
		f = none.fleet(t, filepath.Join(t.TempDir(), "none.json"))
		if err := f.Load(); err != nil {
			t.Errorf("without a file: %v", err)
		}
		if _, _, err := f.Known(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("with nothing known: %v", err)
		}
	})
}
