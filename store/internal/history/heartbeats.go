package history

import (
	"slices"
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
	// Ahead is how much later than now heartbeats of a site may be accepted from: what
	// lies further ahead was said by a clock that was set back since.
	Ahead = 5 * time.Minute
)

// HeartbeatBase is from when on it matters who listened: since the site was set up or,
// where that is later, since its newest heartbeat; or since a run began.
func HeartbeatBase(s sitemon.HeartbeatState) time.Time {
	base := s.Since
	if s.Newest != nil && s.Newest.LastAt.After(base) {
		base = s.Newest.LastAt
	}
	if !s.Run.At.IsZero() && s.Run.At.Before(base) {
		return s.Run.At
	}
	return base
}

// Ear is a stretch of time in which a process listened for heartbeats, or refused
// those of a site all the same.
type Ear struct {
	Instance string
	Refused  bool
	sitemon.Span
}

// Listened is when heartbeats of a site could be received by any process. The ears of
// each are in order, by their beginnings.
func Listened(ears []Ear) (spans []sitemon.Span) {
	var open []sitemon.Span
	refused := map[string][]sitemon.Span{}
	for _, e := range ears {
		if e.Refused {
			refused[e.Instance] = append(refused[e.Instance], e.Span)
		}
	}
	for _, e := range ears {
		if !e.Refused {
			open = append(open, without(e.Span, refused[e.Instance])...)
		}
	}
	slices.SortFunc(open, func(a, b sitemon.Span) int { return a.From.Compare(b.From) })
	for _, s := range open {
		spans = joinSpan(spans, s)
	}
	return spans
}

// without is what is left of a stretch of time outside others, which are in order.
func without(s sitemon.Span, others []sitemon.Span) (rest []sitemon.Span) {
	for _, o := range others {
		if o.To.Before(s.From) || o.From.After(s.To) {
			continue
		}
		if o.From.After(s.From) {
			rest = append(rest, sitemon.Span{From: s.From, To: o.From})
		}
		if !o.To.Before(s.To) {
			return rest
		}
		s.From = o.To
	}
	return append(rest, s)
}

// joinSpan adds a stretch of time to others that begin no later.
func joinSpan(spans []sitemon.Span, s sitemon.Span) []sitemon.Span {
	last := len(spans) - 1
	if last < 0 || s.From.After(spans[last].To) {
		return append(spans, s)
	}
	if s.To.After(spans[last].To) {
		spans[last].To = s.To
	}
	return spans
}
