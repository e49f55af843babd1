package reload_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sitemon"
	"sitemon/reload"
)

// text is a document: a name of a site a word, "!" makes it bad.
type text string

func (t text) Hash() string { return "hash of " + string(t) }

func (t text) Parse() (sitemon.Document, []sitemon.Problem, error) {
	doc := sitemon.Document{Source: "test", Hash: t.Hash()}
	for i, word := range strings.Fields(string(t)) {
		if word == "!" {
			return doc, nil, sitemon.Problems{{File: "sites.yaml", Line: 1, Column: i + 1, Message: "bad word"}}
		}
		name, def, _ := strings.Cut(word, "=")
		doc.Sites = append(doc.Sites, sitemon.Site{Name: name, Enabled: true, Definition: json.RawMessage(`{"url":"` + def + `"}`)})
	}
	return doc, nil, nil
}

// world is everything around a reloader.
type world struct {
	*reload.Reloader
	reg *prometheus.Registry

	mu      sync.Mutex
	disk    text
	readErr error

	// the store
	stored  []sitemon.Site
	gen     sitemon.Generation
	syncErr error
	delay   time.Duration
	owners  map[string]string // of sites that belong to another source
	history []sitemon.Reload
	synced  []string // the hashes of the documents that it took

	// the scheduler
	running []string
	plans   []sitemon.Plan
	runGen  int64
}

func (w *world) Read() (reload.Content, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.disk, w.readErr
}

func (w *world) SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error) {
	w.mu.Lock()
	delay, err := w.delay, w.syncErr
	w.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return sitemon.Generation{}, sitemon.Plan{}, ctx.Err()
	}
	if err != nil {
		return sitemon.Generation{}, sitemon.Plan{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	plan := sitemon.Diff(w.stored, doc.Sites)
	for _, s := range doc.Sites {
		if owner := w.owners[s.Name]; owner != "" {
			plan.Refused = append(plan.Refused, sitemon.Refusal{Name: s.Name, Owner: owner})
		}
	}
	if !plan.Empty() || w.gen.Number == 0 {
		w.gen = sitemon.Generation{Number: w.gen.Number + 1, LoadedAt: time.Now(), Source: doc.Source, Hash: doc.Hash, Sites: len(doc.Sites)}
	}
	w.stored = doc.Sites
	w.synced = append(w.synced, doc.Hash)
	return w.gen, plan, nil
}

func (w *world) AddReload(ctx context.Context, r sitemon.Reload) error {
	w.mu.Lock()
	delay, err := w.delay, w.syncErr
	w.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, r)
	return nil
}

func (w *world) Known(context.Context) ([]sitemon.Site, sitemon.Generation, error) {
	return w.stored, w.gen, nil
}

func (w *world) Apply(gen sitemon.Generation, plan sitemon.Plan, sites []sitemon.Site) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runGen, w.running = gen.Number, nil
	w.plans = append(w.plans, plan)
	for _, s := range sites {
		w.running = append(w.running, s.Name)
	}
}

func (w *world) set(change func(w *world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// save changes the document and hints, and lets the reloader work.
func (w *world) save(content text) {
	w.set(func(w *world) { w.disk, w.readErr = content, nil })
	w.Hint()
	synctest.Wait()
}

func (w *world) wantRunning(t *testing.T, gen int64, sites string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.running, " "); got != sites || w.runGen != gen {
		t.Errorf("running: %q of generation %d, want %q of %d", got, w.runGen, sites, gen)
	}
}

// begin makes a world with a document and starts its reloader.
func begin(t *testing.T, w *world) (startErr error) {
	t.Helper()
	w.reg = prometheus.NewRegistry()
	w.Reloader = reload.New(reload.Options{
		Path: "sites.yaml", Read: w.Read, Known: w.Known, Store: w, Scheduler: w,
		Logger: slog.New(slog.DiscardHandler), Registerer: w.reg,
	})
	if err := w.Start(t.Context()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return nil
}

func TestEditsAreAppliedAndFaultsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "a=1 b=1"}
		if err := begin(t, w); err != nil {
			t.Fatal(err)
		}
		w.wantRunning(t, 1, "a b")
		w.save("a=1 b=2 c=1")
		w.wantRunning(t, 2, "a b c")
		if p := w.plans[1]; !reflect.DeepEqual(p.Added, []string{"c"}) || len(p.Changed) != 1 || p.Unchanged != 1 {
			t.Errorf("plan %+v, want c added, b changed, a unchanged", p)
		}

		w.save("a=1 !")
		w.wantRunning(t, 2, "a b c")
		gen, bad := w.Running()
		if gen.Number != 2 || bad == nil || bad.Applied || bad.Errors[0].String() != "sites.yaml:1:2: bad word" || bad.Generation != 2 {
			t.Errorf("running %+v, refused %+v: want generation 2 and the fault", gen, bad)
		}
		if v := metric(t, w, "sitemon_config_last_reload_successful"); v != 0 {
			t.Errorf("last reload successful = %v after a bad one", v)
		}

		w.save("a=1 b=2 c=1") // the content from before
		w.wantRunning(t, 2, "a b c")
		if _, bad := w.Running(); bad != nil {
			t.Errorf("still refused after the good content came back: %+v", bad)
		}
		if v := metric(t, w, "sitemon_config_last_reload_successful"); v != 1 {
			t.Errorf("last reload successful = %v after a good one", v)
		}
		if applied, n := w.history[2].Applied, len(w.history); applied || n != 4 {
			t.Errorf("history %+v, want four reloads, the third refused", w.history)
		}
	})
}

func TestSitesOfAnotherSourceAreAnErrorOfTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "a=1", owners: map[string]string{"b": "other.yaml"}}
		if err := begin(t, w); err != nil {
			t.Fatal(err)
		}
		const want = `sites.yaml: site "b" belongs to other.yaml, and stays as it is there`
		wantError := func(reloads int) {
			t.Helper()
			_, bad := w.Running()
			if bad == nil || !bad.Applied || len(bad.Errors) != 1 || bad.Errors[0].String() != want {
				t.Fatalf("the newest reload: %+v, want an applied one with an error", bad)
			}
			if newest := w.history[len(w.history)-1]; len(w.history) != reloads || len(newest.Errors) != 1 {
				t.Errorf("history %+v, want the error with the last of %d", w.history, reloads)
			}
			if v := metric(t, w, "sitemon_config_last_reload_successful"); v != 0 {
				t.Errorf("last reload successful = %v", v)
			}
		}
		w.save("a=1 b=1 c=1")
		w.wantRunning(t, 2, "a b c")
		wantError(2)
		w.save("a=1 c=1")
		if _, bad := w.Running(); bad != nil {
			t.Errorf("still an error after the site left: %+v", bad)
		}

		// The store is away, and says so only later.
		w.set(func(w *world) { w.syncErr = errors.New("away") })
		w.save("a=1 c=1 b=2")
		if _, bad := w.Running(); bad != nil {
			t.Errorf("an error that nobody can know yet: %+v", bad)
		}
		w.set(func(w *world) { w.syncErr = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		wantError(5) // the edit, and what the store said of it
	})
}

func metric(t *testing.T, w *world, name string) float64 {
	t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestSameContentIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "a=1"}
		if err := begin(t, w); err != nil {
			t.Fatal(err)
		}
		w.save("a=1")
		if len(w.history) != 1 {
			t.Errorf("a touched file made a reload: %+v", w.history)
		}
		plan, err := w.Reload(t.Context()) // asked for: read again, nothing new
		if err != nil || !plan.Empty() || plan.Unchanged != 1 {
			t.Errorf("plan %+v, err %v, want one unchanged site", plan, err)
		}
		w.wantRunning(t, 1, "a")
	})
}

func TestMissingFileChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "a=1"}
		if err := begin(t, w); err != nil {
			t.Fatal(err)
		}
		w.set(func(w *world) { w.readErr = fs.ErrNotExist })
		for range 3 {
			w.Hint()
			synctest.Wait()
		}
		w.wantRunning(t, 1, "a")
		if _, bad := w.Running(); bad == nil || bad.Errors[0].Line != 0 {
			t.Errorf("refused %+v, want that the file is missing", bad)
		}
		if len(w.history) != 2 {
			t.Errorf("%d reloads in the history: a missing file is said once", len(w.history))
		}
		w.save("a=1")
		if _, bad := w.Running(); bad != nil {
			t.Errorf("still refused after the file came back: %+v", bad)
		}
	})
}

func TestReloadReturnsTheFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "a=1"}
		if err := begin(t, w); err != nil {
			t.Fatal(err)
		}
		w.set(func(w *world) { w.disk = "!" })
		_, err := w.Reload(t.Context())
		var problems sitemon.Problems
		if !errors.As(err, &problems) || !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("error %v, want Problems", err)
		}
	})
}

func TestStartWithABadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{disk: "!"}
		if err := begin(t, w); !errors.Is(err, sitemon.ErrInvalid) {
			t.Errorf("error %v, want the faults: no sites are known", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		known, _, _ := text("old=1").Parse()
		w := &world{disk: "!", stored: known.Sites, gen: sitemon.Generation{Number: 5}}
		if err := begin(t, w); err != nil {
			t.Fatalf("error %v, want the known sites to run", err)
		}
		w.wantRunning(t, 5, "old")
		if _, bad := w.Running(); bad == nil {
			t.Error("the faults are not shown")
		}
		w.save("new=1")
		w.wantRunning(t, 6, "new")
	})
}

func TestSlowOrBrokenStoreDelaysNoEdit(t *testing.T) {
	tests := map[string]func(w *world){
		"hangs for a minute": func(w *world) { w.delay = time.Minute },
		"fails":              func(w *world) { w.syncErr = errors.New("disk full") },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{disk: "a=1"}
				if err := begin(t, w); err != nil {
					t.Fatal(err)
				}
				w.set(breakIt)
				sites, added := "a", ""
				for _, added = range []string{"b", "c", "d"} {
					sites += " " + added
					w.save(text(strings.ReplaceAll(sites+" ", " ", "=1 ")))
					time.Sleep(600 * time.Millisecond)
					w.wantRunning(t, 1, sites)
					if p := w.plans[len(w.plans)-1]; p.Generation != 1 || !reflect.DeepEqual(p.Added, []string{added}) {
						t.Errorf("plan %+v, want %s added under generation 1 although it is not stored", p, added)
					}
					if gen, _ := w.Running(); !gen.Unstored || gen.Sites != len(strings.Fields(sites)) {
						t.Errorf("running %+v, want it to say that it is not stored", gen)
					}
				}
				w.set(func(w *world) { w.syncErr, w.delay = nil, 0 })
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if gen, _ := w.Running(); gen.Number < 2 || gen.Unstored || gen.Hash != w.disk.Hash() || w.runGen != gen.Number {
					t.Errorf("running %+v, want the newest document once it is stored", gen)
				}
				if newest := w.synced[len(w.synced)-1]; newest != w.disk.Hash() {
					t.Errorf("the store has %s, want the newest document", newest)
				}
				if len(w.history) != 4 {
					t.Errorf("history %+v, want all four reloads once the store answers", w.history)
				}
			})
		})
	}
}
