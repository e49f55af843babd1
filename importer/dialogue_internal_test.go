package importer

import "testing"

func TestBlackboxLine(t *testing.T) {
	for _, tt := range [][3]string{
		{"PONG ${1}", "^PING (.+)$", "PONG ${1}"},
		{"PONG $1 $who", `^PING (?P<who>\w+)$`, "PONG ${1} ${1}"},
		{"$1x ${2} $", "(a)", "  $"},
		{"$$1 $${1} ${1", "(a)", "$1 $${1} $${1"},
		{"${HOME} $1", "", "$${HOME} $1"},
		{"GET / HTTP/1.0\r\n\r", "", "GET / HTTP/1.0\r\n\r"},
		{"a\n", "", "a\n\n"},
	} {
		if got := blackboxLine(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q with %q: got %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}
