//go:build unix

package postgres_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/testkit"
)

// TestPgBouncer: everything works where each transaction may get another
// connection. It runs where PgBouncer is installed.
func TestPgBouncer(t *testing.T) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		testkit.Missing(t, "no PgBouncer on this machine")
	}
	manyWriters(t, pooled(t, program, testkit.Postgres(t)))
}

// pooled starts a PgBouncer in transaction mode in front of a database, with fewer
// connections than there are clients, and returns the DSN that leads through it.
func pooled(t *testing.T, program, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	dir, err := os.MkdirTemp("", "sitemon-pgbouncer-") // another user reads it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "pgbouncer.ini")
	content := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
`, u.Hostname(), u.Port(), u.User.Username(), addr.Port)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Getuid() == 0 { // which it refuses to be
		args = []string{"-u", "nobody", file}
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	u.Host = addr.String()
	for {
		conn, err := pgx.Connect(t.Context(), u.String())
		if err == nil {
			_ = conn.Close(t.Context())
			return u.String()
		}
		if t.Context().Err() != nil {
			t.Fatalf("PgBouncer does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
