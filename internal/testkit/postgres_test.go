package testkit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/testkit"
)

func TestPostgresServerKeepsWhatItStored(t *testing.T) {
	p := testkit.StartPostgres(t, testkit.PostgresOptions{})
	if _, err := query(t, p.DSN, "CREATE TABLE kept AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), p.DSN)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a connection has survived the kill")
	}
	p.Start()
	if conn, err = pgx.Connect(t.Context(), p.DSN); err != nil {
		t.Fatal(err)
	}
	p.Stop() // although there is a connection
	if err := conn.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "57P01") {
		t.Errorf("stopped in order, a connection gets %v", err)
	}
	p.Start()
	if conn, err = pgx.Connect(t.Context(), p.DSN); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := pgx.Connect(ctx, p.DSN); err == nil {
		t.Error("a frozen server answers")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := conn.Ping(ctx); err == nil {
		t.Error("a connection to a frozen server answers")
	}
	p.Thaw()
	p.Freeze()
	p.Kill() // a frozen one too
	p.Start()
	if got, err := query(t, p.DSN, "SELECT n FROM kept"); got != 42 || err != nil {
		t.Errorf("got %d, %v, want 42", got, err)
	}
}

func TestPostgresServerWithTLS(t *testing.T) {
	p := testkit.StartPostgres(t, testkit.PostgresOptions{TLS: true, Settings: map[string]string{"work_mem": "7MB"}, Proxied: true})
	if got, err := query(t, p.DSN, "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"); got != 1 || err != nil {
		t.Errorf("encrypted: %d, %v", got, err)
	}
	if got, err := query(t, p.DSN, "SELECT setting::int FROM pg_settings WHERE name = 'work_mem'"); got != 7<<10 || err != nil {
		t.Errorf("work_mem is %d kB, %v", got, err)
	}
	if _, err := query(t, strings.Replace(p.DSN, "localhost", "127.0.0.1", 1), "SELECT 1"); err == nil {
		t.Error("the certificate is valid for 127.0.0.1")
	}
	if _, err := query(t, strings.Replace(p.DSN, "verify-full", "disable", 1), "SELECT 1"); err == nil {
		t.Error("no TLS is accepted")
	}
	p.Proxy.Refuse()
	if _, err := query(t, p.DSN, "SELECT 1"); err == nil {
		t.Error("there is a way around the proxy")
	}
}

func query(t *testing.T, dsn, sql string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	n := 0
	if !strings.HasPrefix(sql, "SELECT") {
		_, err := conn.Exec(ctx, sql)
		return 0, err
	}
	return n, conn.QueryRow(ctx, sql).Scan(&n)
}
