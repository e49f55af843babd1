package web_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/web"
)

// testNow is the moment at which all tests of handlers take place.
var testNow = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// apiStore is a store and a reloader in memory.
type apiStore struct {
	mu           sync.Mutex
	sites        []sitemon.SiteState // by name
	reports      []sitemon.Report    // newest first
	incidents    []sitemon.Incident  // newest first
	monitors     []sitemon.Monitor
	gone         []sitemon.Monitor
	reloads      []sitemon.Reload
	running      sitemon.Generation
	plan         sitemon.Plan
	missing      []string
	uncovered    int   // slots of each location without a report
	err          error // of every read
	reloadErr    error
	siteQuery    sitemon.SiteQuery  // the last
	window       availability.Query // the last
	afterSites   func(*apiStore)    // called once, when the sites have been read
	figureCalls  [][]string         // the names of each call of Availabilities
	figures      map[string]float64 // availability by site; none: nearly always
	documents    map[string]sitemon.Document
	series       func(availability.SeriesQuery) []availability.SeriesBucket
	panicOnSites bool
	probe        func(ctx context.Context, name string) (json.RawMessage, error) // nil: any finds the same
}

func (f *apiStore) Sites(_ context.Context, q sitemon.SiteQuery) ([]sitemon.SiteState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panicOnSites {
		panic("a bug")
	}
	f.siteQuery = q
	if then := f.afterSites; then != nil {
		f.afterSites = nil
		defer then(f)
	}
	var found []sitemon.SiteState
	for _, s := range f.sites {
		text := strings.ToLower(s.Name + " " + s.URL + " " + s.Group)
		if s.Name > q.After && (q.Group == nil || s.Group == *q.Group) && (q.Tag == "" || slices.Contains(s.Tags, q.Tag)) &&
			(q.Status == "" || s.Status == q.Status) && (q.Names == nil || slices.Contains(q.Names, s.Name)) && strings.Contains(text, strings.ToLower(q.Text)) && !q.Removed {
			if q.Brief {
				s.Locations, s.LastReport = nil, nil
			}
			found = append(found, s)
		}
	}
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found, f.err
}

func (f *apiStore) Site(_ context.Context, name string) (sitemon.SiteState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sites {
		if s.Name == name {
			return s, f.err
		}
	}
	return sitemon.SiteState{}, cmp.Or(f.err, fmt.Errorf("read site %q: %w", name, sitemon.ErrNotFound))
}

func (f *apiStore) Reports(_ context.Context, q sitemon.ReportQuery) ([]sitemon.Report, string, error) {
	if q.Before != "" && q.Before != "second" {
		return nil, "", fmt.Errorf("read reports: %w: cursor %q", sitemon.ErrInvalid, q.Before)
	}
	var found []sitemon.Report
	for _, r := range f.reports {
		if r.Site == q.Site && (q.Outcome == "" || r.Outcome == q.Outcome) && !r.Slot.Before(q.From) && (q.To.IsZero() || r.Slot.Before(q.To)) {
			found = append(found, r)
		}
	}
	switch {
	case q.Before == "second" && len(found) > 0:
		return found[1:], "", f.err
	case len(found) > q.Limit:
		return found[:q.Limit], "second", f.err
	}
	return found, "", f.err
}

func (f *apiStore) Availability(_ context.Context, q availability.Query) (availability.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window = q
	full, latency := availability.Figure{Availability: new(0.75), Coverage: 1}, &availability.Latency{
		Mean: 20 * time.Millisecond, P50: 18 * time.Millisecond, P95: 40 * time.Millisecond, P99: 41500 * time.Microsecond, Max: time.Second,
		Phases:    sitemon.Phases{Resolve: time.Millisecond, Connect: 2 * time.Millisecond, TLS: 4 * time.Millisecond, Processing: 12 * time.Millisecond, Transfer: time.Millisecond},
		Durations: availability.HistogramOf(18*time.Millisecond, 18*time.Millisecond, 40*time.Millisecond),
	}
	sum := availability.Sum{
		Up: 44 * time.Minute, Degraded: time.Minute, Down: 15 * time.Minute, Unknown: q.To.Sub(q.From) - time.Hour, Reports: 120,
		Timed: 2, Total: 40 * time.Millisecond, Max: 22 * time.Millisecond, Durations: availability.HistogramOf(18*time.Millisecond, 22*time.Millisecond),
	}
	total := availability.Span{From: q.From, To: q.To, Sum: sum}.Bucket()
	return availability.Result{From: q.From, To: q.To, Figure: full, Sum: sum, Total: total, Buckets: []availability.Bucket{
		{Start: q.From, Figure: full, Up: 44 * time.Minute, Degraded: time.Minute, Down: 15 * time.Minute, Reports: 120, Latency: latency},
		{Start: q.From.Add(q.Step), Unknown: 59*time.Minute + 500*time.Millisecond},
	}}, f.err
}

func (f *apiStore) Availabilities(_ context.Context, names []string, _ time.Time, windows []time.Duration) (map[string][]availability.Figure, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.figureCalls = append(f.figureCalls, names)
	all := map[string][]availability.Figure{}
	for _, n := range names {
		figures := make([]availability.Figure, len(windows))
		for i := range windows {
			if n != "new" {
				figures[i] = availability.Figure{Availability: new(cmp.Or(f.figures[n], 0.99987)), Coverage: 1 / float64(i+1)}
			}
		}
		all[n] = figures
	}
	return all, f.err
}

// Series tells of steps that were up, but for one in ten of shop/checkout.
func (f *apiStore) Series(_ context.Context, q availability.SeriesQuery) (map[string][]availability.SeriesBucket, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string][]availability.SeriesBucket{}
	for _, n := range q.Names {
		if f.series != nil {
			all[n] = f.series(q)
			continue
		}
		for at := q.From; at.Before(q.To); at = at.Add(q.Step) {
			b := availability.SeriesBucket{Start: at, Up: q.Step}
			if q.Latency {
				b.Mean = 20 * time.Millisecond
			}
			if len(all[n])%10 == 3 && n == "shop/checkout" {
				b.Up, b.Down = q.Step-q.Step/48, q.Step/48
			}
			if n == "new" {
				b = availability.SeriesBucket{Start: at, Unknown: q.Step}
			}
			all[n] = append(all[n], b)
		}
	}
	return all, f.err
}

func (f *apiStore) Incidents(_ context.Context, q sitemon.IncidentQuery) ([]sitemon.Incident, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from := 0
	if n, ok := strings.CutPrefix(q.Cursor, "after-"); ok {
		from, _ = strconv.Atoi(n)
	} else if q.Cursor != "" {
		return nil, "", fmt.Errorf("read incidents: %w: cursor %q", sitemon.ErrInvalid, q.Cursor)
	}
	var found []sitemon.Incident
	for _, i := range f.incidents {
		if (q.Site == "" || i.Site == q.Site) && (q.Open == nil || *q.Open == i.EndedAt.IsZero()) && !i.Withdrawn {
			i.Timeline, i.Evidence = nil, nil
			found = append(found, i)
		}
	}
	found = found[min(from, len(found)):]
	if len(found) > q.Limit {
		return found[:q.Limit], fmt.Sprintf("after-%d", from+q.Limit), f.err
	}
	return found, "", f.err
}

func (f *apiStore) Incident(_ context.Context, id int64) (sitemon.Incident, error) {
	return f.changeIncident(id, func(*sitemon.Incident) {})
}

func (f *apiStore) AcknowledgeIncident(_ context.Context, id int64, by string) (sitemon.Incident, error) {
	return f.changeIncident(id, func(i *sitemon.Incident) {
		i.AcknowledgedAt, i.AcknowledgedBy = testNow, by
		i.Timeline = append(i.Timeline, sitemon.IncidentEvent{At: testNow, Kind: sitemon.EventAcknowledged, By: by})
	})
}

func (f *apiStore) CommentIncident(_ context.Context, id int64, by, text string) (sitemon.Incident, error) {
	return f.changeIncident(id, func(i *sitemon.Incident) {
		i.Timeline = append(i.Timeline, sitemon.IncidentEvent{At: testNow, Kind: sitemon.EventComment, By: by, Text: text})
	})
}

// changeIncident changes one incident, and returns it.
func (f *apiStore) changeIncident(id int64, edit func(*sitemon.Incident)) (sitemon.Incident, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range f.incidents {
		if i := &f.incidents[k]; i.ID == id {
			edit(i)
			return *i, f.err
		}
	}
	return sitemon.Incident{}, cmp.Or(f.err, fmt.Errorf("read incident %d: %w", id, sitemon.ErrNotFound))
}

func (f *apiStore) Documents(context.Context) (map[string]sitemon.Document, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.documents, f.err
}

func (f *apiStore) Reloads(_ context.Context, limit int) ([]sitemon.Reload, error) {
	return f.reloads[:min(limit, len(f.reloads))], f.err
}

func (f *apiStore) Monitors(context.Context, time.Time) ([]sitemon.Monitor, error) {
	return f.monitors, f.err
}

func (f *apiStore) MonitorsSince(_ context.Context, since time.Time) ([]sitemon.Monitor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Concat(f.monitors, f.gone), func(m sitemon.Monitor) bool { return !m.LastSeen.After(since) }), f.err
}

// Coverage has a location for each of the monitors.
func (f *apiStore) Coverage(context.Context, time.Time, time.Time) (list []sitemon.LocationCoverage, err error) {
	for _, m := range f.monitors {
		list = append(list, sitemon.LocationCoverage{Location: m.Location, Sites: m.Sites, Planned: 8640, Missing: f.uncovered})
	}
	return list, f.err
}

func (f *apiStore) Running() (sitemon.Generation, *sitemon.Reload) {
	if len(f.reloads) > 0 && !f.reloads[0].Applied {
		return f.running, &f.reloads[0]
	}
	return f.running, nil
}

func (f *apiStore) ReadsFile() bool { return !errors.Is(f.reloadErr, web.ErrNoFile) }

func (f *apiStore) Reload(context.Context) (sitemon.Plan, error) { return f.plan, f.reloadErr }

// newAPIStore holds three sites: one down behind credentials, one up, one new.
func newAPIStore() *apiStore {
	slot := time.Date(2026, 11, 24, 9, 59, 37, 250e6, time.UTC)
	down := sitemon.Report{
		Site: "shop/checkout", Location: "default", Slot: slot, StartedAt: slot.Add(time.Millisecond), Interval: 30 * time.Second,
		Outcome: sitemon.OutcomeDown, Reason: sitemon.ReasonStatus, Error: "status 503, expected 200-299", StatusCode: 503,
		Duration: 18211 * time.Microsecond, Phases: sitemon.Phases{Resolve: 301e3, Connect: 240e3, TLS: 1911e3, Processing: 15414e3, Transfer: 345e3},
		BodyBytes: 512, RemoteAddr: "192.0.2.7:443", CertificateExpiresAt: time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC), Monitor: "host-1", Generation: 17,
	}
	up := sitemon.Report{Site: "shop/checkout", Location: "default", Slot: slot.Add(-30 * time.Second), Interval: 30 * time.Second, Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 9 * time.Millisecond}
	docs := up
	docs.Site = "docs"
	bad := []sitemon.Problem{{File: "sites.yaml", Line: 7, Column: 15, Message: `unknown key "intervall"; did you mean "interval"?`, Excerpt: "  - {name: a, intervall: 30s}", Caret: 15}}
	return &apiStore{
		sites: []sitemon.SiteState{
			{Name: "docs", URL: "https://docs.example.org/", Kind: sitemon.KindHTTP, Group: "public", Tags: []string{"docs", "web"}, Interval: time.Minute, Timeout: 10 * time.Second, Enabled: true, Source: "sites.yaml", Status: sitemon.StatusUp, Since: slot.Add(-time.Hour), LastReport: &docs, Locations: []sitemon.LocationState{{Location: "default", Status: sitemon.StatusUp, Since: slot.Add(-time.Hour), LastSlot: docs.Slot}}},
			{Name: "new", URL: "tcp://db.example.org:5432", Kind: sitemon.KindTCP, Interval: 30 * time.Second, Timeout: 10 * time.Second, Enabled: true, Source: "sites.yaml", Status: sitemon.StatusUnknown},
			{Name: "shop/checkout", URL: "https://probe:hunter2@shop.example.org/pay?api_key=k3y&lang=en", Kind: sitemon.KindHTTP, Group: "public", Interval: 30 * time.Second, Timeout: 5 * time.Second, Enabled: true, Source: "sites.yaml", Rules: &sitemon.Rules{DependsOn: []string{"docs"}, SLO: &sitemon.SLO{Target: 99.9, Window: 30 * 24 * time.Hour}}, Status: sitemon.StatusDown, Since: slot, Reason: down.Reason, Error: down.Error, LastReport: &down, Locations: []sitemon.LocationState{{Location: "default", Status: sitemon.StatusDown, Since: slot, Reason: down.Reason, Error: down.Error, LastSlot: slot}}},
		},
		reports: []sitemon.Report{down, up},
		incidents: []sitemon.Incident{
			{
				ID: 42, Site: "shop/checkout", Group: "public", StartedAt: slot, ConfirmedAt: slot, Reason: down.Reason, Error: down.Error,
				Locations: []string{"default"}, Reports: 1,
				Timeline: []sitemon.IncidentEvent{{At: slot, Kind: sitemon.EventFailed, Location: "default", Text: down.Error}, {At: slot, Kind: sitemon.EventConfirmed}},
				Evidence: []sitemon.Evidence{{Location: "default", Slot: slot, Details: `{"request":{"method":"GET"}}`}},
			},
			{
				ID: 41, Site: "docs", Group: "public", StartedAt: slot.Add(-2 * time.Hour), ConfirmedAt: slot.Add(-119 * time.Minute), EndedAt: slot.Add(-time.Hour),
				End: sitemon.EndRecovered, Reason: sitemon.ReasonConnectTimeout, Error: "no connection within 10s", Locations: []string{"default"}, Reports: 60,
				Parent: "shop/checkout", AcknowledgedAt: slot.Add(-100 * time.Minute), AcknowledgedBy: "ann",
			},
		},
		monitors: []sitemon.Monitor{{ID: "host-1", Role: "all", Location: "default", Version: "1.0.0", LastSeen: testNow, Sites: 3, LatenessP50: 600 * time.Microsecond, LatenessP99: 1700 * time.Microsecond, StartedAt: testNow.Add(-26 * time.Hour), Spool: 12, SpoolOldest: 3 * time.Second, Shards: 21, ShardsOf: 64, ClockAhead: 20 * time.Millisecond, Lag: 7, Results: sitemon.Results{Recorded: 81204, Duplicate: 3}}},
		running:  sitemon.Generation{Number: 17, LoadedAt: testNow.Add(-time.Hour), Source: "sites.yaml", Hash: "5e88", Sites: 3},
		reloads: []sitemon.Reload{
			{Generation: 17, At: testNow.Add(-time.Minute), Source: "sites.yaml", Hash: "beef", DurationMS: 1.25, Errors: bad},
			{Generation: 17, At: testNow.Add(-time.Hour).In(time.FixedZone("", 3600)), Source: "sites.yaml", Hash: "5e88", Applied: true, Added: 1, Changed: 1, Unchanged: 1, DurationMS: 12.5, Difference: &sitemon.Difference{
				Added:   []string{"new"},
				Changed: []sitemon.Change{{Name: "docs", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "30s", After: "1m0s"}}, Rescheduled: true}},
			}},
		},
		plan: sitemon.Plan{Generation: 18, Added: []string{"a"}, Changed: []sitemon.Change{{Name: "docs", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "1m0s", After: "30s"}}, Rescheduled: true}}, Unchanged: 2},
	}
}

// newServer makes a server on the store; edit may change its options.
func newServer(t testing.TB, store *apiStore, edit ...func(*web.Options)) *web.Server {
	t.Helper()
	o := web.Options{
		Sites: store, History: store, Incidents: store, Operations: store, Documents: store, Reloader: store, Hub: web.NewHub(),
		Definitions: store, Prober: store, Heartbeats: fixtureBeats(), Callers: fixtureCallers(),
		Ready:  func(context.Context) []string { return store.missing },
		Logger: slog.New(slog.DiscardHandler), Version: "1.0.0", Now: func() time.Time { return testNow },
	}
	for _, e := range edit {
		e(&o)
	}
	return web.New(o)
}

// ask sends one request to the handler; headers are "Name: value", and a body is one named Body.
func ask(s *web.Server, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8080/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = unescape(path), path, query
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		switch name {
		case "Host":
			r.Host = value
			continue
		case "Body":
			r.Body = io.NopCloser(strings.NewReader(value))
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// body reads the answer's body without its last newline.
func body(w *httptest.ResponseRecorder) string {
	b, _ := io.ReadAll(w.Body)
	return string(bytes.TrimRight(b, "\n"))
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("got status %d (%s), want %d: %s", w.Code, http.StatusText(w.Code), want, body(w))
	}
}
