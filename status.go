package sitemon

import "time"

// Status is a site's present state: made from the newest reports of all its
// locations, thresholds applied.
type Status string

// The statuses.
const (
	StatusUp          Status = "up"
	StatusDegraded    Status = "degraded"
	StatusDown        Status = "down"
	StatusMaintenance Status = "maintenance"
	StatusPaused      Status = "paused" // enabled: false
	StatusUnknown     Status = "unknown"
)

// Statuses lists all statuses, the ones that need a person first.
var Statuses = []Status{StatusDown, StatusDegraded, StatusUnknown, StatusMaintenance, StatusPaused, StatusUp}

// StatusChange is the moment at which a site's status became another.
type StatusChange struct {
	Site   string
	Status Status
	Since  time.Time // slot of the first report that led to it
	Reason Reason    // of the newest report that is not up; "" where up
	Error  string
}

// Recorded is what became of a batch of reports.
type Recorded struct {
	// New are the reports that were recorded, in the order given. The others were
	// there already, and changed nothing.
	New        []Report
	Duplicates int
	// Expired counts reports older than the retention, which were dropped.
	Expired int
	// Changes are the changes of status that the new reports brought about.
	Changes []StatusChange
}

// LocationState is a site's state as one location sees it.
type LocationState struct {
	Location string
	Status   Status
	Since    time.Time
	Reason   Reason
	Error    string
	LastSlot time.Time // of the newest report
}

// SiteState is a site as lists and pages show it: the part of its definition
// that everybody may see, and its present state.
type SiteState struct {
	Name     string
	URL      string // as written; may hold credentials, so redact before showing
	Kind     Kind
	Group    string
	Tags     []string
	Interval time.Duration
	Timeout  time.Duration
	Enabled  bool
	Source   string
	Rules    *Rules // nil: none

	Status     Status
	Since      time.Time // zero before the first report
	Reason     Reason
	Error      string
	Locations  []LocationState
	LastReport *Report // nil before the first report
}

// SiteQuery selects sites; zero fields select all.
type SiteQuery struct {
	Group   *string
	Tag     string
	Status  Status
	Text    string   // part of the name, URL or group; letter case does not matter
	Names   []string // these alone; nil: any
	Brief   bool     // without their locations and newest reports, which cost most
	Removed bool     // the removed sites instead of the present ones
	After   string   // the cursor: names greater than this one
	Limit   int      // 0: no limit
}

// ReportQuery selects reports of one site, newest first.
type ReportQuery struct {
	Site    string
	From    time.Time // inclusive; zero: no bound
	To      time.Time // exclusive; zero: no bound
	Outcome Outcome   // "": any
	Before  string    // the cursor that the page before gave
	Limit   int
}

// Gap is a run of planned slots of one site and location that no report speaks
// for.
type Gap struct {
	Site     string
	Location string
	From, To time.Time // the first and the last missing slot
	Slots    int
	Reason   string // a Gap… constant, or "" where nobody knows
}

// Monitor is a process that probes or records, as it last said of itself.
type Monitor struct {
	ID          string
	Role        string
	Location    string
	Version     string
	StartedAt   time.Time // zero: an older version, which does not say so
	LastSeen    time.Time
	Stopped     bool // it said that it stops
	Sites       int
	LatenessP50 time.Duration // of the probes of the last minute
	LatenessP99 time.Duration
	Spool       int           // reports waiting to be recorded
	SpoolOldest time.Duration // how long the oldest of them waits
	// Shards is how many of ShardsOf shards of the sites it probes; ShardsOf 0: they
	// are not shared out.
	Shards, ShardsOf int
	ClockAhead       time.Duration // of its clock, against the store's
	Lag              int64         // messages that a writer has yet to record
	Results          Results
	// Problems are what keeps it from its work, in words.
	Problems []string
}

// Results counts the reports that a process dealt with to record them, since it
// started.
type Results struct {
	Recorded  int64 `json:"recorded"`
	Duplicate int64 `json:"duplicate"`
	Expired   int64 `json:"expired"`
	Dead      int64 `json:"dead"`
}

// MonitorAliveFor is how long after its last word a monitor counts as alive.
const MonitorAliveFor = time.Minute
