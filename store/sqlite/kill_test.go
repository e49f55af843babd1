//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/sqlite"
)

const killSites = 20

// killStart is the first slot's time at the earliest. The killed process lives
// in a time of its own, which runs faster.
var killStart = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// left says which slots nobody probes: one in ten.
func left(name string, at time.Time) bool {
	return slot.Hash(name+strconv.FormatInt(at.UnixMilli(), 10))%10 == 0
}

// TestMain lets the test binary be the process that TestKill kills.
func TestMain(m *testing.M) {
	path := os.Getenv("TEST_KILLED_WRITER")
	if path == "" {
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, "the writer ended:", killedWriter(context.Background(), path))
	os.Exit(1)
}

// killedWriter records one second after the other and says on stdout which it has
// recorded.
func killedWriter(ctx context.Context, path string) error {
	now := killStart
	db, err := sqlite.Open(ctx, path, sqlite.Options{Clock: func() time.Time { return now }})
	if err != nil {
		return err
	}
	doc := fleet(killSites, time.Second)
	if _, _, err := db.SyncSites(ctx, doc); err != nil {
		return err
	}
	newest, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: doc.Sites[0].Name, Limit: 1})
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		now = newest[0].Slot.Truncate(time.Second).Add(-3 * time.Second) // some come twice
		// A slow machine may not have come far, and before the start nothing was planned.
		if now.Before(killStart) {
			now = killStart
		}
	}
	for {
		var batch []sitemon.Report
		for _, s := range doc.Sites {
			at := slot.NewGrid(s.Name, s.Interval).After(now.Add(-1))
			if !left(s.Name, at) {
				batch = append(batch, sitemon.Report{
					Site: s.Name, Location: "default", Slot: at, Interval: s.Interval, Outcome: sitemon.Outcomes[slot.Hash(s.Name)%3],
				})
			}
		}
		now = now.Add(time.Second)
		if _, err := db.Record(ctx, batch); err != nil {
			return err
		}
		if now.Unix()%30 == 0 {
			if err := db.Rollup(ctx, now); err != nil {
				return err
			}
		}
		fmt.Println("recorded", now.Unix())
	}
}

// TestKill kills a process that records, several times, and then counts: the
// file is whole, nothing that was recorded is missing, nothing is there twice,
// and rows + slots in gaps = planned slots.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sitemon.db")
	var recorded time.Time
	for round := range 5 {
		now := killRound(t, path, time.Duration(30+rand.IntN(150))*time.Millisecond)
		if now.Before(killStart) {
			t.Fatalf("round %d recorded nothing", round)
		}
		if now.After(recorded) { // a slow machine may not have come beyond what comes twice
			recorded = now
		}
		verifyKilled(t, path, recorded)
	}
}

// killRound runs the writer for some time and returns up to when it recorded.
func killRound(t *testing.T, path string, after time.Duration) (recorded time.Time) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "TEST_KILLED_WRITER="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill *time.Timer
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		said = append(said, line)
		if unix, ok := strings.CutPrefix(line, "recorded "); ok {
			n, err := strconv.ParseInt(unix, 10, 64)
			if err != nil {
				break // cut off by the kill
			}
			recorded = time.Unix(n, 0)
			if kill == nil {
				kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			}
		}
	}
	if err := cmd.Wait(); err == nil || kill == nil {
		t.Fatalf("the writer ended by itself: %v\n%s", err, strings.Join(said, "\n"))
	}
	return recorded
}

func verifyKilled(t *testing.T, path string, recorded time.Time) {
	t.Helper()
	db := open(t, path, sqlite.Options{Clock: func() time.Time { return recorded }}) // opens without repair
	shell, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shell.Close() }()
	var whole string
	if err := shell.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&whole); err != nil || whole != "ok" {
		t.Fatalf("integrity check: %q, %v", whole, err)
	}
	for _, s := range fleet(killSites, time.Second).Sites {
		rows := map[int64]int{}
		err := eachRow(t, shell, "SELECT slot FROM reports WHERE site = ?", s.Name, func(r *sql.Rows) error {
			var us int64
			err := r.Scan(&us)
			rows[us/1000]++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		g := slot.NewGrid(s.Name, s.Interval)
		planned, first, last := 0, time.Time{}, time.Time{}
		for at := g.After(killStart.Add(-1)); ; at = g.After(at) {
			if !at.Before(recorded) && rows[at.UnixMilli()] == 0 {
				break
			}
			if want := !left(s.Name, at); want != (rows[at.UnixMilli()] == 1) {
				t.Fatalf("site %s, slot %s: %d rows, want one: %t", s.Name, at, rows[at.UnixMilli()], want)
			}
			if rows[at.UnixMilli()] > 0 {
				if last = at; first.IsZero() {
					first = at
				}
			}
		}
		planned = g.Count(first, last.Add(1))
		gaps, err := db.Gaps(t.Context(), s.Name, first, last)
		if err != nil {
			t.Fatal(err)
		}
		missing := 0
		for _, gap := range gaps {
			missing += gap.Slots
		}
		if len(rows)+missing != planned {
			t.Fatalf("site %s: %d rows + %d slots in gaps, planned are %d", s.Name, len(rows), missing, planned)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func eachRow(t *testing.T, db *sql.DB, query string, arg any, f func(*sql.Rows) error) error {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, arg)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
