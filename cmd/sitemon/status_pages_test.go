package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"sitemon/internal/testkit"
)

// answer asks a daemon for a path, and returns the status code and the text.
func (p *process) answer(path string) (code int, text string) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, string(b)
}

// shows waits until a path is answered with a text.
func (p *process) shows(path, text string) {
	p.t.Helper()
	var code int
	var got string
	waitFor(p.t, path+" shows "+text, func() bool {
		code, got = p.answer(path)
		return code == http.StatusOK && strings.Contains(got, text)
	})
}

// A status page and its badges are there also while Postgres is not, and after a
// restart without it; then they say that they are from before.
func TestStatusPagesWithoutPostgres(t *testing.T) {
	postgres := testkit.StartPostgres(t, testkit.PostgresOptions{})
	s := &shared{t: t, environ: []string{"KAFKA_BROKER=kafka://" + testkit.Kafka(t), "KAFKA_TOPIC=" + testkit.Unique("status"), "POSTGRES_DSN=" + postgres.DSN}, dsn: postgres.DSN}
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", sites(web, "docs:/")+"status_pages:\n  - { path: public, title: Example services, public: true }\n")
	args := []string{"--sites", filepath.Join(dir, "sites.yaml")}
	p := s.start(dir, "one", "all", args...)
	p.shows("/status/public.json", `"up"`)
	p.shows("/status/public", "Example services")
	p.shows("/badge/docs/status.svg", "up")
	// What a database takes for no text is no name.
	for _, path := range []string{"/badge/%00/status.svg", "/badge/%ff/status.svg", "/sites/%00", "/sites/%ff", "/api/v1/sites/a%00b", "/heartbeat/%00", "/status/%00", "/sites/..%2f..%2fetc"} {
		if code, text := p.answer(path); code != http.StatusNotFound && code != http.StatusBadRequest {
			t.Errorf("%s: got status %d: %.200s", path, code, text)
		}
	}

	const stale = "live data is not available at the moment"
	postgres.Kill()
	p.shows("/status/public", stale)
	p.shows("/badge/docs/status.svg", "up")
	p.kill()
	p = s.start(dir, "one", "all", args...)
	// The pages of before the crash are up to a minute older than it.
	p.shows("/status/public", stale)
	p.shows("/status/public", "docs")
	p.shows("/badge/docs/status.svg", "<svg")

	postgres.Start()
	waitFor(t, "the page is of now", func() bool {
		code, text := p.answer("/status/public")
		return code == http.StatusOK && !strings.Contains(text, stale)
	})
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: status %d\n%s", code, p.logged())
	}
}
