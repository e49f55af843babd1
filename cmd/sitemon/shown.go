package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// shown is a text of others in the cell of a table: whatever a terminal might act
// upon, or would break the line, is escaped.
func shown(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// shownLines is a text of several lines, each as [shown] has it but for its tabs.
func shownLines(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		end := strings.IndexAny(s, "\n\t")
		if end < 0 {
			b.WriteString(shown(s))
			break
		}
		b.WriteString(shown(s[:end]))
		b.WriteByte(s[end])
		s = s[end+1:]
	}
	return b.String()
}

func unprintable(r rune) bool { return !strconv.IsPrint(r) || r == '\uFFFD' }

// messages is where a command says what it has to say beside its data: to people,
// who shall see texts of others as [shownLines] has them. Each Write is whole lines.
type messages struct{ w io.Writer }

// Write writes text. It returns the length of what it was given.
func (m messages) Write(text []byte) (int, error) {
	if _, err := io.WriteString(m.w, shownLines(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// printJSON prints a value as one line of JSON that may be shown on a terminal.
func (a *app) printJSON(v any) error {
	if err := json.NewEncoder(plainLines{a.out}).Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
