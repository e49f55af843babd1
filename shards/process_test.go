package shards_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/shards"
)

// settings is what a monitor in a process of its own is told.
type settings struct{ Addr, Topic, File string }

func TestMain(m *testing.M) {
	told := os.Getenv("SHARDS_TEST_MONITOR")
	if told == "" {
		os.Exit(m.Run())
	}
	if err := monitorProcess(told); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// monitorProcess is a monitor that prints its shares, until its standard input
// ends.
func monitorProcess(told string) error {
	var s settings
	if err := json.Unmarshal([]byte(told), &s); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Options{Addresses: []string{s.Addr}, ClientID: "test", Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	out := json.NewEncoder(os.Stdout)
	return shards.New(shards.Options{
		Broker: b, Topic: s.Topic, Group: s.Topic + ".monitors", File: s.File, Logger: log,
		Own: func(share shards.Share) {
			_, of := share.Count()
			_ = out.Encode(printed{share.Shards(), of}) // a test that reads no more has ended
		},
	}).Run(ctx)
}

// printed is a share as a process prints it.
type printed struct {
	Shards []int
	Of     int
}

// spawn starts a monitor of the location in a process of its own.
func (l *location) spawn(name string) *exec.Cmd {
	l.t.Helper()
	told, err := json.Marshal(settings{l.addr, l.topic, filepath.Join(l.t.TempDir(), "share.json")})
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SHARDS_TEST_MONITOR="+string(told))
	cmd.Stderr = l.t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var p printed
			if json.Unmarshal(lines.Bytes(), &p) == nil {
				l.probes(name, shards.NewShare(p.Of, p.Shards...))
			}
		}
	}()
	l.t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill() // it may be gone already
		<-read
		_ = cmd.Wait()
	})
	return cmd
}

func (l *location) signal(cmd *exec.Cmd, s syscall.Signal) {
	l.t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

func TestKilledMonitorsShardsAreTakenOver(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	l.start("a")
	l.start("b")
	c := l.spawn("c")
	l.awaitShared("a", "b", "c")
	before := l.owners()
	l.signal(c, syscall.SIGKILL)
	l.stops("c")
	took := l.awaitShared("a", "b")
	n := l.moved(before)
	t.Logf("killed: %d shards moved after %s", n, took)
	if n < 21 || n > 22 {
		t.Errorf("%d shards moved, want those of the dead one", n)
	}
}

// A monitor that stood still for longer than the session time-out finds that the
// others have its sites, and lets go at once.
func TestMonitorThatStoodStillDropsItsShare(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	a := l.start("a")
	c := l.spawn("c")
	l.awaitShared("a", "c")
	l.signal(c, syscall.SIGSTOP)
	took := await(t, func() bool { owned, _ := a.Share().Count(); return owned == 64 }, "nobody takes the shards of one that stands still")
	t.Logf("stopped: its shards are taken over after %s", took)
	l.mu.Lock()
	calls := l.calls["c"]
	l.mu.Unlock()

	began := time.Now()
	l.signal(c, syscall.SIGCONT)
	var first shards.Share
	await(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		first = l.probed["c"]
		return l.calls["c"] > calls
	}, "it does not notice that it stood still")
	t.Logf("going on: it has %s after %s", first, time.Since(began).Round(time.Millisecond))
	if owned, _ := first.Count(); owned != 0 {
		t.Errorf("it goes on with %s, want nothing until it is given something", first)
	}
	t.Logf("and shared again after another %s", l.awaitShared("a", "c"))
}
