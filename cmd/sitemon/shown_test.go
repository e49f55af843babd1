package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// nasty has what a terminal may act upon: an escape sequence, a bell, a C1 control
// character, a turn of the direction of writing, a line of its own.
const nasty = "x\x1b[2J\x07\u009b31m\u202ey\nup\tz\x7f"

// nastyDaemon answers as a daemon would whose every text is nasty.
func nastyDaemon(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/api/v1/sites": `{"sites":[{"name":N,"group":N,"status":N,"since":null,
			"last_report":{"version":1,"site":N,"location":"default","slot":"2026-11-01T00:00:00Z","outcome":"down","reason":N,"error":N}}]}`,
		"/api/v1/incidents": `{"incidents":[{"id":1,"site":N,"status":N,"started_at":"2026-11-01T00:00:00Z","reason":N,"error":N,"parent":N}]}`,
		"/api/v1/report": `{"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","total":{},"groups":[{"group":N,"sites":1}],
			"sites":[{"site":N,"group":N}],"incidents":[{"id":1,"site":N,"started_at":"2026-11-01T00:00:00Z","reason":N,"error":N}]}`,
		"/bad/api/v1/sites": `{"detail":N}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(answers[r.URL.Path], "N", string(text))))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// wantShown fails where a text has what a terminal may act upon.
func wantShown(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && r != '\t' && !strconv.IsPrint(r) {
			t.Errorf("%q reaches the terminal, in %q", r, text)
			return
		}
	}
}

// TestTextsOfOthers: nothing that a daemon, its sites or a file says acts upon the
// terminal, or makes a line of its own.
func TestTextsOfOthers(t *testing.T) {
	dir, daemon := t.TempDir(), nastyDaemon(t)
	for _, c := range []struct {
		name  string
		args  []string
		lines int // of stdout
	}{
		{"status", []string{"status", "--api", daemon}, 2},
		{"status as JSON", []string{"status", "--json", "--api", daemon}, 1},
		{"a refusal", []string{"status", "--api", daemon + "/bad"}, 0},
		{"incidents", []string{"incidents", "--api", daemon}, 2},
		{"incidents as JSON", []string{"incidents", "--json", "--api", daemon}, 1},
		{"report", []string{"report", "--api", daemon}, 9},
		{"report as JSON", []string{"report", "--format", "json", "--api", daemon}, 1},
		{"a word that is no command", []string{nasty}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := runProgram(t, dir, c.args...)
			wantShown(t, r.out)
			wantShown(t, r.err)
			if got := strings.Count(r.out, "\n"); got != c.lines {
				t.Errorf("%d lines, want %d:\n%s\n%s", got, c.lines, r.out, r.err)
			}
		})
	}
}

// TestChecksOfFilesWithEscapes: neither the name of a file nor what it says acts
// upon the terminal.
func TestChecksOfFilesWithEscapes(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, "\x1b[31m.yaml", "sites:\n  - {name: a, url: \"http://a\\e[31m.example\", headers: {\"x\\ey\": 1}, expect: {body: {match: [\"(\\e[31m\"]}, json: [{path: \"\\e\"}]}, \"k\\ey\": 1}\n")
	r := runProgram(t, dir, "check", "\x1b[31m.yaml")
	r.want(t, 1, "", `\x1b[31m.yaml`)
	wantShown(t, r.err)
	r = runProgram(t, dir, "import", "urls", "\x1b[31m.yaml")
	wantShown(t, r.out+r.err)
	save(t, dir, "kuma.json", `{"version":"1.23","monitorList":[{"id":1,"name":"a\u001b[2J\u202eb","type":"\u001b[2J","url":"http://127.0.0.1:1/","interval":60},
		{"id":2,"name":"c\u001b[2J\nd","description":"\u001b[2J","type":"http","url":"http://127.0.0.1:1/","interval":60}]}`)
	r = runProgram(t, dir, "import", "uptime-kuma", "--verify", "kuma.json")
	wantShown(t, r.out+r.err)
}
