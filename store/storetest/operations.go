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
		Added: 1, Changed: 1, Removed: 3, Unchanged: 4, DurationMS: 12.345,
		Difference: &sitemon.Difference{
			Added: []string{"a\x00"}, Omitted: 3,
			Changed: []sitemon.Change{{Name: "b", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "30s", After: "60s"}}, Rescheduled: true}},
		},
	}
	bad := sitemon.Reload{
		Generation: 7, At: epoch.Add(time.Minute), Source: "sites.yaml", Hash: "def", DurationMS: 1,
		Errors: []sitemon.Problem{{File: "sites.yaml", Line: 3, Column: 5, Message: `unknown key "intervall"`, Excerpt: "  intervall: 30s", Caret: 3}},
	}
	h.check(h.AddReload(h.ctx, good))
	h.check(h.AddReload(h.ctx, bad))
	all, err := h.Reloads(h.ctx, 0)
	h.check(err)
	good.Difference.Added[0] = "a\ufffd" // what Postgres can't keep
	h.equal("reloads", all, []sitemon.Reload{bad, good})
	newest, err := h.Reloads(h.ctx, 1)
	h.check(err)
	h.equal("the newest reload", newest, []sitemon.Reload{bad})
}
