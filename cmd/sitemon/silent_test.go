package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
)

// silentLeast is how long a monitor is silent before that is told, at least.
const silentLeast = 2 * time.Minute

// TestMonitorSilent kills the only monitor and leaves it dead for a while (TEST_SILENCE;
// it takes two minutes until anybody is told). Its sites become unknown and not down,
// one notification says why, and when it is back another one does; the time between
// is unknown, and no incident is made of it.
func TestMonitorSilent(t *testing.T) {
	t.Parallel()
	lasts := silentLeast
	if s := os.Getenv("TEST_SILENCE"); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatalf("TEST_SILENCE: %v", err)
		}
	}
	s, dir, web, h := newShared(t), t.TempDir(), newTarget(t), newHook(t)
	save(t, dir, "sites.yaml", "alerting: {group_wait: 1s, channels: {hook: {webhook: {url: "+h.URL+", secret: "+hookSecret+"}}}}\n"+
		strings.Replace(sites(web, "a:/", "b:/", "c:/"), "interval: 1s", "interval: 1s, alerts: hook", 1))
	w := s.start(dir, "writer-1", "writer")
	m := s.start(dir, "monitor-1", "monitor")
	s.waitRows("a", "up")
	s.waitRows("c", "up")
	m.kill()
	killed := time.Now()
	for _, site := range []string{"a", "b", "c"} {
		waitLong(t, "site "+site+" is unknown", func() bool { return w.sites()[site].Status == sitemon.StatusUnknown })
	}
	waitLong(t, "the silence is told", func() bool { return len(h.all()) > 0 })
	waitAtMost(t, lasts+time.Minute, "the silence has lasted long enough", func() bool { return time.Since(killed) > lasts })
	if got := w.sites()["a"].Status; got != sitemon.StatusUnknown {
		t.Errorf("after %s of silence a is %s, want unknown", lasts, got)
	}

	s.start(dir, "monitor-1", "monitor")
	for _, site := range []string{"a", "b", "c"} {
		w.waitStatus(site, sitemon.StatusUp)
	}
	waitLong(t, "it is told that the monitor is back", func() bool { return len(h.all()) > 1 })
	var said []string
	for _, d := range h.all() {
		said = append(said, string(d.Kind))
		t.Log(d.Summary)
	}
	if want := []string{string(sitemon.NotifyMonitorSilent), string(sitemon.NotifyMonitorBack)}; !slices.Equal(said, want) {
		t.Errorf("told %s, want %s", strings.Join(said, ", "), strings.Join(want, ", "))
	}
	var list struct{ Incidents []incidentRow }
	if w.get("/api/v1/incidents", &list); len(list.Incidents) > 0 {
		t.Errorf("silence became incidents: %+v", list.Incidents)
	}
	if n := s.number("SELECT count(*) FROM reports WHERE outcome = 'down'"); n != 0 {
		t.Errorf("%d rows say down", n)
	}
	if n, least := s.number("SELECT sum(slots)::int FROM gaps WHERE site = 'a'"), int(lasts/time.Second)-2; n < least {
		t.Errorf("%d slots of a are in gaps, want at least %d", n, least)
	}
}
