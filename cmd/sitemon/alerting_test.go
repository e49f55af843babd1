package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/alerts"
)

// hook is a webhook's receiver that answers as it is told to.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	mode     string
	accepted []delivery // in the order in which they came
	cut      map[string]bool
}

// delivery is a notification whose receipt was acknowledged.
type delivery struct {
	came, at time.Time // when the request was there, and when it was answered
	ID       string    `json:"id"`
	Kind     sitemon.NotificationKind
	Resolved bool
	Summary  string
	Cause    string
	Total    int
	Sites    []sitemon.NotifiedSite
}

const hookSecret = "s3cr3t-of-the-hook"

// hookModes are what a receiver can do; cut takes a notification and does not say so.
var hookModes = []string{"good", "fails", "drops", "slow", "cut"}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{mode: "good", cut: map[string]bool{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came := time.Now()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Header.Get("X-SiteMon-Signature") != alerts.Sign(hookSecret, body) {
			t.Errorf("a notification has the signature %q", r.Header.Get("X-SiteMon-Signature"))
		}
		var d delivery
		if err := json.Unmarshal(body, &d); err != nil || d.ID == "" || d.ID != r.Header.Get("Idempotency-Key") {
			t.Errorf("a notification %s has the key %q: %v", body, r.Header.Get("Idempotency-Key"), err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		switch h.mode {
		case "fails":
			w.WriteHeader(http.StatusInternalServerError)
			return
		case "cut":
			h.cut[d.ID] = true
			panic(http.ErrAbortHandler)
		case "drops":
			panic(http.ErrAbortHandler)
		case "slow":
			time.Sleep(300 * time.Millisecond)
		}
		d.came, d.at = came, time.Now()
		h.accepted = append(h.accepted, d)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) set(mode string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mode = mode
}

func (h *hook) all() []delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.accepted)
}

// told is what the receiver was told of an incident: the keys of the notifications.
// One that was over before it could be told is told as recovered alone.
type told struct{ down, recovered map[string]bool }

// of sorts what was delivered by incident.
func (h *hook) of() map[int64]*told {
	by := map[int64]*told{}
	for _, d := range h.all() {
		for _, s := range d.Sites {
			if by[s.Incident] == nil {
				by[s.Incident] = &told{map[string]bool{}, map[string]bool{}}
			}
			i := by[s.Incident]
			switch d.Kind {
			case sitemon.NotifyDown:
				i.down[d.ID] = true
			case sitemon.NotifyRecovered:
				i.recovered[d.ID] = true
			}
		}
	}
	return by
}

// TestAlertsArriveOnce kills the daemon at random moments while sites fail and the
// receiver of their alerts fails, drops connections, is slow, or does not say that it
// has taken something. In the end every incident must have been told once.
func TestAlertsArriveOnce(t *testing.T) {
	t.Parallel()
	lasts := 15 * time.Second
	if s := os.Getenv("TEST_ALERTS"); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatalf("TEST_ALERTS: %v", err)
		}
	}
	dir, web, h := t.TempDir(), newTarget(t), newHook(t)
	sites := 10 + int(lasts/time.Second)
	var doc strings.Builder
	fmt.Fprintf(&doc, "alerting: {group_wait: 1s, channels: {hook: {webhook: {url: %s, secret: '${HOOK_SECRET}'}}}}\n", h.URL)
	doc.WriteString("defaults: {interval: 1s, alerts: [{to: hook}]}\nsites:\n")
	for i := range sites {
		fmt.Fprintf(&doc, "  - {name: s%d, url: %s/s%[1]d}\n", i, web.URL)
	}
	save(t, dir, "sites.yaml", doc.String())
	environ := []string{"HOOK_SECRET=" + hookSecret}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := startDaemonIn(t, dir, environ)
	var kills []time.Time
	failures, down := make([]int, sites), make([]bool, sites)
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		if n := random.IntN(sites); failures[n] < 2 { // of more it would be flapping
			down[n] = !down[n]
			code := 0
			if down[n] {
				code = http.StatusInternalServerError
				failures[n]++
			}
			web.answer(fmt.Sprintf("/s%d", n), code)
		}
		h.set(hookModes[random.IntN(len(hookModes))])
		time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
		if random.IntN(6) == 0 {
			kills = append(kills, time.Now())
			p.kill()
			p = startDaemonIn(t, dir, environ)
		}
	}
	for i := range sites {
		web.answer(fmt.Sprintf("/s%d", i), 0)
	}
	h.set("good")
	incidents := p.waitTold(h)
	h.count(t, incidents, kills)
	p.stop()
	if strings.Contains(p.logged(), hookSecret) {
		t.Error("the log holds the secret of the channel")
	}
}

// waitTold waits until all sites are up and what the receiver was told is complete.
func (p *process) waitTold(h *hook) (incidents []incidentRow) {
	p.t.Helper()
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("the log of the last process:\n%s", p.logged())
		}
	})
	missing := ""
	defer func() {
		if p.t.Failed() {
			p.t.Logf("missing: %s", missing)
		}
	}()
	// What a process had taken when it was killed is free again after a minute.
	waitLong(p.t, "all incidents are over and told", func() bool {
		var list struct{ Incidents []incidentRow }
		p.get("/api/v1/incidents", &list)
		incidents = list.Incidents
		by := h.of()
		for _, i := range incidents {
			n := by[i.ID]
			if i.EndedAt == nil || n == nil || len(n.recovered) == 0 {
				missing = fmt.Sprintf("%+v, told %+v", i, n)
				return false
			}
		}
		return true
	})
	return incidents
}

// count checks that every incident was told once, and that nothing was sent twice
// that the sender could know to have arrived.
func (h *hook) count(t *testing.T, incidents []incidentRow, kills []time.Time) {
	t.Helper()
	by := h.of()
	for _, i := range incidents {
		n := by[i.ID]
		if len(n.down) > 1 || len(n.recovered) != 1 {
			t.Errorf("incident %d of %s was told by %v", i.ID, i.Site, *n)
		}
	}
	arrived := map[string][]delivery{}
	for _, d := range h.all() {
		arrived[d.ID] = append(arrived[d.ID], d)
	}
	twice := 0
	for id, all := range arrived {
		if len(all) == 1 {
			continue
		}
		twice++
		first := all[0]
		// A slow receiver goes on with a request whose sender is no more.
		killed := slices.ContainsFunc(kills, func(k time.Time) bool { return !k.Before(first.came) && k.Sub(first.at) < 2*time.Second })
		if !h.cut[id] && !killed {
			t.Errorf("notification %s arrived %d times, first between %s and %s; kills at %v", id, len(all), first.came, first.at, kills)
		}
	}
	t.Logf("%d incidents, %d notifications, %d of them twice as a kill cut off their acknowledgement, %d kills", len(incidents), len(arrived), twice, len(kills))
	if len(incidents) == 0 {
		t.Error("there was no incident")
	}
}

// TestOneNotificationForAParent takes down a site together with the hundred that
// depend on it: one notification names them all.
func TestOneNotificationForAParent(t *testing.T) {
	t.Parallel()
	const children = 100
	dir, web, h := t.TempDir(), newTarget(t), newHook(t)
	var doc strings.Builder
	fmt.Fprintf(&doc, "alerting: {group_wait: 2s, channels: {hook: {webhook: {url: %s, secret: %s}}}}\n", h.URL, hookSecret)
	fmt.Fprintf(&doc, "defaults: {interval: 1s, group: shop, alerts: hook}\nsites:\n  - {name: router, url: %s/router, group: network}\n", web.URL)
	for i := range children {
		fmt.Fprintf(&doc, "  - {name: child %d, url: %s/c%[1]d, depends_on: router}\n", i, web.URL)
	}
	save(t, dir, "sites.yaml", doc.String())
	p := startDaemon(t, dir)
	p.waitStatus("router", sitemon.StatusUp)
	p.waitStatus("child 99", sitemon.StatusUp)
	answerAll := func(code int) {
		web.answer("/router", code)
		for i := range children {
			web.answer(fmt.Sprintf("/c%d", i), code)
		}
	}
	answerAll(http.StatusBadGateway)
	waitFor(t, "the failure is told", func() bool { return len(h.all()) > 0 })
	d := h.all()[0]
	if d.Kind != sitemon.NotifyDown || d.Cause != "router" || d.Total != children+1 || len(d.Sites) < 10 || d.Sites[0].Name != "router" {
		t.Errorf("told %s because of %q, %d sites, %d of them named: %s", d.Kind, d.Cause, d.Total, len(d.Sites), d.Summary)
	}
	t.Log(d.Summary)
	answerAll(0)
	waitFor(t, "the recovery of all is told", func() bool {
		recovered := 0
		for _, d := range h.all()[1:] {
			recovered += d.Total
		}
		return recovered >= children+1
	})
	p.stop()
	for i, d := range h.all() {
		t.Logf("%d: %s of %d sites: %s", i, d.Kind, d.Total, d.Summary)
	}
	all, recovered := h.all(), 0
	for _, d := range all[1:] {
		if d.Kind != sitemon.NotifyRecovered {
			t.Errorf("told %s once more: %s", d.Kind, d.Summary)
		}
		recovered += d.Total
	}
	if recovered != children+1 || len(all) > 3 { // the parent's own recovery waits for nobody
		t.Errorf("%d recovered, by %d notifications", recovered, len(all)-1)
	}
}
