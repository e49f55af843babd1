//go:build unix

package main

import (
	"syscall"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
)

// A process that was stopped and continued was not there at its slots: they are
// a gap, and no reports of a monitor that was too busy.
func TestStandstillIsAGap(t *testing.T) {
	web := newTarget(t)
	dir := t.TempDir()
	save(t, dir, "sites.yaml", "sites:\n  - {name: a, url: \""+web.URL+"/a\", interval: 2s}\n")
	p := startDaemon(t, dir)
	waitFor(t, "a report", func() bool { return len(p.reports("a")) > 1 })
	grid := slot.NewGrid("a", 2*time.Second)
	signal := func(s syscall.Signal) {
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Until(grid.After(time.Now()).Add(time.Second))) // between two slots
	signal(syscall.SIGSTOP)
	stopped := time.Now()
	time.Sleep(6 * time.Second)
	signal(syscall.SIGCONT)
	continued := time.Now()
	waitFor(t, "a report after the standstill", func() bool { return p.reports("a")[0].Slot.After(continued) })

	reports := p.reports("a")
	gap := false
	for _, r := range reports {
		gap = gap || r.Gap == sitemon.GapMonitorStopped && r.Slot.After(stopped)
		if r.Outcome != sitemon.OutcomeUp {
			t.Errorf("report %+v of a slot at which the process stood still", r)
		}
	}
	if !gap {
		t.Errorf("no report says that the monitor was stopped: %+v", reports)
	}
}
