package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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

// kill is when a process was killed, and when it was gone for certain.
type kill struct{ signal, gone time.Time }

// kills is how often TestKill kills. TEST_KILLS asks for more, and for a measure
// of how much each kill costs, which only a machine without other load can give.
func kills(t *testing.T) (n int, measure bool) {
	s := os.Getenv("TEST_KILLS")
	if s == "" {
		return 3, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("TEST_KILLS: %v", err)
	}
	return n, true
}

// TestKill kills the daemon at random moments under load. Then the store must be
// intact, hold each slot once, show every planned slot without a report as a
// gap, and miss of the probes that were answered only the last before each kill.
func TestKill(t *testing.T) {
	t.Parallel()
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
	var killed []kill
	n, measure := kills(t)
	for range n {
		p := startDaemon(t, dir)
		time.Sleep(time.Second + time.Duration(random.IntN(1500))*time.Millisecond)
		signal := time.Now()
		p.kill()
		killed = append(killed, kill{signal, time.Now()})
	}
	p := startDaemon(t, dir) // opens without repair, and closes the last gap
	for i := range sites {
		name, last := fmt.Sprint("s", i), killed[len(killed)-1].gone
		waitFor(t, name+" is probed again", func() bool {
			rs := p.reports(name)
			return len(rs) > 0 && rs[0].Slot.After(last)
		})
	}
	p.stop()
	checkAfterKills(t, dir, web, killed, measure, interval)
}

// checkAfterKills counts what the store has against what the server saw.
func checkAfterKills(t *testing.T, dir string, web *arrivals, killed []kill, measure bool, interval time.Duration) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "data", "sitemon.db"), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reports, gapSlots, lost, oldest := 0, 0, 0, time.Duration(0)
	for name, at := range web.at {
		rs, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: name, Limit: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		reports += len(rs)
		recorded := onGrid(t, name, slot.NewGrid(name, interval), rs)
		gapSlots += checkGaps(t, db, name, slot.NewGrid(name, interval), recorded)
		for _, age := range checkLosses(t, name, slot.NewGrid(name, interval), recorded, at, killed) {
			lost++
			oldest = max(oldest, age)
		}
	}
	t.Logf("%d kills: %d reports, each slot once; %d slots in gaps; %d probes that were answered are lost, the oldest %s before its kill",
		len(killed), reports, gapSlots, lost, oldest.Round(time.Millisecond))
	if measure && oldest > 200*time.Millisecond {
		t.Errorf("a kill cost a report of %s before it, want at most 200 ms", oldest)
	}
}

// onGrid returns the slots of the grid that have a report. The extra slot of the
// first start is left out: it is not planned.
func onGrid(t *testing.T, name string, grid slot.Grid, rs []sitemon.Report) map[time.Time]bool {
	t.Helper()
	recorded := map[time.Time]bool{}
	for _, r := range rs {
		if !grid.Has(r.Slot) {
			continue
		}
		if recorded[r.Slot] {
			t.Errorf("%s has two reports of slot %s", name, r.Slot)
		}
		recorded[r.Slot] = true
	}
	return recorded
}

// checkGaps compares reports and gaps with what was planned, and returns how
// many slots are in gaps.
func checkGaps(t *testing.T, db *sqlite.DB, name string, grid slot.Grid, recorded map[time.Time]bool) (slots int) {
	t.Helper()
	all := slices.SortedFunc(maps.Keys(recorded), time.Time.Compare)
	first, end := all[0], all[len(all)-1].Add(1)
	gaps, err := db.Gaps(t.Context(), name, first, end)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gaps {
		slots += g.Slots
		if g.Reason != sitemon.GapMonitorStopped {
			t.Errorf("%s: gap %+v, want monitor_stopped", name, g)
		}
		for s := g.From; !s.After(g.To); s = grid.After(s) {
			if recorded[s] {
				t.Errorf("%s: slot %s has a report and is in a gap", name, s)
			}
		}
	}
	if planned := grid.Count(first, end); len(all)+slots != planned {
		t.Errorf("%s: %d reports + %d slots in gaps, want the %d planned slots", name, len(all), slots, planned)
	}
	return slots
}

// checkLosses returns how long before its kill each probe began that was
// answered and not recorded. Within one run of the program nothing may be lost
// before something that was kept.
func checkLosses(t *testing.T, name string, grid slot.Grid, recorded map[time.Time]bool, at []time.Time, killed []kill) (ages []time.Duration) {
	t.Helper()
	first := slices.MinFunc(slices.Collect(maps.Keys(recorded)), time.Time.Compare)
	began := time.Time{}
	for _, end := range killed {
		var lostAt time.Time
		for _, a := range at {
			if a.Before(began) || a.After(end.gone) {
				continue
			}
			switch kept := recorded[grid.AtOrBefore(a)]; {
			case kept && !lostAt.IsZero():
				t.Errorf("%s: the probe at %s is lost although a later one of the same run, at %s, was kept", name, lostAt, a)
			case !kept && !grid.AtOrBefore(a).Before(first): // before it: the extra slot
				lostAt = a
				ages = append(ages, end.signal.Sub(a))
			}
		}
		began = end.gone
	}
	return ages
}
