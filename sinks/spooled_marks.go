package sinks

import (
	"os"
	"path/filepath"
	"strings"
)

// marksName is the file with the names of sites that lost reports, one a line. A
// name too many costs nothing: it is in the report of a site without a gap.
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
	for site := range strings.Lines(string(b)) {
		if name, ok := strings.CutSuffix(site, "\n"); ok {
			s.marks.add([]byte(name), 0)
		}
	}
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
	var b strings.Builder
	for site := range s.marks {
		b.WriteString(site)
		b.WriteByte('\n')
	}
	s.mu.Unlock()
	s.marksSaved = os.WriteFile(filepath.Join(s.opts.Dir, marksName), []byte(b.String()), 0o600) == nil
}

// removeMarks removes their file when there are none any more. The caller holds
// files.
func (s *Spooled) removeMarks() {
	if s.marksSaved {
		s.marksSaved = false
		_ = os.Remove(filepath.Join(s.opts.Dir, marksName)) // else they are marked once more
	}
}
