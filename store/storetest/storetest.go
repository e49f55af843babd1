// Package storetest is the suite that every store of SiteMon must pass. It knows
// a store only by its methods and judges it by the pure packages: what a store
// says must be what slot, status and availability say of the same reports.
package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/slot"
)

// Store is what a store can do.
type Store interface {
	SyncSites(ctx context.Context, doc sitemon.Document) (sitemon.Generation, sitemon.Plan, error)
	Known(ctx context.Context) ([]sitemon.Definition, sitemon.Generation, error)
	Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error)
	Tick(ctx context.Context, now time.Time) ([]sitemon.StatusChange, error)
	Maintain(ctx context.Context, now time.Time) error
	DeriveIncidents(ctx context.Context, now time.Time) ([]sitemon.IncidentChange, error)
	Incidents(ctx context.Context, q sitemon.IncidentQuery) (list []sitemon.Incident, next string, err error)
	Incident(ctx context.Context, id int64) (sitemon.Incident, error)
	AcknowledgeIncident(ctx context.Context, id int64, by string) (sitemon.Incident, error)
	CommentIncident(ctx context.Context, id int64, by, text string) (sitemon.Incident, error)
	Sites(ctx context.Context, q sitemon.SiteQuery) ([]sitemon.SiteState, error)
	Site(ctx context.Context, name string) (sitemon.SiteState, error)
	Reports(ctx context.Context, q sitemon.ReportQuery) (reports []sitemon.Report, next string, err error)
	Availability(ctx context.Context, q availability.Query) (availability.Result, error)
	Availabilities(ctx context.Context, names []string, now time.Time, windows []time.Duration) (map[string][]availability.Figure, error)
	Documents(ctx context.Context) (map[string]sitemon.Document, error)
	Definition(ctx context.Context, name string) (sitemon.StoredDefinition, error)
	DefinitionsAfter(ctx context.Context, after string, limit int) ([]sitemon.StoredDefinition, sitemon.Generation, error)
	Series(ctx context.Context, q availability.SeriesQuery) (map[string][]availability.SeriesBucket, error)
	Gaps(ctx context.Context, site string, from, to time.Time) ([]sitemon.Gap, error)
	Coverage(ctx context.Context, from, to time.Time) ([]sitemon.LocationCoverage, error)
	Reloads(ctx context.Context, limit int) ([]sitemon.Reload, error)
	MonitorsSince(ctx context.Context, since time.Time) ([]sitemon.Monitor, error)
	AddReload(ctx context.Context, r sitemon.Reload) error
	Heartbeat(ctx context.Context, m sitemon.Monitor) error
	Monitors(ctx context.Context, now time.Time) ([]sitemon.Monitor, error)
	HeartbeatSites(ctx context.Context, have int64) (sites []sitemon.CallingSite, version int64, err error)
	AcceptHeartbeats(ctx context.Context, sites []string, now time.Time) error
	RecordHeartbeat(ctx context.Context, site string, h sitemon.Heartbeat) (repeated bool, err error)
	Heartbeats(ctx context.Context, site string, limit int) ([]sitemon.Heartbeat, error)
	HeartbeatState(ctx context.Context, site string) (sitemon.HeartbeatState, error)
	ListenForHeartbeats(ctx context.Context, instance string, refused []string, now time.Time) error
	Rollup(ctx context.Context, now time.Time) error
	Retain(ctx context.Context, now time.Time) error
}

// Options are what a store under test is opened with.
type Options struct {
	Clock               func() time.Time
	Retention           time.Duration
	FiveMinuteRetention time.Duration // 0: the default
	HourRetention       time.Duration // likewise
	MaxSize             int64         // 0: any
}

// Run runs the suite. open opens an empty store and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T, opts Options) Store) {
	run(t, open, append(stateful(), stateless()...))
}

// RunState runs the tests whose outcome depends on what a store remembers from
// one call to the next, for a store that is opened anew between calls.
func RunState(t *testing.T, open func(t *testing.T, opts Options) Store) { run(t, open, stateful()) }

type test struct {
	name string
	run  func(h *harness)
}

func stateful() []test {
	return []test{
		{"sync/first", testSyncFirst},
		{"sync/differences", testSyncDifferences},
		{"sync/nothing new", testSyncNothingNew},
		{"sync/refused", testSyncRefused},
		{"sync/removed and returned", testSyncReturn},
		{"sync/paused", testSyncPaused},
		{"sync/thresholds", testSyncThresholds},
		{"sync/quorum and locations", testSyncTerms},
		{"sync/alerting and maintenance", testSyncDocument},
		{"sync/definition", testDefinition},
		{"sync/definitions", testDefinitions},
		{"record/identity", testIdentity},
		{"record/waiting for a definition", testUndefined},
		{"record/late", testLate},
		{"record/refused", testRefused},
		{"status/thresholds", testThresholds},
		{"status/locations", testLocations},
		{"status/quorum", testQuorum},
		{"status/silence", testSilence},
		{"status/random", testRandomStatus},
		{"gaps/reasons", testGapReasons},
		{"gaps/filled and split", testGapSplit},
		{"gaps/open end", testGapOpen},
		{"gaps/locations", testGapLocations},
		{"gaps/random", testRandomGaps},
		{"gaps/coverage", testCoverage},
		{"status/maintenance", testMaintenance},
		{"incidents/life", testIncidentLife},
		{"incidents/late", testIncidentLate},
		{"incidents/late and open", testIncidentLateOpen},
		{"incidents/edges", testIncidentEdges},
		{"incidents/evidence", testEvidence},
		{"incidents/random", testRandomIncidents},
		{"availability/late after rollup", testLateRollup},
		{"availability/any past", testAnyPast},
		{"too large", testTooLarge},
		{"heartbeats/sites", testHeartbeatSites},
		{"heartbeats/recorded", testHeartbeats},
		{"heartbeats/listening", testListening},
		{"heartbeats/refusing", testRefusing},
		{"heartbeats/runs", testRuns},
		{"heartbeats/clock", testClockSetBack},
	}
}

func stateless() []test {
	return []test{
		{"record/round trip", testRoundTrip},
		{"record/expired", testExpired},
		{"record/concurrent", testConcurrent},
		{"sites/filters", testSiteFilters},
		{"sites/many", testManySites},
		{"reports/pages", testReportPages},
		{"reports/filters", testReportFilters},
		{"availability/random", testRandomAvailability},
		{"availability/lists", testLists},
		{"availability/bad queries", testBadQueries},
		{"incidents/pages", testIncidentPages},
		{"incidents/long", testLongIncident},
		{"incidents/long ago", testIncidentLongAgo},
		{"incidents/long since", testIncidentLongSince},
		{"incidents/together", testIncidentsTogether},
		{"retention", testRetention},
		{"heartbeats/bounded", testHeartbeatsBounded},
		{"documents", testDocuments},
		{"reloads", testReloads},
		{"monitors", testMonitors},
	}
}

func run(t *testing.T, open func(t *testing.T, opts Options) Store, tests []test) {
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &harness{T: t, ctx: t.Context()}
			h.set(epoch)
			h.open = func(opts Options) { h.Store = open(t, opts) }
			h.open(Options{Clock: h.clock, Retention: 30 * 24 * time.Hour})
			c.run(h)
		})
	}
}

// epoch is when every test begins.
var epoch = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// harness is a test with its store and its time.
type harness struct {
	*testing.T
	Store
	ctx  context.Context
	at   atomic.Int64
	open func(opts Options) // opens another, empty store in place of the one before
}

func (h *harness) clock() time.Time     { return time.UnixMicro(h.at.Load()).UTC() }
func (h *harness) set(t time.Time)      { h.at.Store(t.UnixMicro()) }
func (h *harness) pass(d time.Duration) { h.set(h.clock().Add(d)) }

func (h *harness) check(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *harness) equal(what string, got, want any) {
	h.Helper()
	if !reflect.DeepEqual(got, want) {
		h.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// site makes a site; change may alter it.
func site(name string, interval time.Duration, change ...func(*sitemon.Site)) sitemon.Site {
	s := sitemon.Site{
		Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Enabled: true,
		Interval: interval, Timeout: interval / 2, FailureThreshold: 1, SuccessThreshold: 1,
	}
	for _, f := range change {
		f(&s)
	}
	more := ""
	if s.Rules != nil {
		more += fmt.Sprintf(`,"depends_on":%q`, s.Rules.DependsOn)
	}
	if s.Locations != nil {
		more += fmt.Sprintf(`,"locations":%q`, s.Locations)
	}
	if s.Quorum != 0 {
		more += fmt.Sprintf(`,"quorum":%d`, s.Quorum)
	}
	s.Definition = fmt.Appendf(nil, `{"enabled":%t,"failure_threshold":%d,"group":%q,"interval":"%s","name":%q,"success_threshold":%d,"url":%q%s}`,
		s.Enabled, s.FailureThreshold, s.Group, s.Interval, s.Name, s.SuccessThreshold, s.URL, more)
	return s
}

func document(sites ...sitemon.Site) sitemon.Document {
	d := sitemon.Document{Source: "sites.yaml", Sites: sites}
	h := fmt.Sprint(len(sites))
	for _, s := range sites {
		h = fmt.Sprintf("%x", slot.Hash(h+string(s.Definition)))
	}
	d.Hash = h
	return d
}

func (h *harness) sync(sites ...sitemon.Site) (sitemon.Generation, sitemon.Plan) {
	h.Helper()
	g, p, err := h.SyncSites(h.ctx, document(sites...))
	h.check(err)
	return g, p
}

// report makes a report of the default location.
func report(name string, at time.Time, o sitemon.Outcome) sitemon.Report {
	r := sitemon.Report{
		Site: name, Location: "default", Slot: at, StartedAt: at.Add(time.Millisecond), Interval: 10 * time.Second,
		Outcome: o, Duration: 20 * time.Millisecond, Monitor: "host-1", Generation: 1,
	}
	if o != sitemon.OutcomeUp {
		r.Reason, r.Error = sitemon.ReasonStatus, "status 503, expected 200-399"
	}
	return r
}

func (h *harness) record(reports ...sitemon.Report) sitemon.Recorded {
	h.Helper()
	rec, err := h.Record(h.ctx, reports)
	h.check(err)
	return rec
}

// grid returns n slots of a site from the first one after a moment on.
func grid(name string, interval time.Duration, after time.Time, n int) []time.Time {
	g := slot.NewGrid(name, interval)
	slots := make([]time.Time, n)
	for i := range slots {
		after = g.After(after)
		slots[i] = after
	}
	return slots
}
