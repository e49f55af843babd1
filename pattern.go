package sitemon

import (
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// Pattern is a compiled RE2 regular expression. Its zero value matches nothing.
// Copies share the compiled form.
type Pattern struct {
	re *regexp.Regexp
	// steps is how many steps matching may take for each byte; 0 where it is a
	// mere search for a text.
	steps int
}

// CompilePattern parses an RE2 expression. Its error says what is wrong with the
// expression, without Go's prefix.
func CompilePattern(expr string) (Pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return Pattern{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p := Pattern{re: re}
	if _, complete := re.LiteralPrefix(); !complete {
		p.steps = steps(expr)
	}
	return p, nil
}

// steps is the size of the program that an expression becomes.
func steps(expr string) int {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0 // never: it has been compiled
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// String returns the expression as it was written.
func (p Pattern) String() string {
	if p.re == nil {
		return ""
	}
	return p.re.String()
}

// Match reports whether b has a match of the expression.
func (p Pattern) Match(b []byte) bool { return p.re != nil && p.re.Match(b) }

// MatchString reports whether s has a match of the expression.
func (p Pattern) MatchString(s string) bool { return p.re != nil && p.re.MatchString(s) }

// quickSteps is how many steps surely take only some tens of milliseconds.
const quickSteps = 4 << 20

// MatchUntil is [Pattern.Match] that gives up when stop says so, which some
// expressions take minutes for on a text made to this end. complete is false
// where it gave up.
func (p Pattern) MatchUntil(b []byte, stop func() bool) (match, complete bool) {
	if p.steps*len(b) <= quickSteps {
		return p.Match(b), true
	}
	r := &stoppable{b: b, stop: stop}
	match = p.re.MatchReader(r)
	return match, !r.stopped
}

// Captures reports whether the expression has groups with names, as in
// (?P<queue>\d+).
func (p Pattern) Captures() bool {
	return p.re != nil && slices.ContainsFunc(p.re.SubexpNames(), func(name string) bool { return name != "" })
}

// Capture is [Pattern.MatchUntil] that also calls found for each group with a name
// that took part in the first match, with what it matched.
func (p Pattern) Capture(b []byte, stop func() bool, found func(name string, text []byte)) (match, complete bool) {
	if p.re == nil {
		return false, true
	}
	var at []int
	r := &stoppable{b: b, stop: stop}
	if p.steps*len(b) <= quickSteps {
		at = p.re.FindSubmatchIndex(b)
	} else {
		at = p.re.FindReaderSubmatchIndex(r)
	}
	for i, name := range p.re.SubexpNames() {
		if name != "" && !r.stopped && at != nil && at[2*i] >= 0 {
			found(name, b[at[2*i]:at[2*i+1]])
		}
	}
	return at != nil, !r.stopped
}

// stoppable reads runes until it is told to stop.
type stoppable struct {
	b       []byte
	n       int
	stop    func() bool
	stopped bool
}

// ReadRune implements [io.RuneReader].
func (s *stoppable) ReadRune() (r rune, size int, err error) {
	if s.n++; s.n&63 == 0 && s.stop() {
		s.stopped = true
	}
	if s.stopped || len(s.b) == 0 {
		return 0, 0, io.EOF
	}
	r, size = utf8.DecodeRune(s.b)
	s.b = s.b[size:]
	return r, size, nil
}

// MarshalText returns the expression.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
