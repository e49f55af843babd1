package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/sqlite"
)

// demoSite is a site of the pictures: how it is now, and how it was.
type demoSite struct {
	name, group string
	tags        []string
	now         string        // the path's word: up, slow, fails, gone
	latency     time.Duration // typical
	trouble     float64       // incidents a day
}

// demoNames are what the pictures' fleet is made of.
var demoNames = []struct {
	group string
	names []string
}{
	{"Shop", []string{"Storefront", "Checkout", "Search", "Cart API", "Payments gateway", "Product images"}},
	{"Public", []string{"Website", "Documentation", "Blog", "Status API", "Sign-in", "Careers"}},
	{"Platform", []string{"Object storage", "Build farm", "Package registry", "Message broker", "Metrics", "Secrets"}},
	{"Network", []string{"Router Berlin", "Router Oslo", "Name server 1", "Name server 2", "Mail relay", "VPN"}},
}

// demoFleet makes n sites, of which a few are not well.
func demoFleet(n int) []demoSite {
	rnd := rand.New(rand.NewPCG(7, uint64(n)))
	fleet := make([]demoSite, n)
	for i := range fleet {
		g := demoNames[i%len(demoNames)]
		k := i / len(demoNames)
		s := demoSite{
			name: g.names[k%len(g.names)], group: g.group, now: "up",
			latency: time.Duration(math.Exp(rnd.NormFloat64()*0.8)*60) * time.Millisecond, trouble: 0.01 + 0.05*rnd.Float64(),
		}
		if round := k / len(g.names); round > 0 {
			s.name = fmt.Sprintf("%s %d", s.name, round+1)
			s.group = fmt.Sprintf("%s %d", g.group, round/6+1)
		}
		if i%3 == 0 {
			s.tags = []string{"eu"}
		}
		fleet[i] = s
	}
	for i, now := range map[int]string{1: "fails", 4: "slow", 11: "gone", 300: "fails", 2000: "slow", 2001: "slow", 4100: "gone"} {
		if i < n {
			fleet[i].now, fleet[i].trouble = now, 0.2
		}
	}
	return fleet
}

// demoFile is the fleet's sites file.
func demoFile(fleet []demoSite, base string, interval time.Duration) []byte {
	var b strings.Builder
	if len(fleet) == 0 {
		return []byte("sites: []\n")
	}
	soon := time.Now().Add(2 * 24 * time.Hour).Format(time.DateOnly)
	fmt.Fprintf(&b, "status_pages:\n  - { path: public, title: Example services, description: How our services are, groups: [Public, Shop], public: true }\n")
	fmt.Fprintf(&b, "maintenance:\n  - { title: Database upgrade, start: %sT22:00:00, duration: 2h, groups: [Shop] }\n", soon)
	fmt.Fprintf(&b, "defaults: { interval: %s, timeout: 2s, expect: { latency: 800ms } }\nsites:\n", interval)
	for i, s := range fleet {
		fmt.Fprintf(&b, "  - { name: %s, url: %q, group: %s, tags: [%s] }\n", s.name, fmt.Sprintf("%s/%s/%d/%d", base, s.now, i, s.latency.Milliseconds()), s.group, strings.Join(s.tags, ", "))
	}
	return []byte(b.String())
}

// pictured answers as the words of the paths say.
func pictured(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	ms := 20
	_, _ = fmt.Sscan(parts[len(parts)-1], &ms)
	wait := time.Duration(ms) * time.Millisecond
	switch parts[1] {
	case "slow":
		wait = time.Second
	case "fails":
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "upstream connect error or disconnect/reset before headers")
		return
	case "gone":
		panic(http.ErrAbortHandler)
	}
	select {
	case <-time.After(wait):
	case <-r.Context().Done():
	}
	fmt.Fprintln(w, "ok")
}

// history is what a store is filled with.
type history struct {
	from, to time.Time
	interval time.Duration // of the reports
	keep     time.Duration // how long reports are kept
	step     time.Duration // how much is recorded at once, then summed up
}

// demoPast fills a store with a past, at a coarse interval.
func demoPast(ctx context.Context, path string, fleet []demoSite, days int, now time.Time) error {
	h := history{from: now.Add(-time.Duration(days) * day), to: now, interval: 5 * time.Minute, keep: 8 * day, step: day}
	if len(fleet) > 100 {
		h.interval = time.Hour
	}
	return h.record(ctx, path, fleet)
}

// record fills a store with the reports of a fleet, and does what the program does in
// the background.
func (h history) record(ctx context.Context, path string, fleet []demoSite) error {
	at := h.from
	db, err := sqlite.Open(ctx, path, sqlite.Options{Clock: func() time.Time { return at }, Retention: h.keep})
	if err != nil {
		return err
	}
	defer db.Close()
	doc := sitemon.Document{Source: "sites.yaml", Hash: "past at " + h.interval.String()}
	grids := make([]slot.Grid, len(fleet))
	for i, s := range fleet {
		grids[i] = slot.NewGrid(s.name, h.interval)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: s.name, URL: "http://127.0.0.1/", Kind: sitemon.KindHTTP, Group: s.group, Enabled: true, Interval: h.interval,
			Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q}`, s.name),
		})
	}
	if _, _, err := db.SyncSites(ctx, doc); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(1, uint64(h.from.Unix())))
	until := make([]time.Time, len(fleet)) // of trouble
	kind := make([]int, len(fleet))
	for at.Before(h.to) {
		next := at.Add(h.step)
		if next.After(h.to) {
			next = h.to
		}
		var reports []sitemon.Report
		for i, s := range fleet { // what is written together lies together
			for t := grids[i].After(at.Add(-1)); t.Before(next); t = t.Add(h.interval) {
				if t.After(until[i]) && rnd.Float64() < s.trouble*h.interval.Hours()/24 {
					until[i], kind[i] = t.Add(time.Duration(math.Exp(rnd.NormFloat64())*40)*time.Minute), rnd.IntN(5)
				}
				if r, ok := demoReport(s, t, h.interval, t.Before(until[i]), kind[i], rnd); ok {
					reports = append(reports, r)
				}
			}
		}
		at = next
		if _, err := db.Record(ctx, reports); err != nil {
			return err
		}
		if err := h.settle(ctx, db, at); err != nil {
			return err
		}
	}
	return nil
}

// settle does what the program does in the background.
func (h history) settle(ctx context.Context, db *sqlite.DB, at time.Time) error {
	if err := db.Retain(ctx, at); err != nil {
		return err
	}
	if _, err := db.Tick(ctx, at); err != nil {
		return err
	}
	_, err := db.DeriveIncidents(ctx, at)
	return err
}

// demoReport is one report; ok is false for a slot of which there is none.
func demoReport(s demoSite, at time.Time, interval time.Duration, trouble bool, kind int, rnd *rand.Rand) (r sitemon.Report, ok bool) {
	daily := 1 + 0.35*math.Sin(float64(at.Hour()*60+at.Minute())/1440*2*math.Pi)
	took := time.Duration(float64(s.latency) * daily * math.Exp(rnd.NormFloat64()*0.25))
	r = sitemon.Report{
		Site: s.name, Location: "default", Slot: at, StartedAt: at.Add(700 * time.Microsecond), Interval: interval,
		Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: took, BodyBytes: 5120, RemoteAddr: "127.0.0.1:443", Monitor: "host-1", Generation: 1,
		Phases:               sitemon.Phases{Resolve: took / 20, Connect: took / 10, TLS: took / 5, Processing: took * 12 / 20, Transfer: took / 20},
		CertificateExpiresAt: time.Date(at.Year(), at.Month()+2, 3, 0, 0, 0, 0, time.UTC),
	}
	if !trouble {
		return r, true
	}
	switch kind {
	case 0:
		return r, false // nobody looked
	case 1:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonStatus, "status 503, expected 200-399"
		r.StatusCode = 503
	case 2:
		r.Outcome, r.Reason, r.Error = sitemon.OutcomeDown, sitemon.ReasonConnectTimeout, "no connection to 127.0.0.1:443 within 2 s"
		r.StatusCode, r.Duration, r.Phases = 0, 2*time.Second, sitemon.Phases{Connect: 2 * time.Second}
	default:
		r.Outcome, r.Reason = sitemon.OutcomeDegraded, sitemon.ReasonLatency
		r.Duration += time.Second
		r.Phases.Processing += time.Second
		r.Error = fmt.Sprintf("took %s, expected at most 800ms", r.Duration.Round(time.Millisecond))
	}
	return r, true
}
