package probes_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
	"sitemon/store/sqlite"
)

// recorded are heartbeats as a store has them.
type recorded struct {
	state sitemon.HeartbeatState
	err   error
}

func (r recorded) HeartbeatState(context.Context, string) (sitemon.HeartbeatState, error) {
	return r.state, r.err
}

func TestHeartbeat(t *testing.T) {
	now, two := time.Now(), 2
	good := func(ago, took time.Duration) recorded {
		b := &sitemon.Heartbeat{ReceivedAt: now.Add(-ago), LastAt: now.Add(-ago), Duration: took}
		all := []sitemon.Span{{From: now.Add(-1000 * time.Hour), To: now.Add(time.Hour)}}
		return recorded{state: sitemon.HeartbeatState{Since: now.Add(-1000 * time.Hour), Newest: b, Listened: all}}
	}
	failed := good(time.Second, time.Minute)
	failed.state.Newest.Failed, failed.state.Newest.ExitCode, failed.state.Newest.Message = true, &two, "no \u202espace\nleft"
	running := good(10*time.Minute, time.Second)
	running.state.Run.At = now.Add(-2 * time.Minute)
	for _, c := range []struct {
		name     string
		store    probes.Heartbeats
		schedule string
		want     sitemon.Outcome
		reason   sitemon.Reason
		text     string
		took     time.Duration
	}{
		{"in time", good(time.Minute, 0), "", sitemon.OutcomeUp, "", "", 0},
		{"with its duration", good(time.Minute, time.Second), "", sitemon.OutcomeUp, "", "", time.Second},
		{"slow", good(time.Minute, 3*time.Second), "", sitemon.OutcomeDegraded, sitemon.ReasonLatency, "3s", 3 * time.Second},
		{"missing", good(3*time.Hour, time.Second), "", sitemon.OutcomeDown, sitemon.ReasonProcessingTimeout, "no heartbeat since", 0},
		{"by a schedule", good(time.Minute, 0), "@yearly", sitemon.OutcomeUp, "", "", 0},
		{"failed", failed, "", sitemon.OutcomeDown, sitemon.ReasonStatus, "UTC: no \\u202espace", time.Minute},
		{"failed, in words", failed, "", sitemon.OutcomeDown, sitemon.ReasonStatus, "the run ended with exit code 2 at ", time.Minute},
		{"a run that does not end", running, "", sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, "has not ended within the grace", 0},
		{"new", recorded{state: sitemon.HeartbeatState{Since: now}}, "", sitemon.OutcomeUnknown, sitemon.ReasonMonitorStopped, "no heartbeat yet", 0},
		{"the store is away", recorded{err: errors.New("no connection to db")}, "", sitemon.OutcomeUnknown, sitemon.ReasonMonitorOffline, "no connection to db", 0},
		{"a bad schedule", good(0, 0), "x", sitemon.OutcomeUnknown, sitemon.ReasonInternal, "cron expression", 0},
		{"without a daemon", nil, "", sitemon.OutcomeUnknown, sitemon.ReasonInternal, "running monitor only", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := probes.New(probes.Options{Heartbeats: c.store})
			defer set.Close()
			r := set.Probe(t.Context(), &sitemon.Site{
				Name: "backup", URL: "heartbeat://", Kind: sitemon.KindHeartbeat, Interval: time.Minute, Timeout: time.Second,
				Request: &sitemon.Request{Heartbeat: &sitemon.HeartbeatRequest{Every: time.Hour, Grace: time.Minute, Schedule: c.schedule}},
				Expect:  &sitemon.Expect{Latency: 2 * time.Second},
			})
			if r.Outcome != c.want || r.Reason != c.reason || !strings.Contains(r.Error, c.text) || r.Duration != c.took {
				t.Errorf("%s, %s: %q in %s; want %s, %s: %q in %s", r.Outcome, r.Reason, r.Error, r.Duration, c.want, c.reason, c.text, c.took)
			}
			var e sitemon.ProbeEvidence
			if c.want == sitemon.OutcomeDown && (json.Unmarshal([]byte(r.Evidence), &e) != nil || e.Response == nil || e.Response.Headers["received"] == "") {
				t.Errorf("evidence %s does not have the heartbeat", r.Evidence)
			}
		})
	}
}

// BenchmarkHeartbeat shows what a look at a heartbeat costs, among 10,000 sites that
// call us, the read of the store included.
func BenchmarkHeartbeat(b *testing.B) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, filepath.Join(b.TempDir(), "sitemon.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	doc := sitemon.Document{Source: "bench", Hash: "bench"}
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprint("job-", i)
		doc.Sites = append(doc.Sites, sitemon.Site{
			Name: names[i], URL: "heartbeat://", Kind: sitemon.KindHeartbeat, Enabled: true, Interval: time.Minute, Timeout: time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Definition: fmt.Appendf(nil, `{"name":%q,"url":"heartbeat://"}`, names[i]),
			Request: &sitemon.Request{Heartbeat: &sitemon.HeartbeatRequest{Every: time.Hour, Grace: time.Minute}}, Expect: &sitemon.Expect{},
		})
	}
	if _, _, err := db.SyncSites(ctx, doc); err != nil {
		b.Fatal(err)
	}
	if err := db.AcceptHeartbeats(ctx, names, time.Now()); err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		if _, err := db.RecordHeartbeat(ctx, name, sitemon.Heartbeat{ReceivedAt: time.Now(), LastAt: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
	set := probes.New(probes.Options{Heartbeats: db})
	defer set.Close()
	i := 0
	for b.Loop() {
		if r := set.Probe(ctx, &doc.Sites[i%len(names)]); r.Outcome != sitemon.OutcomeUp {
			b.Fatal(r.Outcome, r.Error)
		}
		i++
	}
}
