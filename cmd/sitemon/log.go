package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"sitemon/config"
)

// newLogger makes the one logger of the process: readable text with colours on a
// terminal, JSON for machines elsewhere, unless the settings say which.
func newLogger(w io.Writer, s config.LogSettings) *slog.Logger {
	format := s.Format
	if format == config.LogAuto {
		if format = config.LogJSON; isTerminal(w) {
			format = config.LogText
		}
	}
	if format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(plainLines{w}, &slog.HandlerOptions{Level: s.Level, ReplaceAttr: readableDuration}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: s.Level, TimeFormat: time.TimeOnly, NoColor: !colourful(w)}))
}

// readableDuration writes durations as "1.5s": slog's own JSON has nanoseconds.
func readableDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colourful reports whether colours make sense on w: on a terminal whose user
// has not refused them (https://no-color.org).
func colourful(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
