package probes

import (
	"context"
	"strconv"
	"time"

	"sitemon"
	"sitemon/heartbeat"
)

// Heartbeats is where the calls of sites are recorded.
type Heartbeats interface {
	// HeartbeatState returns what is known of a site's heartbeats. A site of which
	// none are accepted is no error.
	HeartbeatState(ctx context.Context, site string) (sitemon.HeartbeatState, error)
}

// probeHeartbeat looks whether the site has called us in time. Its duration is that of
// the run which the site reported, if it did.
func probeHeartbeat(a *attempt) error {
	if a.set.heartbeats == nil {
		return failf(sitemon.ReasonInternal, nil, "heartbeats are known to a running monitor only")
	}
	rule, err := a.set.beatRule(a.site)
	if err != nil {
		return failf(sitemon.ReasonInternal, err, "%s", err.Error())
	}
	state, err := a.set.heartbeats.HeartbeatState(a.ctx, a.site.Name)
	if err != nil {
		return failf(sitemon.ReasonMonitorOffline, err, "the heartbeats that were received could not be read: %s", err.Error())
	}
	if state.Newest != nil {
		a.asking(beatShown(state.Newest))
	}
	v := rule.Judge(time.Now(), state)
	if v.Outcome == sitemon.OutcomeUnknown {
		a.report.Outcome, a.report.Reason, a.report.Error = v.Outcome, v.Reason, a.errorText(v.Error)
		return nil
	}
	if v.Outcome == sitemon.OutcomeUp || v.Reason == sitemon.ReasonStatus {
		a.report.Duration = state.Newest.Duration
	}
	if v.Outcome == sitemon.OutcomeDown {
		return failf(v.Reason, nil, "%s", v.Error)
	}
	if a.report.Duration == 0 {
		return nil // it was not reported, and is not judged
	}
	return a.conclude(func(*verdict) {})
}

// beatRule is when the heartbeats of a site are expected.
func (s *Set) beatRule(site *sitemon.Site) (heartbeat.Rule, error) {
	r := site.Request.Heartbeat
	if r.Schedule == "" {
		return heartbeat.NewRule(r, site.Interval)
	}
	return s.beatRules.value(r.Schedule+"\x00"+r.Timezone+"\x00"+r.Grace.String(), 0, func() (heartbeat.Rule, error) {
		return heartbeat.NewRule(r, site.Interval)
	})
}

// beatShown is a heartbeat as evidence shows it: as the answer to a question that
// nobody asked.
func beatShown(h *sitemon.Heartbeat) *exchange {
	x := &exchange{method: "HEARTBEAT", url: "heartbeat://", protocol: "heartbeat", status: "success"}
	if h.Failed {
		x.status = "failure"
	}
	x.fill = func() { describeBeat(x, h) }
	return x
}

// describeBeat adds what a healthy site needs no words for.
func describeBeat(x *exchange, h *sitemon.Heartbeat) {
	x.body, x.fields = []byte(h.Message), map[string]string{"received": h.ReceivedAt.UTC().Format(time.RFC3339)}
	if h.ExitCode != nil {
		x.fields["exit code"] = strconv.Itoa(*h.ExitCode)
	}
	if h.Duration > 0 {
		x.fields["duration"] = h.Duration.String()
	}
	if h.Run != "" {
		x.fields["run"] = h.Run
	}
}
