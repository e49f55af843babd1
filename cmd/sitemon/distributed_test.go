package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/segmentio/kafka-go"

	"sitemon/broker"
	"sitemon/internal/testkit"
)

// shared is a Kafka and a Postgres that the processes of a test share.
type shared struct {
	t       *testing.T
	environ []string
	dsn     string // for the test itself
}

// newShared returns the servers of the tests, with a topic and a database of the
// test's own.
func newShared(t *testing.T) *shared {
	t.Helper()
	addr, dsn, topic := testkit.Kafka(t), testkit.Postgres(t), testkit.Unique("e2e")
	t.Cleanup(func() { deleteTopics(addr, topic) })
	return &shared{t, []string{"KAFKA_BROKER=kafka://" + addr, "KAFKA_TOPIC=" + topic, "POSTGRES_DSN=" + dsn}, dsn}
}

// deleteTopics tidies up, as well as can be.
func deleteTopics(addr, topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := &kafka.Client{Addr: kafka.TCP(addr)}
	_, _ = c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic, broker.DeadTopic(topic), broker.ShardsTopic(topic)}})
}

// start starts one role, with a data folder of its own.
func (s *shared) start(dir, name, role string, args ...string) *process {
	s.t.Helper()
	return startDaemonIn(s.t, dir, s.environ, append([]string{
		"--role", role, "--instance", name, "--data-dir", filepath.Join(dir, name),
	}, args...)...)
}

// number is what a query of one number gives.
func (s *shared) number(query string, args ...any) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	n := 0
	if err := conn.QueryRow(ctx, query, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (s *shared) exec(statement string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// waitRows waits until a site has a report at a URL's answer.
func (s *shared) waitRows(site, outcome string) {
	s.t.Helper()
	waitFor(s.t, "a row says that "+site+" is "+outcome, func() bool {
		return s.number("SELECT count(*) FROM reports WHERE site = $1 AND outcome = $2", site, outcome) > 0
	})
}

// A monitor and a writer, each a process of its own: sites.yaml becomes rows, and so
// does each edit.
func TestMonitorAndWriter(t *testing.T) {
	s, dir, web := newShared(t), t.TempDir(), newTarget(t)
	web.answer("/bad", 500)
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	w := s.start(dir, "writer-1", "writer")
	m := s.start(dir, "monitor-1", "monitor")
	s.waitRows("a", "up")

	save(t, dir, "sites.yaml", sites(web, "a:/bad", "b:/"))
	s.waitRows("a", "down")
	s.waitRows("b", "up")
	var config struct {
		Generation int64
		Sites      int
	}
	waitFor(t, "the writer's page knows the generation", func() bool {
		w.get("/api/v1/config", &config)
		return config.Generation == 2 && config.Sites == 2
	})
	if code := askReload(t, w); code != 409 {
		t.Errorf("POST reload to a writer: %d, want 409", code)
	}
	if code := askReload(t, m); code != 404 {
		t.Errorf("POST reload to a monitor, which has no API: %d, want 404", code)
	}
	for _, p := range []*process{m, w} {
		if code := p.stop(); code != 0 {
			t.Errorf("SIGTERM: status %d\n%s", code, p.logged())
		}
	}
	if n := s.number("SELECT count(*) FROM gaps"); n != 0 {
		t.Errorf("%d gaps, want none", n)
	}
}

// Rows that people write are probed, with and without a sites file beside them.
func TestRowsByHand(t *testing.T) {
	s, dir, web := newShared(t), t.TempDir(), newTarget(t)
	web.answer("/bad", 500)
	s.start(dir, "writer-1", "writer")
	s.start(dir, "monitor-1", "monitor", "--sites", "")
	s.exec(fmt.Sprintf("INSERT INTO sites (name, url, interval_seconds) VALUES ('hand', '%s/', 1)", web.URL))
	s.waitRows("hand", "up")
	s.exec(fmt.Sprintf("UPDATE sites SET url = '%s/bad' WHERE name = 'hand'", web.URL))
	s.waitRows("hand", "down")
	s.exec("DELETE FROM sites WHERE name = 'hand'")
	last := 0
	waitFor(t, "a row that was deleted is probed no more", func() bool {
		before := last
		time.Sleep(2500 * time.Millisecond)
		last = s.number("SELECT count(*) FROM reports")
		return last == before
	})
}

// One process with Postgres, and without Kafka.
func TestAllWithPostgres(t *testing.T) {
	s, dir, web := newShared(t), t.TempDir(), newTarget(t)
	s.environ = s.environ[2:] // the database alone
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	p := s.start(dir, "all-1", "all")
	s.waitRows("a", "up")
	var site struct{ Status string }
	waitFor(t, "the API has the site's status", func() bool {
		p.get("/api/v1/sites/a", &site)
		return site.Status == "up"
	})
	if lag, ok := p.metrics()["sitemon_writer_lag"]; !ok || lag > 5 {
		t.Errorf("lag %v, there: %t; want the few reports that wait", lag, ok)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: status %d\n%s", code, p.logged())
	}
}

// TLS with a client certificate, SCRAM, and a database whose certificate is
// verified, by the variables that the original system had.
func TestSecureServers(t *testing.T) {
	t.Parallel()
	k := testkit.StartKafka(t, testkit.KafkaOptions{
		ClientAuth: true, SASL: []testkit.KafkaUser{{Mechanism: "SCRAM-SHA-512", Name: "ops", Password: "hunter2"}},
	})
	pg := testkit.StartPostgres(t, testkit.PostgresOptions{TLS: true})
	s := &shared{t: t, dsn: pg.DSN, environ: []string{
		"KAFKA_BROKER=kafka://" + k.Addr, "KAFKA_AUTH_CA=" + k.CAPEM, "KAFKA_ACCESS_CRT=" + k.CertPEM, "KAFKA_ACCESS_KEY=" + k.KeyPEM,
		"KAFKA_SASL_MECHANISM=SCRAM-SHA-512", "KAFKA_SASL_USERNAME=ops", "KAFKA_SASL_PASSWORD=hunter2",
		"POSTGRES_DSN=" + strings.Replace(pg.DSN, "sslmode=", "ssl=", 1),
	}}
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	w := s.start(dir, "writer-1", "writer")
	m := s.start(dir, "monitor-1", "monitor")
	s.waitRows("a", "up")
	for _, p := range []*process{m, w} {
		if log := p.logged(); strings.Contains(log, "hunter2") || strings.Contains(log, "PRIVATE KEY") {
			t.Errorf("a secret is in the log:\n%s", log)
		}
	}
}

// A user who may not make topics has them made by somebody else while everything
// runs, and is told once which.
func TestTopicsMadeLater(t *testing.T) {
	k := testkit.StartKafka(t, testkit.KafkaOptions{
		SASL: []testkit.KafkaUser{{Mechanism: "PLAIN", Name: "eve", Password: "hunter2"}},
		Properties: map[string]string{
			"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS",
		},
	})
	grant := func(kind kafka.ResourceType, what kafka.ACLOperationType) kafka.ACLEntry {
		return kafka.ACLEntry{
			ResourceType: kind, ResourceName: "*", ResourcePatternType: kafka.PatternTypeLiteral,
			Principal: "User:eve", Host: "*", Operation: what, PermissionType: kafka.ACLPermissionTypeAllow,
		}
	}
	admin := &kafka.Client{Addr: kafka.TCP(k.Direct)}
	resp, err := admin.CreateACLs(t.Context(), &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{
		grant(kafka.ResourceTypeTopic, kafka.ACLOperationTypeRead), grant(kafka.ResourceTypeTopic, kafka.ACLOperationTypeWrite),
		grant(kafka.ResourceTypeGroup, kafka.ACLOperationTypeRead),
	}})
	if err != nil || errors.Join(resp.Errors...) != nil {
		t.Fatal(err, resp)
	}
	dsn := testkit.Postgres(t)
	s := &shared{t: t, dsn: dsn, environ: []string{
		"KAFKA_BROKER=kafka://" + k.Addr, "KAFKA_TOPIC=later", "POSTGRES_DSN=" + dsn,
		"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=eve", "KAFKA_SASL_PASSWORD=hunter2",
	}}
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	p := s.start(dir, "both", "monitor,writer")
	const complaint = "topics are missing and could not be made"
	waitFor(t, "the missing topics are named", func() bool { return strings.Contains(p.logged(), "--create --topic later.dead --partitions 1") })
	b, err := broker.New(broker.Options{Addresses: []string{k.Direct}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.EnsureTopics(t.Context(), broker.ReportTopics("later")...); err != nil {
		t.Fatal(err)
	}
	s.waitRows("a", "up")
	waitFor(t, "the topics are found", func() bool { return strings.Contains(p.logged(), "all topics are there") })
	if n := strings.Count(p.logged(), complaint); n != 1 {
		t.Errorf("said %d times that topics are missing, want once:\n%s", n, p.logged())
	}
}

// sites writes a sites file of sites of one second, each "name:path".
func sites(web *target, list ...string) string {
	var b strings.Builder
	b.WriteString("defaults: { interval: 1s }\nsites:\n")
	for _, s := range list {
		name, path, _ := strings.Cut(s, ":")
		fmt.Fprintf(&b, "  - { name: %s, url: %s%s }\n", name, web.URL, path)
	}
	return b.String()
}

// askReload asks a process to read its sites file, and returns the status.
func askReload(t *testing.T, p *process) int {
	t.Helper()
	resp, err := http.Post(p.url+"/api/v1/config/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
