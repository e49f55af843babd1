package storetest

import (
	"encoding/json"
	"time"

	"sitemon"
)

// testDocuments keeps what a document has beside its sites.
func testDocuments(h *harness) {
	doc := document(site("a", time.Minute))
	doc.Alerting = sitemon.Alerting{Channels: []sitemon.Channel{{Name: "ops", Target: json.RawMessage(`{"url":"${OPS}"}`)}}, GroupWait: time.Second}
	doc.Maintenance = []sitemon.Maintenance{{Title: "Upgrade", Start: "2026-12-01T22:00:00", Duration: time.Hour, Sites: []string{"a"}}}
	doc.StatusPages = []sitemon.StatusPage{{Path: "public", Title: "Services", Groups: []string{"public"}, Public: true, Timezone: "Europe/Berlin"}}
	first, _, err := h.SyncSites(h.ctx, doc)
	h.check(err)
	want := sitemon.Document{Source: doc.Source, Alerting: doc.Alerting, Maintenance: doc.Maintenance, StatusPages: doc.StatusPages}
	got, err := h.Documents(h.ctx)
	h.check(err)
	h.equal("documents", got, map[string]sitemon.Document{doc.Source: want})

	doc.StatusPages, doc.Hash = nil, "two"
	second, _, err := h.SyncSites(h.ctx, doc)
	h.check(err)
	h.equal("a status page less is a new generation", second.Number, first.Number+1)
	want.StatusPages = nil
	got, err = h.Documents(h.ctx)
	h.check(err)
	h.equal("documents without the page", got, map[string]sitemon.Document{doc.Source: want})
}

func testReloads(h *harness) {
	none, err := h.Reloads(h.ctx, 10)
	h.check(err)
	h.equal("no reloads", len(none), 0)
	good := sitemon.Reload{
		Generation: 7, At: epoch, Source: "sites.yaml", Hash: "abc", Applied: true,
		Added: 1, Changed: 2, Removed: 3, Unchanged: 4, DurationMS: 12.345,
	}
	bad := sitemon.Reload{
		Generation: 7, At: epoch.Add(time.Minute), Source: "sites.yaml", Hash: "def", DurationMS: 1,
		Errors: []sitemon.Problem{{File: "sites.yaml", Line: 3, Column: 5, Message: `unknown key "intervall"`}},
	}
	h.check(h.AddReload(h.ctx, good))
	h.check(h.AddReload(h.ctx, bad))
	all, err := h.Reloads(h.ctx, 0)
	h.check(err)
	h.equal("reloads", all, []sitemon.Reload{bad, good})
	newest, err := h.Reloads(h.ctx, 1)
	h.check(err)
	h.equal("the newest reload", newest, []sitemon.Reload{bad})
}

func testMonitors(h *harness) {
	m := sitemon.Monitor{
		ID: "host-1", Role: "all", Location: "default", Version: "1.0", LastSeen: epoch, Sites: 10,
		LatenessP50: 600 * time.Microsecond, LatenessP99: 1700 * time.Microsecond, Spool: 3,
	}
	other := sitemon.Monitor{ID: "host-0", LastSeen: epoch.Add(30 * time.Second)}
	h.check(h.Heartbeat(h.ctx, m))
	m.Sites = 11
	h.check(h.Heartbeat(h.ctx, m))
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
}
