package sitemon

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DialogueStep is one step of what is said on a connection. Its parts are done in
// this order, as blackbox_exporter does them.
type DialogueStep struct {
	// Expect is what a line has to match that the other side sends; lines before it
	// are passed over. nil: nothing is waited for.
	Expect *Pattern
	// Send is the line that is sent then, without its end; "": none. ${1} stands for
	// what the first group of the last Expect matched, see [EachCapture].
	Send string
	// StartTLS begins TLS on the connection.
	StartTLS bool
}

// EachCapture takes a text to be sent apart: capture gets the numbers of ${0}, ${1}…,
// and literal what stands between them as it is written, with its references to
// variables and files.
func EachCapture(text string, literal func(string), capture func(group int)) {
	from := 0 // what is before it has been passed on
	for at := 0; ; {
		i := strings.Index(text[at:], "${")
		if i < 0 {
			break
		}
		i += at
		at = i + len("${")
		inner, _, closed := strings.Cut(text[at:], "}")
		group, err := strconv.Atoi(inner)
		if !closed || err != nil || len(inner) > 3 || inner[0] < '0' || i > 0 && text[i-1] == '$' { // $${ is a literal ${
			continue
		}
		if i > from {
			literal(text[from:i])
		}
		capture(group)
		at += len(inner) + len("}")
		from = at
	}
	if from < len(text) {
		literal(text[from:])
	}
}

// Groups is how many groups the expression has, the whole not counted.
func (p Pattern) Groups() int {
	if p.re == nil {
		return 0
	}
	return p.re.NumSubexp()
}

// Submatches is [Pattern.MatchUntil] that returns what the expression and its groups
// matched, the whole first; nil where it does not match. A group that took no part is
// empty.
func (p Pattern) Submatches(b []byte, stop func() bool) (groups [][]byte, complete bool) {
	if p.re == nil {
		return nil, true
	}
	var at []int
	r := &stoppable{b: b, stop: stop}
	if p.steps*len(b) <= quickSteps {
		at = p.re.FindSubmatchIndex(b)
	} else {
		at = p.re.FindReaderSubmatchIndex(r)
	}
	if r.stopped || at == nil {
		return nil, !r.stopped
	}
	for i := 0; i < len(at); i += 2 {
		groups = append(groups, b[max(at[i], 0):max(at[i+1], 0)])
	}
	return groups, true
}

// CutCredential divides a line of a protocol by which somebody signs in, such as
// "PASS secret" of POP3 or "a LOGIN user secret" of IMAP, before what has to be
// hidden. ok is false for other lines.
func CutCredential(line string) (before, credential string, ok bool) {
	at := 0
	for range 2 { // the first word, or the second behind a tag
		word, rest, more := strings.Cut(line[at:], " ")
		if !more {
			return "", "", false
		}
		at = len(line) - len(rest)
		switch strings.ToUpper(word) {
		case "AUTH", "AUTHENTICATE", "PASS", "LOGIN", "OPER":
			return line[:at], rest, strings.TrimSpace(rest) != ""
		}
	}
	return "", "", false
}

// maxAnswers is how many lines a mechanism of AUTH takes beside its name: LOGIN asks for
// the user, then for the password.
const maxAnswers = 2

// SignIn is [CutCredential] for the lines of a dialogue in their order. What answers AUTH
// or AUTHENTICATE, in base64 on lines of its own, is a credential too.
type SignIn struct{ answers int }

// Cut divides the next line.
func (s *SignIn) Cut(line string) (before, credential string, ok bool) {
	if before, credential, ok = CutCredential(line); ok {
		s.answers = 0
		if command := strings.ToUpper(before); strings.HasSuffix(command, "AUTH ") || strings.HasSuffix(command, "AUTHENTICATE ") {
			s.answers = maxAnswers
		}
		return before, credential, true
	}
	if s.answers == 0 || !encoded(line) {
		s.answers = 0
		return "", "", false
	}
	s.answers--
	return "", line, true
}

// encoded reports whether a line is a text in base64, which the commands of protocols
// ("QUIT", "NOOP") are not: they would be control characters.
func encoded(line string) bool {
	text, err := base64.StdEncoding.DecodeString(strings.TrimRight(line, "\r\n"))
	return err == nil && len(text) > 0 && utf8.Valid(text) &&
		!strings.ContainsFunc(string(text), func(r rune) bool { return r != 0 && unicode.IsControl(r) })
}
