package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// userHZ is the unit of the times in /proc, fixed on Linux.
const userHZ = 100

// usage is what a tree of processes has used.
type usage struct {
	cpu time.Duration
	rss int64 // bytes
}

// process is one line of the process table.
type process struct {
	parent int
	usage
}

// table reads /proc.
func table() map[int]process {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	all := make(map[int]process, len(files))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		field := func(n int) int64 { // numbered as in proc(5); the state is 3
			v, _ := strconv.ParseInt(string(fields[n-3]), 10, 64)
			return v
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		ticks := field(14) + field(15) + field(16) + field(17)
		all[pid] = process{int(field(4)), usage{time.Duration(ticks) * time.Second / userHZ, field(24) * int64(os.Getpagesize())}}
	}
	return all
}

// tree sums what pid and the processes below it have used.
func tree(pid int) usage {
	all := table()
	var sum usage
	for p, proc := range all {
		for up := p; up > 1; up = all[up].parent {
			if up == pid {
				sum.cpu += proc.cpu
				sum.rss += proc.rss
				break
			}
		}
	}
	return sum
}

// result is one measured run of one program.
type result struct {
	name string
	kept
	cpu     time.Duration
	rss     int64 // the highest seen
	metrics string
}

func (r result) cpuPerProbe() time.Duration { return r.cpu / time.Duration(max(r.probes, 1)) }

// measured is a program to measure.
type measured struct {
	name    string
	command []string
	slots   bool   // it keeps our slots
	metrics string // URL of its metrics, read at the end
}

// running is a program that was started.
type running struct {
	name  string
	cmd   *exec.Cmd
	ended chan error
	log   *os.File
}

// start starts a program, with its output in the file log, or nowhere.
func start(m measured, log string) (*running, error) {
	p := &running{name: m.name, cmd: exec.Command(m.command[0], m.command[1:]...), ended: make(chan error, 1)}
	if log != "" {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open the log: %w", err)
		}
		p.log, p.cmd.Stdout, p.cmd.Stderr = f, f, f
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", m.name, err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	return p, nil
}

// wait lets d pass; it is an error if ctx or the process ends first.
func (p *running) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-p.ended:
		p.ended <- nil // for end
		return fmt.Errorf("%s ended by itself: %w", p.name, errors.Join(err, errors.New("see its output with -log FILE")))
	case <-time.After(d):
		return nil
	}
}

// end asks the process to end, and kills it after ten seconds.
func (p *running) end() error {
	if p.log != nil {
		defer p.log.Close()
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(10 * time.Second):
		return p.cmd.Process.Kill()
	}
}

// usage is what the process and those below it have used.
func (p *running) usage() usage { return tree(p.cmd.Process.Pid) }

// measure runs one program against t, and ends it.
func measure(ctx context.Context, o options, t *target, m measured) (res result, err error) {
	t.forget()
	p, err := start(m, o.log)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.end()) }()

	if err := p.wait(ctx, o.warmUp()); err != nil {
		return res, err
	}
	res.name = m.name
	from, before := time.Now(), p.usage()
	for time.Since(from) < o.dur {
		if err := p.wait(ctx, min(time.Second, o.dur-time.Since(from))); err != nil {
			return res, err
		}
		res.rss = max(res.rss, p.usage().rss)
	}
	res.cpu = p.usage().cpu - before.cpu
	if err := p.wait(ctx, min(o.interval, 2*time.Second)); err != nil { // the last slots' probes arrive
		return res, err
	}
	res.kept = t.judge(o, from, m.slots, -1)
	if m.metrics != "" {
		res.metrics, err = ownMetrics(m.metrics)
	}
	return res, err
}
