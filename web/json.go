package web

import (
	"time"

	"sitemon"
	"sitemon/availability"
)

// The forms of answers. Reports have [sitemon.Report]'s own; everything else
// goes through a type here, so that no field of the domain is shown unless it
// is named: above all no site's definition.

// slotTime is written in UTC with milliseconds, and as null where it is zero.
type slotTime time.Time

// MarshalJSON implements [json.Marshaler].
func (t slotTime) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + time.Time(t).UTC().Format(sitemon.SlotFormat) + `"`), nil
}

type siteJSON struct {
	Name         string           `json:"name"`
	URL          string           `json:"url"`
	Kind         sitemon.Kind     `json:"kind"`
	Group        string           `json:"group"`
	Tags         []string         `json:"tags"`
	IntervalMS   int64            `json:"interval_ms"`
	TimeoutMS    int64            `json:"timeout_ms"`
	Enabled      bool             `json:"enabled"`
	Source       string           `json:"source"`
	Status       sitemon.Status   `json:"status"`
	Since        slotTime         `json:"since"`
	Reason       sitemon.Reason   `json:"reason,omitempty"`
	Error        string           `json:"error,omitempty"`
	Locations    []locationJSON   `json:"locations"`
	LastReport   *sitemon.Report  `json:"last_report"`
	Availability availabilityJSON `json:"availability"`
	DependsOn    []string         `json:"depends_on,omitempty"`
	SLO          *sloJSON         `json:"slo,omitempty"` // where one site is asked for
}

type locationJSON struct {
	Location string         `json:"location"`
	Status   sitemon.Status `json:"status"`
	Since    slotTime       `json:"since"`
	Reason   sitemon.Reason `json:"reason,omitempty"`
	Error    string         `json:"error,omitempty"`
	LastSlot slotTime       `json:"last_slot"`
}

// availabilityJSON holds the figures over [figureWindows].
type availabilityJSON struct {
	Day     availability.Figure `json:"24h"`
	Week    availability.Figure `json:"7d"`
	Month   availability.Figure `json:"30d"`
	Quarter availability.Figure `json:"90d"`
}

// newSiteJSON takes the site's figures over [figureWindows]; fewer leave the
// rest unknown.
func newSiteJSON(s sitemon.SiteState, figures []availability.Figure) siteJSON {
	j := siteJSON{
		Name: s.Name, URL: sitemon.RedactURL(s.URL), Kind: s.Kind, Group: s.Group, Tags: s.Tags,
		IntervalMS: s.Interval.Milliseconds(), TimeoutMS: s.Timeout.Milliseconds(),
		Enabled: s.Enabled, Source: s.Source,
		Status: s.Status, Since: slotTime(s.Since), Reason: s.Reason, Error: s.Error,
		Locations: make([]locationJSON, len(s.Locations)), LastReport: s.LastReport,
	}
	if j.Tags == nil {
		j.Tags = []string{}
	}
	if s.Rules != nil {
		j.DependsOn = s.Rules.DependsOn
	}
	for i, l := range s.Locations {
		j.Locations[i] = locationJSON{l.Location, l.Status, slotTime(l.Since), l.Reason, l.Error, slotTime(l.LastSlot)}
	}
	a := &j.Availability
	for i, f := range []*availability.Figure{&a.Day, &a.Week, &a.Month, &a.Quarter} {
		if i < len(figures) {
			*f = figures[i]
		}
	}
	return j
}

type sitesJSON struct {
	Sites []siteJSON `json:"sites"`
	Next  string     `json:"next,omitempty"`
}

type reportsJSON struct {
	Reports []sitemon.Report `json:"reports"`
	Next    string           `json:"next,omitempty"`
}

type windowJSON struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	availability.Figure
	Buckets []bucketJSON `json:"buckets"`
}

type bucketJSON struct {
	Start time.Time `json:"start"`
	availability.Figure
	UpS          float64      `json:"up_s"`
	DegradedS    float64      `json:"degraded_s"`
	DownS        float64      `json:"down_s"`
	UnknownS     float64      `json:"unknown_s"`
	MaintenanceS float64      `json:"maintenance_s"`
	Reports      int          `json:"reports"`
	LatencyUS    *latencyJSON `json:"latency_us,omitempty"`
}

type latencyJSON struct {
	Mean int64  `json:"mean"`
	P50  *int64 `json:"p50"` // null: the sums of old reports have no percentiles
	P95  *int64 `json:"p95"`
	P99  *int64 `json:"p99"`
	Max  int64  `json:"max"`
	// Phases are the means of the phases.
	Phases phasesJSON `json:"phases"`
	// Histogram has pairs of a bin's least µs and its count, where it is asked for.
	Histogram [][2]int64 `json:"histogram,omitempty"`
}

type phasesJSON struct {
	Resolve    int64 `json:"resolve"`
	Connect    int64 `json:"connect"`
	TLS        int64 `json:"tls"`
	Processing int64 `json:"processing"`
	Transfer   int64 `json:"transfer"`
}

func newWindowJSON(r availability.Result, histogram bool) windowJSON {
	j := windowJSON{From: r.From.UTC(), To: r.To.UTC(), Figure: r.Figure, Buckets: make([]bucketJSON, len(r.Buckets))}
	for i, b := range r.Buckets {
		j.Buckets[i] = bucketJSON{
			Start: b.Start.UTC(), Figure: b.Figure,
			UpS: b.Up.Seconds(), DegradedS: b.Degraded.Seconds(), DownS: b.Down.Seconds(),
			UnknownS: b.Unknown.Seconds(), MaintenanceS: b.Maintenance.Seconds(), Reports: b.Reports,
		}
		if l := b.Latency; l != nil {
			j.Buckets[i].LatencyUS = newLatencyJSON(l, histogram)
		}
	}
	return j
}

func newLatencyJSON(l *availability.Latency, histogram bool) *latencyJSON {
	p := l.Phases
	j := &latencyJSON{Mean: l.Mean.Microseconds(), Max: l.Max.Microseconds(), Phases: phasesJSON{
		p.Resolve.Microseconds(), p.Connect.Microseconds(), p.TLS.Microseconds(), p.Processing.Microseconds(), p.Transfer.Microseconds(),
	}}
	if l.P50 > 0 || l.P95 > 0 || l.P99 > 0 {
		p50, p95, p99 := l.P50.Microseconds(), l.P95.Microseconds(), l.P99.Microseconds()
		j.P50, j.P95, j.P99 = &p50, &p95, &p99
	}
	if histogram {
		for b := range l.Durations.Bins() {
			j.Histogram = append(j.Histogram, [2]int64{b.From.Microseconds(), int64(b.Count)})
		}
	}
	return j
}

type configJSON struct {
	Generation int64            `json:"generation"`
	Hash       string           `json:"hash"`
	LoadedAt   *time.Time       `json:"loaded_at"`
	Source     string           `json:"source"`
	Sites      int              `json:"sites"`
	Stored     bool             `json:"stored"`
	LastError  *lastErrorJSON   `json:"last_error,omitempty"`
	Reloads    []sitemon.Reload `json:"reloads"`
}

type lastErrorJSON struct {
	At     time.Time         `json:"at"`
	Errors []sitemon.Problem `json:"errors"`
}

// newReloadJSON is the reload as it is shown: its time in UTC, its errors a list.
func newReloadJSON(r sitemon.Reload) sitemon.Reload {
	r.At = r.At.UTC()
	if r.Errors == nil {
		r.Errors = []sitemon.Problem{}
	}
	return r
}

type statusJSON struct {
	Site   string         `json:"site"`
	Status sitemon.Status `json:"status"`
	Since  slotTime       `json:"since"`
	Reason sitemon.Reason `json:"reason,omitempty"`
	Error  string         `json:"error,omitempty"`
}

func newStatusJSON(c sitemon.StatusChange) statusJSON {
	return statusJSON{c.Site, c.Status, slotTime(c.Since), c.Reason, c.Error}
}

type noticesJSON struct {
	Notices []string `json:"notices"`
}

type monitorsJSON struct {
	Monitors  []monitorJSON  `json:"monitors"`
	Locations []coverageJSON `json:"locations"`
}

type monitorJSON struct {
	ID           string           `json:"id"`
	Role         string           `json:"role"`
	Location     string           `json:"location"`
	Version      string           `json:"version"`
	StartedAt    *time.Time       `json:"started_at"` // null: an older version, which does not say so
	LastSeen     time.Time        `json:"last_seen"`
	Sites        int              `json:"sites"`
	Shards       *shardsJSON      `json:"shards,omitempty"` // where the sites are shared out
	LatenessMS   latenessJSON     `json:"lateness_ms"`
	SpoolReports int              `json:"spool_reports"`
	SpoolOldestS float64          `json:"spool_oldest_s"`
	Lag          int64            `json:"lag"`
	Results      *sitemon.Results `json:"results,omitempty"` // of a writer, since it started
	ClockAheadMS float64          `json:"clock_ahead_ms"`
	Problems     []string         `json:"problems"`
}

type shardsJSON struct {
	Owned int `json:"owned"`
	Of    int `json:"of"`
}

type latenessJSON struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

func newMonitorJSON(m sitemon.Monitor) monitorJSON {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	j := monitorJSON{
		ID: m.ID, Role: m.Role, Location: m.Location, Version: m.Version, LastSeen: m.LastSeen.UTC(),
		Sites: m.Sites, LatenessMS: latenessJSON{ms(m.LatenessP50), ms(m.LatenessP99)}, SpoolReports: m.Spool, SpoolOldestS: m.SpoolOldest.Seconds(),
		Lag: m.Lag, ClockAheadMS: ms(m.ClockAhead), Problems: append([]string{}, m.Problems...),
	}
	if !m.StartedAt.IsZero() {
		at := m.StartedAt.UTC()
		j.StartedAt = &at
	}
	if m.ShardsOf > 0 {
		j.Shards = &shardsJSON{m.Shards, m.ShardsOf}
	}
	if recording(m) {
		j.Results = &m.Results
	}
	return j
}
