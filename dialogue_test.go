package sitemon_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sitemon"
)

func TestEachCapture(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"PONG ${1}":                `"PONG " 1 `,
		"${1}${20}":                "1 20 ",
		"a ${NAME} ${1} b":         `"a ${NAME} " 1 " b" `,
		"$${1} ${1}":               `"$${1} " 1 `,
		"${1":                      `"${1" `,
		"${-1} ${+1} ${1x} ${}":    `"${-1} ${+1} ${1x} ${}" `,
		"${1234}":                  `"${1234}" `,
		"${NAME:-${1}":             `"${NAME:-" 1 `,
		"${file:/run/x} costs $ 1": `"${file:/run/x} costs $ 1" `,
	} {
		got := ""
		sitemon.EachCapture(text, func(s string) { got += fmt.Sprintf("%q ", s) }, func(n int) { got += fmt.Sprintf("%d ", n) })
		if got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestCaptures(t *testing.T) {
	p, err := sitemon.CompilePattern(`^PING (\w+)( .*)?$`)
	if err != nil {
		t.Fatal(err)
	}
	never := func() bool { return false }
	for text, want := range map[string]string{"PING abc": `["PING abc" "abc" ""] true`, "PONG": "[] true", "PING " + strings.Repeat("a", 1<<20): "3 true"} {
		groups, complete := p.Submatches([]byte(text), never)
		got := fmt.Sprintf("%q %t", groups, complete)
		if len(got) > 1000 {
			got = fmt.Sprintf("%d %t", len(groups), complete)
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if groups, complete := p.Submatches(bytes.Repeat([]byte("PING "), 1<<20), func() bool { return true }); groups != nil || complete {
		t.Error("it does not give up")
	}
	none := sitemon.Pattern{}
	if groups, complete := none.Submatches(nil, never); none.Groups() != 0 || p.Groups() != 2 || groups != nil || !complete {
		t.Error("the zero pattern matches")
	}
}

func TestCutCredential(t *testing.T) {
	for line, want := range map[string]string{
		"PASS secret\r":         "PASS ",
		"auth user secret":      "auth ",
		"a1 LOGIN user secret":  "a1 LOGIN ",
		"AUTH PLAIN AGFhAGJi\r": "AUTH ",
		"PASS":                  "", "PASS  ": "", "EHLO host.example\r": "", "QUIT": "", "": "", "a b PASS c": "",
	} {
		before, credential, ok := sitemon.CutCredential(line)
		if before != want && ok || ok != (want != "") || ok && before+credential != line {
			t.Errorf("%q: got %q, %q, %t, want %q", line, before, credential, ok, want)
		}
	}
}

func TestSignIn(t *testing.T) {
	const user, password, quit = "bW9uaXRvcg==\r", "czNjcjN0LXdvcmQ=\r", "QUIT\r"
	for name, tt := range map[string]struct {
		lines  []string
		hidden []string
	}{
		"in two answers":        {[]string{"EHLO a\r", "AUTH LOGIN\r", user, password, quit}, []string{"LOGIN\r", user, password}},
		"the user at once":      {[]string{"AUTH LOGIN " + user, password, quit}, []string{"LOGIN " + user, password}},
		"IMAP":                  {[]string{"a AUTHENTICATE PLAIN\r", "AG1vbml0b3IAczNjcjN0\r", "b LOGOUT\r"}, []string{"PLAIN\r", "AG1vbml0b3IAczNjcjN0\r"}},
		"no more than it takes": {[]string{"AUTH LOGIN\r", user, password, "Zm9v\r"}, []string{"LOGIN\r", user, password}},
		"something between":     {[]string{"AUTH LOGIN\r", "NOOP\r", password}, []string{"LOGIN\r"}},
		"a command":             {[]string{"AUTH LOGIN\r", "RSET\r", "STARTTLS\r", "HELP\r", "DATA\r"}, []string{"LOGIN\r"}},
		"POP3":                  {[]string{"USER monitor\r", "PASS abcd\r", "c3RhdA==\r"}, []string{"abcd\r"}},
	} {
		t.Run(name, func(t *testing.T) {
			var s sitemon.SignIn
			var hidden []string
			for _, line := range tt.lines {
				before, credential, ok := s.Cut(line)
				if ok {
					hidden = append(hidden, credential)
				}
				if ok && before+credential != line {
					t.Errorf("%q became %q and %q", line, before, credential)
				}
			}
			if !slices.Equal(hidden, tt.hidden) {
				t.Errorf("hidden is %q, want %q", hidden, tt.hidden)
			}
		})
	}
}
