package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/config"
)

// describedFiles are a folder in which values come from everywhere.
var describedFiles = []config.File{
	{Name: "etc/a.yaml", Content: []byte(`defaults:
  timeout: 5s
  headers: { Accept: text/html, X-Token: "${TOKEN:-none}" }
  expect: { latency: 2s }
x-common: &common
  group: shops
  expect: &good { status: 200 }
sites:
  - name: shop
    url: https://monitor:hunter2@shop.example.org/?api_key=k3y
    <<: *common
    headers:
      X-Own: "1"
    body: '{"user": "a", "password": "hunter2"}'
    method: POST
`)},
	{Name: "etc/b.yaml", Content: []byte(`sites:
  - name: plain
    url: tcp://db.example.org:5432
    interval: 30s
  - { name: other, url: "https://other.example.org/", timeout: 3s }
`)},
}

// described is a line for each key of a site: "key value from file:line:column".
func described(t *testing.T, files []config.File, name string, edit func(*sitemon.StoredDefinition)) []string {
	t.Helper()
	doc, _, err := config.Parse(files, config.ParseOptions{DefaultInterval: 45 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(doc.Sites, func(s sitemon.Site) bool { return s.Name == name })
	d := sitemon.StoredDefinition{Definition: sitemon.Definition{Name: name, JSON: doc.Sites[i].Definition}, Source: "etc", Places: doc.Places}
	edit(&d)
	keys, err := config.Describe(d)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, k := range keys {
		line := fmt.Sprintf("%s %s %s", k.Key, k.Value, k.From)
		if k.Line > 0 {
			line += fmt.Sprintf(" %s:%d:%d", k.File, k.Line, k.Column)
		}
		lines = append(lines, line)
	}
	return lines
}

func asStored(*sitemon.StoredDefinition) {}

// TestDescribe: every value with where it comes from, and no credential.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		site string
		want []string
	}{
		{"shop", []string{
			`body "<redacted>" site etc/a.yaml:14:5`,
			`expect.latency "2s" defaults etc/a.yaml:4:13`,
			`expect.status [200] anchor etc/a.yaml:7:19`,
			`group "shops" anchor etc/a.yaml:6:3`,
			`headers.Accept "text/html" defaults etc/a.yaml:3:14`,
			`headers.X-Own "1" site etc/a.yaml:13:7`,
			`headers.X-Token "${TOKEN:-<redacted>}" defaults etc/a.yaml:3:33`,
			`interval "45s" scan_interval`,
			`method "POST" site etc/a.yaml:15:5`,
			`name "shop" site etc/a.yaml:9:5`,
			`timeout "5s" defaults etc/a.yaml:2:3`,
			`url "https://monitor:<redacted>@shop.example.org/?api_key=<redacted>" site etc/a.yaml:10:5`,
		}},
		{"plain", []string{
			`interval "30s" site etc/b.yaml:4:5`,
			`name "plain" site etc/b.yaml:2:5`,
			`timeout "5s" defaults etc/a.yaml:2:3`,
			`url "tcp://db.example.org:5432" site etc/b.yaml:3:5`,
		}},
		{"other", []string{`timeout "3s" site etc/b.yaml:5:55`, `headers.Accept "text/html" defaults etc/a.yaml:3:14`}},
	} {
		t.Run(c.site, func(t *testing.T) {
			lines := described(t, describedFiles, c.site, asStored)
			for _, want := range c.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %s in\n%s", want, strings.Join(lines, "\n"))
				}
			}
			if all := strings.Join(lines, "\n"); strings.Contains(all, "hunter2") || strings.Contains(all, "k3y") || strings.Contains(all, "none") {
				t.Errorf("a credential is shown:\n%s", all)
			}
		})
	}
}

// TestDescribeDefaults: what a site does not say is there too, in words, as far as it
// applies to its kind.
func TestDescribeDefaults(t *testing.T) {
	shop, plain := described(t, describedFiles, "shop", asStored), described(t, describedFiles, "plain", asStored)
	for _, want := range []string{`follow_redirects "true" default`, `failure_threshold "1" default`} {
		if !slices.Contains(shop, want) {
			t.Errorf("no line %s in\n%s", want, strings.Join(shop, "\n"))
		}
	}
	if other := described(t, describedFiles, "other", asStored); !slices.Contains(other, `expect.status "200-399" default`) {
		t.Errorf("the status codes that are good by default are missing:\n%s", strings.Join(other, "\n"))
	}
	if slices.ContainsFunc(plain, func(s string) bool { return strings.HasPrefix(s, "follow_redirects") }) {
		t.Error("a tcp site has a default for redirects")
	}
}

// TestDescribeWithoutPlaces: a definition whose places are not known, or were those of
// another one, has its values all the same.
func TestDescribeWithoutPlaces(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*sitemon.StoredDefinition)
		want string
	}{
		{"none", func(d *sitemon.StoredDefinition) { d.Places = nil }, `interval "30s" unknown`},
		{"broken", func(d *sitemon.StoredDefinition) { d.Places = d.Places[:len(d.Places)/2] }, `interval "30s" unknown`},
		{"by hand", func(d *sitemon.StoredDefinition) { d.Source, d.Places = "", nil }, `interval "30s" table`},
		{"changed since", func(d *sitemon.StoredDefinition) {
			d.JSON = []byte(strings.Replace(string(d.JSON), `"30s"`, `"31s"`, 1))
		}, `interval "31s" unknown`},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := described(t, describedFiles, "plain", c.edit)
			if !slices.Contains(lines, c.want) {
				t.Errorf("no line %s in\n%s", c.want, strings.Join(lines, "\n"))
			}
		})
	}
}

// TestDescribeHides: whatever key a credential is written out in, it is not shown; what
// is none stays.
func TestDescribeHides(t *testing.T) {
	for _, c := range []struct{ name, url, yaml, want string }{
		{"password", "https://example.org/", "basic_auth: { username: monitor, password: hunter2 }", `basic_auth.username "monitor"`},
		{"token", "https://example.org/", "authorization: { credentials: hunter2 }", `authorization.credentials "<redacted>"`},
		{"client secret", "https://example.org/", "oauth2: { client_id: a, client_secret: hunter2, token_url: 'https://u:hunter2@sso.example.org/?key=hunter2', endpoint_params: { assertion_token: hunter2 } }", `oauth2.client_id "a"`},
		{"header", "https://example.org/", "headers: { Cookie: sid=hunter2, X-Api-Key: hunter2, Accept: text/html }", `headers.Accept "text/html"`},
		{"proxy", "https://example.org/", "proxy_url: http://u:hunter2@proxy.example.org", `proxy_url "http://u:<redacted>@proxy.example.org"`},
		{"form", "https://example.org/", "method: POST\n    body: user=a&pw=hunter2", `body "<redacted>"`},
		{"harmless body", "https://example.org/", "method: POST\n    body: '{\"ping\": true}'", `body "{\"ping\": true}"`},
		{"file", "https://example.org/", "basic_auth: { username: a, password_file: /run/secrets/pw }", `basic_auth.password_file "/run/secrets/pw"`},
		{"steps", "https://example.org/", "steps: [{ name: in, url: '/in?token=hunter2', method: POST, headers: { Authorization: hunter2 }, body: 'password: hunter2' }, { name: out }]", `"name":"out"`},
		{"dialogue, in base64", "tcp://example.org:587", "query_response: [{ send: AUTH LOGIN }, { send: bW9uaXRvcg== }, { send: aHVudGVyMi1odW50ZXIy }, { send: QUIT }]", `"send":"QUIT"`},
		{"dialogue", "tcp://example.org:21", "query_response: [{ expect: '^220' }, { send: PASS hunter2 }, { send: a LOGIN ann hunter2 }]", `"expect":"^220"`},
		{"websocket", "wss://example.org/", "ws: { send: ['{\"token\": \"hunter2\"}', ping] }", `ws.send ["<redacted>","ping"]`},
		{"reference", "https://example.org/", "authorization: { credentials: '${TOKEN:-hunter2}' }", `authorization.credentials "${TOKEN:-<redacted>}"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := config.File{Name: "sites.yaml", Content: []byte("sites:\n  - name: a\n    url: " + c.url + "\n    " + c.yaml + "\n")}
			all := strings.Join(described(t, []config.File{file}, "a", asStored), "\n")
			if strings.Contains(all, "hunter2") || strings.Contains(all, "aHVudGVy") || !strings.Contains(all, c.want) {
				t.Errorf("it shows a credential, or not %s:\n%s", c.want, all)
			}
		})
	}
}
