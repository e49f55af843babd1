package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// wanted is the text that every monitor looks for on the page.
const wanted = `site-[0-9]+ is up`

func (o options) timeout() time.Duration { return min(o.interval, 5*time.Second) }

func sitemonFile(o options) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "defaults: { interval: %s, timeout: %s, keep_alive: %t, regex: '%s' }\nsites:\n", o.interval, o.timeout(), o.keepAlive, wanted)
	for id := range o.sites {
		fmt.Fprintf(&b, "  - { name: %s, url: \"%s/s/%d\" }\n", siteName(id), o.base, id)
	}
	return b.Bytes()
}

// otherMonitors prepares the monitors whose programs the environment names.
func otherMonitors(dir string, o options) ([]measured, error) {
	var all []measured
	for name, prepare := range map[string]func(program, dir, addr string, o options) (measured, error){
		"GATUS": gatus, "CLOUDPROBER": cloudprober, "BLACKBOX": blackbox,
	} {
		program := os.Getenv(name)
		if program == "" {
			continue
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		m, err := prepare(program, dir, addr, o)
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", name, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// gatus matches text by globs only, which comes to the same here.
func gatus(program, dir, addr string, o options) (measured, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return measured{}, fmt.Errorf("split %s: %w", addr, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "web: { address: 127.0.0.1, port: %s }\nconcurrency: 0\nstorage: { type: sqlite, path: %q }\nendpoints:\n",
		port, filepath.Join(dir, "gatus.db"))
	for id := range o.sites {
		fmt.Fprintf(&b, "  - { name: %s, url: \"%s/s/%d\", interval: %s, client: { timeout: %s }, conditions: [\"[STATUS] == 200\", \"[BODY] == pat(*site-* is up*)\"] }\n",
			siteName(id), o.base, id, o.interval, o.timeout())
	}
	file := filepath.Join(dir, "gatus.yaml")
	return measured{name: "gatus", command: []string{"env", "GATUS_LOG_LEVEL=WARN", "GATUS_CONFIG_PATH=" + file, program}},
		os.WriteFile(file, b.Bytes(), 0o644)
}

func cloudprober(program, dir, addr string, o options) (measured, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return measured{}, fmt.Errorf("split %s: %w", addr, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "host: \"127.0.0.1\"\nport: %s\nsurfacer { type: PROMETHEUS }\n", port)
	for id := range o.sites {
		fmt.Fprintf(&b, "probe { name: %[1]q type: HTTP interval: %[2]q timeout: %[3]q http_probe { keep_alive: %[4]t }\n"+
			"  targets { endpoint { name: %[1]q url: \"%[5]s/s/%[6]d\" } } validator { name: \"page\" regex: %[7]q } }\n",
			siteName(id), o.interval.String(), o.timeout().String(), o.keepAlive, o.base, id, wanted)
	}
	file := filepath.Join(dir, "cloudprober.cfg")
	return measured{name: "cloudprober", command: []string{program, "--config_file=" + file, "--min_log_level=ERROR"}},
		os.WriteFile(file, b.Bytes(), 0o644)
}

// blackbox is the exporter, which probes when it is asked, with a Prometheus
// that asks and keeps the results.
func blackbox(program, dir, addr string, o options) (measured, error) {
	prometheus := os.Getenv("PROMETHEUS")
	if prometheus == "" {
		return measured{}, fmt.Errorf("PROMETHEUS names no program, and the exporter needs one that asks it")
	}
	own, err := freeAddr()
	if err != nil {
		return measured{}, err
	}
	var sites bytes.Buffer
	for id := range o.sites {
		fmt.Fprintf(&sites, "      - %s/s/%d\n", o.base, id)
	}
	files := map[string]string{
		"blackbox.yml": fmt.Sprintf("modules:\n  page:\n    prober: http\n    timeout: %s\n    http: { preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [%q] }\n", o.timeout(), wanted),
		"prometheus.yml": fmt.Sprintf("global: { scrape_interval: %s, scrape_timeout: %s }\nscrape_configs:\n- job_name: sites\n  metrics_path: /probe\n  params: { module: [page] }\n"+
			"  relabel_configs:\n  - { source_labels: [__address__], target_label: __param_target }\n  - { source_labels: [__param_target], target_label: instance }\n"+
			"  - { target_label: __address__, replacement: %q }\n  static_configs:\n  - targets:\n%s", o.interval, o.timeout(), addr, sites.String()),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return measured{}, err
		}
	}
	script := fmt.Sprintf("trap 'kill $a $b' INT TERM; %q --config.file=%q --web.listen-address=%s --log.level=error & a=$!; "+
		"%q --config.file=%q --storage.tsdb.path=%q --web.listen-address=%s --log.level=error & b=$!; wait; wait",
		program, filepath.Join(dir, "blackbox.yml"), addr, prometheus, filepath.Join(dir, "prometheus.yml"), filepath.Join(dir, "tsdb"), own)
	return measured{name: "blackbox+prometheus", command: []string{"sh", "-c", script}}, nil
}
