package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"sitemon"
)

// Prober makes probes that nothing is recorded of.
type Prober interface {
	// ProbeNow probes a site once, now, by a monitor in this process, within the
	// site's timeout. The result is what `sitemon probe --json` prints. The error wraps
	// [sitemon.ErrNotFound] where there is no such site, [sitemon.ErrInvalid] where it
	// can't be probed.
	ProbeNow(ctx context.Context, name string) (json.RawMessage, error)
}

const (
	// probesAtOnce is how many probes are made at once because somebody asks.
	probesAtOnce = 4
	// probesPerMinute is how many are begun in a minute at most.
	probesPerMinute = 60
	// probeApart is how long after one probe of a site another may begin.
	probeApart = 2 * time.Second
	// probeSlack is how much longer than its timeout an answer to a probe may take.
	probeSlack = 15 * time.Second
)

// probeGate bounds the probes that people ask for, so that the monitor's own go on
// undisturbed and nobody can make it a weapon.
type probeGate struct {
	now func() time.Time

	mu      sync.Mutex
	running map[string]bool
	begun   []begunProbe // in the last minute, oldest first
}

type begunProbe struct {
	site string
	at   time.Time
}

func newProbeGate(now func() time.Time) *probeGate {
	return &probeGate{now: now, running: map[string]bool{}}
}

// enter lets a probe of a site begin; leave has to be called when it is over. Where
// it may not begin, wait is how long to wait before asking again, and why the reason.
func (g *probeGate) enter(site string) (leave func(), wait time.Duration, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.begun = slices.DeleteFunc(g.begun, func(b begunProbe) bool { return now.Sub(b.at) >= time.Minute })
	if g.running[site] {
		return nil, probeApart, "a probe of this site is under way"
	}
	if len(g.running) >= probesAtOnce {
		return nil, probeApart, fmt.Sprintf("%d probes are under way", probesAtOnce)
	}
	for _, b := range g.begun {
		if left := probeApart - now.Sub(b.at); b.site == site && left > 0 {
			return nil, left, "this site was probed a moment ago"
		}
	}
	if len(g.begun) >= probesPerMinute {
		return nil, time.Minute - now.Sub(g.begun[0].at), fmt.Sprintf("%d probes were made in the last minute", probesPerMinute)
	}
	g.running[site] = true
	g.begun = append(g.begun, begunProbe{site, now})
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.running, site)
	}, 0, ""
}

// probeNow probes a site for somebody who asks.
func (s *Server) probeNow(w http.ResponseWriter, r *http.Request) (st sitemon.SiteState, result json.RawMessage, err error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil { // nothing is said there, but one that is too long is refused
		return st, nil, bodyError(err)
	}
	if st, err = s.Sites.Site(r.Context(), r.PathValue("name")); err != nil {
		return st, nil, err
	}
	if !probeable(st.Kind) {
		return st, nil, problemf(http.StatusConflict, "%s is a %s, which is not probed: it reports itself", st.Name, st.Kind)
	}
	if s.Prober == nil {
		return st, nil, problemf(http.StatusConflict, "this process runs no monitor: ask one that does")
	}
	leave, wait, why := s.probing.enter(st.Name)
	if leave == nil {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return st, nil, problemf(http.StatusTooManyRequests, "%s; try again in %s", why, ageText(max(wait, time.Second), false))
	}
	defer leave()
	// A site's timeout may be longer than what the server gives other answers. A
	// connection that can't be told so keeps the server's time.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(st.Timeout + probeSlack))
	result, err = s.Prober.ProbeNow(r.Context(), st.Name)
	if errors.Is(err, sitemon.ErrInvalid) {
		err = problemf(http.StatusConflict, "this site can't be probed now: %v", err)
	}
	return st, result, err
}

// postProbe probes a site now and shows what came of it.
func (s *Server) postProbe(w http.ResponseWriter, r *http.Request) error {
	_, result, err := s.probeNow(w, r)
	if err != nil {
		return err
	}
	return answerJSON(w, result)
}
