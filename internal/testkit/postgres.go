package testkit

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/servers"
)

// Postgres makes an empty database that ends with the test, and returns its DSN.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("SITEMON_TEST_POSTGRES")
	if server == "" {
		Missing(t, "no Postgres: SITEMON_TEST_POSTGRES names none; `make test` starts one")
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

// PostgresOptions say how a server of a test's own differs from the usual one,
// which lets everybody in and survives a kill, though not a power cut.
type PostgresOptions struct {
	TLS      bool              // only with TLS; the certificate is for localhost, and not for 127.0.0.1
	Settings map[string]string // of postgresql.conf, beside or instead of the usual ones
	Proxied  bool              // DSN leads through a Proxy
}

// PostgresServer is a database server of a test's own.
type PostgresServer struct {
	control
	DSN    string // of the database postgres, as superuser; with TLS it asks for verify-full
	CAFile string // the authority of its certificate; empty without TLS
	Proxy  *Proxy // between DSN and it; nil unless asked for
}

// StartPostgres starts an empty database server that ends with the test.
func StartPostgres(t testing.TB, options PostgresOptions) *PostgresServer {
	t.Helper()
	s := &PostgresServer{}
	theirs := servers.PostgresOptions{TLS: options.TLS, Settings: options.Settings}
	if options.Proxied {
		theirs.Advertise = func(addr string) string {
			s.Proxy = StartProxy(t, addr)
			return s.Proxy.Addr
		}
	}
	p, err := servers.StartPostgres(t.Context(), theirs)
	started(t, err)
	t.Cleanup(func() { closed(t, p.Close()) })
	s.control, s.DSN, s.CAFile = control{t, p}, p.DSN, p.CAFile
	return s
}
