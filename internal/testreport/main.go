// Command testreport runs go test with the servers that the tests need, and says
// at its end what the tests came to: how many passed, which failed, and above all
// which were skipped and why, since a skipped test looks like a passed one
// everywhere else.
//
//	go run ./internal/testreport -timeout 15m ./...
//
// All arguments go to go test; but "exec COMMAND…" runs any other command with
// the servers, such as a benchmark. The race detector is added where there is a C
// compiler for it, and left out of the SQLite library, where it takes three quarters
// of the time; with CI set its absence is an error. The exit status is 1 if
// a test or a build failed or if there was no test.
//
// The servers are one Kafka broker and one Postgres, which the tests share:
// those that SITEMON_TEST_KAFKA (host:port) and SITEMON_TEST_POSTGRES (a DSN)
// name, or else ones that it starts and ends by itself, from this machine's
// Postgres and Kafka's Maven artifacts, which it fetches the first time. What it
// cannot get it names; with CI set that is an error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// plainSQLite leaves the race detector out of SQLite alone: it is a program in C that
// was translated, of which each memory access would be watched, and its database
// connections are used by one goroutine at a time. What calls it is watched as all
// else. It must be a package without generic code: the linker takes one copy of an
// instance for the whole program, and with one that is not watched, such as of
// [sync.Map], the detector sees races that are none.
const plainSQLite = "-gcflags=modernc.org/sqlite/lib=-race=false"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	var err error
	if args := os.Args[1:]; len(args) > 1 && args[0] == "exec" {
		err = execute(ctx, exec.CommandContext(ctx, args[1], args[2:]...), backends(), os.Stdout)
	} else {
		err = run(ctx, args, os.Getenv("CI") != "", os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		stop()
		os.Exit(1)
	}
}

// run calls go test with args and writes the report to out. The error says only
// that there were failures; what they were has been written by then.
func run(ctx context.Context, args []string, ci bool, out io.Writer) (err error) {
	race := canRace()
	if !race && ci {
		return errors.New("no C compiler, so no race detector; in CI it has to be there")
	}
	all := []string{"test", "-json"}
	if race {
		all = append(all, "-race", plainSQLite)
	}
	s := serve(ctx, backends(), os.Getenv, out)
	defer func() { err = errors.Join(err, s.close()) }()
	r := newReport(out)
	testErr := r.run(ctx, append(all, args...), s.environ())
	r.summary(race, s.missing)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return errors.Join(testErr, s.verdict(ci))
}

// run calls go test and takes in what it prints.
func (r *report) run(ctx context.Context, args, environ []string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	interruptible(cmd)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env, cmd.Stderr = environ, os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open the output of go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	readErr := r.read(pipe)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	if readErr != nil {
		return readErr
	}
	return r.verdict()
}

// execute runs cmd with the servers in its environment, as far as they can be had.
func execute(ctx context.Context, cmd *exec.Cmd, all []backend, out io.Writer) (err error) {
	s := serve(ctx, all, os.Getenv, out)
	defer func() { err = errors.Join(err, s.close()) }()
	interruptible(cmd)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ(), out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd.Args[0], err)
	}
	return nil
}

// canRace tells whether the race detector can be linked here: it needs cgo and
// a C compiler.
func canRace() bool {
	b, err := exec.Command("go", "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		return false
	}
	enabled, cc, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	name, _, _ := strings.Cut(strings.TrimSpace(cc), " ")
	_, err = exec.LookPath(name)
	return enabled == "1" && err == nil
}
