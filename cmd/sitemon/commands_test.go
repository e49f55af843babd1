package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sitemon"
)

// want checks how a command ended and what it printed where.
func (r result) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, err) {
		t.Errorf("status %d, stdout %q, stderr %q\nwant %d, with %q and %q", r.code, r.out, r.err, code, out, err)
	}
}

func TestWithoutASitesFile(t *testing.T) {
	dir := t.TempDir()
	runProgram(t, dir, "--listen", "127.0.0.1:0").want(t, 1, "", "sitemon init")
	runProgram(t, dir, "check").want(t, 1, "", "sitemon init")
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a start in the wrong folder left %v there", left)
	}
	if err := os.Mkdir(filepath.Join(dir, "sites.d"), 0o750); err != nil {
		t.Fatal(err)
	}
	runProgram(t, dir, "check", "sites.d").want(t, 1, "", "the folder sites.d has no *.yaml")
}

func TestInit(t *testing.T) {
	dir := t.TempDir()
	runProgram(t, dir, "init").want(t, 0, "", "sites.yaml is written")
	runProgram(t, dir, "check").want(t, 0, "sites.yaml is valid: ", "")
	before, err := os.ReadFile(filepath.Join(dir, "sites.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	runProgram(t, dir, "init").want(t, 1, "", "exists already")
	if after, _ := os.ReadFile(filepath.Join(dir, "sites.yaml")); !bytes.Equal(before, after) {
		t.Error("init changed a file that was there")
	}
}

func TestCheckPrintsEveryFault(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "bad.yaml", "sites:\n  - {name: a, url: http://a.example, interval: 30}\n  - {name: b, url: ftp://b.example}\n")
	save(t, dir, "good.yaml", "sites: [{name: a, url: http://a.example}]\n")
	got := runProgram(t, dir, "check", "good.yaml", "bad.yaml")
	got.want(t, 1, "good.yaml is valid: 1 site\n", "bad.yaml:2:")
	got.want(t, 1, "", "bad.yaml:3:")
}

func TestPlan(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	doc := "sites:\n  - {name: kept, url: %[1]s/kept}\n  - {name: edited, url: %[1]s/%[2]s}\n  - {name: %[3]s, url: %[1]s/x}\n"
	save(t, dir, "sites.yaml", fmt.Sprintf(doc, web.URL, "before", "leaves"))
	runProgram(t, dir, "plan", "--listen", "127.0.0.1:1").want(t, 2, "3 to add, 0 to change, 0 to remove, 0 unchanged", "nothing is stored in data")
	p := startDaemon(t, dir)
	runProgram(t, dir, "plan").want(t, 0, "0 to add, 0 to change, 0 to remove, 3 unchanged", "")
	p.stop()

	save(t, dir, "sites.yaml", fmt.Sprintf(doc, web.URL, "after", "comes"))
	got := runProgram(t, dir, "plan")
	for _, line := range []string{"+ add    comes\n", "~ change edited (probed at once)\n           url: " + web.URL + "/before → " + web.URL + "/after\n", "- remove leaves\n", "1 unchanged"} {
		got.want(t, 2, line, "")
	}
	got = runProgram(t, dir, "plan", "--json")
	var plan sitemon.Plan
	if err := json.Unmarshal([]byte(got.out), &plan); err != nil || got.code != 2 {
		t.Fatalf("status %d, %q: %v", got.code, got.out, err)
	}
	if len(plan.Added) != 1 || len(plan.Changed) != 1 || !plan.Changed[0].Rescheduled || plan.Generation != 1 {
		t.Errorf("plan %+v", plan)
	}
	runProgram(t, dir, "plan", "new.yaml").want(t, 1, "", "sitemon plan --sites new.yaml")
	save(t, dir, "sites.yaml", "sites: no\n")
	runProgram(t, dir, "plan").want(t, 1, "", "sites.yaml:1:8: ")
}

func TestProbe(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	web.answer("/broken", http.StatusInternalServerError)
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: good, url: %[1]s/good, regex: 'is (fine)'}\n  - {name: broken, url: %[1]s/broken}\n", web.URL))
	got := runProgram(t, dir, "probe", "good")
	for _, part := range []string{"good is up\n", "connect", "processing", "ok    body: expected ", "HTTP/1.1 200"} {
		got.want(t, 0, part, "")
	}
	got = runProgram(t, dir, "probe", "broken")
	for _, part := range []string{"broken is down (status): ", "FAIL  status: expected 200-399, seen 500\n", "\nHTTP/1.1 500 Internal Server Error\nContent-Length: "} {
		got.want(t, 1, part, "")
	}
	runProgram(t, dir, "probe", web.URL+"/other").want(t, 0, "is up", "")
	runProgram(t, dir, "probe").want(t, 1, "", "probe takes one name of a site")
	runProgram(t, dir, "probe", "nosuch").want(t, 1, "", `site "nosuch" in sites.yaml: not found`)
	got = runProgram(t, dir, "probe", "broken", "--json")
	var shown struct{ Report sitemon.Report }
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil || shown.Report.StatusCode != 500 || got.code != 1 {
		t.Errorf("status %d, report %+v, %v", got.code, shown.Report, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a probe by hand left a data folder")
	}
}

func TestStatus(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	web.answer("/b", http.StatusInternalServerError)
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: a, url: %[1]s/a, interval: 1s}\n  - {name: b, url: %[1]s/b, interval: 1s}\n", web.URL))
	p := startDaemon(t, dir)
	p.waitStatus("a", sitemon.StatusUp)
	p.waitStatus("b", sitemon.StatusDown)
	got := runProgram(t, dir, "status", "--api", strings.TrimPrefix(p.url, "http://"))
	got.want(t, 1, "SITE  STATUS", "")
	got.want(t, 1, "100.000% (0% known)", "")
	got.want(t, 1, "b     down", "")
	if strings.Contains(got.out, "\x1b") {
		t.Error("colours although stdout is no terminal")
	}
	got = runProgram(t, dir, "status", "--api", p.url, "--json")
	var page struct{ Sites []siteState }
	if err := json.Unmarshal([]byte(got.out), &page); err != nil || len(page.Sites) != 2 {
		t.Errorf("%q: %v, want two sites", got.out, err)
	}
	web.answer("/b", 0)
	p.waitStatus("b", sitemon.StatusUp)
	runProgram(t, dir, "status", "--api", p.url).want(t, 0, "b     up", "")
	p.stop()
	got = runProgram(t, dir, "status", "--api", p.url)
	got.want(t, 2, "", "is it running?")
	if got.out != "" {
		t.Errorf("an address was named, and something else was shown: %q", got.out)
	}
	away := strings.TrimPrefix(p.url, "http://")
	got = runProgram(t, dir, "status", "--listen", away)
	got.want(t, 2, "b     up", "is it running?")
	got.want(t, 2, "", "this is what was stored last in data")
	got = runProgram(t, dir, "status", "--listen", away, "--json")
	if err := json.Unmarshal([]byte(got.out), &page); err != nil || len(page.Sites) != 2 || got.code != 2 {
		t.Errorf("%q: %v, want two sites", got.out, err)
	}
	runProgram(t, t.TempDir(), "status", "--listen", away).want(t, 2, "", "is it running?")
}

func TestImport(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	web.answer("/bad", 500)
	save(t, dir, "list.txt", web.URL+"/good Good\n"+web.URL+"/bad Bad\n:::\n")
	got := runProgram(t, dir, "import", "urls", "--verify", "list.txt")
	got.want(t, 0, "- name: Good", `lost: line 3: ":::" is no URL`)
	got.want(t, 0, "Made by sitemon import urls from list.txt.", "verify: Good is up")
	got.want(t, 0, "", "verify: Bad is down (status): status 500, expected 200-399")
	save(t, dir, "sites.yaml", got.out)
	runProgram(t, dir, "check").want(t, 0, "", "")
	runProgram(t, dir, "import", "zabbix", "list.txt").want(t, 1, "", "there is no importer for \"zabbix\"; there are blackbox, gatus,")
	runProgram(t, dir, "import", "gatus", "nowhere.yaml").want(t, 1, "", "nowhere.yaml")
}

func TestSchemaMigrateVersionAndHelp(t *testing.T) {
	dir := t.TempDir()
	var schema map[string]any
	got := runProgram(t, dir, "schema")
	if err := json.Unmarshal([]byte(got.out), &schema); err != nil || got.code != 0 {
		t.Errorf("schema: status %d, %v", got.code, err)
	}
	runProgram(t, dir, "migrate").want(t, 0, "applied", "")
	runProgram(t, dir, "migrate").want(t, 0, "is up to date", "")
	runProgram(t, dir, "version").want(t, 0, "sitemon devel", "")
	runProgram(t, dir, "--help").want(t, 0, "SITEMON_SITES", "")
	runProgram(t, dir, "completion", "bash").want(t, 0, "bash completion", "")
	runProgram(t, dir, "chekc").want(t, 1, "", `unknown command "chekc": did you mean check?`)
	runProgram(t, dir, "--role", "writer").want(t, 1, "", "set KAFKA_BROKER and POSTGRES_DSN, or run --role=all")
	runProgram(t, dir, "worker").want(t, 1, "", "worker is now: sitemon --role=writer")
	runProgram(t, dir, "monitor-sites").want(t, 1, "", "set KAFKA_BROKER and POSTGRES_DSN")
	runProgram(t, dir, "dead-letters", "list").want(t, 1, "", "KAFKA_BROKER")
	runProgram(t, dir, "healthcheck", "--listen", "127.0.0.1:1").want(t, 1, "", "no daemon answers")
}
