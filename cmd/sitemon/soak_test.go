package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	soakSites  = 100
	soakExtras = 5 // sites that come and go
)

// soakTime is how long TestSoak runs: TEST_SOAK asks for longer.
func soakTime(t *testing.T) time.Duration {
	s := os.Getenv("TEST_SOAK")
	if s == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("TEST_SOAK: %v", err)
	}
	return d
}

// TestSoak edits the sites file again and again, under a monitor and a writer with
// Kafka and Postgres and under one process with SQLite. Nothing that they hold may
// become more.
func TestSoak(t *testing.T) {
	t.Parallel()
	s, web := newShared(t), newTarget(t)
	away, alone := t.TempDir(), t.TempDir()
	edit := func(turn int) {
		save(t, away, "sites.yaml", soakFile(web.URL, turn))
		save(t, alone, "sites.yaml", soakFile(web.URL, turn))
	}
	edit(0)
	writer := s.start(away, "writer", "writer")
	monitor := s.start(away, "monitor", "monitor")
	all := startDaemon(t, alone, "--instance", "all", "--data-dir", filepath.Join(alone, "all"))
	parts := map[string]*process{"writer": writer, "monitor": monitor, "all": all}

	dur := soakTime(t)
	every := min(5*time.Second, dur/20)
	held := map[string][]int{} // by what and whose, one after each edit
	reloads := 0
	warm := time.Now().Add(max(dur/4, 20*time.Second)) // all connections are open by then
	for time.Now().Before(warm.Add(dur)) {
		reloads++
		before := [...]float64{applied(monitor), applied(all)}
		edit(reloads)
		time.Sleep(every)
		waitFor(t, "the edit is applied", func() bool { return applied(monitor) > before[0] && applied(all) > before[1] })
		if time.Now().Before(warm) {
			continue
		}
		for name, p := range parts {
			m := p.metrics()
			held["goroutines of "+name] = append(held["goroutines of "+name], int(m["go_goroutines"]))
			held["open files of "+name] = append(held["open files of "+name], int(m["process_open_fds"]))
			if name != "all" {
				held["connections to Postgres of "+name] = append(held["connections to Postgres of "+name],
					s.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", "sitemon "+name))
			}
		}
	}
	t.Logf("%s after a warm-up, %d edits applied; the median of the first third, and the least of the last:", dur, reloads)
	for _, what := range slices.Sorted(maps.Keys(held)) {
		compareThirds(t, what, held[what])
	}
	if n := s.number("SELECT count(DISTINCT site) FROM reports"); n != soakSites+soakExtras {
		t.Errorf("%d sites have reports, want all %d that there ever were", n, soakSites+soakExtras)
	}
	for name, p := range parts {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with status %d", name, code)
		}
	}
}

// soakFile is the sites file of one turn: every tenth site has another interval
// than usual, and all but one of the extra sites are there.
func soakFile(url string, turn int) string {
	var doc strings.Builder
	doc.WriteString("defaults: { interval: 1s }\nsites:\n")
	for i := range soakSites {
		interval := "1s"
		if (i+turn)%10 == 0 {
			interval = "2s"
		}
		fmt.Fprintf(&doc, "  - { name: s%d, url: %s/s%d, interval: %s }\n", i, url, i, interval)
	}
	for i := range soakExtras {
		if (i+turn)%soakExtras != 0 {
			fmt.Fprintf(&doc, "  - { name: x%d, url: %s/x%d }\n", i, url, i)
		}
	}
	return doc.String()
}

// compareThirds fails where what was held has become more. One look in the last third
// that finds no more is enough: a leak does not come back, a burst does.
func compareThirds(t *testing.T, what string, held []int) {
	t.Helper()
	third := max(len(held)/3, 1)
	first, last := median(held[:third]), slices.Min(held[len(held)-third:])
	t.Logf("%s: %d, %d (%d to %d)", what, first, last, slices.Min(held), slices.Max(held))
	if last > first+max(first/10, 6) {
		t.Errorf("%s have become more: %v", what, held)
	}
	if first == 0 && !strings.HasPrefix(what, "connections") {
		t.Errorf("%s: none were counted", what)
	}
}

func median(list []int) int {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// applied is when a process applied an edit last, in seconds.
func applied(p *process) float64 {
	return p.metrics()["sitemon_config_last_reload_success_timestamp_seconds"]
}

// metrics reads the metrics whose labels have no spaces.
func (p *process) metrics() map[string]float64 {
	p.t.Helper()
	found := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(p.page("/metrics"))); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			found[name] = n
		}
	}
	return found
}
