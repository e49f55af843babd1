package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sitemon/internal/servers"
	"sitemon/internal/testkit"
)

// TestMain makes this program own a server for TestServersEndWithTheirOwner.
func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_OWNER") == "" {
		os.Exit(m.Run())
	}
	if err := own(); err != nil {
		fmt.Println(err)
	}
}

// own starts Postgres, says where it is, and does as it is told until the end
// of its input.
func own() error {
	p, err := servers.StartPostgres(context.Background(), servers.PostgresOptions{})
	if err != nil {
		return err
	}
	fmt.Println(p.DSN)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "freeze" {
			err = p.Freeze()
		}
		fmt.Println(err)
	}
	return p.Close()
}

func TestServersEndWithTheirOwner(t *testing.T) {
	if _, err := servers.FindPostgres(); err != nil {
		testkit.Missing(t, err.Error())
	}
	tmp, err := os.MkdirTemp("", "servers-test-") // not t.TempDir: the user postgres has to get there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"go on", "freeze"} {
		t.Run(order, func(t *testing.T) {
			left := folders(t, tmp)
			long := time.Now().Add(-time.Hour)
			for _, f := range left {
				if err := os.Chtimes(filepath.Join(f, "owner.lock"), long, long); err != nil {
					t.Fatal(err)
				}
			}
			owner, orders, answers := startOwner(t, tmp)
			dsn := strings.TrimSpace(answers())
			if now := folders(t, tmp); len(now) != 1 || len(left) == 1 && now[0] == left[0] {
				t.Errorf("folders %v, want one, and not that of a dead owner, %v", now, left)
			}
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(orders, order)
			if answer := answers(); answer != "<nil>\n" {
				t.Fatal(answer)
			}
			if err := owner.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = conn.PgConn().Conn().SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.Copy(io.Discard, conn.PgConn().Conn()); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("a backend outlives the owner")
			}
			deadline := time.Now().Add(30 * time.Second)
			for {
				c, err := net.Dial("tcp", net.JoinHostPort(conn.Config().Host, fmt.Sprint(conn.Config().Port)))
				if err != nil {
					break
				}
				c.Close()
				if time.Now().After(deadline) {
					t.Fatal("the server outlives the owner")
				}
			}
		})
	}
}

// startOwner runs this program as the owner of a server.
func startOwner(t *testing.T, tmp string) (owner *exec.Cmd, orders io.Writer, answers func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner = exec.Command(self)
	owner.Env = append(os.Environ(), "SERVERS_OWNER=1", "TMPDIR="+tmp)
	in, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = owner.Wait()
	})
	lines := bufio.NewReader(out)
	return owner, in, func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the owner said %q, %v", line, err)
		}
		return line
	}
}

func folders(t *testing.T, tmp string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(tmp, "sitemon-server-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
