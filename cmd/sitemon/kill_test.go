package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/sqlite"
)

// arrivals is a web server that remembers when each site was asked.
type arrivals struct {
	*httptest.Server
	mu sync.Mutex
	at map[string][]time.Time
}

func newArrivals(t *testing.T) *arrivals {
	a := &arrivals{at: map[string][]time.Time{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.at[r.URL.Path[1:]] = append(a.at[r.URL.Path[1:]], time.Now())
		a.mu.Unlock()
	}))
	t.Cleanup(a.Close)
	return a
}

// kills is how often TestKill kills; SITEMON_TEST_KILLS asks for more.
func kills(t *testing.T) int {
	s := os.Getenv("SITEMON_TEST_KILLS")
	if s == "" {
		return 4
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("SITEMON_TEST_KILLS: %v", err)
	}
	return n
}

// TestKill kills the daemon at random moments under load. Then the store must be
// intact, hold each slot once, have every probe that was answered more than
// 200 ms before a kill, and show every other planned slot as a gap.
func TestKill(t *testing.T) {
	const interval, sites = time.Second, 200
	dir, web := t.TempDir(), newArrivals(t)
	var doc strings.Builder
	doc.WriteString("sites:\n")
	for i := range sites {
		fmt.Fprintf(&doc, "  - {name: s%d, url: %s/s%d, interval: 1s}\n", i, web.URL, i)
	}
	save(t, dir, "sites.yaml", doc.String())

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var killed []time.Time
	for range kills(t) {
		p := startDaemon(t, dir)
		time.Sleep(time.Second + time.Duration(random.IntN(1500))*time.Millisecond)
		killed = append(killed, time.Now())
		p.kill()
	}
	p := startDaemon(t, dir) // opens without repair, and closes the last gap
	for i := range sites {
		name, last := fmt.Sprint("s", i), killed[len(killed)-1]
		waitFor(t, name+" is probed again", func() bool {
			rs := p.reports(name)
			return len(rs) > 0 && rs[0].Slot.After(last)
		})
	}
	p.stop()
	checkAfterKills(t, dir, web, killed, interval)
}

// checkAfterKills counts what the store has against what the server saw.
func checkAfterKills(t *testing.T, dir string, web *arrivals, killed []time.Time, interval time.Duration) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "data", "sitemon.db"), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	justKilled := func(at time.Time) bool { // its report may be among the last 200 ms
		for _, k := range killed {
			if at.After(k.Add(-200*time.Millisecond)) && !at.After(k) {
				return true
			}
		}
		return false
	}
	reports, missing, lost, gapSlots := 0, 0, 0, 0
	for name, at := range web.at {
		grid := slot.NewGrid(name, interval)
		recorded := map[time.Time]int{}
		rs, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: name, Limit: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		reports += len(rs)
		var first, newest time.Time
		for _, r := range rs {
			recorded[r.Slot]++
			if !grid.Has(r.Slot) {
				continue // the extra slot of the first start
			}
			if first = r.Slot; newest.IsZero() {
				newest = r.Slot
			}
		}
		for s, n := range recorded {
			if n != 1 {
				t.Errorf("%s has %d reports of slot %s", name, n, s)
			}
		}
		for _, a := range at {
			s := grid.AtOrBefore(a)
			if recorded[s] > 0 || s.Before(first) {
				continue
			}
			if lost++; !justKilled(a) {
				missing++
				t.Errorf("%s: probed at %s for slot %s, long before a kill, and not recorded", name, a, s)
			}
		}
		gaps, err := db.Gaps(t.Context(), name, first, newest.Add(1))
		if err != nil {
			t.Fatal(err)
		}
		gridReports := 0
		for s := range recorded {
			if grid.Has(s) {
				gridReports++
			}
		}
		for _, g := range gaps {
			gapSlots += g.Slots
			gridReports += g.Slots
			if g.Reason != sitemon.GapMonitorStopped {
				t.Errorf("%s: gap %+v, want monitor_stopped", name, g)
			}
		}
		if planned := grid.Count(first, newest.Add(1)); gridReports != planned {
			t.Errorf("%s: %d reports and slots in gaps, want the %d planned slots", name, gridReports, planned)
		}
	}
	t.Logf("%d kills: %d reports, %d slots in gaps, %d probes answered within 200 ms before a kill lost, %d others lost",
		len(killed), reports, gapSlots, lost, missing)
}
