package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sitemon"
	"sitemon/config"
)

// TestStepsDescribed: what everybody may see of a definition with steps holds none of
// their credentials.
func TestStepsDescribed(t *testing.T) {
	const written = `
sites:
  - name: shop
    url: https://shop.example.org/
    steps:
      - name: sign in
        url: https://user:url-password@shop.example.org/login?token=query-token
        method: POST
        headers: { Authorization: Bearer header-token, X-Api-Key: "${TOKEN}", X-Plain: plain }
        body: '{"password": "body-password"}'
        capture: { token: { json: access_token } }
      - { name: basket, url: "/{{token}}", headers: { Authorization: "Bearer {{token}}" } }
`
	doc, _, err := parse(written)
	if err != nil {
		t.Fatal(err)
	}
	site := doc.Sites[0]
	if !site.References || len(site.Steps) != 2 || site.Steps[0].Capture[0].JSON != "access_token" {
		t.Fatalf("got %+v", site)
	}
	again, err := config.DecodeSite(site.Name, site.Definition)
	if err != nil || string(again.Definition) != string(site.Definition) || len(again.Steps) != 2 {
		t.Errorf("decoded as %s (%v), want %s", again.Definition, err, site.Definition)
	}
	keys, err := config.Describe(sitemon.StoredDefinition{Definition: sitemon.Definition{Name: site.Name, JSON: site.Definition}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"url-password", "query-token", "header-token", "body-password"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%q is shown: %s", secret, text)
		}
	}
	for _, shown := range []string{"sign in", "access_token", "plain", "/{{token}}"} {
		if !strings.Contains(string(text), shown) {
			t.Errorf("%q is not shown: %s", shown, text)
		}
	}
}

// TestStepsChange: another step is another probe.
func TestStepsChange(t *testing.T) {
	const before = "sites: [{ name: shop, url: 'https://shop.example.org/', steps: [{ name: a }, { name: b }] }]"
	a, _, err := parse(before)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := parse(strings.Replace(before, "{ name: b }", "{ name: b, url: /b }", 1))
	if err != nil {
		t.Fatal(err)
	}
	plan := sitemon.Diff(a.Sites, b.Sites)
	if len(plan.Changed) != 1 || strings.Join(plan.Changed[0].Keys, " ") != "steps" || !plan.Changed[0].Rescheduled {
		t.Errorf("got %+v", plan)
	}
}
