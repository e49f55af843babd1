// Command testreport runs go test and says at its end what the tests came to:
// how many passed, which failed, and above all which were skipped and why, since
// a skipped test looks like a passed one everywhere else.
//
//	go run ./internal/testreport -timeout 15m ./...
//
// All arguments go to go test. The race detector is added where there is a C
// compiler for it; with CI set its absence is an error. The exit status is 1 if
// a test or a build failed or if there was no test.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("CI") != "", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

// run calls go test with args and writes the report to out. The error says only
// that there were failures; what they were has been written by then.
func run(args []string, ci bool, out io.Writer) error {
	race := canRace()
	if !race && ci {
		return errors.New("no C compiler, so no race detector; in CI it has to be there")
	}
	all := []string{"test", "-json"}
	if race {
		all = append(all, "-race")
	}
	cmd := exec.Command("go", append(all, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open the output of go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	r := newReport(out)
	readErr := r.read(pipe)
	waitErr := cmd.Wait()
	r.summary(race)
	if waitErr != nil {
		return fmt.Errorf("go test: %w", waitErr)
	}
	if readErr != nil {
		return readErr
	}
	return r.verdict()
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
