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
	// ReceivedAt is when it came; LastAt when it came last, where it was repeated.
	ReceivedAt, LastAt time.Time
	// Repeats is how often it came again, see [SameHeartbeat].
	Repeats int
	// Failed says that the run which it reports did not succeed.
	Failed bool
	// ExitCode is that of the run; nil: it was not reported.
	ExitCode *int
	// Duration is how long the run took; 0: it was not reported.
	Duration time.Duration
	// Message is what it said, [MaxHeartbeatMessage] bytes at most.
	Message string
	// Run is the sender's own name of the run, up to 100 characters; "": none.
	Run string
}

// repeatedWithin is how long after a heartbeat without the name of a run another one
// that says the same is the same one, sent again.
const repeatedWithin = 10 * time.Second

// SameHeartbeat reports whether next is newest sent again, as senders do that heard no
// answer: it is of the same run; or, where neither names one, it says the same within
// 10 s of the first.
func SameHeartbeat(newest, next *Heartbeat) bool {
	if newest.Run != "" || next.Run != "" {
		return newest.Run == next.Run && newest.Failed == next.Failed
	}
	return newest.Failed == next.Failed && newest.Duration == next.Duration && newest.Message == next.Message &&
		(newest.ExitCode == nil) == (next.ExitCode == nil) && (newest.ExitCode == nil || *newest.ExitCode == *next.ExitCode) &&
		next.LastAt.Sub(newest.ReceivedAt) < repeatedWithin
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
	// Listened is when heartbeats could be received, of any site and by whichever
	// process, since then or the newest one: in order, and apart.
	Listened []Span
}
