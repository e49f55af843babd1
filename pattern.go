package sitemon

import (
	"fmt"
	"regexp"
)

// Pattern is a compiled RE2 regular expression. Its zero value matches nothing.
// Copies share the compiled form.
type Pattern struct{ re *regexp.Regexp }

// CompilePattern parses an RE2 expression. Its error says what is wrong with the
// expression, without Go's prefix.
func CompilePattern(expr string) (Pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return Pattern{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Pattern{re}, nil
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

// MarshalText returns the expression.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
