package main

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metricNames are the metrics of a page: those that have a value.
func metricNames(page string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(page) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	return names
}

// TestDashboard checks that the dashboard in deploy asks for what the program shows:
// a monitor and a writer, one site with a certificate, one that fails and is told.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "sitemon.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is no JSON")
	}
	s, dir, web, h := newShared(t), t.TempDir(), newTarget(t), newHook(t)
	secure := httptest.NewTLSServer(web.Config.Handler)
	t.Cleanup(secure.Close)
	web.answer("/bad", 500)
	save(t, dir, "sites.yaml", "alerting: {group_wait: 1s, channels: {hook: {webhook: {url: "+h.URL+", secret: "+hookSecret+"}}}}\n"+
		"defaults: {interval: 1s, alerts: hook}\nsites:\n"+
		"  - {name: bad, url: "+web.URL+"/bad}\n"+
		"  - {name: secure, url: "+secure.URL+", tls_config: {insecure_skip_verify: true}}\n")
	w := s.start(dir, "writer-1", "writer")
	m := s.start(dir, "monitor-1", "monitor")
	s.waitRows("secure", "up")
	waitFor(t, "the failure is told", func() bool { return len(h.all()) > 0 })

	var missing []string
	defer func() {
		if len(missing) > 0 {
			t.Logf("nobody shows %s", missing)
		}
	}()
	waitFor(t, "all metrics of the dashboard are there", func() bool {
		shown := metricNames(w.page("/metrics"))
		maps.Copy(shown, metricNames(m.page("/metrics")))
		missing = nil
		for _, name := range regexp.MustCompile(`\b(sitemon|probe|process)_[a-z0-9_]+`).FindAllString(string(text), -1) {
			if !shown[name] && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
		return len(missing) == 0
	})
}

// TestFirstStartInKubernetes starts the daemon on what the chart mounts unless it is
// told otherwise: settings that are a comment alone, and a folder without a site.
func TestFirstStartInKubernetes(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "sitemon.yaml", "# Made by the chart from its value settings.\n")
	if err := os.MkdirAll(filepath.Join(dir, "sites", "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(dir, "sites"), filepath.Join("..2026", "sites.yaml"), "sites: []\n")
	for link, to := range map[string]string{"..data": "..2026", "sites.yaml": filepath.Join("..data", "sites.yaml")} {
		if err := os.Symlink(to, filepath.Join(dir, "sites", link)); err != nil {
			t.Fatal(err)
		}
	}
	p := startDaemon(t, dir, "--role=all", "--config=sitemon.yaml", "--sites=sites")
	if c := p.config(); c.Sites != 0 {
		t.Errorf("%d sites, want none", c.Sites)
	}
	p.stop()
}
