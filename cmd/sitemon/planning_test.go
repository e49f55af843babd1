package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sitemon"
	"sitemon/config"
	"sitemon/internal/testkit"
)

// runWith runs a command to its end with further variables.
func runWith(t *testing.T, dir string, environ []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := program(dir, args...)
	cmd.Env = append(cmd.Env, environ...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the status says it
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// TestPlanOfADaemon compares files with what a daemon elsewhere runs. No credential,
// and no value of a variable, leaves either side.
func TestPlanOfADaemon(t *testing.T) {
	there, here, web := t.TempDir(), t.TempDir(), newTarget(t)
	const file = `sites:
  - {name: kept, url: %[1]s/kept, headers: {X-Team: "${TEAM}"}}
  - {name: locked, url: %[1]s/locked, basic_auth: {username: ann, password: %[2]s}}
  - {name: edited, url: %[1]s/edited, interval: %[3]s, tags: [a]}
`
	values := []string{"TEAM=expanded-value"}
	content := fmt.Sprintf(file, web.URL, "hunter2", "30s")
	save(t, there, "sites.yaml", content)
	p := startDaemonIn(t, there, values)
	waitFor(t, "the sites are stored", func() bool { return strings.Contains(p.page("/api/v1/config"), `"stored":true`) })
	plan := func(content string) result {
		t.Helper()
		save(t, here, "new.yaml", content)
		r := runWith(t, here, values, "plan", "--sites", "new.yaml", "--api", p.url)
		for _, secret := range []string{"hunter", "expanded-value"} {
			if strings.Contains(r.out+r.err, secret) {
				t.Errorf("%s is told: %+v", secret, r)
			}
		}
		return r
	}
	plan(content).want(t, 0, "0 to add, 0 to change, 0 to remove, 3 unchanged\n", "new.yaml is compared with what sites.yaml has defined")
	for _, password := range []string{"hunter2", "hunter3"} {
		plan("# by hand\n"+fmt.Sprintf(file, web.URL, password, "30s")).want(t, 2,
			"? unsure locked (has credentials, which the daemon tells nobody)\n0 to add, 0 to change, 0 to remove, 2 unchanged, 1 unsure\n", "")
	}
	changed := strings.ReplaceAll(fmt.Sprintf(file, web.URL, "hunter2", "45s"), "kept", "comes")
	got := plan(changed)
	for _, part := range []string{
		"+ add    comes\n", "~ change edited (probed at once)\n           interval: 30s → 45s\n", "- remove kept\n",
		"1 to add, 1 to change, 1 to remove, 0 unchanged, 1 unsure\n",
	} {
		got.want(t, 2, part, "")
	}
	r := runWith(t, here, values, "plan", "--sites", "new.yaml", "--json", "--api", p.url)
	var parsed planned
	if err := json.Unmarshal([]byte(r.out), &parsed); err != nil || r.code != 2 {
		t.Fatalf("%+v: %v", r, err)
	}
	if c := parsed.Changed; len(c) != 1 || c[0].Values[0] != (sitemon.KeyChange{Key: "interval", Before: "30s", After: "45s"}) || parsed.Generation != 1 || !slices.Equal(parsed.Undecided, []string{"locked"}) {
		t.Errorf("plan %+v", parsed)
	}
	runWith(t, here, values, "plan", "--sites", "new.yaml", "--source", "other", "--api", p.url).
		want(t, 2, "! refuse edited (belongs to sites.yaml)\n! refuse locked (belongs to sites.yaml)\n1 to add, 0 to change, 0 to remove, 0 unchanged, 2 refused\n", "")
	runWith(t, here, values, "plan", "--sites", "new.yaml", "--api", "http://127.0.0.1:1").want(t, 1, "", "connection refused")
	// Where nothing is stored, the daemon at --listen says what runs.
	runWith(t, here, values, "plan", "--sites", "new.yaml", "--listen", strings.TrimPrefix(p.url, "http://")).want(t, 2, "interval: 30s → 45s\n", "")
}

// TestPlanSignsIn: a token opens the way, as for the other commands.
func TestPlanSignsIn(t *testing.T) {
	there, here, web := t.TempDir(), t.TempDir(), newTarget(t)
	const token = "a-token-of-ci-0123456789"
	content := sites(web, "a:/")
	save(t, there, "sites.yaml", content)
	save(t, here, "sites.yaml", content)
	save(t, there, "sitemon.yaml", `auth: { tokens: [{ name: ci, token: "${CI_TOKEN}", role: viewer }] }`)
	p := startDaemonIn(t, there, []string{"CI_TOKEN=" + token})
	runWith(t, here, nil, "plan", "--api", p.url).want(t, 1, "", "SITEMON_TOKEN")
	runWith(t, here, []string{"SITEMON_TOKEN=" + token}, "plan", "--api", p.url).want(t, 0, "1 unchanged", "")
}

// TestPlanOfManySites: ten thousand sites are compared with few requests.
func TestPlanOfManySites(t *testing.T) {
	dir, here := t.TempDir(), t.TempDir()
	many := func(interval string) string {
		var b strings.Builder
		b.WriteString("sites:\n")
		for i := range 10_000 {
			fmt.Fprintf(&b, "  - {name: site-%05d, url: \"http://127.0.0.1:1/%d\", interval: %s, enabled: false, group: g%d, expect: {status: 200, body: {match: \"fine|good\"}}}\n", i, i, interval, i%50)
		}
		return b.String()
	}
	save(t, dir, "sites.yaml", many("1h"))
	save(t, here, "sites.yaml", many("2h"))
	p := startDaemon(t, dir)
	waitFor(t, "the sites are stored", func() bool { return strings.Contains(p.page("/api/v1/config"), `"stored":true`) })
	began := time.Now()
	runProgram(t, here, "plan", "--api", p.url).want(t, 2, "0 to add, 10000 to change, 0 to remove, 0 unchanged", "")
	t.Logf("10,000 sites of a daemon compared in %s", time.Since(began).Round(time.Millisecond))
}

// TestPlanOfSources: what other sources have defined is no business of a file, and
// rows that were put in by hand only by their names.
func TestPlanOfSources(t *testing.T) {
	site := func(name, interval string) sitemon.Site {
		return sitemon.Site{Name: name, Enabled: true, Definition: json.RawMessage(`{"interval":"` + interval + `"}`)}
	}
	stored := func(source string, sites ...sitemon.Site) (defs []sitemon.StoredDefinition) {
		for _, s := range sites {
			defs = append(defs, sitemon.StoredDefinition{Definition: sitemon.Definition{Name: s.Name, JSON: s.Definition}, Source: source})
		}
		return defs
	}
	shared := slices.Concat(
		stored("mine", site("a", "1m"), site("b", "1m")), stored("theirs", site("c", "1m"), site("d", "1m")), stored("", site("e", "1m"), site("f", "1m"), site("g", "1m")),
	)
	file := []sitemon.Site{site("a", "1m"), site("c", "2m"), site("e", "1m"), site("f", "2m"), site("new", "1m")}
	for _, tt := range []struct {
		name, source, sites string
		stored              []sitemon.StoredDefinition
		want                string
	}{
		{"shared", "mine", "mine", shared, "+[new] ~[f] -[b] =2 ![c]"},
		{"of a third", "third", "third", shared, "+[new] ~[f] -[] =1 ![a c]"},
		{"beside the one that is stored", "new.yaml", "x/new.yaml", stored("mine", site("a", "1m"), site("b", "1m")), "+[c e f new] ~[] -[b] =1 ![]"},
		{"the same with a name given", "given", "x/new.yaml", stored("mine", site("a", "1m"), site("b", "1m")), "+[c e f new] ~[] -[] =0 ![a]"},
		{"nothing", "mine", "mine", nil, "+[a c e f new] ~[] -[] =0 ![]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said bytes.Buffer
			a := &app{err: &said}
			p := a.compare(config.Settings{Source: tt.source, Sites: filepath.FromSlash(tt.sites)}, file, tt.stored)
			var changed, refused []string
			for _, c := range p.Changed {
				changed = append(changed, c.Name)
			}
			for _, r := range p.Refused {
				refused = append(refused, r.Name)
			}
			if got := fmt.Sprintf("+%v ~%v -%v =%d !%v", p.Added, changed, p.Removed, p.Unchanged, refused); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestPlanOfASharedStore: a plan against Postgres is what a reload of this source does
// there, and a daemon on it gives the same.
func TestPlanOfASharedStore(t *testing.T) {
	s := &shared{t, []string{"POSTGRES_DSN=" + testkit.Postgres(t)}, ""}
	s.dsn = s.variable("POSTGRES_DSN")
	mine, theirs, web := t.TempDir(), t.TempDir(), newTarget(t)
	save(t, mine, "mine.yaml", sites(web, "a:/"))
	save(t, theirs, "theirs.yaml", sites(web, "b:/"))
	p := s.start(mine, "one", "all", "--sites", "mine.yaml")
	s.start(theirs, "two", "all", "--sites", "theirs.yaml", "--location", "elsewhere")
	s.exec(fmt.Sprintf("INSERT INTO sites (name, url) VALUES ('hand', '%s/hand')", web.URL))
	waitFor(t, "all three are known", func() bool { return strings.Count(p.page("/api/v1/definitions"), `"name":"`) >= 6 })
	save(t, mine, "next.yaml", sites(web, "b:/", "c:/"))
	for _, asked := range [][]string{nil, {"--api", p.url}} {
		got := runWith(t, mine, s.environ, append([]string{"plan", "--sites", "mine.yaml"}, asked...)...)
		got.want(t, 0, "0 to add, 0 to change, 0 to remove, 1 unchanged\n", "")
		got = runWith(t, mine, s.environ, append([]string{"plan", "--sites", "next.yaml", "--source", "mine.yaml"}, asked...)...)
		got.want(t, 2, "+ add    c\n- remove a\n! refuse b (belongs to theirs.yaml)\n1 to add, 0 to change, 1 to remove, 0 unchanged, 1 refused\n", "")
	}
}

// TestPlanOfWhatIsNotStored: what a daemon runs and has not stored yet can't be
// compared with what it has stored.
func TestPlanOfWhatIsNotStored(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "sites.yaml", "sites: []\n")
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"generation":1,"hash":"abc","stored":false,"definitions":[]}`))
	}))
	defer daemon.Close()
	runProgram(t, dir, "plan", "--api", daemon.URL).want(t, 1, "", "not stored yet: try again")
}

// TestPlanWhileTheDaemonReloads: a document that is replaced while its definitions are
// read is not taken for the file.
func TestPlanWhileTheDaemonReloads(t *testing.T) {
	dir := t.TempDir()
	const site = `{"name":"a","url":"http://127.0.0.1:1/","interval":"1m","timeout":"10s","basic_auth":{"username":"ann","password":"%s"}}`
	file := "sites: [{name: a, url: \"http://127.0.0.1:1/\", basic_auth: {username: ann, password: hunter2}}]\n"
	save(t, dir, "sites.yaml", file)
	hash := config.Hash([]config.File{{Name: "sites.yaml", Content: []byte(file)}})
	var asked atomic.Int64
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/definitions") {
			public, _, err := config.Public(fmt.Appendf(nil, site, "hunter3"))
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, `{"generation":2,"definitions":[{"name":"a","source":"sites.yaml","definition":%s}]}`, public)
			return
		}
		now := hash
		if asked.Add(1) > 1 {
			now = "another"
		}
		fmt.Fprintf(w, `{"generation":2,"hash":%q,"stored":true}`, now)
	}))
	defer daemon.Close()
	runProgram(t, dir, "plan", "--api", daemon.URL).want(t, 2, "? unsure a", "")
}
