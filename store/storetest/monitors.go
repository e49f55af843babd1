package storetest

import (
	"time"

	"sitemon"
)

func testMonitors(h *harness) {
	m := sitemon.Monitor{
		ID: "host-1", Role: "all", Location: "default", Version: "1.0", StartedAt: epoch.Add(-time.Hour), LastSeen: epoch, Sites: 10,
		LatenessP50: 600 * time.Microsecond, LatenessP99: 1700 * time.Microsecond, Spool: 3, SpoolOldest: 1500 * time.Millisecond,
		Shards: 21, ShardsOf: 64, ClockAhead: -20 * time.Millisecond, Lag: 7,
		Results: sitemon.Results{Recorded: 5, Duplicate: 4, Expired: 3, Dead: 2}, Problems: []string{"no way to Kafka\x00"},
	}
	other := sitemon.Monitor{ID: "host-0", LastSeen: epoch.Add(30 * time.Second)}
	h.check(h.Heartbeat(h.ctx, m))
	m.Sites = 11
	h.check(h.Heartbeat(h.ctx, m))
	m.Problems[0] = "no way to Kafka\ufffd" // what Postgres can't keep
	h.check(h.Heartbeat(h.ctx, other))
	// A monitor that is known from its reports alone said nothing of itself.
	r := report("a", epoch, sitemon.OutcomeUp)
	r.Monitor = "host-2"
	h.record(r)
	// One that said so before its first report is the same monitor.
	h.record(report("a", epoch.Add(10*time.Second), sitemon.OutcomeUp))
	got, err := h.Monitors(h.ctx, epoch.Add(45*time.Second))
	h.check(err)
	h.equal("monitors", got, []sitemon.Monitor{other, m})
	got, err = h.Monitors(h.ctx, epoch.Add(75*time.Second))
	h.check(err)
	h.equal("monitors alive", got, []sitemon.Monitor{other})

	other.Stopped, other.Problems = true, []string{}
	h.check(h.Heartbeat(h.ctx, other))
	got, err = h.Monitors(h.ctx, epoch.Add(31*time.Second))
	h.check(err)
	h.equal("monitors alive after one has stopped", got, []sitemon.Monitor{m})
	got, err = h.MonitorsSince(h.ctx, epoch.Add(-time.Minute))
	h.check(err)
	other.Problems = nil
	h.equal("monitors and those that are gone", got, []sitemon.Monitor{other, m})
}
