package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sitemon"
	"sitemon/config"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// shared is a database with two processes that have it open, and somebody who
// writes SQL into it.
type shared struct {
	*testing.T
	a, b *postgres.DB
	sql  *pgxpool.Pool
	at   atomic.Int64 // the time, microseconds since 1970
}

func newShared(t *testing.T) *shared {
	s := &shared{T: t}
	s.at.Store(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).UnixMicro())
	dsn := testkit.Postgres(t)
	s.a = open(t, dsn, postgres.Options{Instance: "a", Clock: s.clock})
	s.b = open(t, dsn, postgres.Options{Instance: "b", Clock: s.clock})
	var err error
	if s.sql, err = pgxpool.New(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sql.Close)
	return s
}

func (s *shared) clock() time.Time     { return time.UnixMicro(s.at.Load()).UTC() }
func (s *shared) pass(d time.Duration) { s.at.Add(d.Microseconds()) }

func (s *shared) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shared) equal(what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// exec writes by hand and returns how many rows that were.
func (s *shared) exec(sql string, args ...any) int64 {
	s.Helper()
	tag, err := s.sql.Exec(s.Context(), sql, args...)
	s.check(err)
	return tag.RowsAffected()
}

// one returns the rows of a query of one column, joined by spaces.
func (s *shared) one(sql string, args ...any) string {
	s.Helper()
	var v string
	s.check(s.sql.QueryRow(s.Context(), "SELECT coalesce(string_agg(x::text, ' '), '') FROM ("+sql+") AS q (x)", args...).Scan(&v))
	return v
}

// site makes a site of a row as config does.
func site(t testing.TB, name, url string, change ...func(*config.Row)) sitemon.Site {
	t.Helper()
	r := config.Row{Name: name, URL: url, Enabled: true}
	for _, f := range change {
		f(&r)
	}
	made, err := config.SiteFromRow(r, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// sync applies a document of a source: words "name" or "name=path".
func (s *shared) sync(db *postgres.DB, source, words string) sitemon.Plan {
	s.Helper()
	doc := sitemon.Document{Source: source, Hash: source + ": " + words}
	for word := range strings.FieldsSeq(words) {
		name, path, _ := strings.Cut(word, "=")
		doc.Sites = append(doc.Sites, site(s, name, "https://example.org/"+path))
	}
	_, p, err := db.SyncSites(s.Context(), doc)
	s.check(err)
	return p
}

// adopt takes up rows written by hand.
func (s *shared) adopt(db *postgres.DB) int {
	s.Helper()
	n, err := db.Adopt(s.Context(), func(r postgres.HandRow) (sitemon.Site, error) {
		return config.SiteFromRow(config.Row(r), time.Minute)
	})
	s.check(err)
	s.sound()
	return n
}

// watched are the sites that are watched as "source/name=path", in the order of
// [postgres.DB.Known].
func (s *shared) watched() string {
	s.Helper()
	defs, _, err := s.a.Known(s.Context())
	s.check(err)
	var words []string
	for _, d := range defs {
		made, err := config.DecodeSite(d.Name, d.JSON)
		s.check(err)
		source := s.one("SELECT source FROM sites WHERE name = $1", d.Name)
		words = append(words, source+"/"+d.Name+"="+strings.TrimPrefix(made.URL, "https://example.org/"))
	}
	return strings.Join(words, " ")
}

// sound checks what must hold after every change: each watched site, and no other,
// has an open plan that is its own, and a status; plans follow each other.
func (s *shared) sound() {
	s.Helper()
	const live = "SELECT site_id, interval_ms, enabled FROM sites WHERE site_id IS NOT NULL AND definition <> '' AND problem = '' AND NOT touched"
	const open = `SELECT site_id, interval_ms, enabled FROM site_plans WHERE "to" IS NULL`
	for what, sql := range map[string]string{
		"sites without their plan":   live + " EXCEPT " + open,
		"sites without their status": "SELECT site_id FROM (" + live + ") s EXCEPT SELECT site_id FROM site_status",
		"plans without their site":   "SELECT site_id FROM (" + open + ") p EXCEPT SELECT site_id FROM sites WHERE problem = ''",
		"statuses without a plan":    "SELECT site_id FROM site_status EXCEPT SELECT site_id FROM (" + open + ") p",
		"plans that overlap": `SELECT site_id FROM (SELECT site_id, "to", lead("from") OVER (PARTITION BY site_id ORDER BY "from") AS next
 FROM site_plans) p WHERE "to" > next OR "to" IS NULL AND next IS NOT NULL`,
		"sites under another name": "SELECT s.name FROM sites s JOIN site_names n ON n.id = s.site_id WHERE n.name <> s.name AND NOT s.touched",
	} {
		if got := s.one("SELECT t::text FROM (" + sql + ") t"); got != "" {
			s.Fatalf("%s: %s", what, got)
		}
	}
}

func TestSourcesDoNotFight(t *testing.T) {
	s := newShared(t)
	s.sync(s.a, "a.yaml", "one both")
	p := s.sync(s.b, "b.yaml", "both=mine two")
	s.equal("refused", p.Refused, []sitemon.Refusal{{Name: "both", Owner: "a.yaml"}})
	s.equal("added", p.Added, []string{"two"})
	s.equal("generation", p.Generation, int64(2))
	s.equal("sites", s.watched(), "a.yaml/one= a.yaml/both= b.yaml/two=")
	if p := s.sync(s.a, "a.yaml", "both one"); !p.Empty() {
		t.Errorf("another order: %+v", p)
	}
	s.equal("order", s.watched(), "a.yaml/both= a.yaml/one= b.yaml/two=")

	// The site becomes free with the document that owns it, and not before.
	p = s.sync(s.a, "a.yaml", "one")
	s.equal("removed", p.Removed, []string{"both"})
	p = s.sync(s.b, "b.yaml", "both=mine two")
	s.equal("added later", p.Added, []string{"both"})
	s.equal("sites", s.watched(), "a.yaml/one= b.yaml/both=mine b.yaml/two=")
	p = s.sync(s.a, "a.yaml", "")
	s.equal("an empty document takes its own sites along", p.Removed, []string{"one"})
	s.equal("sites", s.watched(), "b.yaml/both=mine b.yaml/two=")
	s.sound()
}

func TestMemoryOfDocuments(t *testing.T) {
	s := newShared(t)
	held := func(source, hash string) string {
		t.Helper()
		h, current, err := s.b.Held(t.Context(), source, hash)
		s.check(err)
		return fmt.Sprint(h, " ", current)
	}
	s.equal("nothing yet", held("a.yaml", "a.yaml: x"), "false ")
	s.sync(s.a, "a.yaml", "x")
	s.sync(s.a, "a.yaml", "x y")
	s.equal("now", held("a.yaml", "a.yaml: x y"), "true a.yaml: x y")
	s.equal("before", held("a.yaml", "a.yaml: x"), "true a.yaml: x y")
	s.equal("never", held("a.yaml", "a.yaml: z"), "false a.yaml: x y")
	s.equal("another source", held("b.yaml", "a.yaml: x"), "false ")
	s.sync(s.b, "a.yaml", "x")
	s.equal("rolled back", held("a.yaml", "a.yaml: x y"), "true a.yaml: x")
}

func TestADocumentTakesOverRowsPutInByHand(t *testing.T) {
	s := newShared(t)
	s.exec("INSERT INTO sites (name, url, enabled) VALUES ('same', 'https://example.org/', true), ('other', 'https://example.org/hand', true), ('new', 'https://example.org/', true)")
	s.exec("DELETE FROM sites WHERE name = 'new'")
	s.equal("taken up", s.adopt(s.a), 2)
	s.exec("INSERT INTO sites (name, url, regex) VALUES ('new', 'nonsense', '(')")
	p := s.sync(s.b, "a.yaml", "same other=file new")
	s.equal("plan", []any{p.Added, len(p.Changed), p.Unchanged}, []any{[]string{"new"}, 1, 1})
	s.equal("sites", s.watched(), "a.yaml/same= a.yaml/other=file a.yaml/new=")
	s.equal("columns", s.one("SELECT name || ':' || interval_seconds::int || ':' || coalesce(regex, '-') || ':' || touched FROM sites ORDER BY name"),
		"new:60:-:false other:60:-:false same:60:-:false")
	s.sound()
	s.equal("nothing is left to be taken up", s.adopt(s.a), 0)
}

// A file-owned row changed by hand stays changed until its file is applied again.
func TestRowsOfAFileChangedByHand(t *testing.T) {
	s := newShared(t)
	s.sync(s.a, "a.yaml", "one two")
	s.exec("UPDATE sites SET url = 'https://example.org/hand', interval_seconds = 5, timeout_seconds = 2.5, regex = 'x' WHERE name = 'one'")
	s.exec("UPDATE sites SET url = 'https://example.org/lost' WHERE name = 'two'")
	s.exec("UPDATE sites SET url = 'https://example.org/' WHERE name = 'two'") // as it was
	s.equal("changed", s.adopt(s.b), 1)
	s.equal("sites", s.watched(), "a.yaml/one=hand a.yaml/two=")
	one, err := s.a.Site(t.Context(), "one")
	s.check(err)
	s.equal("times", []time.Duration{one.Interval, one.Timeout}, []time.Duration{5 * time.Second, 2500 * time.Millisecond})
	s.exec("UPDATE sites SET regex = NULL WHERE name = 'one'")
	s.equal("without regex", s.adopt(s.b), 1)
	if def := s.one("SELECT definition FROM sites WHERE name = 'one'"); strings.Contains(def, "regex") || !strings.Contains(def, "/hand") {
		t.Errorf("definition %s, want no regex and the rest as it was", def)
	}
	p := s.sync(s.a, "a.yaml", "one two")
	if len(p.Changed) != 1 || p.Changed[0].Name != "one" || !p.Changed[0].Rescheduled {
		t.Errorf("plan %+v, want one changed back", p)
	}
	s.equal("sites", s.watched(), "a.yaml/one= a.yaml/two=")

	// Somebody else's change is applied over without having been taken up.
	s.exec("UPDATE sites SET url = 'https://example.org/hand' WHERE name = 'one'")
	if p := s.sync(s.a, "a.yaml", "one two"); !p.Empty() {
		t.Errorf("plan %+v, want nothing: the change never ran", p)
	}
	s.equal("columns", s.one("SELECT url FROM sites"), "https://example.org/ https://example.org/")
	s.exec("DELETE FROM sites WHERE name = 'one'")
	p = s.sync(s.a, "a.yaml", "one two")
	s.equal("a row deleted by hand comes back", p.Added, []string{"one"})
	s.sound()
}

// Whatever people and documents do, in whichever process, what is watched is what
// the rules say, and who follows ends up with the same.
func TestSyncAndHandsAtRandom(t *testing.T) {
	s := newShared(t)
	rnd := rand.New(rand.NewPCG(11, 12))
	type row struct{ source, path string }
	rows := map[string]row{}
	names := strings.Fields("a b c d e f g h")
	follower := newFollower(s)
	for step := range 150 {
		s.pass(time.Duration(rnd.IntN(3)) * time.Second)
		db := []*postgres.DB{s.a, s.b}[rnd.IntN(2)]
		name, path := names[rnd.IntN(len(names))], fmt.Sprint(rnd.IntN(4))
		old, there := rows[name]
		switch rnd.IntN(8) {
		case 0, 1, 2:
			source := []string{"a.yaml", "b.yaml"}[rnd.IntN(2)]
			var words []string
			for _, n := range names {
				if rnd.IntN(2) == 0 {
					words = append(words, n+"="+fmt.Sprint(rnd.IntN(4)))
				}
			}
			s.sync(db, source, strings.Join(words, " "))
			wanted := map[string]bool{}
			for _, w := range words {
				n, p, _ := strings.Cut(w, "=")
				wanted[n] = true
				if r, ok := rows[n]; !ok || r.source == "" || r.source == source {
					rows[n] = row{source, p}
				}
			}
			for n, r := range rows {
				if r.source == source && !wanted[n] {
					delete(rows, n)
				}
			}
		case 3, 4:
			if there {
				s.exec("UPDATE sites SET url = $2 WHERE name = $1", name, "https://example.org/"+path)
				rows[name] = row{old.source, path}
			} else {
				s.exec("INSERT INTO sites (name, url) VALUES ($1, $2)", name, "https://example.org/"+path)
				rows[name] = row{"", path}
			}
		case 5:
			s.exec("DELETE FROM sites WHERE name = $1", name)
			delete(rows, name)
		case 6:
			if to := names[rnd.IntN(len(names))]; there && rows[to] == (row{}) {
				s.exec("UPDATE sites SET name = $2 WHERE name = $1", name, to)
				delete(rows, name)
				rows[to] = old
			}
		case 7:
			if there {
				s.exec("UPDATE sites SET interval_seconds = 0 WHERE name = $1", name) // no such interval
				s.adopt(db)
				if strings.Contains(s.watched()+" ", "/"+name+"=") {
					t.Fatalf("step %d: %s has no interval and is watched", step, name)
				}
				follower.follow()
				s.exec("UPDATE sites SET interval_seconds = 60 WHERE name = $1", name)
			}
		}
		if rnd.IntN(3) > 0 {
			continue
		}
		s.adopt(db)
		want := map[string]row{}
		for word := range strings.FieldsSeq(s.watched()) {
			source, rest, _ := strings.Cut(word, "/")
			n, p, _ := strings.Cut(rest, "=")
			want[n] = row{source, p}
		}
		s.equal(fmt.Sprint("step ", step), want, rows)
		follower.follow()
		got := map[string]row{}
		for n, site := range follower.sites {
			made, err := config.DecodeSite(n, site.Definition)
			s.check(err)
			got[n] = row{site.Source, strings.TrimPrefix(made.URL, "https://example.org/")}
		}
		s.equal(fmt.Sprint("followed, step ", step), got, rows)
	}
}

// Two processes that apply and take up at the same time end up with one history of
// generations, and nothing is lost.
func TestEditsAtTheSameTime(t *testing.T) {
	s := newShared(t)
	var wg sync.WaitGroup
	for i, db := range []*postgres.DB{s.a, s.b, s.a, s.b} {
		wg.Go(func() {
			source := fmt.Sprintf("%d.yaml", i)
			for n := range 8 {
				doc := sitemon.Document{Source: source, Hash: fmt.Sprint(n), Sites: []sitemon.Site{
					site(t, fmt.Sprint("of-", i), "https://example.org/"+fmt.Sprint(n)), site(t, "contested", "https://example.org/"+source),
				}}
				if _, _, err := db.SyncSites(t.Context(), doc); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for n := range 8 {
				name := fmt.Sprintf("hand-%d-%d", i, n)
				if _, err := s.sql.Exec(t.Context(), "INSERT INTO sites (name, url) VALUES ($1, 'https://example.org/')", name); err != nil {
					t.Error(err)
				}
				_, err := db.Adopt(t.Context(), func(r postgres.HandRow) (sitemon.Site, error) { return config.SiteFromRow(config.Row(r), time.Minute) })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.adopt(s.a)
	s.sound()
	s.equal("sites", s.one("SELECT count(*) FROM sites WHERE NOT touched AND problem = ''"), fmt.Sprint(4+1+4*8))
	s.equal("generation", s.one("SELECT generation FROM config_version"), s.one("SELECT max(generation) FROM site_plans UNION ALL SELECT max(generation) FROM sites ORDER BY 1 DESC LIMIT 1"))
}

func TestSyncOfAStoreThatIsNotPrepared(t *testing.T) {
	db, err := postgres.Open(t.Context(), testkit.Postgres(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for what, f := range map[string]func(ctx context.Context) error{
		"sync":  func(ctx context.Context) error { _, _, err := db.SyncSites(ctx, sitemon.Document{}); return err },
		"known": func(ctx context.Context) error { _, _, err := db.Known(ctx); return err },
		"adopt": func(ctx context.Context) error { _, err := db.Adopt(ctx, nil); return err },
	} {
		if err := f(t.Context()); !errors.Is(err, postgres.ErrNotPrepared) {
			t.Errorf("%s: %v, want ErrNotPrepared", what, err)
		}
	}
}
