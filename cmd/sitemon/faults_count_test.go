package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon"
	"sitemon/slot"
	"sitemon/status"
)

// TestFaults lets monitors, writers, broker and database die and hang at random
// under load, and then counts: each planned slot of each site must have one row or
// lie in one recorded gap, and the status must be what the rows say.
func TestFaults(t *testing.T) {
	t.Parallel()
	plan := newFaultPlan(t)
	c, web := newCluster(t, cuttable), newArrivals(t)
	sites := c.writeSites(plan.sites, web.URL)
	for i := range 2 {
		c.add(fmt.Sprint("writer-", i), "--role", "writer")
	}
	for i := range 3 {
		c.add(fmt.Sprint("monitor-", i), "--role", "monitor", "--sites", sites)
	}
	for _, p := range c.parts {
		p.start()
	}
	db := c.connect()
	waitLong(t, "every site has a report", func() bool {
		return c.number(db, "SELECT count(DISTINCT site) FROM reports") == plan.sites
	})

	t.Logf("seed %d", plan.seed)
	kills := 0
	happened := plan.run(t, slices.Concat(c.processFaults(&kills), c.serverFaults(&kills), c.networkFaults(), c.topicFaults()))
	for _, name := range slices.Sorted(maps.Keys(happened)) {
		t.Logf("%3d × %s", happened[name], name)
	}
	c.settle(db, plan.sites)
	for _, p := range c.parts { // the monitors last: what they say is recorded
		if p.name[0] == 'm' {
			if code := p.stop(); code != 0 {
				t.Errorf("%s ended with status %d", p.name, code)
			}
		}
	}
	c.settleReports(db)
	n := c.count(db, plan.sites)
	t.Logf("%d kills in %s: %d planned slots = %d rows + %d slots in gaps; %d sites with a status that equals a recount; gaps by reason: %v",
		kills, plan.duration, n.planned, n.rows, n.gaps, n.statuses, n.reasons)
	if t.Failed() {
		for _, p := range c.parts {
			t.Logf("log of %s, its end:\n%s", p.name, tail(p.logged(), 40))
		}
	}
}

// connect opens a connection that looks into the database from outside.
func (c *cluster) connect() func() *pgx.Conn {
	var conn *pgx.Conn
	return func() *pgx.Conn { // anew after the server was killed
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if conn == nil || conn.IsClosed() || conn.Ping(ctx) != nil {
			if conn != nil {
				_ = conn.Close(ctx)
			}
			conn, _ = pgx.Connect(ctx, c.postgres.DSN)
			if conn != nil {
				c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
			}
		}
		return conn
	}
}

// number is what a query of one number gives; -1 where it can't be asked.
func (c *cluster) number(db func() *pgx.Conn, query string, args ...any) int {
	conn := db()
	if conn == nil {
		return -1
	}
	n := -1
	if err := conn.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// waitLong waits for what may take a while on a loaded machine.
func waitLong(t *testing.T, what string, holds func() bool) {
	t.Helper()
	waitAtMost(t, 3*time.Minute, what, holds)
}

func waitAtMost(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !holds(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// settle waits until every site has a report from now on.
func (c *cluster) settle(db func() *pgx.Conn, sites int) {
	c.t.Helper()
	now := time.Now()
	waitLong(c.t, "every site is probed again", func() bool {
		return c.number(db, "SELECT count(DISTINCT site) FROM reports WHERE slot > $1", now) == sites
	})
}

// settleReports waits until nothing more comes.
func (c *cluster) settleReports(db func() *pgx.Conn) {
	before, since := -1, time.Now()
	waitLong(c.t, "no more reports come", func() bool {
		if n := c.number(db, "SELECT count(*) FROM reports"); n != before || n < 0 {
			before, since = n, time.Now()
		}
		return time.Since(since) > 8*time.Second
	})
}

// counted is what there is in the end.
type counted struct {
	planned, rows, gaps, statuses int
	reasons                       map[string]int
}

// count compares rows and gaps of each site with its plan, and its status with
// what its rows say.
func (c *cluster) count(db func() *pgx.Conn, sites int) counted {
	c.t.Helper()
	sum := counted{reasons: map[string]int{}}
	for i := range sites {
		c.countSite(db(), fmt.Sprint("s", i), &sum)
	}
	return sum
}

func (c *cluster) countSite(conn *pgx.Conn, name string, sum *counted) {
	t, ctx := c.t, context.Background()
	grid := slot.NewGrid(name, time.Second)
	rows, err := conn.Query(ctx, "SELECT slot, interval_ms, outcome, coalesce(reason, ''), coalesce(error, '') FROM reports WHERE site = $1 ORDER BY slot", name)
	if err != nil {
		t.Fatal(err)
	}
	var track status.Track
	recorded := map[time.Time]bool{}
	var first, last time.Time
	for rows.Next() {
		r := sitemon.Report{Site: name, Location: "default"}
		var ms int64
		if err := rows.Scan(&r.Slot, &ms, &r.Outcome, &r.Reason, &r.Error); err != nil {
			t.Fatal(err)
		}
		r.Slot, r.Interval = r.Slot.UTC(), time.Duration(ms)*time.Millisecond
		track.Advance(r, status.Thresholds{Failure: 1, Success: 1})
		if first.IsZero() {
			first = r.Slot
		}
		if grid.Has(r.Slot) {
			last = r.Slot
			recorded[r.Slot] = true
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	gaps := 0
	gapRows, err := conn.Query(ctx, "SELECT from_slot, to_slot, slots, reason FROM gaps WHERE site = $1 ORDER BY from_slot", name)
	if err != nil {
		t.Fatal(err)
	}
	for gapRows.Next() {
		var from, to time.Time
		var slots int
		var reason string
		if err := gapRows.Scan(&from, &to, &slots, &reason); err != nil {
			t.Fatal(err)
		}
		gaps += slots
		sum.reasons[reason] += slots
		if reason == "" && !c.lostWithTopic(from, to) {
			t.Errorf("%s: nobody can explain the gap from %s to %s", name, from, to)
		}
		for s := from.UTC(); !s.After(to); s = grid.After(s) {
			if recorded[s] {
				t.Errorf("%s: slot %s has a row and lies in a gap", name, s)
			}
		}
	}
	if gapRows.Err() != nil {
		t.Fatal(gapRows.Err())
	}
	planned := grid.Count(first, last.Add(1))
	if len(recorded)+gaps != planned {
		t.Errorf("%s: %d rows + %d slots in gaps, want the %d planned slots", name, len(recorded), gaps, planned)
	}
	var state sitemon.Status
	if err := conn.QueryRow(ctx, "SELECT status FROM status WHERE site = $1", name).Scan(&state); err != nil {
		t.Fatal(err)
	}
	if state == track.Status || state == sitemon.StatusUnknown { // it may have fallen silent since
		sum.statuses++
	} else {
		t.Errorf("%s: status %s, its rows say %s", name, state, track.Status)
	}
	sum.planned += planned
	sum.rows += len(recorded)
	sum.gaps += gaps
}

// tail returns the last lines of a text.
func tail(s string, n int) string {
	at := len(s)
	for range n {
		i := lastLine(s[:at])
		if i < 0 {
			return s
		}
		at = i
	}
	return s[at:]
}

func lastLine(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '\n' {
			return i
		}
	}
	return -1
}
