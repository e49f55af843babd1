package sinks

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// marksName is the file with the marks, one a line. One too many costs nothing:
// its reason goes to a report that follows the one before it.
const marksName = "dropped"

// marks are the sites that lost reports, with the number from which on a report
// of theirs is later than those.
type marks map[string]uint64

func (m marks) add(site []byte, from uint64) { m[string(site)] = from }

// lower makes all numbers at most that one.
func (m marks) lower(most uint64) {
	for site, from := range m {
		m[site] = min(from, most)
	}
}

// loadMarks remembers what an earlier process knew.
func (s *Spooled) loadMarks() {
	b, err := os.ReadFile(filepath.Join(s.opts.Dir, marksName))
	if err != nil {
		return // as a rule there is none
	}
	s.marksSaved = true
	for line := range strings.Lines(string(b)) {
		number, site, _ := strings.Cut(line, " ")
		if site, ok := strings.CutSuffix(site, "\n"); ok {
			from, _ := strconv.ParseUint(number, 10, 64) // 0 if damaged: the next report
			s.marks.add([]byte(site), from)
		}
	}
	s.marks.lower(s.mem.next) // those that were only in memory are gone
}

// saveMarks keeps the marks for a process after this one. Best effort: without
// them a gap has another reason. The caller holds files.
func (s *Spooled) saveMarks() {
	s.mu.Lock()
	if !s.unsaved {
		s.mu.Unlock()
		return
	}
	s.unsaved = false
	var b []byte
	for site, from := range s.marks {
		b = strconv.AppendUint(b, from, 10)
		b = append(append(append(b, ' '), site...), '\n')
	}
	s.mu.Unlock()
	s.marksSaved = os.WriteFile(filepath.Join(s.opts.Dir, marksName), b, 0o600) == nil
}

// removeMarks removes their file when there are none any more. The caller holds
// files.
func (s *Spooled) removeMarks() {
	if s.marksSaved {
		s.marksSaved = false
		_ = os.Remove(filepath.Join(s.opts.Dir, marksName)) // else they are marked once more
	}
}
