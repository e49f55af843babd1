package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/slot"
	"sitemon/store/postgres"
)

// follower is a monitor that follows the sites of a store.
type follower struct {
	*shared
	version int64
	have    map[string]string
	sites   map[string]postgres.StoredSite
	gen     sitemon.Generation
}

func newFollower(s *shared) *follower {
	return &follower{shared: s, version: -1, have: map[string]string{}, sites: map[string]postgres.StoredSite{}}
}

// follow reads what has changed, if the version says that something has, and
// returns its names, sorted.
func (f *follower) follow() string {
	f.Helper()
	v, err := f.b.Version(f.Context())
	f.check(err)
	if v == f.version {
		return ""
	}
	changed, removed, gen, err := f.b.Definitions(f.Context(), f.have)
	f.check(err)
	f.version, f.gen = v, gen
	var names []string
	for _, c := range changed {
		names = append(names, c.Name)
		f.have[c.Name], f.sites[c.Name] = c.Version, c
	}
	for _, name := range removed {
		names = append(names, "-"+name)
		delete(f.have, name)
		delete(f.sites, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestFollowers(t *testing.T) {
	s := newShared(t)
	f := newFollower(s)
	s.equal("nothing yet", f.follow(), "")
	s.equal("no generation", f.gen, sitemon.Generation{})
	s.sync(s.a, "a.yaml", "one two three")
	s.equal("all are new", f.follow(), "one three two")
	s.equal("generation", f.gen, sitemon.Generation{Number: 1, LoadedAt: s.clock(), Source: "a.yaml", Hash: "a.yaml: one two three", Sites: 3})
	first := f.gen.LoadedAt
	s.equal("nothing new", f.follow(), "")
	s.pass(time.Minute)
	s.sync(s.a, "a.yaml", "one=x three=x four")
	s.equal("differences", f.follow(), "-two four one three")
	for name, want := range map[string]int{"one": 3, "three": 3, "four": 3} {
		c := f.sites[name]
		s.equal(name, []any{c.Generation, c.LoadedAt, c.Due, c.Together}, []any{int64(2), s.clock(), true, want})
	}
	s.sync(s.a, "a.yaml", "three=x one=x four")
	s.equal("another order is nothing to follow", f.follow(), "")

	// What is not probed differently is not due.
	grouped := site(t, "one", "https://example.org/x")
	grouped.Group, grouped.Definition = "g", []byte(strings.Replace(string(grouped.Definition), "{", `{"group":"g",`, 1))
	_, _, err := s.a.SyncSites(t.Context(), sitemon.Document{Source: "a.yaml", Hash: "g", Sites: []sitemon.Site{grouped}})
	s.check(err)
	s.equal("a group", f.follow(), "-four -three one")
	s.equal("not due", []any{f.sites["one"].Due, f.sites["one"].Generation}, []any{false, int64(3)})

	// The last change by hand is a generation without a source.
	s.exec("INSERT INTO sites (name, url) VALUES ('hand', 'https://example.org/')")
	s.adopt(s.a)
	s.equal("by hand", f.follow(), "hand")
	s.equal("generation", f.gen, sitemon.Generation{Number: 4, LoadedAt: s.clock(), Sites: 2})
	s.equal("due", []any{f.sites["hand"].Due, f.sites["hand"].Together, f.sites["hand"].Source}, []any{true, 1, ""})
	if !f.gen.LoadedAt.After(first) {
		t.Error("the generations are of one moment")
	}
}

// A monitor that follows has the same extra slot as the one that applied the file.
func TestFollowersHaveTheSameExtraSlots(t *testing.T) {
	s := newShared(t)
	var doc sitemon.Document
	doc.Source = "a.yaml"
	for name := range strings.FieldsSeq("a b c d e f g") {
		doc.Sites = append(doc.Sites, site(t, name, "https://example.org/"))
	}
	gen, plan, err := s.a.SyncSites(t.Context(), doc)
	s.check(err)
	f := newFollower(s)
	f.follow()
	for name, c := range f.sites {
		grid := slot.NewGrid(name, time.Minute)
		want, _ := slot.Extra(name, grid, gen.LoadedAt, len(plan.Added))
		if got, _ := slot.Extra(name, grid, c.LoadedAt, c.Together); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// A transaction that is open for long neither holds up others nor is missed.
func TestVersionAndOpenTransactions(t *testing.T) {
	s := newShared(t)
	f := newFollower(s)
	tx, err := s.sql.Begin(t.Context())
	s.check(err)
	_, err = tx.Exec(t.Context(), "INSERT INTO sites (name, url) VALUES ('slow', 'https://example.org/')")
	s.check(err)
	s.sync(s.a, "a.yaml", "one")
	s.exec("INSERT INTO sites (name, url) VALUES ('quick', 'https://example.org/')")
	s.equal("others", s.adopt(s.a), 1)
	s.equal("followed", f.follow(), "one quick")
	s.check(tx.Commit(t.Context()))
	before := f.version
	f.follow()
	if f.version == before {
		t.Error("a transaction that began long ago is not seen")
	}
	s.equal("taken up", s.adopt(s.a), 1)
	s.equal("followed", f.follow(), "slow")
}

func TestListen(t *testing.T) {
	server := testkit.StartPostgres(t, testkit.PostgresOptions{})
	db := open(t, server.DSN, postgres.Options{})
	woken := make(chan struct{}, 100)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- db.Listen(ctx, func() { woken <- struct{}{} }) }()
	wait := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(30 * time.Second):
			t.Fatalf("not woken: %s", what)
		}
	}
	wait("when it stands")
	if _, _, err := db.SyncSites(t.Context(), sitemon.Document{Source: "a.yaml", Sites: []sitemon.Site{site(t, "a", "https://example.org/")}}); err != nil {
		t.Fatal(err)
	}
	wait("by a change")
	server.Kill()
	server.Start()
	wait("when it stands again")
	for len(woken) > 0 {
		<-woken
	}
	for { // the pool has to find the new server too
		_, _, err := db.SyncSites(t.Context(), sitemon.Document{Source: "a.yaml", Hash: "2"})
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	wait("by a change of the server that came back")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on after its context has ended")
	}
}
