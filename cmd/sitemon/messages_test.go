package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/writer"
)

// mixedMessages is how many messages TestMixedMessages sends: TEST_MESSAGES asks
// for more.
func mixedMessages(t *testing.T) int {
	s := os.Getenv("TEST_MESSAGES")
	if s == "" {
		return 20_000
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1000 || n%4 != 0 {
		t.Fatalf("TEST_MESSAGES: %q is no multiple of 4 above 1,000", s)
	}
	return n
}

const mixedSites = 50

// mixedTables are those of the original system, whose sites have the ids from 1 on.
const mixedTables = `
CREATE TABLE sites (id serial PRIMARY KEY, name varchar(300), enabled boolean DEFAULT true, test_url text NOT NULL, regex text);
CREATE TABLE site_status (site_id integer PRIMARY KEY REFERENCES sites (id), reachable boolean, latency real, status_code integer,
 content_valid boolean, last_update timestamp(0));
CREATE TABLE site_reports (site_id integer REFERENCES sites (id), "timestamp" timestamp(0), reachable boolean, status_code integer,
 content_valid boolean, latency real, PRIMARY KEY (site_id, "timestamp"));
INSERT INTO sites (name, test_url) SELECT 'seed-' || i, 'http://127.0.0.1:1/' FROM generate_series(1, %d) i`

// TestMixedMessages sends good reports, those of the original system, truncated
// ones and what has nothing to do with SiteMon, a quarter each, and counts what
// Postgres and the dead letters have.
func TestMixedMessages(t *testing.T) {
	s := newShared(t)
	s.exec(fmt.Sprintf(mixedTables, mixedSites))
	s.environ = append(s.environ, "SITEMON_SEED_TIMEZONE=UTC")
	b, err := broker.New(broker.Options{Addresses: []string{strings.TrimPrefix(s.variable("KAFKA_BROKER"), "kafka://")}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureTopics(t.Context(), broker.ReportTopics(s.variable("KAFKA_TOPIC"))...); err != nil {
		t.Fatal(err)
	}
	p := s.start(t.TempDir(), "writer", "writer")
	n := mixedMessages(t)
	began := time.Now()
	dead := s.sendMixed(b, n)
	t.Logf("%d messages sent at %.0f/s", n, float64(n)/time.Since(began).Seconds())
	waitAtMost(t, time.Minute+time.Duration(n)*time.Millisecond, "all messages are dealt with", func() bool {
		m := p.metrics()
		return m[`sitemon_writer_reports_total{result="recorded"}`] >= float64(n/2) && m[`sitemon_writer_reports_total{result="dead"}`] >= float64(n/2)
	})
	t.Logf("dealt with %s after the first was sent", time.Since(began).Round(100*time.Millisecond))
	for prefix, outcome := range map[string]string{"good-": "up", "seed-": "down"} {
		const query = "SELECT count(*) FROM reports WHERE starts_with(site, $1) AND outcome = $2 AND location = 'default'"
		if got := s.number(query, prefix, outcome); got != n/4 {
			t.Errorf("%d rows of %s…, want %d", got, prefix, n/4)
		}
	}
	if got := s.number("SELECT count(*) FROM reports"); got != n/2 {
		t.Errorf("%d rows, want %d", got, n/2)
	}
	got := s.letters(b)
	for _, why := range slices.Sorted(maps.Keys(dead)) {
		t.Logf("dead letters with %q: %d", why, got[why])
		if got[why] != dead[why] {
			t.Errorf("%d dead letters with %q, want %d", got[why], why, dead[why])
		}
		delete(got, why)
	}
	for why := range got {
		t.Errorf("a dead letter with %q", why)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("the writer ended with status %d\n%s", code, p.logged())
	}
}

// foreign are messages of others, with a part of the reason why they can't be used.
func foreign() [][2]string {
	return [][2]string{
		{`{"user":1,"event":"login"}`, "version 0"},
		{`{"version":2,"site":"a","location":"default"}`, "version 2"},
		{"\x00\x00\x00\x00\x07binary", "invalid character"},
		{"[1,2,3]", "cannot unmarshal array"},
		{`{"site_id":404,"timestamp":"2026-01-01T00:00:00","response_complete":true}`, "site_id 404: no site"},
	}
}

// truncated is a part of the reason of a message whose end is missing.
const truncated = "unexpected end"

// sendMixed sends n messages, and returns how many dead letters there must be by a
// part of their reason.
func (s *shared) sendMixed(b *broker.Broker, n int) (dead map[string]int) {
	s.t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(b.Addresses()...), Transport: b.Transport(), Topic: s.variable("KAFKA_TOPIC"),
		Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchSize: 5000, BatchTimeout: 5 * time.Millisecond, MaxAttempts: 30,
	}
	defer func() { _ = w.Close() }()
	first := time.Now().Add(-4 * time.Hour).UTC().Truncate(time.Second)
	dead = map[string]int{}
	var batch []kafka.Message
	for i := range n {
		site, at := i/4%mixedSites, first.Add(time.Duration(i/4/mixedSites)*time.Second)
		m := kafka.Message{Key: fmt.Append(nil, "good-", site)}
		good, err := sitemon.Report{
			Site: string(m.Key), Location: "default", Slot: at, Interval: time.Second, Outcome: sitemon.OutcomeUp,
			StatusCode: 200, Duration: 12 * time.Millisecond, Monitor: "test",
		}.MarshalJSON()
		if err != nil {
			s.t.Fatal(err)
		}
		switch i % 4 {
		case 0:
			m.Value = good
		case 1:
			m.Value = fmt.Appendf(nil, `{"site_id": %d, "timestamp": "%s", "response_complete": false}`, site+1, at.Format("2006-01-02T15:04:05"))
		case 2:
			m.Value = good[:1+i*7919%(len(good)-1)]
			dead[truncated]++
		case 3:
			f := foreign()[i/4%len(foreign())]
			m.Value = []byte(f[0])
			dead[f[1]]++
		}
		if batch = append(batch, m); len(batch) == 20_000 || i == n-1 {
			if err := w.WriteMessages(s.t.Context(), batch...); err != nil {
				s.t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return dead
}

// variable is one of the environment.
func (s *shared) variable(name string) string {
	for _, v := range s.environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// letters counts the dead letters by what they must have as a part of their
// reason. Each message has one.
func (s *shared) letters(b *broker.Broker) map[string]int {
	s.t.Helper()
	byReason, seen := map[string]int{}, map[[2]int64]bool{}
	err := writer.DeadLetters(s.t.Context(), b, s.variable("KAFKA_TOPIC"), func(l writer.Letter) error {
		from := [2]int64{int64(l.FromPartition), l.FromOffset}
		if seen[from] {
			s.t.Errorf("two letters of message %v", from)
		}
		seen[from] = true
		byReason[known(l.Error)]++
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return byReason
}

// known is the part of a reason that is expected; all of it if none is.
func known(reason string) string {
	if strings.Contains(reason, truncated) {
		return truncated
	}
	for _, f := range foreign() {
		if strings.Contains(reason, f[1]) {
			return f[1]
		}
	}
	return reason
}
