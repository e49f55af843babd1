package sinks_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// leave makes a folder with reports of site "a" that wait: one segment for each
// of the counts.
func leave(t testing.TB, counts ...int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	from := 0
	for _, n := range counts {
		s := open(t, settings{dir: dir, to: &deliverer{fail: errAway}})
		s.write("a", from, from+n)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		from += n
	}
	return dir
}

// segments lists the segments of a folder, oldest first.
func segments(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.spool")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// drain opens a spool, writes one more report unless its slot is negative, and
// returns the slots that come out.
func drain(t testing.TB, dir string, more int) (got []int, s *spool) {
	t.Helper()
	s = open(t, settings{dir: dir})
	if more >= 0 {
		s.write("a", more, more+1)
	}
	if err := s.flush(t); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Waiting(); n != 0 {
		t.Fatalf("%d reports wait after all were delivered", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return slots(s.to.all(), "a"), s
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func overwrite(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyOf copies a folder, as a crash leaves it.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestSpoolWithATornEnd(t *testing.T) {
	dir := leave(t, 1, 2)
	last := segments(t, dir)[1]
	whole := read(t, last)
	if len(whole)%2 != 0 {
		t.Fatalf("2 reports of %d bytes", len(whole))
	}
	for cut := range len(whole) {
		torn := copyOf(t, dir)
		overwrite(t, segments(t, torn)[1], whole[:cut])
		kept := 1 + cut*2/len(whole)
		got, s := drain(t, torn, kept)
		wantRow(t, got, 0, kept+1)
		if said := s.log.count("torn"); (said == 1) != (cut%(len(whole)/2) != 0 || cut == 0) {
			t.Fatalf("cut at %d: said %d times that the end is torn", cut, said)
		}
		if err := os.RemoveAll(torn); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpoolWithAZeroedEnd(t *testing.T) {
	dir := leave(t, 5)
	name := segments(t, dir)[0]
	overwrite(t, name, append(read(t, name), make([]byte, 100_000)...))
	got, s := drain(t, dir, 5)
	wantRow(t, got, 0, 6)
	if s.log.count("torn") != 1 {
		t.Error("nothing said about the torn end")
	}
}

func TestSpoolWithAFlippedByte(t *testing.T) {
	dir := leave(t, 2, 1)
	whole := read(t, segments(t, dir)[0])
	for at := range whole {
		flipped := slices.Clone(whole)
		flipped[at] ^= 1 << (at % 8)
		overwrite(t, segments(t, dir)[0], flipped)
		damaged := copyOf(t, dir)
		got, s := drain(t, damaged, -1) // syncing takes its time
		bad := at * 2 / len(whole)
		want := slices.Delete([]int{0, 1, 2}, bad, bad+1)
		if !slices.Equal(got, want) {
			t.Fatalf("byte %d flipped, in report %d: got %d", at, bad, got)
		}
		if lost := s.metric(t, "sitemon_spool_dropped_reports_total"); lost != 1 {
			t.Fatalf("byte %d flipped: %v reports counted as lost", at, lost)
		}
		if s.log.count("damaged") != 1 || s.log.count("missing") != 1 {
			t.Fatalf("byte %d flipped: the log is\n%s", at, s.log.b.String())
		}
		if err := os.RemoveAll(damaged); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpoolWithAMissingSegment(t *testing.T) {
	for name, missing := range map[string]struct {
		segment int
		want    []int
		lost    float64
	}{
		"the oldest":     {0, []int{2, 3, 4, 5, 6}, 0}, // as if it had been delivered
		"one between":    {1, []int{0, 1, 4, 5, 6}, 2},
		"the newest one": {2, []int{0, 1, 2, 3, 6}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := leave(t, 2, 2, 2)
			if err := os.Remove(segments(t, dir)[missing.segment]); err != nil {
				t.Fatal(err)
			}
			got, s := drain(t, dir, 6)
			if lost := s.metric(t, "sitemon_spool_dropped_reports_total"); !slices.Equal(got, missing.want) || lost != missing.lost {
				t.Errorf("got %d with %v lost, want %d with %v", got, lost, missing.want, missing.lost)
			}
		})
	}
	t.Run("while it is open", func(t *testing.T) {
		dir := leave(t, 2, 2, 2)
		s := open(t, settings{dir: dir})
		if err := os.Remove(segments(t, dir)[1]); err != nil {
			t.Fatal(err)
		}
		if err := s.flush(t); err != nil {
			t.Fatal(err)
		}
		if got := slots(s.to.all(), "a"); !slices.Equal(got, []int{0, 1, 4, 5}) || s.log.count("gone") != 1 {
			t.Errorf("got %d", got)
		}
	})
}

func TestSpoolWithADamagedPosition(t *testing.T) {
	for name, position := range map[string][]byte{"empty": {}, "short": {5, 0, 0}, "flipped": []byte("999999999999"), "long": make([]byte, 1000)} {
		t.Run(name, func(t *testing.T) {
			dir := leave(t, 3, 3)
			overwrite(t, dir+"/acknowledged", position)
			got, _ := drain(t, dir, 6)
			wantRow(t, got, 0, 7)
		})
	}
}

// TestSpoolWithAnyDamage has no other expectation than that a spool opens, and
// gives out a report at most once and in order, whatever is done to its files.
func TestSpoolWithAnyDamage(t *testing.T) {
	dir := leave(t, 20, 20, 20)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		damaged := copyOf(t, dir)
		names := append(segments(t, damaged), damaged+"/acknowledged")
		for range 1 + random.IntN(4) {
			name := names[random.IntN(len(names))]
			b := read(t, name)
			switch at := random.IntN(len(b) + 1); random.IntN(5) {
			case 0:
				b = b[:at]
			case 1:
				b = slices.Insert(b, at, make([]byte, random.IntN(5000))...)
			case 2:
				b = slices.Insert(b, at, b[at:]...)
			case 3:
				b = slices.Delete(b, at, at+random.IntN(len(b)-at+1))
			default:
				for i := at; i < min(at+random.IntN(300), len(b)); i++ {
					b[i] = byte(random.Uint32())
				}
			}
			overwrite(t, name, b)
		}
		got, _ := drain(t, damaged, 60)
		if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || !slices.Contains(got, 60) {
			t.Fatalf("seed %d: got %d", seed, got)
		}
		if err := os.RemoveAll(damaged); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpoolAfterARestartAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	to := &deliverer{}
	s := open(t, settings{dir: dir, to: to, maxBytes: 400_000})
	for i := range 60 {
		to.set(nil)
		if i%3 > 0 {
			to.set(errAway)
		}
		s.write("a", 100*i, 100*i+100)
		if err := s.flushNow(); err != nil && !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		crashed := copyOf(t, dir)
		if i%2 > 0 {
			continue
		}
		have := len(slots(to.all(), "a"))
		got, _ := drain(t, crashed, 100*i+100)
		wantRow(t, got, have, 100*i+101) // nothing lost, nothing twice
	}
}
