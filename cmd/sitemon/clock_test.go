package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A monitor whose clock is off says so. The database's clock stands in for it.
func TestClockOff(t *testing.T) {
	s, dir, web := newShared(t), t.TempDir(), newTarget(t)
	s.environ = s.environ[2:] // the database alone
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	p := s.start(dir, "all-1", "all")
	s.waitRows("a", "up")
	ready := func() string {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return string(b)
	}
	if got := ready(); strings.Contains(got, "clock") {
		t.Errorf("the clock is right: %s", got)
	}
	p.stop()
	s.exec(`CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
AS $$ SELECT pg_catalog.clock_timestamp() + interval '5 minutes' $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`)
	p = s.start(dir, "all-1", "all")
	waitFor(t, "the clock is said to be wrong", func() bool {
		return strings.Contains(ready(), "the clock of this machine is 5m0s behind the store's")
	})
}
