package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. It is not asserted:
// only that the thing happens at all.
const patience = 30 * time.Second

// TestMain lets the test binary be the program itself, so that tests can start
// and kill real processes.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_AS_SITEMON") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns a command that runs sitemon in a folder, with nothing of our
// own environment but what it needs.
func program(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = []string{"TEST_AS_SITEMON=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=halt_on_error=1"}
	return cmd
}

// result is what a command printed and how it ended.
type result struct {
	out, err string
	code     int
}

// runProgram runs a command to its end.
func runProgram(t *testing.T, dir string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := program(dir, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// process is a running daemon.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	done chan struct{} // closed when its log has ended

	mu  sync.Mutex
	log []string
}

// startDaemon starts the daemon in dir and waits until it runs.
func startDaemon(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startDaemonIn(t, dir, nil, args...)
}

// startDaemonIn does the same with further variables in its environment.
func startDaemonIn(t *testing.T, dir string, environ []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{}), cmd: program(dir, append([]string{"--listen", "127.0.0.1:0"}, args...)...)}
	p.cmd.Env = append(p.cmd.Env, environ...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := make(chan string, 1)
	go p.follow(stderr, running)
	t.Cleanup(p.kill)
	select {
	case p.url = <-running:
	case <-p.done:
		t.Fatalf("the daemon ended:\n%s", p.logged())
	case <-time.After(patience):
		t.Fatalf("the daemon does not run:\n%s", p.logged())
	}
	return p
}

// follow keeps the log and finds the page's address in it.
func (p *process) follow(r io.Reader, running chan<- string) {
	defer close(p.done)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.log = append(p.log, lines.Text())
		p.mu.Unlock()
		var l struct{ Msg, Page, Health string }
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Msg == "sitemon runs" {
			running <- strings.TrimSuffix(cmp.Or(l.Page, strings.TrimSuffix(l.Health, "readyz")), "/")
		}
	}
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, "\n")
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
	_ = p.cmd.Wait()
}

// stop ends the process as a service manager does, and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("the daemon does not stop")
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// get reads an answer of the API.
func (p *process) get(path string, into any) {
	p.t.Helper()
	b := []byte(p.page(path))
	if err := json.Unmarshal(b, into); err != nil {
		p.t.Fatalf("GET %s: %v in %s", path, err, b)
	}
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// target is a web server that counts the requests per path.
type target struct {
	*httptest.Server
	mu   sync.Mutex
	hits map[string]int
	code map[string]int // other than 200
}

func newTarget(t *testing.T) *target {
	tg := &target{hits: map[string]int{}, code: map[string]int{}}
	tg.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tg.mu.Lock()
		tg.hits[r.URL.Path]++
		code := tg.code[r.URL.Path]
		tg.mu.Unlock()
		if code != 0 {
			w.WriteHeader(code)
		}
		fmt.Fprintf(w, "page %s is fine", r.URL.Path)
	}))
	t.Cleanup(tg.Close)
	return tg
}

func (tg *target) count(path string) int {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	return tg.hits[path]
}

func (tg *target) answer(path string, code int) {
	tg.mu.Lock()
	defer tg.mu.Unlock()
	tg.code[path] = code
}

// save replaces a file in one step, as most editors do.
func save(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
