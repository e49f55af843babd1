package sinks_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
)

// faults makes the disk fail while on is set.
type faults struct {
	on  atomic.Bool
	err error
}

func (f *faults) fault() error {
	if f.on.Load() {
		return f.err
	}
	return nil
}

// gaps lists the sites and slots of the reports that say that reports before
// them were lost.
func gaps(reports []sitemon.Report) (out []string) {
	for _, r := range reports {
		if r.Gap == sitemon.GapSpoolFull {
			out = append(out, fmt.Sprint(r.Site, " ", r.Slot.UnixMilli()))
		}
	}
	return out
}

// wantMarks checks that the reports of each site follow each other but for one
// gap at most, which the report after it gives the reason for. It returns how
// many are missing below upTo.
func wantMarks(t testing.TB, reports []sitemon.Report, sites, upTo int) (missing int) {
	t.Helper()
	next := map[string]int{}
	for _, r := range reports {
		slot := int(r.Slot.UnixMilli())
		n := next[r.Site]
		if slot < n {
			t.Fatalf("%s: slot %d after %d", r.Site, slot, n-1)
		}
		if marked := r.Gap == sitemon.GapSpoolFull; marked != (slot > n) {
			t.Fatalf("%s: slot %d after %d has gap %q", r.Site, slot, n-1, r.Gap)
		}
		missing += slot - n
		next[r.Site] = slot + 1
	}
	for site, n := range next {
		if n != upTo {
			t.Errorf("%s: the last slot is %d, want %d", site, n-1, upTo-1)
		}
	}
	if len(next) != sites {
		t.Errorf("reports of %d sites, want %d", len(next), sites)
	}
	return missing
}

func TestSpooledDropsTheOldestBeyondItsSize(t *testing.T) {
	const sites, rounds, limit = 20, 300, 200_000
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, settings{dir: dir, maxBytes: limit, to: &deliverer{fail: errAway}})
			for round := range rounds {
				for site := range sites {
					s.write(fmt.Sprint("site ", site), round, round+1)
				}
				if round%10 == 9 {
					if err := s.flushNow(); !errors.Is(err, errAway) {
						t.Fatal(err)
					}
				}
				if size := folderSize(t, dir); size > limit {
					t.Fatalf("the folder has %d bytes, want at most %d", size, limit)
				}
			}
			if n := s.log.count("oldest are dropped"); n != 1 {
				t.Errorf("said %d times that reports are dropped, want once", n)
			}
			lost := int(s.metric(t, "sitemon_spool_dropped_reports_total"))
			if waiting, _ := s.Waiting(); waiting+lost != sites*rounds || waiting < 500 {
				t.Errorf("%d reports wait and %d are lost, of %d", waiting, lost, sites*rounds)
			}
			if restart {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, settings{dir: dir, maxBytes: limit})
			}
			s.to.set(nil)
			if err := s.flush(t); err != nil {
				t.Fatal(err)
			}
			if now := int(s.metric(t, "sitemon_spool_dropped_reports_total")); !restart && now != lost {
				t.Errorf("%d reports are counted as lost after all were delivered, and %d before", now, lost)
			}
			if missing := wantMarks(t, s.to.all(), sites, rounds); missing != lost {
				t.Errorf("%d reports are missing and %d were counted as lost", missing, lost)
			}
			before := len(gaps(s.to.all()))
			s.write("site 1", rounds, rounds+10)
			if err := s.flush(t); err != nil || len(gaps(s.to.all())) != before {
				t.Errorf("%v, gaps %s: a gap is given a second time", err, gaps(s.to.all())[before:])
			}
		})
	}
}

// TestSpooledDropsEvidenceBeforeReports: what would not fit with its evidence is
// kept without, and evidence is back once there is room.
func TestSpooledDropsEvidenceBeforeReports(t *testing.T) {
	s := open(t, settings{maxBytes: 400_000, to: &deliverer{fail: errAway}})
	evidence := `{"a":"` + strings.Repeat("x", 1500) + `"}`
	write := func(from, to int) {
		for i := from; i < to; i++ {
			_ = s.Write(t.Context(), sitemon.Report{
				Site: "a", Location: "default", Slot: time.UnixMilli(int64(i)), Outcome: sitemon.OutcomeDown, Evidence: evidence,
			})
			if i%10 == 9 {
				if err := s.flushNow(); !errors.Is(err, errAway) {
					t.Fatal(err)
				}
			}
		}
	}
	const n = 600 // a megabyte
	write(0, n)
	s.to.set(nil)
	if err := s.flush(t); err != nil {
		t.Fatal(err)
	}
	s.to.set(errAway)
	write(n, n+20)
	s.to.set(nil)
	if err := s.flush(t); err != nil {
		t.Fatal(err)
	}
	got := s.to.all()
	wantRow(t, slots(got, "a"), 0, n+20)
	with := 0
	for _, r := range got[:n] {
		if r.Evidence != "" {
			with++
		}
	}
	if with < 100 || with > 150 || got[0].Evidence != evidence || got[n+19].Evidence != evidence {
		t.Errorf("%d of %d reports have their evidence, want the first, what fits into half of the room, and the last", with, n)
	}
}

func TestSpooledOnADiskThatFails(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		t.Run(errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, f := t.TempDir(), &faults{err: errno}
				s := start(t, settings{dir: dir, fault: f.fault})
				s.write("a", 0, 100)
				time.Sleep(time.Second)
				f.on.Store(true)
				for i := range 100 {
					s.write("a", 100+10*i, 110+10*i)
					time.Sleep(100 * time.Millisecond)
				}
				wantRow(t, slots(s.to.all(), "a"), 0, 1100)
				if n := s.log.count("cannot be written"); n != 1 {
					t.Errorf("said %d times that the disk fails, want once", n)
				}
				f.on.Store(false)
				s.write("a", 1100, 1200)
				time.Sleep(2 * time.Second)
				wantRow(t, slots(s.to.all(), "a"), 0, 1200)
				if n := s.log.count("written again"); n != 1 {
					t.Errorf("said %d times that the disk works again, want once", n)
				}
				s.to.set(errAway)
				s.write("a", 1200, 1300)
				time.Sleep(time.Second)
				got, _ := drain(t, copyOf(t, dir), 1300)
				wantRow(t, got, 1200, 1301)
				if lost := s.metric(t, "sitemon_spool_dropped_reports_total"); lost != 0 {
					t.Errorf("%v reports lost", lost)
				}
			})
		})
	}
}

func TestSpooledOnADiskThatFailsWhileTheDelivererIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, f := t.TempDir(), &faults{err: syscall.EROFS}
		s := start(t, settings{dir: dir, fault: f.fault, to: &deliverer{fail: errAway}})
		s.write("a", 0, 100)
		time.Sleep(time.Second)
		f.on.Store(true)
		s.write("a", 100, 200)
		time.Sleep(time.Second)
		s.to.set(nil)
		time.Sleep(10 * time.Second)
		wantRow(t, slots(s.to.all(), "a"), 0, 200)
		s.to.set(errAway)
		s.write("a", 200, 300) // taken from memory, and held
		time.Sleep(5 * time.Second)
		s.write("a", 300, 400)
		time.Sleep(5 * time.Second)
		f.on.Store(false)
		time.Sleep(5 * time.Second)
		s.write("a", 400, 500)
		time.Sleep(time.Second)

		got, _ := drain(t, copyOf(t, dir), 500)
		wantRow(t, got, 200, 501) // all on disk, also what is held
		s.to.set(nil)
		time.Sleep(10 * time.Second)
		wantRow(t, slots(s.to.all(), "a"), 0, 500)
		got, _ = drain(t, copyOf(t, dir), 500)
		wantRow(t, got, 500, 501)
	})
}

func TestSpooledOnADiskThatFailsForAMoment(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		t.Run(errno.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir, f := t.TempDir(), &faults{err: errno}
				s := start(t, settings{dir: dir, fault: f.fault, to: &deliverer{fail: errAway}})
				for i := range 4 { // more than are on their way at once
					s.write("a", 1000*i, 1000*i+1000)
					time.Sleep(time.Second)
				}
				f.on.Store(true)
				s.write("a", 4000, 4100)
				time.Sleep(3 * time.Second)
				f.on.Store(false)
				s.write("a", 4100, 4200)
				time.Sleep(3 * time.Second)
				got, crashed := drain(t, copyOf(t, dir), 4200)
				wantRow(t, got, 0, 4201)
				if n := crashed.log.count("damaged"); n != 0 {
					t.Error("what was written in part is still there")
				}
				s.to.set(nil)
				time.Sleep(10 * time.Second)
				wantRow(t, slots(s.to.all(), "a"), 0, 4200)
			})
		})
	}
}

func TestSpooledOnAFullDiskRemovesWhatIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var room atomic.Int64
		room.Store(1 << 30)
		s := start(t, settings{dir: dir, fault: func() error {
			if folderSize(t, dir) >= room.Load() {
				return syscall.ENOSPC
			}
			return nil
		}})
		s.write("a", 0, 1000)
		time.Sleep(time.Second)
		room.Store(folderSize(t, dir))
		s.write("a", 1000, 1100)
		time.Sleep(time.Second)
		wantRow(t, slots(s.to.all(), "a"), 0, 1100)
		if s.log.count("cannot be written") != 0 {
			t.Error("the spool gave up, though there was something to remove")
		}
	})
}

func TestSpooledOnAFullDiskDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := leave(t, 100, 100, 100) // three segments
		room := folderSize(t, dir)
		s := start(t, settings{dir: dir, to: &deliverer{fail: errAway}, fault: func() error {
			if folderSize(t, dir) >= room {
				return syscall.ENOSPC
			}
			return nil
		}})
		s.write("a", 300, 400)
		time.Sleep(time.Second)
		if n := len(segments(t, dir)); n != 3 {
			t.Errorf("%d segments, want the new one in the place of the oldest", n)
		}
		if n := s.log.count("cannot be written"); n != 0 {
			t.Error("the spool gave up, though there was something to drop")
		}
		s.to.set(nil)
		time.Sleep(10 * time.Second)
		// The first segment was being delivered: it was held, and came.
		wantRow(t, slots(s.to.all(), "a"), 0, 400)
		if n, _ := s.Waiting(); n != 0 {
			t.Errorf("%d reports wait", n)
		}
	})
}

func TestSpooledOnADiskThatStaysFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := leave(t, 100, 100, 100, 100)
		f := &faults{err: syscall.ENOSPC}
		f.on.Store(true)
		s := start(t, settings{dir: dir, to: &deliverer{fail: errAway}, fault: f.fault})
		s.write("a", 400, 500)
		time.Sleep(100 * time.Millisecond)
		if n := len(segments(t, dir)); n != 3 {
			t.Errorf("%d segments are left of 4, want all but one: removing made no room", n)
		}
		time.Sleep(5 * time.Second)
		s.to.set(nil)
		time.Sleep(10 * time.Second)
		got := s.to.all()
		if missing := wantMarks(t, got, 1, 500); missing != int(s.metric(t, "sitemon_spool_dropped_reports_total")) || missing != 300 {
			t.Errorf("%d reports are missing", missing)
		}
	})
}

func TestSpooledBoundsItsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faults{err: syscall.EIO}
		f.on.Store(true)
		s := start(t, settings{fault: f.fault, to: &deliverer{fail: errAway}})
		const sites, rounds = 10, 11_000
		for round := range rounds {
			for site := range sites {
				s.write(fmt.Sprint("site ", site), round, round+1)
			}
		}
		time.Sleep(time.Second)
		lost := int(s.metric(t, "sitemon_spool_dropped_reports_total"))
		if n, _ := s.Waiting(); n+lost != sites*rounds || n > 105_000 || n < 95_000 {
			t.Errorf("%d reports wait and %d are lost", n, lost)
		}
		s.to.set(nil)
		time.Sleep(time.Minute)
		if missing := wantMarks(t, s.to.all(), sites, rounds); missing != lost {
			t.Errorf("%d reports are missing and %d were counted as lost", missing, lost)
		}
	})
}

func TestSpooledClosedWithoutADisk(t *testing.T) {
	f := &faults{err: syscall.EIO}
	f.on.Store(true)
	s := open(t, settings{fault: f.fault, to: &deliverer{fail: errAway}})
	s.write("a", 0, 7)
	if err := s.flushNow(); !errors.Is(err, errAway) || !errors.Is(err, syscall.EIO) {
		t.Errorf("Flush: %v, want both reasons", err)
	}
	if err := s.Close(); !errors.Is(err, syscall.EIO) || err.Error()[:9] != "7 reports" {
		t.Errorf("Close: %v, want how many reports are lost and why", err)
	}
}
