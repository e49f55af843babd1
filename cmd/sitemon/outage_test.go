package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/slot"
)

// outage is how long TestOutages keeps a server away: TEST_OUTAGE asks for longer.
func outage(t *testing.T) time.Duration {
	s := os.Getenv("TEST_OUTAGE")
	if s == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("TEST_OUTAGE: %v", err)
	}
	return d
}

// TestOutages takes Kafka and Postgres away, one after the other and together, and
// restarts the monitor meanwhile. Every probe that was made must have its row, and
// each site's reports must have kept their order.
func TestOutages(t *testing.T) {
	t.Parallel()
	const sites = 100
	away := outage(t)
	c, web := newCluster(t, straight), newArrivals(t)
	file := c.writeSites(sites, web.URL)
	writer := c.add("writer", "--role", "writer")
	monitor := c.add("monitor", "--role", "monitor", "--sites", file)
	writer.start()
	monitor.start()
	db := c.connect()
	waitLong(t, "every site has a report", func() bool {
		return c.number(db, "SELECT count(DISTINCT site) FROM reports") == sites
	})
	restart := func() {
		if code := monitor.stop(); code != 0 {
			t.Errorf("the monitor ended with status %d while a server was away", code)
		}
		monitor.start()
	}
	for _, o := range []struct {
		name      string
		kill, up  func()
		meanwhile func()
	}{
		{"Kafka", c.kafka.Kill, c.kafka.Start, func() {}},
		{"Postgres", c.postgres.Kill, c.postgres.Start, func() {}},
		{"both, and the monitor starts anew", func() { c.kafka.Kill(); c.postgres.Kill() }, func() { c.postgres.Start(); c.kafka.Start() }, restart},
	} {
		o.kill()
		pause(t.Context(), away/2)
		o.meanwhile()
		pause(t.Context(), away/2)
		o.up()
		back := time.Now()
		c.settle(db, sites)
		waitLong(t, "the backlog is worked off", func() bool {
			return c.number(db, "SELECT count(*) FROM (SELECT max(slot) AS newest FROM reports GROUP BY site) s WHERE newest < now() - interval '4 s'") == 0
		})
		t.Logf("%s away for %s: caught up after %s", o.name, away, time.Since(back).Round(100*time.Millisecond))
	}
	if code := monitor.stop(); code != 0 {
		t.Errorf("the monitor ended with status %d", code)
	}
	c.settleReports(db)
	n := c.count(db, sites)
	lost := c.lost(db(), web)
	t.Logf("%d planned slots = %d rows + %d slots in gaps %v; %d probes without a row; %d messages in order", n.planned, n.rows, n.gaps, n.reasons, lost, c.inOrder())
	if lost > 0 {
		t.Errorf("%d probes were made and have no row", lost)
	}
	if t.Failed() {
		for _, p := range c.parts {
			t.Logf("log of %s, its end:\n%s", p.name, tail(p.logged(), 60))
		}
	}
}

// TestSpoolFull keeps Kafka away for longer than a small spool lasts. The oldest
// reports go, and each of their slots is in a gap that says so.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	const sites = 300 // about 130 KB a second
	c, web := newCluster(t, straight), newArrivals(t)
	file := c.writeSites(sites, web.URL)
	save(t, c.dir, "small.yaml", "spool: { max_size: 1MiB }\n")
	writer := c.add("writer", "--role", "writer")
	monitor := c.add("monitor", "--role", "monitor", "--sites", file, "--config", filepath.Join(c.dir, "small.yaml"))
	writer.start()
	monitor.start()
	db := c.connect()
	waitLong(t, "every site has a report", func() bool {
		return c.number(db, "SELECT count(DISTINCT site) FROM reports") == sites
	})
	c.kafka.Kill()
	waitLong(t, "the spool is full", func() bool { return strings.Contains(monitor.logged(), "more reports wait than fit") })
	pause(t.Context(), 3*time.Second)
	c.kafka.Start()
	c.settle(db, sites)
	if code := monitor.stop(); code != 0 {
		t.Errorf("the monitor ended with status %d", code)
	}
	c.settleReports(db)
	n := c.count(db, sites)
	lost := c.lost(db(), web)
	t.Logf("%d planned slots = %d rows + %d slots in gaps %v; %d probes without a row", n.planned, n.rows, n.gaps, n.reasons, lost)
	if n.gaps == 0 || n.reasons[string(sitemon.GapSpoolFull)] != n.gaps || lost != n.gaps {
		t.Errorf("want gaps that say spool_full, of just those probes that have no row:\n%s", tail(monitor.logged(), 60))
	}
}

// lost counts the probes that the target saw and that have no row.
func (c *cluster) lost(conn *pgx.Conn, web *arrivals) (lost int) {
	c.t.Helper()
	web.mu.Lock()
	defer web.mu.Unlock()
	for name, at := range web.at {
		grid := slot.NewGrid(name, time.Second)
		rows, err := conn.Query(context.Background(), "SELECT slot FROM reports WHERE site = $1", name)
		if err != nil {
			c.t.Fatal(err)
		}
		recorded := map[time.Time]bool{} // by slot of the grid; an extra slot counts for the one before it too
		first := time.Time{}
		for rows.Next() {
			var s time.Time
			if err := rows.Scan(&s); err != nil {
				c.t.Fatal(err)
			}
			recorded[grid.AtOrBefore(s.UTC())] = true
			if grid.Has(s.UTC()) && (first.IsZero() || s.Before(first)) {
				first = s.UTC()
			}
		}
		if rows.Err() != nil {
			c.t.Fatal(rows.Err())
		}
		for _, a := range at {
			if s := grid.AtOrBefore(a); !s.Before(first) && !recorded[s] {
				lost++
			}
		}
	}
	return lost
}

// inOrder reads all messages of the topic, and returns how many there are. Those of
// one site must have come in the order of their slots.
func (c *cluster) inOrder() (n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	newest, seen := map[string]time.Time{}, map[string]bool{}
	for p := range 12 {
		conn, err := kafka.DialLeader(ctx, "tcp", c.kafka.Addr, "monitor_reports", p)
		if err != nil {
			c.t.Fatal(err)
		}
		last, err := conn.ReadLastOffset()
		_ = conn.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{c.kafka.Addr}, Topic: "monitor_reports", Partition: p, MaxWait: 100 * time.Millisecond})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				c.t.Fatal(err)
			}
			var report sitemon.Report
			if err := json.Unmarshal(m.Value, &report); err != nil {
				c.t.Fatal(err)
			}
			id := report.Site + report.Slot.String()
			switch {
			case seen[id]: // sent again, as its answer was lost
				continue
			case report.Slot.Before(newest[report.Site]):
				c.t.Errorf("%s: slot %s comes after %s", report.Site, report.Slot, newest[report.Site])
			default:
				newest[report.Site] = report.Slot
			}
			seen[id] = true
			n++
		}
		if err := r.Close(); err != nil {
			c.t.Error(fmt.Errorf("close the reader: %w", err))
		}
	}
	return n
}
