package servers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// attributes are those of a child that ends with us, runs as user, and does not
// get the terminal's Ctrl-C, which is for us to act on.
func attributes(user *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		a.Credential = &syscall.Credential{Uid: user.uid, Gid: user.gid}
	}
	return a
}

// killTree kills p and its children, and waits for the children to be gone:
// whoever starts p again must not meet them.
func killTree(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil { // it makes no more children
		return ignoreDone(err)
	}
	below, err := children(p.Pid)
	for _, pid := range append(below, p.Pid) {
		err = errors.Join(err, ignoreDone(syscall.Kill(pid, syscall.SIGKILL)))
	}
	for end := time.Now().Add(stopTime); len(below) > 0; {
		if gone(below[0]) {
			below = below[1:]
			continue
		}
		if time.Now().After(end) {
			return errors.Join(err, fmt.Errorf("child %d lives on", below[0]))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// guard holds a process and its children frozen. Should we die meanwhile, the
// kernel kills the process, but the children would stay halted for ever: a shell
// that reads from us kills them at the end of its input.
type guard struct {
	pids  []int // children first
	shell *exec.Cmd
	input *os.File
}

func freezeTree(p *os.Process) (*guard, error) {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	below, err := children(p.Pid)
	for _, pid := range below {
		err = errors.Join(err, ignoreDone(syscall.Kill(pid, syscall.SIGSTOP)))
	}
	g := &guard{pids: append(below, p.Pid)}
	if len(below) > 0 {
		err = errors.Join(err, g.watch())
	}
	if err != nil {
		return nil, errors.Join(err, g.thaw())
	}
	return g, nil
}

// watch starts the shell.
func (g *guard) watch() error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("open a pipe to the guard: %w", err)
	}
	defer read.Close()
	args := []string{"-c", `read -r _; kill -KILL "$@" 2>/dev/null`, "guard"}
	for _, pid := range g.pids {
		args = append(args, strconv.Itoa(pid))
	}
	shell := exec.Command("sh", args...)
	shell.Stdin, shell.SysProcAttr = read, &syscall.SysProcAttr{Setpgid: true}
	if err := shell.Start(); err != nil {
		write.Close()
		return fmt.Errorf("start the guard: %w", err)
	}
	g.shell, g.input = shell, write
	return nil
}

// release ends the shell, which leaves the processes alone then.
func (g *guard) release() {
	if g == nil || g.shell == nil {
		return
	}
	_ = g.shell.Process.Kill()
	_ = g.shell.Wait()
	g.input.Close()
}

func (g *guard) thaw() error {
	g.release()
	var err error
	for _, pid := range g.pids {
		err = errors.Join(err, ignoreDone(syscall.Kill(pid, syscall.SIGCONT)))
	}
	return err
}

// children lists the processes whose parent is pid.
func children(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields, err := stat(n); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			found = append(found, n)
		}
	}
	return found, nil
}

// gone tells whether a process has ended; one that nobody has waited for yet
// (a zombie) has.
func gone(pid int) bool {
	fields, err := stat(pid)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || err == nil && fields[0] == "Z"
}

// stat returns the fields of /proc/PID/stat that follow the name: the state, the parent, and more.
func stat(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) == 0 {
		return nil, fs.ErrNotExist
	}
	return fields, nil
}

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
