package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Where the demo's parts listen.
const (
	demoTarget  = "127.0.0.1:18070"
	demoPage    = "127.0.0.1:8080"
	demoMonitor = "127.0.0.1:808%d"
)

// demo shows the distributed set-up on one machine until ctx ends: two monitors
// that share a few sites, Kafka, a writer with its page, Postgres.
func demo(ctx context.Context, o options) (err error) {
	b := &backlog{
		options: o, kafka: os.Getenv("SITEMON_TEST_KAFKA"), server: os.Getenv("SITEMON_TEST_POSTGRES"),
		topic: "demo-" + strings.ToLower(rand.Text()[:8]),
	}
	if b.kafka == "" || b.server == "" {
		return errors.New("SITEMON_TEST_KAFKA and SITEMON_TEST_POSTGRES name no servers: `make demo` starts both")
	}
	if b.dir, err = os.MkdirTemp("", "sitemon-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	drop, err := b.database(ctx)
	if err != nil {
		return err
	}
	defer drop()
	shop, stopShop := demoSites()
	defer stopShop()
	sites := filepath.Join(b.dir, "sites.yaml")
	if err := os.WriteFile(sites, shop, 0o644); err != nil {
		return err
	}
	var parts []*running
	defer func() {
		for _, p := range parts {
			err = errors.Join(err, p.end())
		}
	}()
	for _, args := range [][]string{
		{"--role", "writer", "--instance", "writer-1", "--listen", demoPage},
		{"--role", "monitor", "--instance", "monitor-1", "--listen", fmt.Sprintf(demoMonitor, 1), "--sites", sites},
		{"--role", "monitor", "--instance", "monitor-2", "--listen", fmt.Sprintf(demoMonitor, 2), "--sites", sites},
	} {
		p, err := b.run("", append(args, "--data-dir", filepath.Join(b.dir, args[3])))
		if err != nil {
			return err
		}
		parts = append(parts, p)
	}
	fmt.Printf(`The page:   http://%s/
The sites:  %s  (edit it, and look at the page)
The rows:   psql '%s' -c 'SELECT site, slot, outcome, monitor FROM reports ORDER BY slot DESC LIMIT 20'
A site by hand:  psql '%s' -c "INSERT INTO sites (name, url, interval_seconds) VALUES ('by hand', 'http://%s/', 2)"
Kill a monitor:  kill -9 %d  (the other one has its sites after 6 s)
Ctrl-C ends all of it, and leaves nothing behind.
`, demoPage, sites, b.dsn, b.dsn, demoTarget, parts[2].cmd.Process.Pid)
	for ctx.Err() == nil {
		for _, p := range parts[:2] { // the third is there to be killed
			if err := p.wait(ctx, 500*time.Millisecond); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

// demoSites serves what is to be watched, and returns the sites file.
func demoSites() (file []byte, stop func()) {
	srv := &http.Server{
		Addr: demoTarget, ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/slow":
				time.Sleep(700 * time.Millisecond)
			case r.URL.Path == "/flaky" && time.Now().Unix()/20%3 == 0:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprintln(w, "Welcome")
		}),
	}
	go func() { _ = srv.ListenAndServe() }()
	return fmt.Appendf(nil, `defaults: { interval: 2s, group: shop }
sites:
  - { name: front page, url: "http://%[1]s/", regex: Welcome }
  - { name: search, url: "http://%[1]s/search" }
  - { name: checkout, url: "http://%[1]s/flaky" }
  - { name: reports, url: "http://%[1]s/slow", expect: { latency: 500ms } }
  - { name: web server, url: "tcp://%[1]s", group: machines }
  - { name: mail server, url: "tcp://127.0.0.1:1", group: machines }
`, demoTarget), func() { _ = srv.Close() }
}
