package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"sitemon"
	"sitemon/internal/testkit"
)

// siteState is what these tests read of the API's Site.
type siteState struct {
	Name       string
	Status     sitemon.Status
	LastReport *sitemon.Report `json:"last_report"`
}

// configState is what these tests read of the API's configuration.
type configState struct {
	Generation int64
	Sites      int
	LastError  *struct {
		Errors []sitemon.Problem
	} `json:"last_error"`
}

func (p *process) config() (c configState) {
	p.t.Helper()
	p.get("/api/v1/config", &c)
	return c
}

func (p *process) sites() map[string]siteState {
	p.t.Helper()
	var page struct{ Sites []siteState }
	p.get("/api/v1/sites", &page)
	sites := map[string]siteState{}
	for _, s := range page.Sites {
		sites[s.Name] = s
	}
	return sites
}

func (p *process) waitStatus(name string, want sitemon.Status) {
	p.t.Helper()
	waitFor(p.t, fmt.Sprintf("%s is %s", name, want), func() bool { return p.sites()[name].Status == want })
}

func TestEditsTakeEffectWhileTheDaemonRuns(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	one := fmt.Sprintf("sites:\n  - {name: one, url: %s/one, interval: 1s}\n", web.URL)
	save(t, dir, "sites.yaml", one)
	p := startDaemon(t, dir)
	p.waitStatus("one", sitemon.StatusUp)

	save(t, dir, "sites.yaml", one+fmt.Sprintf("  - {name: two, url: %s/two, interval: 1s, regex: 'two is fine'}\n", web.URL))
	p.waitStatus("two", sitemon.StatusUp)
	if got := p.config(); got.Generation != 2 || got.Sites != 2 {
		t.Errorf("configuration %+v, want generation 2 with 2 sites", got)
	}

	web.answer("/two", http.StatusServiceUnavailable)
	p.waitStatus("two", sitemon.StatusDown)
	if r := p.sites()["two"].LastReport; r.Reason != sitemon.ReasonStatus || !strings.Contains(r.Error, "503") {
		t.Errorf("report %+v, want status 503 as its reason", r)
	}

	// A file with a fault changes nothing, and says where the fault is.
	save(t, dir, "sites.yaml", one+"  - {name: two, url: ://}\n  - {nam: three}\n")
	waitFor(t, "the fault is shown", func() bool { return p.config().LastError != nil })
	if got := p.config(); got.Generation != 2 || got.LastError.Errors[0].Line != 3 {
		t.Errorf("configuration %+v, want generation 2 to go on and a fault in line 3", got)
	}
	hits := web.count("/two")
	waitFor(t, "the old sites are probed", func() bool { return web.count("/two") > hits })
	if !strings.Contains(p.logged(), "sites.yaml:3:") {
		t.Errorf("the fault is not in the log:\n%s", p.logged())
	}
	page := p.page("/")
	if !strings.Contains(page, "sites.yaml:3:") {
		t.Error("the fault is not on the page")
	}

	// The content from before makes it good again; then a site leaves.
	save(t, dir, "sites.yaml", one)
	waitFor(t, "the fault is gone and site two too", func() bool { c := p.config(); return c.LastError == nil && c.Sites == 1 })
	if _, there := p.sites()["two"]; there {
		t.Error("the removed site is still listed")
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit status %d after SIGTERM:\n%s", code, p.logged())
	}
}

// page reads a page as a browser does.
func (p *process) page(path string) string {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s: %s %v", path, resp.Status, err)
	}
	return string(b)
}

func TestReloadBySignalAndAPI(t *testing.T) {
	if runtime.GOOS == "windows" {
		testkit.Missing(t, "no SIGHUP on windows")
	}
	dir, web := t.TempDir(), newTarget(t)
	line := "sites:\n  - {name: one, url: %s/%s, interval: 1h}\n"
	save(t, dir, "sites.yaml", fmt.Sprintf(line, web.URL, "a"))
	p := startDaemon(t, dir)
	waitFor(t, "the first probe", func() bool { return web.count("/a") == 1 })

	resp, err := http.Post(p.url+"/api/v1/config/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"unchanged":1`)) {
		t.Errorf("reload: %s %s, want one unchanged site", resp.Status, body)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the signal is noticed", func() bool { return strings.Contains(p.logged(), "SIGHUP") })
	save(t, dir, "sites.yaml", fmt.Sprintf(line, web.URL, "b"))
	waitFor(t, "an edited site is due at once", func() bool { return web.count("/b") == 1 })
}

func TestRestartKeepsWhatWasRecorded(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: one, url: %s/, interval: 1s}\n", web.URL))
	p := startDaemon(t, dir)
	waitFor(t, "three reports", func() bool { return len(p.reports("one")) >= 3 })
	oldest := p.reports("one")
	p.kill() // as a crash does

	save(t, dir, "sites.yaml", "sites: [oops")
	p = startDaemon(t, dir) // a bad file at the start: the last known sites run
	waitFor(t, "a report after the restart", func() bool { return len(p.reports("one")) > len(oldest) })
	after := p.reports("one")
	if got := after[len(after)-1].Slot; !got.Equal(oldest[len(oldest)-1].Slot) {
		t.Errorf("the oldest report is of %s, want it as before: %s", got, oldest[len(oldest)-1].Slot)
	}
	if p.config().LastError == nil {
		t.Error("the faults of the file are not shown")
	}
}

// reports returns the newest reports of a site, newest first.
func (p *process) reports(name string) []sitemon.Report {
	p.t.Helper()
	var page struct{ Reports []sitemon.Report }
	p.get("/api/v1/sites/"+name+"/reports?limit=1000", &page)
	return page.Reports
}

func TestSecondProcessNamesTheFirst(t *testing.T) {
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: one, url: %s/}\n", web.URL))
	p := startDaemon(t, dir)
	got := runProgram(t, dir, "--listen", "127.0.0.1:0")
	if got.code != 1 || !strings.Contains(got.err, fmt.Sprintf("process %d", p.cmd.Process.Pid)) {
		t.Errorf("a second process: status %d, %s; want 1 and the first one's number", got.code, got.err)
	}
}

// TestSecretsStayInside probes with secrets of all kinds, against a server that
// sends them back, and looks for them wherever SiteMon writes.
func TestSecretsStayInside(t *testing.T) {
	dir := t.TempDir()
	echo := newTarget(t)
	echo.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("X-Token")+r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s", r.URL, r.Header.Get("X-Token"), r.Header.Get("Authorization"))
	})
	save(t, dir, "token", "file-s3cret-value")
	save(t, dir, ".env", "API_TOKEN=env-s3cret-value\n")
	save(t, dir, "sites.yaml", fmt.Sprintf(`sites:
  - name: echo
    url: %s/?key=${API_TOKEN}
    interval: 1s
    headers: { X-Token: "${file:token}" }
    basic_auth: { username: ops, password: "${API_TOKEN}" }
    expect:
      headers: { x-echo: "^nothing$" }
      body: { match: "no such text" }
`, echo.URL))
	p := startDaemon(t, dir, "--log-level", "debug")
	p.waitStatus("echo", sitemon.StatusDown)
	p.waitStatus("echo", sitemon.StatusDown)
	shown := map[string]string{
		"log": p.logged(), "page": p.page("/"), "site page": p.page("/sites/echo"), "configuration page": p.page("/config"),
		"API": p.page("/api/v1/sites/echo") + p.page("/api/v1/sites/echo/reports") + p.page("/api/v1/config"), "metrics": p.page("/metrics"),
	}
	p.stop()
	shown["log at the end"] = p.logged()
	probe := runProgram(t, dir, "probe", "echo")
	shown["probe"] = probe.out + probe.err
	probe = runProgram(t, dir, "probe", "echo", "--json")
	shown["probe --json"] = probe.out + probe.err
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		shown[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// base64 of "ops:env-s3cret-value" is what basic_auth sends.
	for _, secret := range []string{"env-s3cret-value", "file-s3cret-value", "b3BzOmVudi1zM2NyZXQtdmFsdWU="} {
		for place, text := range shown {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("secret in %s: …%s…", place, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
	if !strings.Contains(shown["probe"], "418") {
		t.Errorf("probe shows nothing of the answer: %s", shown["probe"])
	}
}

func TestStopCutsOffWhatHangs(t *testing.T) {
	dir := t.TempDir()
	hung := make(chan struct{})
	asked := make(chan struct{}, 100)
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-hung }))
	defer web.Close()
	defer close(hung)
	save(t, dir, "sites.yaml", fmt.Sprintf("sites:\n  - {name: hangs, url: %s/, interval: 1h, timeout: 30m}\n", web.URL))
	p := startDaemon(t, dir)
	<-asked
	if code := p.stop(); code != 0 || !strings.Contains(p.logged(), "probes were cut off") {
		t.Errorf("exit status %d:\n%s\nwant 0, and a word about the probe that was cut off", code, p.logged())
	}
}
