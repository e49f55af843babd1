package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"sitemon/config"
)

// TestLogLinesStayWhole logs texts that want to be lines of their own, or commands to
// a terminal. Each record is one line of characters that can be seen.
func TestLogLinesStayWhole(t *testing.T) {
	texts := map[string]string{
		"a forged line":         "docs\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\r\n12:00:00 ERR forged",
		"colours and a title":   "\x1b[31m\x1b]0;owned\x07",
		"backspaces":            "docs\b\b\b\bevil\x7f",
		"controls beyond ASCII": "\u009b31m\u0085forged",
		"other directions":      "\u202egpj.exe\u2066\u200f",
		"other line breaks":     "a\u2028b\u2029c\vd\fe",
		"no UTF-8, and NUL":     "\xff\xfe\x00",
		"beyond 16 bits":        "\U000e0001tag\U000e007f",
		"HTML":                  `<script>alert("1")</script>]]>&'`,
	}
	for name, text := range texts {
		for _, format := range []config.LogFormat{config.LogText, config.LogJSON} {
			t.Run(name+" "+string(format), func(t *testing.T) {
				var out bytes.Buffer
				log := newLogger(&out, config.LogSettings{Format: format})
				log.With("site", text).Warn("probe failed", "err", errors.New(text), "tags", []string{text}, slog.Group("group", "name", text))
				line, whole := strings.CutSuffix(out.String(), "\n")
				if !whole || !strings.Contains(line, "probe failed") {
					t.Fatalf("got %q", out.String())
				}
				for _, r := range line {
					if !strconv.IsPrint(r) {
						t.Errorf("the line holds %q: %q", r, line)
					}
				}
				if format != config.LogJSON {
					return
				}
				var got struct{ Msg, Site, Err string }
				if err := json.Unmarshal(out.Bytes(), &got); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				if want := strings.ToValidUTF8(text, "\ufffd"); name != "no UTF-8, and NUL" && (got.Site != want || got.Err != want) {
					t.Errorf("the text is now %q and %q, was %q", got.Site, got.Err, want)
				}
			})
		}
	}
}
