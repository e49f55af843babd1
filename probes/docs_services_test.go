package probes_test

import (
	"context"
	"crypto/x509"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/testkit"
	"sitemon/probes"
)

// The examples of databases and brokers are probed, against servers that are as they
// say.
func TestDocumentedServices(t *testing.T) {
	if os.Getenv("SITEMON_TEST_POSTGRES") == "" {
		testkit.Missing(t, "no Postgres: SITEMON_TEST_POSTGRES names none; `make test` starts one")
	}
	const password = "s3cr3t-word"
	testkit.Kafka(t)
	db := testkit.StartPostgres(t, testkit.PostgresOptions{TLS: true})
	cache := testkit.StartRedis(t, testkit.RedisOptions{TLS: true, Settings: map[string]string{"requirepass": password}})
	broker := testkit.StartKafka(t, testkit.KafkaOptions{TLS: true, SASL: []testkit.KafkaUser{{Mechanism: "SCRAM-SHA-512", Name: "monitor", Password: password}}})
	name := topic(t, broker.Direct, 1)
	shopDatabase(t, db.DSN)
	u, err := url.Parse(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(db.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, pem := range []string{string(ca), cache.CAPEM, broker.CAPEM} {
		if !roots.AppendCertsFromPEM([]byte(pem)) {
			t.Fatal("no authority")
		}
	}
	sites := documented(t, "postgres, redis and kafka: databases and brokers", map[string]string{
		"db.example.org": u.Host, "cache.example.org:6379": cache.Addr, "broker.example.org:9093/orders": broker.Addr + "/" + name,
	})
	if len(sites) != 3 {
		t.Errorf("%d sites, want 3", len(sites))
	}
	set := newSet(t, probes.Options{Roots: roots, Expander: fakeExpander{"DB_PASSWORD:-": "none", "REDIS_PASSWORD:-": password, "ORDERS_PASSWORD:-": password}})
	for i := range sites {
		wantReport(t, set.Probe(t.Context(), &sites[i]), "up", "", "")
	}
}

// shopDatabase makes the database of the example.
func shopDatabase(t *testing.T, dsn string) {
	t.Helper()
	ctx := context.Background()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ database, query string }{
		{config.Database, "CREATE DATABASE shop"}, {"shop", "CREATE TABLE jobs (failed boolean)"}, {"shop", "CREATE ROLE monitor LOGIN"}, {"shop", "GRANT SELECT ON jobs TO monitor"},
	} {
		config.Database = step.database
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(ctx, step.query)
		_ = conn.Close(ctx)
		if err != nil {
			t.Fatalf("%s: %v", step.query, err)
		}
	}
}
