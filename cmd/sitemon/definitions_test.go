package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sitemon"
)

// definitionState is what these tests read of the API's definition.
type definitionState struct {
	Generation int64
	Keys       []sitemon.DefinitionKey
	Changes    []struct {
		Generation int64
		Kind       string
		Keys       []sitemon.KeyChange
	}
}

// where says where the value of a key is written: "sites.yaml:3:5 site".
func (d definitionState) where(key string) string {
	for _, k := range d.Keys {
		if k.Key == key {
			return fmt.Sprintf("%s:%d:%d %s", k.File, k.Line, k.Column, k.From)
		}
	}
	return ""
}

// probeNow asks the daemon for a probe.
func (p *process) probeNow(name string) (code int, answer string) {
	p.t.Helper()
	r, err := http.Post(p.url+"/api/v1/sites/"+name+"/probe", "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestDefinitionSaysWhereItIsWritten: the places follow the file, also where no site is
// another, and across a restart.
func TestDefinitionSaysWhereItIsWritten(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	file := fmt.Sprintf("defaults:\n  timeout: 500ms\nsites:\n  - name: one\n    url: %s/one\n    interval: 1s\n    headers: { X-Token: hunter2hunter2 }\n", web.URL)
	save(t, dir, "sites.yaml", file)
	p := startDaemon(t, dir)
	read := func() (d definitionState) {
		p.get("/api/v1/sites/one/definition", &d)
		return d
	}
	if d := read(); d.where("interval") != "sites.yaml:6:5 site" || d.where("timeout") != "sites.yaml:2:3 defaults" || d.where("retries") != ":0:0 default" {
		t.Errorf("got the definition %+v", d)
	}
	save(t, dir, "sites.yaml", "# a line more\n"+file)
	waitFor(t, "the places have moved", func() bool { return read().where("interval") == "sites.yaml:7:5 site" })
	if g := p.config().Generation; g != 1 {
		t.Errorf("a comment makes generation %d", g)
	}
	save(t, dir, "sites.yaml", strings.Replace(file, "interval: 1s", "interval: 2s", 1))
	waitFor(t, "the change is in its history", func() bool {
		d := read()
		return d.Generation == 2 && len(d.Changes) == 2 && d.Changes[0].Kind == "changed" && d.Changes[0].Keys[0].Key == "interval" && d.Changes[1].Kind == "added"
	})
	raw, err := json.Marshal(read())
	if err != nil || strings.Contains(string(raw), "hunter2") {
		t.Errorf("the definition shows a credential, or %v: %s", err, raw)
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("the daemon ended with %d", code)
	}
	p = startDaemon(t, dir)
	if got := read().where("interval"); got != "sites.yaml:6:5 site" {
		t.Errorf("after a restart the interval is at %s", got)
	}
}

// TestProbeNow: a site that is paused, and one with a secret, are probed when somebody
// asks, and nothing of it is recorded.
func TestProbeNow(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, ".env", "SHOP_TOKEN=hunter2hunter2\n")
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: paused, url: '%s/paused?a=${SHOP_TOKEN}', enabled: false, interval: 24h, keep_alive: true, expect: {status: 201}}\n", web.URL))
	p := startDaemon(t, dir)
	code, answer := p.probeNow("paused")
	var got struct {
		Report sitemon.Report
		Checks []struct {
			Name, Seen string
			OK         bool
		}
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || code != 200 {
		t.Fatalf("status %d, %v: %s", code, err, answer)
	}
	r := got.Report
	if r.Outcome != sitemon.OutcomeDown || r.StatusCode != 200 || r.Site != "paused" || r.Location != "default" || r.Generation != 1 || len(got.Checks) != 1 || got.Checks[0].OK {
		t.Errorf("got %s", answer)
	}
	if strings.Contains(answer, "hunter2") {
		t.Errorf("the result shows a secret: %s", answer)
	}
	if n := web.count("/paused"); n != 1 {
		t.Errorf("the site was asked %d times", n)
	}
	var reports struct{ Reports []sitemon.Report }
	p.get("/api/v1/sites/paused/reports", &reports)
	if len(reports.Reports) != 0 {
		t.Errorf("the probe was recorded: %+v", reports.Reports)
	}
	if code, answer = p.probeNow("nothing"); code != 404 {
		t.Errorf("a site that is not there: status %d: %s", code, answer)
	}
}
