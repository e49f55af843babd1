// Package heartbeat decides whether a site that calls us has done so in time. All of
// it is pure: what was recorded and the time are given.
//
// A heartbeat is expected some time after the last one, or at the times of a cron
// expression. [Rule.Judge] looks at the newest heartbeat at a slot of the site:
//
//   - it came in time, and no other one is overdue by more than the grace: up
//   - it says that the run failed: down, until a good one comes
//   - a run has begun and not ended within the grace: down
//   - an expected one has not come: down, if it could have been received at all
//   - it can't be told, as the site is new, or nobody listened around the moment in
//     which it was expected: unknown
//
// A slot never waits for a heartbeat. So the grace may be longer than the interval,
// and a slot's report depends on nothing that comes after it.
package heartbeat

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"sitemon"
)

const (
	// deaf is how long nobody may listen without a heartbeat being lost: senders try
	// again for a while, as the commands do that the site's page shows.
	deaf = 30 * time.Second
	// quiet is how long ago somebody has listened who does so now: who does, notes it
	// more often. Who does not may be away for longer than deaf, which is not known yet.
	quiet = 15 * time.Second
	// early is how much before a time of the schedule a heartbeat may come and still be
	// the one that is expected then: clocks differ.
	early = time.Minute
	// Ahead is how much later than now a heartbeat may have come, as clocks differ: what
	// lies further ahead was said by a clock that was set back since.
	Ahead = 5 * time.Minute
)

// Rule is when the heartbeats of a site are expected.
type Rule struct {
	every    time.Duration
	grace    time.Duration
	schedule cron.Schedule // nil: by every
	zone     *time.Location
}

// NewRule returns the rule of a site with the given interval. The error wraps
// [sitemon.ErrInvalid].
func NewRule(r *sitemon.HeartbeatRequest, interval time.Duration) (Rule, error) {
	rule := Rule{every: r.Every, grace: r.Grace}
	if rule.every == 0 {
		rule.every = interval
	}
	if r.Schedule == "" {
		return rule, nil
	}
	var err error
	rule.schedule, rule.zone, err = parse(r.Schedule, r.Timezone)
	return rule, err
}

// expected is a moment at which a heartbeat is expected, and the time around it in
// which it would come.
type expected struct{ at, from, until time.Time }

// first is the first moment after the last heartbeat, or after the site was set up, at
// which one is expected.
func (r Rule) first(base time.Time, heard bool) expected {
	if r.schedule == nil {
		return r.around(base.Add(r.every))
	}
	one := r.next(base)
	if heard {
		apart := r.next(one).Sub(one)
		one = r.next(base.Add(max(0, min(early, apart/4))))
	}
	return r.around(one)
}

// following is the first expected moment whose time begins after t; of is any one
// before it.
func (r Rule) following(of expected, t time.Time) expected {
	if r.schedule != nil {
		next := r.around(r.next(of.at))
		if next.from.Before(t) {
			next = r.around(r.next(t.Add(early)))
		}
		return next
	}
	steps := max(1, (t.Sub(of.from)+r.every-1)/r.every)
	return r.around(of.at.Add(steps * r.every))
}

// around is the time in which a heartbeat would come that is expected at a moment.
func (r Rule) around(at time.Time) expected {
	before := early
	if r.schedule == nil {
		before = min(r.grace, r.every/2)
	}
	return expected{at: at.UTC(), from: at.Add(-before).UTC(), until: at.Add(r.grace).UTC()}
}

// end is the time in which the run has to end that goes on; zero: none does, or it may
// take as long as it likes, as there is no grace.
func (r Rule) end(s sitemon.HeartbeatState) expected {
	if at := s.Run.At; r.grace > 0 && !at.IsZero() && !at.Before(s.Since) {
		return expected{at: at, from: at, until: at.Add(r.grace)}
	}
	return expected{}
}

// Next is until when a heartbeat has to come, after the newest one that is known or
// after the site was set up, or to end the run that goes on; zero where nothing is
// known.
func (r Rule) Next(s sitemon.HeartbeatState) time.Time {
	base, heard := baseOf(s)
	if base.IsZero() {
		return time.Time{}
	}
	next := r.first(base, heard).until
	if e := r.end(s); !e.at.IsZero() && e.until.Before(next) {
		return e.until
	}
	return next
}

// baseOf is from where on a heartbeat is awaited: the newest one, unless the site was
// set up, or began anew, after it.
func baseOf(s sitemon.HeartbeatState) (base time.Time, heard bool) {
	if h := s.Newest; h != nil && !h.LastAt.Before(s.Since) {
		return h.LastAt, true
	}
	return s.Since, false
}

// Verdict is what was found at a moment.
type Verdict struct {
	Outcome sitemon.Outcome
	Reason  sitemon.Reason // "" while it is up
	Error   string         // in words; the same while nothing changes
}

// Judge says how the site is at a moment.
func (r Rule) Judge(now time.Time, s sitemon.HeartbeatState) Verdict {
	base, heard := baseOf(s)
	if base.IsZero() {
		return unknown("no process receives heartbeats of this site yet")
	}
	if base.After(now.Add(Ahead)) {
		return unknown(fmt.Sprintf("the clock says %s, and the newest that is known of the site is of %s: a clock was set back", clock(now), clock(base)))
	}
	if heard && s.Newest.Failed {
		return Verdict{sitemon.OutcomeDown, sitemon.ReasonStatus, failure(s.Newest)}
	}
	var lost *sitemon.Span // the last time in which a heartbeat may have got lost
	if e := r.end(s); !e.at.IsZero() && !e.until.After(now) {
		if lost = unheard(s.Listened, e.at, now, e); lost == nil {
			return Verdict{sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, r.endless(e.at)}
		}
	}
	for e := r.first(base, heard); !e.at.IsZero() && !e.until.After(now); {
		gap := unheard(s.Listened, base, now, e)
		if gap == nil {
			return Verdict{sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, r.missing(base, heard)}
		}
		lost = gap
		e = r.following(e, gap.To)
	}
	switch {
	case lost != nil:
		return unknown(fmt.Sprintf("%s; none could be received from %s to %s", silence(base, heard), clock(lost.From), clock(lost.To)))
	case !heard:
		return unknown("no heartbeat yet; the first one is awaited until " + clock(r.first(base, false).until))
	}
	return Verdict{Outcome: sitemon.OutcomeUp}
}

// unheard is the stretch of more than [deaf] around an expected moment in which nobody
// listened, or of more than [quiet] where nobody does now; nil: there is none.
func unheard(listened []sitemon.Span, base, now time.Time, e expected) *sitemon.Span {
	end := base
	for i, l := range append(slices.Clip(listened), sitemon.Span{From: now, To: now}) {
		most := deaf
		if i == len(listened) {
			most = quiet
		}
		if l.From.Sub(end) > most && end.Before(e.until) && l.From.After(e.from) {
			return &sitemon.Span{From: end, To: l.From}
		}
		if l.To.After(end) {
			end = l.To
		}
	}
	return nil
}

// unknown is a verdict about us, not about the site: nobody has listened long enough.
func unknown(text string) Verdict {
	return Verdict{sitemon.OutcomeUnknown, sitemon.ReasonMonitorStopped, text}
}

// failure says what a heartbeat says that reports a failed run.
func failure(h *sitemon.Heartbeat) string {
	text := "the run failed at " + clock(h.LastAt)
	if h.ExitCode != nil && *h.ExitCode != 0 {
		text = fmt.Sprintf("the run ended with exit code %d at %s", *h.ExitCode, clock(h.LastAt))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(h.Message), "\n")
	if first = strings.TrimSpace(first); first != "" {
		text += ": " + first
	}
	return text
}

// endless says that a run has not ended.
func (r Rule) endless(began time.Time) string {
	return fmt.Sprintf("the run that began at %s has not ended within the grace, by %s", clock(began), clock(began.Add(r.grace)))
}

// missing says that a heartbeat has not come.
func (r Rule) missing(base time.Time, heard bool) string {
	e := r.first(base, heard)
	text := silence(base, heard) + "; the next one was expected by " + clock(e.at)
	if !heard {
		text = silence(base, heard) + "; the first one was expected by " + clock(e.at)
	}
	if r.grace > 0 {
		text += ", or with its grace by " + clock(e.until)
	}
	return text
}

func silence(base time.Time, heard bool) string {
	if heard {
		return "no heartbeat since " + clock(base)
	}
	return "no heartbeat since the site was set up at " + clock(base)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
