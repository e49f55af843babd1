package sitemon

import "time"

// IncidentStatus is what is being done about an incident.
type IncidentStatus string

// The statuses of an incident.
const (
	IncidentOpen         IncidentStatus = "open"
	IncidentAcknowledged IncidentStatus = "acknowledged" // open, and somebody has said that they know
	IncidentResolved     IncidentStatus = "resolved"
)

// IncidentEnd says what ended an incident.
type IncidentEnd string

// The ends of an incident.
const (
	EndRecovered   IncidentEnd = "recovered"
	EndPaused      IncidentEnd = "paused"      // enabled: false
	EndRemoved     IncidentEnd = "removed"     // the site left its document
	EndMaintenance IncidentEnd = "maintenance" // a planned maintenance began
)

// Incident is a stretch of time in which a site's status was down.
type Incident struct {
	ID   int64
	Site string
	// Group and URL are the site's as they are now, the URL as written: redact it
	// before showing.
	Group, URL string

	// StartedAt is the slot of the first failed report; with a quorum the slot with
	// which it was reached; after a maintenance the moment of its end.
	StartedAt time.Time
	// ConfirmedAt is the slot of the report with which the status became down.
	ConfirmedAt time.Time
	// EndedAt is the slot of the first good report of those that ended it, or the
	// moment of what else ended it; zero: it goes on.
	EndedAt time.Time
	End     IncidentEnd // "" while it goes on

	Reason    Reason // of the first failed report
	Error     string
	Locations []string // that said down, sorted
	Reports   int      // failed reports of those locations in it
	// Parent is the site on which this one depends and which was down itself; ""
	// for none.
	Parent string

	AcknowledgedAt time.Time // zero: nobody has
	AcknowledgedBy string
	// Withdrawn: late reports have shown that there was no downtime. Lists leave it
	// out.
	Withdrawn bool

	// Timeline, oldest first, and Evidence are there where one incident is asked for.
	Timeline []IncidentEvent
	Evidence []Evidence
}

// Status says what is being done about the incident.
func (i *Incident) Status() IncidentStatus {
	switch {
	case !i.EndedAt.IsZero() || i.Withdrawn:
		return IncidentResolved
	case !i.AcknowledgedAt.IsZero():
		return IncidentAcknowledged
	}
	return IncidentOpen
}

// IncidentEventKind says what an [IncidentEvent] is about.
type IncidentEventKind string

// The kinds of events in a timeline.
const (
	EventFailed       IncidentEventKind = "failed"    // a location's first failed report
	EventConfirmed    IncidentEventKind = "confirmed" // the status became down
	EventRecovered    IncidentEventKind = "recovered" // a location's first good report
	EventEnded        IncidentEventKind = "ended"
	EventAlert        IncidentEventKind = "alert" // a notification was delivered, or could not be
	EventAcknowledged IncidentEventKind = "acknowledged"
	EventComment      IncidentEventKind = "comment"
	EventReload       IncidentEventKind = "reload" // a reload touched the site
	EventParent       IncidentEventKind = "parent" // a site on which this one depends is down
	EventWithdrawn    IncidentEventKind = "withdrawn"
)

// IncidentEvent is one line of an incident's timeline.
type IncidentEvent struct {
	At       time.Time
	Kind     IncidentEventKind
	Location string // "" where it is not about one
	By       string // who did it; "" where nobody did
	Text     string // in words, for a person
}

// Evidence is what a failed probe asked and saw. Secrets are redacted.
type Evidence struct {
	Location string
	Slot     time.Time
	Details  string // a JSON object, see [Report.Evidence]
}

// IncidentQuery selects incidents, newest first.
type IncidentQuery struct {
	Site     string    // "": any
	Open     *bool     // only those that go on, or only the others; nil: all
	From, To time.Time // that touch this time; zero: unbounded
	Cursor   string    // of the page before
	Limit    int       // 0: 1,000
}

// IncidentChange is an incident that began, ended, or became another.
type IncidentChange struct {
	Incident
	// Began and Ended say that this change began or ended it.
	Began, Ended bool
}
