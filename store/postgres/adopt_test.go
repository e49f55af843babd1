package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/testkit"
)

func TestRowsPutInByHand(t *testing.T) {
	s := newShared(t)
	s.equal("nothing to do", s.adopt(s.a), 0)
	s.exec(`INSERT INTO sites (name, url) VALUES ('least', 'https://example.org/')`)
	s.exec(`INSERT INTO sites (name, url, interval_seconds, timeout_seconds, regex, enabled)
VALUES ('most', 'tcp://example.org:5432', 0.5 + 1, 1, NULL, false)`)
	s.equal("taken up", s.adopt(s.a), 2)
	least, err := s.b.Site(t.Context(), "least")
	s.check(err)
	s.equal("least", least, sitemon.SiteState{
		Name: "least", URL: "https://example.org/", Kind: sitemon.KindHTTP, Tags: []string{}, Interval: time.Minute, Timeout: 10 * time.Second,
		Enabled: true, Status: sitemon.StatusUnknown,
	})
	most, err := s.b.Site(t.Context(), "most")
	s.check(err)
	s.equal("most", []any{most.Kind, most.Interval, most.Timeout, most.Status},
		[]any{sitemon.KindTCP, 1500 * time.Millisecond, time.Second, sitemon.StatusPaused})
	s.equal("again", s.adopt(s.b), 0)

	s.pass(time.Minute)
	s.exec("UPDATE sites SET enabled = NOT enabled, interval_seconds = 2 WHERE name = 'most'")
	s.exec("UPDATE sites SET url = url WHERE name = 'least'")
	s.equal("changed", s.adopt(s.b), 1)
	s.equal("plans", s.one(`SELECT interval_ms || ':' || enabled || ':' || ("to" IS NULL) FROM site_plans p JOIN site_names n ON n.id = p.site_id
WHERE n.name = 'most' ORDER BY "from"`), "1500:false:false 2000:true:true")
	s.equal("touched", s.one("SELECT count(*) FROM sites WHERE touched"), "0")

	s.pass(time.Minute)
	s.exec("DELETE FROM sites WHERE name = 'most'")
	s.equal("deleted", s.adopt(s.a), 1)
	s.equal("sites", s.watched(), "/least=")
	s.exec("TRUNCATE sites")
	s.equal("truncated", s.adopt(s.a), 1)
	s.equal("sites", s.watched(), "")
	reloads, err := s.a.Reloads(t.Context(), 0)
	s.check(err)
	var got []string
	for _, r := range reloads {
		got = append(got, fmt.Sprintf("%d:%s+%d~%d-%d", r.Generation, r.Source, r.Added, r.Changed, r.Removed))
	}
	s.equal("history", got, []string{"4:+0~0-1", "3:+0~0-1", "2:+0~1-0", "1:+2~0-0"})
}

// A report and then a pause by hand: what the site was before says nothing of it.
func TestPauseByHand(t *testing.T) {
	s := newShared(t)
	s.exec("INSERT INTO sites (name, url) VALUES ('a', 'https://example.org/')")
	s.adopt(s.a)
	_, err := s.a.Record(t.Context(), []sitemon.Report{{
		Site: "a", Location: "default", Slot: s.clock(), Interval: time.Minute, Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus,
	}})
	s.check(err)
	status := func() sitemon.Status {
		t.Helper()
		a, err := s.b.Site(t.Context(), "a")
		s.check(err)
		return a.Status
	}
	s.equal("down", status(), sitemon.StatusDown)
	s.pass(time.Second)
	s.exec("UPDATE sites SET enabled = false")
	s.adopt(s.b)
	s.equal("paused", status(), sitemon.StatusPaused)
	s.exec("UPDATE sites SET enabled = true")
	s.adopt(s.b)
	s.equal("resumed", status(), sitemon.StatusUnknown)
	s.exec("DELETE FROM sites")
	s.adopt(s.b)
	s.pass(time.Minute)
	s.exec("INSERT INTO sites (name, url) VALUES ('a', 'https://example.org/')")
	s.adopt(s.b)
	s.equal("back", status(), sitemon.StatusUnknown)
	reports, _, err := s.a.Reports(t.Context(), sitemon.ReportQuery{Site: "a"})
	s.check(err)
	s.equal("history", len(reports), 1)
}

func TestRowsThatCannotBeProbed(t *testing.T) {
	for name, tt := range map[string]struct{ columns, values, want string }{
		"no scheme":            {"url", "'example.org'", "url"},
		"a bad regex":          {"url, regex", "'https://example.org/', '(?=x)'", "regex"},
		"no interval":          {"url, interval_seconds", "'https://example.org/', 0", "interval_seconds"},
		"an endless interval":  {"url, interval_seconds", "'https://example.org/', 'Infinity'", "interval_seconds"},
		"no number":            {"url, timeout_seconds", "'https://example.org/', 'NaN'", "timeout_seconds"},
		"a timeout too long":   {"url, interval_seconds, timeout_seconds", "'https://example.org/', 5, 60", "timeout"},
		"an interval too long": {"url, interval_seconds", "'https://example.org/', 999999", "interval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t)
			s.exec("INSERT INTO sites (name, url) VALUES ('good', 'https://example.org/')")
			s.exec("INSERT INTO sites (name, " + tt.columns + ") VALUES ('bad', " + tt.values + ")")
			s.equal("taken up", s.adopt(s.a), 1)
			s.equal("sites", s.watched(), "/good=")
			if problem := s.one("SELECT problem FROM sites WHERE name = 'bad'"); !strings.Contains(problem, tt.want) {
				t.Errorf("problem %q, want something about %s", problem, tt.want)
			}
			v, err := s.a.Version(t.Context())
			s.check(err)
			s.equal("it is left alone then", s.adopt(s.a), 0)
			same, err := s.a.Version(t.Context())
			s.check(err)
			s.equal("version", same, v)
			reloads, err := s.a.Reloads(t.Context(), 1)
			s.check(err)
			if r := reloads[0]; len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Message, "bad") {
				t.Errorf("history %+v, want the problem", r)
			}
			s.exec("UPDATE sites SET url = 'https://example.org/', regex = NULL, interval_seconds = NULL, timeout_seconds = NULL WHERE name = 'bad'")
			s.equal("mended", s.adopt(s.a), 1)
			s.equal("sites", s.watched(), "/bad= /good=")
		})
	}
}

func TestRenamedByHand(t *testing.T) {
	s := newShared(t)
	s.sync(s.a, "a.yaml", "old kept")
	s.pass(time.Minute)
	s.exec("UPDATE sites SET name = 'new' WHERE name = 'old'")
	s.equal("one leaves, one comes", s.adopt(s.b), 2)
	s.equal("sites", s.watched(), "a.yaml/kept= a.yaml/new=")
	s.pass(time.Minute)
	s.exec("INSERT INTO sites (name, url) VALUES ('old', 'https://example.org/x')")
	s.exec("UPDATE sites SET name = 'newer' WHERE name = 'new'")
	s.exec("UPDATE sites SET name = 'new' WHERE name = 'old'")
	s.adopt(s.b)
	s.equal("sites", s.watched(), "a.yaml/kept= a.yaml/newer= /new=x")
	s.sync(s.a, "a.yaml", "old kept")
	s.equal("the file has the last word", s.watched(), "a.yaml/old= a.yaml/kept= /new=x")
}

// A row that somebody is writing is left out, and not forgotten.
func TestRowsBeingWritten(t *testing.T) {
	s := newShared(t)
	s.exec("INSERT INTO sites (name, url) VALUES ('a', 'https://example.org/'), ('b', 'https://example.org/')")
	tx, err := s.sql.Begin(t.Context())
	s.check(err)
	_, err = tx.Exec(t.Context(), "SELECT FROM sites WHERE name = 'a' FOR UPDATE")
	s.check(err)
	s.equal("the other row", s.adopt(s.a), 1)
	v, err := s.a.Version(t.Context())
	s.check(err)
	s.equal("still only that", s.adopt(s.a), 0)
	if again, err := s.a.Version(t.Context()); err != nil || again == v {
		t.Errorf("version %d, err %v: want another one, so that somebody looks again", again, err)
	}
	s.check(tx.Rollback(t.Context()))
	s.equal("then the first", s.adopt(s.a), 1)
}

// Who may write the table sites needs no other right.
func TestRightsOfPeople(t *testing.T) {
	s := newShared(t)
	role := strings.ReplaceAll(testkit.Unique("ops"), "-", "_")
	s.exec("CREATE ROLE " + role)
	defer func() {
		s.exec("DROP OWNED BY " + role)
		s.exec("DROP ROLE " + role)
	}()
	s.exec("GRANT SELECT, INSERT, UPDATE, DELETE ON sites TO " + role)
	tx, err := s.sql.Begin(t.Context())
	s.check(err)
	for _, sql := range []string{
		"SET LOCAL ROLE " + role, "SET LOCAL search_path = ''",
		"INSERT INTO public.sites (name, url) VALUES ('a', 'https://example.org/')", "UPDATE public.sites SET enabled = true",
	} {
		_, err = tx.Exec(t.Context(), sql)
		s.check(err)
	}
	s.check(tx.Commit(t.Context()))
	s.equal("taken up", s.adopt(s.a), 1)
}

// Many rows at once are one generation.
func TestManyRowsPutInByHand(t *testing.T) {
	s := newShared(t)
	s.exec("INSERT INTO sites (name, url) SELECT 'site-' || n, 'https://example.org/' || n FROM generate_series(1, 2000) AS n")
	s.equal("taken up", s.adopt(s.a), 2000)
	f := newFollower(s)
	f.follow()
	s.equal("together", f.sites["site-7"].Together, 2000)
	s.exec("UPDATE sites SET enabled = false")
	s.equal("paused", s.adopt(s.b), 2000)
	s.equal("generation", s.one("SELECT generation FROM config_version"), "2")
}
