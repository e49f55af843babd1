package shards_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
)

// listening is a log that remembers whether something was said.
type listening struct {
	slog.Handler
	words string
	heard *atomic.Bool
}

func (h listening) Enabled(context.Context, slog.Level) bool { return true }

func (h listening) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.words) {
		h.heard.Store(true)
	}
	return h.Handler.Handle(ctx, r)
}

func (h listening) WithAttrs(attrs []slog.Attr) slog.Handler {
	return listening{h.Handler.WithAttrs(attrs), h.words, h.heard}
}
