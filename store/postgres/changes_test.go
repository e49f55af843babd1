package postgres_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/store/postgres"
)

// define makes sites of a minute known to a store.
func define(t testing.TB, db *postgres.DB, names ...string) {
	t.Helper()
	doc := sitemon.Document{Source: "sites.yaml", Hash: time.Now().String()}
	for _, name := range names {
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Enabled: true,
			Interval: time.Minute, Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1, Definition: []byte(`{"name":"` + name + `"}`),
		})
	}
	if _, _, err := db.SyncSites(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
}

// connect opens a connection beside the store.
func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}

func execute(t testing.TB, conn *pgx.Conn, query string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// TestChanges follows what others write, of whom one overtakes another.
func TestChanges(t *testing.T) {
	dsn := testkit.Postgres(t)
	db := open(t, dsn, postgres.Options{})
	define(t, db, "a", "b", "c", "d")
	seq := int64(-1)
	next := func(want ...string) {
		t.Helper()
		changes, newest, err := db.Changes(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.Site+" "+string(c.Status))
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("changes %q, want %q", got, want)
		}
		seq = newest
	}
	slow, quick := connect(t, dsn), connect(t, dsn)
	const write = "UPDATE site_status SET status = $2, changed_seq = nextval('site_status_seq') WHERE site_id = (SELECT id FROM site_names WHERE name = $1)"
	execute(t, quick, write, "a", "up")
	execute(t, slow, "BEGIN")
	execute(t, slow, write, "b", "down")
	execute(t, quick, write, "a", "degraded")
	next()
	next()
	execute(t, slow, "COMMIT")
	next("b down")
	execute(t, quick, write, "a", "up")
	next("a up")
	next()
	execute(t, slow, "BEGIN")
	execute(t, slow, write, "b", "up")
	execute(t, quick, write, "c", "up")
	next("c up")
	execute(t, slow, "COMMIT")
	execute(t, quick, write, "d", "down")
	next("b up", "d down")
	next()
}

func TestJudged(t *testing.T) {
	dsn := testkit.Postgres(t)
	one, two := open(t, dsn, postgres.Options{Instance: "one"}), open(t, dsn, postgres.Options{Instance: "two"})
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	side := connect(t, dsn)
	for _, step := range []struct {
		name string
		do   func() error
		at   time.Time // zero: nobody knows
	}{
		{"nobody reads", func() error { return nil }, time.Time{}},
		{"one of two partitions is read", func() error {
			return one.ReadTo(t.Context(), "t", 2, map[int]time.Time{0: ago(time.Second)})
		}, time.Time{}},
		{"both are", func() error { return two.ReadTo(t.Context(), "t", 2, map[int]time.Time{1: ago(time.Minute)}) }, ago(time.Minute)},
		{"another topic", func() error { return two.ReadTo(t.Context(), "u", 1, map[int]time.Time{0: ago(time.Hour)}) }, ago(time.Minute)},
		{"the slower one catches up, its clock ahead", func() error {
			return two.ReadTo(t.Context(), "t", 2, map[int]time.Time{1: ago(-time.Hour)})
		}, ago(time.Second)},
		{"all are ahead", func() error { return one.ReadTo(t.Context(), "t", 2, map[int]time.Time{0: ago(-time.Second)}) }, now},
		{"a partition is added", func() error {
			return one.ReadTo(t.Context(), "t", 3, map[int]time.Time{0: now, 1: now})
		}, time.Time{}},
		{"and read", func() error { return one.ReadTo(t.Context(), "t", 3, map[int]time.Time{2: ago(time.Second)}) }, ago(time.Second)},
		{"an owner says nothing any more", func() error {
			execute(t, side, "UPDATE writer_partitions SET seen_at = clock_timestamp() - interval '11 s' WHERE partition = 1 AND topic = 't'")
			return nil
		}, time.Time{}},
		{"another takes over", func() error { return two.ReadTo(t.Context(), "t", 3, map[int]time.Time{1: ago(time.Minute)}) }, ago(time.Minute)},
		{"the topic is made anew, smaller", func() error {
			return two.ReadTo(t.Context(), "t", 1, map[int]time.Time{0: ago(time.Second)})
		}, ago(time.Second)},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		at, ok, err := one.Judged(t.Context(), "t", now)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if !at.Equal(step.at) || ok == step.at.IsZero() {
			t.Fatalf("%s: judged up to %v, %t; want %v", step.name, at, ok, step.at)
		}
	}
}
