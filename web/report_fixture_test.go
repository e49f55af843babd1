package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sitemon"
	"sitemon/web"
)

// Definition describes any site that there is.
func (f *apiStore) Definition(ctx context.Context, name string) (web.Definition, error) {
	if _, err := f.Site(ctx, name); err != nil {
		return web.Definition{}, err
	}
	key := func(key, value string, from sitemon.DefinitionOrigin, line int) sitemon.DefinitionKey {
		k := sitemon.DefinitionKey{Key: key, Value: json.RawMessage(value), From: from}
		if line > 0 {
			k.File, k.Line, k.Column = "sites.yaml", line, 5
		}
		return k
	}
	return web.Definition{Source: "sites.yaml", Generation: 17, Keys: []sitemon.DefinitionKey{
		key("expect.latency", `"2s"`, sitemon.FromDefaults, 3),
		key("expect.status", `["200-299",304]`, sitemon.FromAnchor, 7),
		key("headers.Authorization", `"<redacted>"`, sitemon.FromSite, 15),
		key("interval", `"30s"`, sitemon.FromScanInterval, 0),
		key("name", fmt.Sprintf("%q", name), sitemon.FromSite, 12),
		key("method", `"GET"`, sitemon.FromProgram, 0),
	}}, nil
}

// Definitions has a definition of each site, with a credential in the first.
func (f *apiStore) Definitions(ctx context.Context, after string, limit int) ([]web.SiteDefinition, int64, error) {
	sites, err := f.Sites(ctx, sitemon.SiteQuery{After: after, Limit: limit})
	list := make([]web.SiteDefinition, len(sites))
	for i := range sites {
		list[i] = web.SiteDefinition{Name: sites[i].Name, Source: sites[i].Source, Definition: json.RawMessage(`{"enabled":true,"interval":"30s"}`)}
		if i == 0 {
			list[i].Definition, list[i].Redacted = json.RawMessage(`{"basic_auth":{"password":"<redacted>","username":"ann"},"enabled":true,"interval":"30s"}`), []string{"basic_auth"}
		}
	}
	return list, 17, err
}

// ProbeNow finds the same of any site, or what the test wants.
func (f *apiStore) ProbeNow(ctx context.Context, name string) (json.RawMessage, error) {
	if _, err := f.Site(ctx, name); err != nil {
		return nil, err
	}
	if f.probe != nil {
		return f.probe(ctx, name)
	}
	return json.RawMessage(probed), nil
}

// probed is what a probe finds.
const probed = `{"report":{"version":1,"site":"docs","location":"default","slot":"2026-11-24T10:00:00.000Z","started_at":"2026-11-24T10:00:00.000Z","interval_ms":60000,` +
	`"outcome":"degraded","reason":"latency","error":"took 2.5s, expected at most 2s","status_code":200,"duration_us":2500000,` +
	`"phases_us":{"resolve":1000,"connect":2000,"tls":4000,"processing":2490000,"transfer":3000},"remote_addr":"192.0.2.7:443","monitor":"host-1","generation":17},` +
	`"checks":[{"name":"status","expected":"200-299, 304","seen":"200","ok":true},{"name":"latency","expected":"at most 2s","seen":"2.5s","ok":false}],` +
	`"hops":[{"method":"GET","url":"https://docs.example.org/","remote_addr":"192.0.2.7:443","protocol":"HTTP/2.0","status_code":200,"headers":{"Server":["example"]}}],` +
	`"tls":{"version":"TLS 1.3","cipher_suite":"TLS_AES_128_GCM_SHA256","certificates":[{"subject":"CN=docs.example.org","issuer":"CN=Example CA","names":["docs.example.org"],"not_before":"2026-10-01T00:00:00Z","not_after":"2027-01-03T00:00:00Z"}]}}`

// changedSite is a reload that changed docs, and added and removed others.
func changedSite() sitemon.Reload {
	return sitemon.Reload{
		Generation: 16, At: testNow.Add(-2 * time.Hour), Source: "sites.yaml", Hash: "4d", Applied: true, Added: 1, Changed: 1, Removed: 1, DurationMS: 3,
		Difference: &sitemon.Difference{
			Changed: []sitemon.Change{{Name: "docs", Keys: []string{"interval"}, Values: []sitemon.KeyChange{{Key: "interval", Before: "30s", After: "60s"}}}},
			Added:   []string{"new"}, Removed: []string{"old"},
		},
	}
}
