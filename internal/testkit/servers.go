package testkit

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Kafka returns the address, host:port, of a broker for tests. Topics and groups
// must have names of their own: see [Unique].
func Kafka(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("SITEMON_TEST_KAFKA")
	if addr == "" {
		Missing(t, "no Kafka: SITEMON_TEST_KAFKA names none")
	}
	return addr
}

// Postgres makes an empty database that ends with the test, and returns its DSN.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("SITEMON_TEST_POSTGRES")
	if server == "" {
		Missing(t, "no Postgres: SITEMON_TEST_POSTGRES names none")
	}
	name := strings.ReplaceAll(Unique("sitemon"), "-", "_")
	administer(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("SITEMON_TEST_POSTGRES is no URL")
	}
	u.Path = "/" + name
	return u.String()
}

// Unique returns a name that no other test has.
func Unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:12]) }

func administer(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the Postgres of the tests: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
