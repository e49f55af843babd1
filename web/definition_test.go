package web_test

import (
	"testing"

	"sitemon/web"
)

// TestDefinitionOnThePage: each value with what it comes from and where, what holds
// without it, and the edits; a server without definitions does without.
func TestDefinitionOnThePage(t *testing.T) {
	store := newAPIStore()
	store.reloads = append(store.reloads, changedSite())
	text := page(t, newServer(t, store), "/sites/docs?parts=definition", 200)
	wantOn(t, text,
		`<th scope="row" class="mono">expect.status</th><td class="mono"><bdi>200-299, 304</bdi></td><td>an anchor</td><td class="mono where"><bdi>sites.yaml:7:5</bdi></td>`,
		`<td class="mono"><bdi>&lt;redacted&gt;</bdi></td><td>the site</td>`,
		`<td class="mono"><bdi>30s</bdi></td><td>SCAN_INTERVAL</td><td class="mono where">–</td>`,
		"nothing: 1 key</summary>", `<dt>method</dt><dd>GET</dd>`,
		`Changed with generation 16`, `<span class="mono">interval</span> <del class="mono"><bdi>30s</bdi></del> <ins class="mono"><bdi>60s</bdi></ins>`,
	)
	without := newServer(t, store, func(o *web.Options) { o.Definitions = nil })
	wantOn(t, page(t, without, "/sites/docs?parts=definition", 200), ` hidden>`, "!<table")
	wantStatus(t, ask(without, "GET", "/api/v1/sites/docs/definition"), 404)
}

// TestWhatHappened: incidents and edits of a site in one list, newest first, and as
// marks in its charts.
func TestWhatHappened(t *testing.T) {
	store := newAPIStore()
	store.reloads = append(store.reloads, changedSite())
	s := newServer(t, store)
	text := page(t, s, "/sites/docs?parts=happened", 200)
	wantOn(t, text, `<a href="/incidents/41"><bdi>Up again after 1 h</bdi></a>`, `<bdi>Went down: Connecting timed out</bdi>`, `<bdi>no connection within 10s</bdi>`,
		`<a href="#definition"><bdi>Definition changed: interval</bdi></a>`)
	wantOn(t, page(t, s, "/sites/new?parts=happened", 200), "Added to the sites file")
	wantOn(t, page(t, s, "/sites/docs?parts=chart", 200), `definition changed: interval`, `mark-reload"></span>definition changed</li>`, `mark-incident"></span>incident</li>`)
	wantOn(t, page(t, newServer(t, newAPIStore()), "/sites/shop%2Fcheckout?parts=chart", 200), `mark-incident"></span>incident</li>`, "!mark-reload\"></span>")
}
