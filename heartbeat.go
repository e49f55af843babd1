package sitemon

import "time"

// KindHeartbeat is heartbeat://: the site calls us.
const KindHeartbeat Kind = "heartbeat"

// MaxHeartbeatMessage is how many bytes of a heartbeat's message are kept.
const MaxHeartbeatMessage = 1024

// HeartbeatRequest is what a site that calls us has to do. It sends its heartbeats
// to the page's server, which records them; a probe looks at what was recorded.
type HeartbeatRequest struct {
	// Token is what a heartbeat has to bring, ${…} references not expanded. Only the
	// process that receives heartbeats expands it, and no probe.
	Token Secret
	// Every is the time after a heartbeat in which the next one is expected; 0: the
	// site's interval. It does nothing where there is a Schedule.
	Every time.Duration
	// Grace is how much later than expected a heartbeat may be.
	Grace time.Duration
	// Schedule is a cron expression of five fields that says when heartbeats are
	// expected; "": by Every.
	Schedule string
	// Timezone is that of the schedule, as the IANA names it; "": UTC.
	Timezone string
}

// Heartbeat is a call of a site, or several that said the same.
type Heartbeat struct {
	// Began says that a run begins, and nothing else but its name: what it came to is
	// said by another heartbeat. It is kept apart, see [HeartbeatState.Run].
	Began bool
	// ReceivedAt is when it came; LastAt when it came last, where it was repeated.
	ReceivedAt, LastAt time.Time
	// Repeats is how often it came again, see [SameHeartbeat].
	Repeats int
	// Failed says that the run which it reports did not succeed.
	Failed bool
	// ExitCode is that of the run; nil: it was not reported.
	ExitCode *int
	// Duration is how long the run took, as reported or, where its begin was, as
	// measured; 0: neither is known.
	Duration time.Duration
	// Message is what it said, [MaxHeartbeatMessage] bytes at most.
	Message string
	// Run is the sender's own name of the run, up to 100 characters; "": none.
	Run string
}

const (
	// repeatedWithin is how long after a heartbeat without the name of a run another one
	// that says the same is the same one, sent again.
	repeatedWithin = 10 * time.Second
	// longestRun is how long a run can take that is measured.
	longestRun = 366 * 24 * time.Hour
)

// near reports whether two moments are so close that what was sent at both may be the
// same, also where a clock was set back between them.
func near(a, b time.Time) bool { return b.Sub(a).Abs() < repeatedWithin }

// SameHeartbeat reports whether next is newest sent again, as senders do that heard no
// answer: it is of the same run; or, where neither names one, it says the same within
// 10 s of the first. A duration that it does not say was measured, or is not known.
func SameHeartbeat(newest, next *Heartbeat) bool {
	if newest.Run != "" || next.Run != "" {
		return newest.Run == next.Run && newest.Failed == next.Failed
	}
	return newest.Failed == next.Failed && (next.Duration == 0 || newest.Duration == next.Duration) && newest.Message == next.Message &&
		(newest.ExitCode == nil) == (next.ExitCode == nil) && (newest.ExitCode == nil || *newest.ExitCode == *next.ExitCode) &&
		near(newest.ReceivedAt, next.LastAt)
}

// OpenRun is a run that has begun.
type OpenRun struct {
	At   time.Time // when; zero: none goes on, or none said so
	Name string    // the sender's own name of it; "": none
}

// Same reports whether a heartbeat by which a run begins is that of this one, sent
// again.
func (o OpenRun) Same(h *Heartbeat) bool {
	return !o.At.IsZero() && o.Name == h.Run && (o.Name != "" || near(o.At, h.LastAt))
}

// Ends reports whether a heartbeat is about the end of this run: of the run of the
// same name or, where one of the two has none, of any.
func (o OpenRun) Ends(h *Heartbeat) bool {
	return !o.At.IsZero() && (o.Name == "" || h.Run == "" || o.Name == h.Run)
}

// Took is how long the run took that a heartbeat ends: as it says or, where it does
// not, since the run began.
func (o OpenRun) Took(h *Heartbeat) time.Duration {
	if h.Duration > 0 || !o.Ends(h) {
		return h.Duration
	}
	return min(max(0, h.LastAt.Sub(o.At)), longestRun)
}

// CallingSite is a site that sends heartbeats.
type CallingSite struct {
	Definition
	Since time.Time // from when on they are accepted; zero: they are not yet
}

// Span is a stretch of time, To not included.
type Span struct{ From, To time.Time }

// HeartbeatState is what is known of a site's heartbeats.
type HeartbeatState struct {
	// Since is from when on its heartbeats were accepted: it is new, enabled again, or
	// was probed in another way before. Zero: they are not yet.
	Since time.Time
	// Newest is the last heartbeat; nil: none is known.
	Newest *Heartbeat
	// Run is the one that goes on.
	Run OpenRun
	// Listened is when heartbeats of the site could be received, by whichever process,
	// since then, the newest one or the begin of the run: in order, and apart.
	Listened []Span
}
