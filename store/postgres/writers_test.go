package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/availability"
	"sitemon/internal/testkit"
	"sitemon/slot"
	"sitemon/status"
	"sitemon/store/postgres"
)

// traffic is what the monitors of two locations send of some sites, in the order
// in which they send it.
type traffic struct {
	doc        sitemon.Document
	thresholds status.Thresholds
	begin, end time.Time
	reports    []sitemon.Report
}

const trafficInterval = 10 * time.Second

// newTraffic makes random runs of outcomes, with slots left out. The same seed
// makes the same reports.
func newTraffic(seed uint64, sites, slots int, begin time.Time) traffic {
	rnd := rand.New(rand.NewPCG(seed, 7))
	f := traffic{thresholds: status.Thresholds{Failure: 2, Success: 2}, begin: begin, end: begin.Add(time.Duration(slots) * trafficInterval)}
	f.doc = sitemon.Document{Source: "sites.yaml", Hash: fmt.Sprint(seed)}
	for i := range sites {
		name := fmt.Sprintf("site-%d", i)
		f.doc.Sites = append(f.doc.Sites, sitemon.Site{
			Name: name, URL: "https://" + name + ".example.org/", Kind: sitemon.KindHTTP, Enabled: true, Interval: trafficInterval,
			Timeout: time.Second, FailureThreshold: 2, SuccessThreshold: 2, Definition: []byte(`{"name":"` + name + `"}`),
		})
		for _, location := range []string{"east", "west"} {
			left, outcome, away := 0, sitemon.OutcomeUp, false
			g := slot.NewGrid(name, trafficInterval)
			for at := g.After(begin); at.Before(f.end); at = g.After(at) {
				if left--; left < 0 {
					left, outcome, away = rnd.IntN(12), sitemon.Outcomes[rnd.IntN(4)], rnd.IntN(6) == 0
				}
				if away {
					continue
				}
				r := sitemon.Report{
					Site: name, Location: location, Slot: at, StartedAt: at, Interval: trafficInterval, Outcome: outcome,
					Duration: time.Duration(rnd.IntN(1000)) * time.Millisecond, Monitor: "host-" + location,
				}
				if outcome != sitemon.OutcomeUp {
					r.Reason, r.Error = sitemon.ReasonBody, fmt.Sprint("not what was expected: ", left)
				}
				f.reports = append(f.reports, r)
			}
		}
	}
	slices.SortStableFunc(f.reports, func(a, b sitemon.Report) int { return a.Slot.Compare(b.Slot) })
	return f
}

// batches cuts the reports at random.
func (f traffic) batches(rnd *rand.Rand) func(yield func([]sitemon.Report) bool) {
	return func(yield func([]sitemon.Report) bool) {
		for rest := f.reports; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(60))
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// verify compares what is stored with a recount of the reports.
func (f traffic) verify(t *testing.T, db *postgres.DB) {
	t.Helper()
	ctx := t.Context()
	tracks := map[string][]status.Located{}
	slots := map[[2]string][]time.Time{}
	for _, r := range f.reports {
		i := slices.IndexFunc(tracks[r.Site], func(l status.Located) bool { return l.Location == r.Location })
		if i < 0 {
			i = len(tracks[r.Site])
			tracks[r.Site] = append(tracks[r.Site], status.Located{Location: r.Location})
		}
		tracks[r.Site][i].Track.Advance(r, f.thresholds)
		key := [2]string{r.Site, r.Location}
		slots[key] = append(slots[key], r.Slot)
	}
	for _, s := range f.doc.Sites {
		got, err := db.Site(ctx, s.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := status.Combine(f.end, status.Terms{Enabled: true}, tracks[s.Name])
		if st := (status.State{Status: got.Status, Since: got.Since, Reason: got.Reason, Error: got.Error}); st != want {
			t.Errorf("status of %s:\n got %+v\nwant %+v", s.Name, st, want)
		}
		stored, _, err := db.Reports(ctx, sitemon.ReportQuery{Site: s.Name, Limit: len(f.reports)})
		if err != nil {
			t.Fatal(err)
		}
		gaps, err := db.Gaps(ctx, s.Name, f.begin.Add(-time.Hour), f.end)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		g := slot.NewGrid(s.Name, trafficInterval)
		for _, location := range []string{"east", "west"} {
			own := slots[[2]string{s.Name, location}]
			n += len(own)
			missing := 0
			for i := 1; i < len(own); i++ {
				missing += g.Count(own[i-1], own[i]) - 1
			}
			for _, gap := range gaps {
				if gap.Location == location && gap.From.Before(own[len(own)-1]) {
					missing -= gap.Slots
				}
			}
			if missing != 0 {
				t.Errorf("%s, %s: %d slots are neither reports nor gaps", s.Name, location, missing)
			}
		}
		if len(stored) != n {
			t.Errorf("%s has %d reports, want %d", s.Name, len(stored), n)
		}
	}
}

// TestManyWriters has several stores record the same reports at the same time, at
// their own pace, while sites are changed, silence is looked for, and hours are
// rolled up.
func TestManyWriters(t *testing.T) { manyWriters(t, testkit.Postgres(t)) }

func manyWriters(t *testing.T, dsn string) {
	t.Helper()
	begin := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	f := newTraffic(1, 12, 120, begin)
	var clock atomic.Int64
	clock.Store(begin.UnixNano())
	opts := postgres.Options{Clock: func() time.Time { return time.Unix(0, clock.Load()).UTC() }}
	first := open(t, dsn, opts)
	if _, _, err := first.SyncSites(t.Context(), f.doc); err != nil {
		t.Fatal(err)
	}
	clock.Store(f.end.UnixNano())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var recorded, duplicates atomic.Int64
	var writers sync.WaitGroup
	const n = 3
	for i := range n {
		db := first
		if i > 0 {
			db = open(t, dsn, opts)
		}
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 9))
			for b := range f.batches(rnd) {
				rec, err := db.Record(ctx, b)
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
				recorded.Add(int64(len(rec.New)))
				duplicates.Add(int64(rec.Duplicates))
				if rnd.IntN(10) == 0 {
					if _, err := db.Tick(ctx, b[0].Slot); err != nil {
						t.Errorf("writer %d: %v", i, err)
					}
				}
			}
		})
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		db, rnd := open(t, dsn, opts), rand.New(rand.NewPCG(5, 9))
		for round := 0; ; round++ {
			select {
			case <-done:
				return
			default:
			}
			doc := f.doc
			doc.Sites = slices.Clone(doc.Sites)
			s := &doc.Sites[rnd.IntN(len(doc.Sites))]
			s.Group, s.Definition = fmt.Sprint(round), fmt.Appendf(nil, `{"name":%q,"group":"%d"}`, s.Name, round)
			doc.Hash = fmt.Sprint(round)
			_, _, err := db.SyncSites(ctx, doc)
			err = errors.Join(err, db.Rollup(ctx, begin.Add(time.Duration(round)*time.Hour)))
			if err != nil {
				t.Errorf("beside the writers: %v", err)
				return
			}
		}
	})
	writers.Wait()
	close(done)
	others.Wait()
	if got := [2]int64{recorded.Load(), duplicates.Load()}; got != [2]int64{int64(len(f.reports)), int64(n-1) * int64(len(f.reports))} {
		t.Errorf("recorded and duplicates: %d, of %d reports, each sent %d times", got, len(f.reports), n)
	}
	if _, err := first.Tick(ctx, f.end); err != nil {
		t.Error(err)
	}
	f.verify(t, first)
	if err := first.Rollup(ctx, f.end.Add(2*time.Hour)); err != nil {
		t.Error(err)
	}
	f.verifySums(t, first)
}

// verifySums compares sums of hours with what the reports say.
func (f traffic) verifySums(t *testing.T, db *postgres.DB) {
	t.Helper()
	names := make([]string, len(f.doc.Sites))
	for i, s := range f.doc.Sites {
		names[i] = s.Name
	}
	const window = 24 * time.Hour
	now := f.begin.Add(3 * time.Hour)
	sums, err := db.Availabilities(t.Context(), names, now, []time.Duration{window})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var reports []availability.Report
		for _, r := range f.reports {
			if r.Site == name {
				reports = append(reports, availability.Report{
					Location: int64(r.Location[0]), Slot: r.Slot, Interval: r.Interval, Outcome: r.Outcome, Duration: r.Duration,
				})
			}
		}
		want := availability.Spans([]time.Time{now.Add(-window), now}, availability.Options{}, reports)[0].Sum.Figure(window)
		got := sums[name][0]
		if math.Abs(*got.Availability-*want.Availability)+math.Abs(got.Coverage-want.Coverage) > 1e-6 {
			t.Errorf("availability of %s: %v of %v, want %v of %v", name, *got.Availability, got.Coverage, *want.Availability, want.Coverage)
		}
	}
}
