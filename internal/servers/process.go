package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	startTime = 90 * time.Second // two cores may be shared by many tests
	stopTime  = 30 * time.Second
)

// process is a server program with a folder. It may be started again after it
// has ended.
type process struct {
	name  string // for errors
	path  string
	args  []string
	dir   *folder // where it works and logs; removed by Close
	user  *account
	ready func(context.Context) error // nil once it answers

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil unless it has been started
	gone   chan struct{} // closed when cmd has ended
	frozen *guard        // nil unless it is
}

// Start runs the program and waits until it answers. It does nothing if it runs.
func (p *process) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return nil
	}
	if err := p.spawn(); err != nil {
		return err
	}
	if err := p.await(ctx); err != nil {
		_ = p.kill()
		return fmt.Errorf("start %s: %w%s", p.name, err, p.said())
	}
	return nil
}

func (p *process) spawn() error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.dir.path, log, log, attributes(p.user)
	started, gone := make(chan error, 1), make(chan struct{})
	go func() {
		// The kernel ends the child together with the thread that made it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(gone)
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("run %s: %w", p.name, err)
	}
	p.cmd, p.gone = cmd, gone
	return nil
}

// await returns when the program answers, or with an error when it has ended,
// or when the time is up.
func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		err := p.ready(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("it ended by itself (%s)", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-pause.C:
		}
	}
}

// Stop ends the program in order, or by force after half a minute.
func (p *process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil { // Windows has no such signal
		return p.kill()
	}
	if err := p.thaw(); err != nil {
		return err
	}
	select {
	case <-p.gone:
		return nil
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not stop within %s%s", p.name, stopTime, p.said()), p.kill())
	}
}

// Kill ends the program and its children at once, as a power cut would.
func (p *process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kill()
}

func (p *process) kill() error {
	if !p.running() {
		return nil
	}
	err := killTree(p.cmd.Process)
	<-p.gone
	p.frozen.release()
	p.frozen = nil
	if err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	return nil
}

// Freeze halts the program and its children: connections to it are accepted by
// the system, and nothing answers on them. On Linux only.
func (p *process) Freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil || !p.running() {
		return nil
	}
	frozen, err := freezeTree(p.cmd.Process)
	if err != nil {
		return fmt.Errorf("freeze %s: %w", p.name, err)
	}
	p.frozen = frozen
	return nil
}

// Thaw lets a frozen program go on.
func (p *process) Thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thaw()
}

func (p *process) thaw() error {
	if p.frozen == nil {
		return nil
	}
	err := p.frozen.thaw()
	p.frozen = nil
	if err != nil {
		return fmt.Errorf("thaw %s: %w", p.name, err)
	}
	return nil
}

// Close kills the program and removes its folder.
func (p *process) Close() error {
	return errors.Join(p.Kill(), p.dir.remove())
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

func (p *process) logFile() string { return p.dir.file("log") }

// Log returns what the program has printed so far.
func (p *process) Log() string {
	b, err := os.ReadFile(p.logFile())
	if err != nil {
		return ""
	}
	return string(b)
}

// said is the end of the log, without Java's lists of callers, for an error.
func (p *process) said() string {
	var lines []string
	for line := range strings.Lines(p.Log()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "at ") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return "; it printed:\n" + strings.Join(lines[max(0, len(lines)-20):], "\n")
}
