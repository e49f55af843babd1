package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// oneDay is a series of one bucket, the last.
func oneDay(q availability.SeriesQuery) []availability.SeriesBucket {
	return []availability.SeriesBucket{{Start: q.To.Add(-10 * time.Hour), Up: 9 * time.Hour, Down: time.Hour}}
}

// wantSaid checks that a page says something, in this order of words.
func wantSaid(t *testing.T, text string, wants ...string) {
	t.Helper()
	said := words(text)
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q; it says\n%s", want, said)
		}
	}
}

func TestConfigPage(t *testing.T) {
	store := newAPIStore()
	text := page(t, newServer(t, store), "/config", 200)
	wantSaid(t, text, "The sites file was refused; the running sites go on", "Generation 17 Sites 3 Source sites.yaml",
		"Refused 2026-11-24 09:59:00 UTC generation 17 of sites.yaml , hash beef took 1.2 ms",
		`sites.yaml:7:15 unknown key "intervall"; did you mean "interval"?`,
		"Applied 2026-11-24 09:00:00 UTC generation 17 of sites.yaml , hash 5e88 1 added, 1 changed, 1 unchanged · took 12 ms",
		"What changed + added: new ~ changed: docs probed at once interval 30s → now 1m0s", "Reload now",
	)
	if want := "  - {name: a, intervall: 30s}\n<span aria-hidden=\"true\">              <b>^</b>"; !strings.Contains(text, want) {
		t.Errorf("the page does not hold %q", want)
	}
	store.reloads = store.reloads[1:]
	if text := page(t, newServer(t, store), "/", 200); strings.Contains(text, "was refused") {
		t.Error("the banner stays after a good file")
	}
}

func TestReloadByForm(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		reload *sitemon.Reload // that it leads to
		status int
		says   string
	}{
		{"applied", nil, &sitemon.Reload{Generation: 18, Applied: true, Added: 2, Unchanged: 3}, 303, "Applied 2 added, 3 unchanged"},
		{"nothing new", nil, &sitemon.Reload{Generation: 17, Applied: true, Unchanged: 3}, 303, "Read again no site has changed"},
		{"refused", sitemon.Problems{{File: "sites.yaml", Message: "bad"}}, &sitemon.Reload{Generation: 17, Errors: []sitemon.Problem{{File: "sites.yaml", Message: "bad"}}}, 303, "Refused the running sites go on; 1 fault"},
		{"not in the history yet", nil, nil, 303, "Configuration Reload now Running generation"},
		{"the store is away", errors.New("no way to the store"), nil, 503, "the sites file could not be applied"},
		{"no file", web.ErrNoFile, nil, 409, "this process reads no sites file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			store.reloadErr = c.err
			s := newServer(t, store)
			w := ask(s, "POST", "/config/reload", "Content-Type: application/x-www-form-urlencoded", "Origin: http://localhost:8080")
			wantStatus(t, w, c.status)
			if c.status != http.StatusSeeOther {
				wantSaid(t, body(w), c.says)
				return
			}
			if c.reload != nil {
				c.reload.At = testNow.Add(time.Millisecond)
				store.reloads = append([]sitemon.Reload{*c.reload}, store.reloads...)
			}
			wantSaid(t, page(t, s, w.Header().Get("Location"), 200), c.says)
		})
	}
	t.Run("from elsewhere", func(t *testing.T) {
		wantStatus(t, ask(newServer(t, newAPIStore()), "POST", "/config/reload", "Origin: https://evil.example.org"), 403)
	})
	t.Run("by a viewer", func(t *testing.T) {
		s := guarded(t, newAPIStore())
		wantStatus(t, ask(s, "POST", "/config/reload", viewerToken), 403)
		wantStatus(t, ask(s, "POST", "/config/reload", operatorToken), 303)
		if text := words(body(ask(s, "GET", "/config", viewerToken))); strings.Contains(text, "Reload now") {
			t.Errorf("a viewer is offered what is refused: %s", text)
		}
	})
	t.Run("without a file there is no button", func(t *testing.T) {
		store := newAPIStore()
		store.reloadErr = web.ErrNoFile
		if text := words(page(t, newServer(t, store), "/config", 200)); strings.Contains(text, "Reload now") {
			t.Errorf("there is a button: %s", text)
		}
	})
}

func TestMonitorsPage(t *testing.T) {
	store := newAPIStore()
	store.gone = []sitemon.Monitor{
		{ID: "host-2", Role: "monitor", Location: "fra", Version: "1.0.0", LastSeen: testNow.Add(-3 * time.Minute), Sites: 5},
		{ID: "host-3", Role: "writer", Location: "default", Version: "0.9", LastSeen: testNow.Add(-2 * time.Hour), Stopped: true},
	}
	store.monitors[0].Problems = []string{"channel ops of sites.yaml: the variable OPS is not set"}
	wantSaid(t, page(t, newServer(t, store, settled), "/monitors", 200),
		"Monitor host-2 has not been heard for 3 min : nobody probes from location fra host-1: channel ops of sites.yaml: the variable OPS is not set",
		"Trouble the problems are at the top of the page", "Locations Location State Monitors Sites Coverage, 24 h default Probed 1 3 100 % fra Not probed 0 0 –",
		"host-1 all · location default · version 1.0.0 channel ops of sites.yaml: the variable OPS is not set Sites 3 Shards 21 of 64 Lateness p50 · p99 0.6 ms · 1.7 ms "+
			"Reports waiting 12, the oldest for 3 s Clock as the store's Lag 7 Recorded 81204 Duplicate 3 Expired 0 Dead 0 Started 1 d 2 h ago Last seen 0 s ago",
		"Gone in the last 24 hours Silent host-2 monitor · location fra · version 1.0.0 · last heard 3 min ago Stopped host-3 writer · location default · version 0.9 · last heard 2 h ago",
	)
	wantSaid(t, page(t, newServer(t, newAPIStore()), "/monitors", 200), "Good 1 process alive, and nothing is wrong with any")
	store = newAPIStore()
	store.uncovered = 86
	wantSaid(t, page(t, newServer(t, store), "/monitors", 200), "Good 1 process alive", "default Probed 1 3 99.00 % 86 of 8640 slots without a report")
	store = newAPIStore()
	store.uncovered = 87
	wantSaid(t, page(t, newServer(t, store), "/monitors", 200), "Low coverage at location default, in the last 24 hours, 87 of 8640 slots without a report",
		"default Probed 1 3 Low 98.99 % 87 of 8640 slots without a report")
	store = newAPIStore()
	store.monitors = nil
	wantSaid(t, page(t, newServer(t, store), "/monitors", 200), "Nothing no process has said that it lives", "No monitor is alive")
}

func TestMonitorClocks(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		99 * time.Millisecond: "as the store's", 250 * time.Millisecond: "250 ms ahead", -2 * time.Second: "2.00 s behind", 3 * time.Hour: "3 h ahead",
	} {
		store := newAPIStore()
		store.monitors[0].ClockAhead = ahead
		wantSaid(t, page(t, newServer(t, store), "/monitors", 200), "Clock "+want)
	}
}
