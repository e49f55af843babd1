package sinks_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/sinks"
)

// childFolder names the environment variable that makes the test binary the
// process that is killed; childFirst the slot it begins with.
const (
	childFolder = "SPOOL_TEST_FOLDER"
	childFirst  = "SPOOL_TEST_FIRST"
)

// printer is a Deliverer that says which slots it was given, and which it took:
// every third call fails.
type printer struct{ calls int }

func (p *printer) Deliver(_ context.Context, messages []sinks.Message) error {
	var b strings.Builder
	p.calls++
	word := "took"
	if p.calls%3 == 0 {
		word = "saw"
	}
	for _, m := range messages {
		var r sitemon.Report
		if err := r.UnmarshalJSON(m.Value); err != nil {
			return err
		}
		fmt.Fprintln(&b, word, r.Slot.UnixMilli())
	}
	if _, err := os.Stdout.WriteString(b.String()); err != nil {
		return err
	}
	if word == "saw" {
		return errAway
	}
	return nil
}

// TestSpoolChild is the process that [TestSpooledIsKilled] kills.
func TestSpoolChild(t *testing.T) {
	dir := os.Getenv(childFolder)
	if dir == "" {
		return // it is the process itself
	}
	first, err := strconv.Atoi(os.Getenv(childFirst))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sinks.NewSpooled(sinks.SpooledOptions{Dir: dir, Deliverer: &printer{}, Logger: slog.New(slog.DiscardHandler), Sink: "kafka"})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context()) }()
	for i := first; t.Context().Err() == nil; i++ {
		_ = s.Write(t.Context(), sitemon.Report{Site: "a", Location: "default", Slot: time.UnixMilli(int64(i)), Outcome: sitemon.OutcomeUp})
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func TestSpooledIsKilled(t *testing.T) {
	dir := t.TempDir()
	taken := map[int]int{} // how often
	var written [][2]int   // slots that were seen on disk, first and last of each child
	for round := range 5 {
		first := round * 1_000_000
		newest, last := first-1, -1
		lines := 200 + 757*round
		killed(t, dir, first, func(word string, slot int) (kill bool) {
			newest = max(newest, slot)
			if word == "took" {
				if slot <= last {
					t.Errorf("slot %d after %d", slot, last)
				}
				last = slot
				taken[slot]++
			}
			lines--
			return lines == 0
		})
		written = append(written, [2]int{first, newest})
	}
	got, _ := drain(t, dir, 10_000_000)
	for _, slot := range got {
		taken[slot]++
	}
	count, twice := 0, 0
	for _, w := range written {
		for slot := w[0]; slot <= w[1]; slot++ {
			count++
			switch n := taken[slot]; {
			case n == 0:
				t.Errorf("slot %d is lost", slot)
			case n > 1:
				twice++
			}
		}
	}
	if most := len(written) * 2000; twice > most {
		t.Errorf("%d reports came twice, want at most %d", twice, most)
	}
	t.Logf("%d reports, %d processes killed: %d came twice", count, len(written), twice)
}

// killed runs a child that begins with a slot, gives what it says to line, and
// kills it when that wants it.
func killed(t *testing.T, dir string, first int, line func(word string, slot int) bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSpoolChild$")
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childFirst+"="+strconv.Itoa(first))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewReader(out); ; {
		text, err := in.ReadString('\n')
		if err != nil {
			break // killed
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		slot, err := strconv.Atoi(rest)
		if err != nil {
			t.Errorf("the child says %q", text)
		}
		if line(word, slot) || err != nil {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}
