package sitemon

import (
	"strings"
)

// Step is one request of a site that makes several, one after the other.
type Step struct {
	Name string // unique among the steps of its site
	// URL is the site's where it is empty, and relative to it. It, the headers and
	// the body hold ${…} references, not expanded, and the {{name}}s of captures
	// before, see [EachPlaceholder].
	URL     string
	Method  string   // "": the site's
	Headers []Header // beside the site's
	Body    string   // "": the site's, where Method is the site's too
	// FollowRedirects is the site's where it is nil.
	FollowRedirects *bool
	// Expect is what a good answer looks like; nil: one with a status of 200-399. Of
	// the last step it goes before the site's own, key by key.
	Expect  *Expect
	Capture []Capture
}

// Capture is a value that is taken out of a step's answer for the steps after it.
// One of JSON, Regex and Header says where it stands.
type Capture struct {
	Name  string // letters, digits and underscores
	JSON  string // a GJSON path
	Regex *Pattern
	// Header is the name of a header field.
	Header string
}

// MaxPlaceholder is how long the name of a capture may be.
const MaxPlaceholder = 64

// EachPlaceholder divides a text of a step at its {{name}}s, which captured values
// take the place of; spaces may stand around the name. {{{{name}} is the text
// {{name}}, and braces around anything but a name are text as they are.
func EachPlaceholder(text string, literal, name func(string)) {
	from := 0 // what is before it has been told
	for at := 0; ; {
		i := strings.Index(text[at:], "{{")
		if i < 0 {
			break
		}
		at += i
		start := at
		escaped := strings.HasPrefix(text[at:], "{{{{") && placeholder(text[at+2:]) > 0
		if escaped {
			start += len("{{")
		}
		n := placeholder(text[start:])
		switch {
		case n == 0:
			at++
			continue
		case from < at:
			literal(text[from:at])
		}
		at = start + n
		from = at
		if escaped {
			literal(text[start:at])
		} else {
			name(strings.Trim(text[start+2:at-2], " "))
		}
	}
	if from < len(text) {
		literal(text[from:])
	}
}

// placeholder is the length of the {{name}} that a text begins with; 0 where it
// begins with none.
func placeholder(text string) int {
	if !strings.HasPrefix(text, "{{") {
		return 0
	}
	end := strings.Index(text, "}}")
	if end < 0 || !PlaceholderName(strings.Trim(text[2:end], " ")) {
		return 0
	}
	return end + 2
}

// PlaceholderName reports whether a capture can have this name.
func PlaceholderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= MaxPlaceholder
}

// FirstGroup returns what the expression's first group matched in b, or the whole
// expression where it has no group. It gives up when stop says so, as
// [Pattern.MatchUntil] does.
func (p Pattern) FirstGroup(b []byte, stop func() bool) (text []byte, match, complete bool) {
	if p.re == nil {
		return nil, false, true
	}
	r := &stoppable{b: b, stop: stop}
	var at []int
	if p.steps*len(b) <= quickSteps {
		at = p.re.FindSubmatchIndex(b)
	} else {
		at = p.re.FindReaderSubmatchIndex(r)
	}
	switch {
	case r.stopped || at == nil:
		return nil, false, !r.stopped
	case len(at) == 2:
		return b[at[0]:at[1]], true, true
	case at[2] < 0: // the group took no part
		return nil, true, true
	}
	return b[at[2]:at[3]], true, true
}
