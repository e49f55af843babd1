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

// measure runs one program against t, and ends it.
func measure(ctx context.Context, o options, t *target, m measured) (res result, err error) {
	t.mu.Lock()
	clear(t.arrivals)
	t.mu.Unlock()
	cmd := exec.Command(m.command[0], m.command[1:]...)
	if o.log != "" {
		f, err := os.OpenFile(o.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return res, fmt.Errorf("open the log: %w", err)
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
	}
	if err := cmd.Start(); err != nil {
		return res, fmt.Errorf("start %s: %w", m.name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { err = errors.Join(err, end(cmd, ended)) }()

	if err := wait(ctx, o.warmUp(), ended); err != nil {
		return res, fmt.Errorf("%s: %w", m.name, err)
	}
	res.name = m.name
	from, before := time.Now(), tree(cmd.Process.Pid)
	for time.Since(from) < o.dur {
		if err := wait(ctx, min(time.Second, o.dur-time.Since(from)), ended); err != nil {
			return res, fmt.Errorf("%s: %w", m.name, err)
		}
		res.rss = max(res.rss, tree(cmd.Process.Pid).rss)
	}
	res.cpu = tree(cmd.Process.Pid).cpu - before.cpu
	if err := wait(ctx, min(o.interval, 2*time.Second), ended); err != nil { // the last slots' probes arrive
		return res, fmt.Errorf("%s: %w", m.name, err)
	}
	res.kept = t.judge(o, from, m.slots)
	if m.metrics != "" {
		res.metrics, err = ownMetrics(m.metrics)
	}
	return res, err
}

// wait lets d pass; it is an error if ctx or the process ends first.
func wait(ctx context.Context, d time.Duration, ended chan error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-ended:
		ended <- nil // for end
		return fmt.Errorf("ended by itself: %w", errors.Join(err, errors.New("see its output with -log FILE")))
	case <-time.After(d):
		return nil
	}
}

// end asks the process to end, and kills it after ten seconds.
func end(cmd *exec.Cmd, ended chan error) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the process: %w", err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(10 * time.Second):
		return cmd.Process.Kill()
	}
}
