package history

import (
	"time"

	"sitemon"
)

const (
	// KeptHeartbeats is how many heartbeats of a site are kept, the newest ones.
	KeptHeartbeats = 200
	// StillListening is how long after it said so a process still listens for
	// heartbeats.
	StillListening = 30 * time.Second
	// KeptListening is how long is remembered when somebody listened: twice the longest
	// time between two heartbeats.
	KeptListening = 2 * 366 * 24 * time.Hour
)

// HeartbeatBase is from when on it matters who listened: since the site was set up or,
// where that is later, since its newest heartbeat.
func HeartbeatBase(s sitemon.HeartbeatState) time.Time {
	if s.Newest != nil && s.Newest.LastAt.After(s.Since) {
		return s.Newest.LastAt
	}
	return s.Since
}

// JoinSpan adds a stretch of time to others that begin no later.
func JoinSpan(spans []sitemon.Span, s sitemon.Span) []sitemon.Span {
	last := len(spans) - 1
	if last < 0 || s.From.After(spans[last].To) {
		return append(spans, s)
	}
	if s.To.After(spans[last].To) {
		spans[last].To = s.To
	}
	return spans
}
