package main

import (
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plainLines writes lines of JSON in which every character that a terminal might
// act upon is escaped. The encoder leaves some as they are: DEL, the control
// characters beyond ASCII, and those that turn the direction of writing. Each Write
// is one line, as slog's handlers write them.
type plainLines struct{ w io.Writer }

// Write writes one line. It returns the length of what it was given.
func (p plainLines) Write(line []byte) (int, error) {
	out, kept := []byte(nil), 0
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r != '\n' && !strconv.IsPrint(r) {
			out = append(out, line[kept:i]...)
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			kept = i + size
		}
		i += size
	}
	if kept == 0 {
		return p.w.Write(line)
	}
	if _, err := p.w.Write(append(out, line[kept:]...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
