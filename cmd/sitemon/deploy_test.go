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

// metricLabels are the metrics of a page that have a value, with their labels.
func metricLabels(page string) map[string]map[string]bool {
	metrics := map[string]map[string]bool{}
	for line := range strings.Lines(page) {
		sample, _, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(sample, "{")
		if metrics[name] == nil {
			metrics[name] = map[string]bool{"job": true, "instance": true} // of the scrape
		}
		for _, label := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(line, -1) {
			metrics[name][label[1]] = true
		}
	}
	return metrics
}

// queries are those of a dashboard.
func queries(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && (key == "expr" || key == "query") {
				all = append(all, text)
			} else {
				all = append(all, queries(v[key])...)
			}
		}
	case []any:
		for _, one := range v {
			all = append(all, queries(one)...)
		}
	}
	return all
}

// unanswered are the metrics of a query, and the labels that it chooses or groups by,
// that nothing has of what is shown.
func unanswered(query string, shown map[string]map[string]bool) (missing []string) {
	labels := map[string]bool{}
	for _, name := range regexp.MustCompile(`\b(sitemon|probe|process)_[a-z0-9_]+`).FindAllString(query, -1) {
		maps.Copy(labels, shown[name])
		if shown[name] == nil {
			missing = append(missing, name)
		}
	}
	for _, m := range regexp.MustCompile(`\bby \(([^)]*)\)|([a-z_]+)=~?"`).FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(m[1]+m[2], ",") {
			if label = strings.TrimSpace(label); !labels[label] {
				missing = append(missing, "the label "+label+" in "+query)
			}
		}
	}
	return missing
}

func TestUnanswered(t *testing.T) {
	shown := metricLabels("# HELP x\nprobe_success{group=\"a\",site=\"b\"} 1\nsitemon_sites 2\n")
	for query, want := range map[string]int{
		`sum by (site, job) (probe_success{group=~"x"})`: 0, `sum(sitemon_sites)`: 0,
		`probe_failure`: 1, `sum by (site) (sitemon_sites)`: 1, `probe_success{name="x"}`: 1,
	} {
		if got := unanswered(query, shown); len(got) != want {
			t.Errorf("%s: %q, want %d", query, got, want)
		}
	}
}

// TestDashboard checks that the dashboard in deploy asks for what the program shows:
// a monitor and a writer, one site with a certificate, one that fails and is told.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "sitemon.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	all := queries(dashboard)
	if len(all) < 20 {
		t.Errorf("only %d queries were found", len(all))
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
		shown := metricLabels(w.page("/metrics"))
		for name, labels := range metricLabels(m.page("/metrics")) {
			maps.Copy(labels, shown[name])
			shown[name] = labels
		}
		missing = nil
		for _, query := range all {
			missing = append(missing, unanswered(query, shown)...)
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
