package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWrongWords: what is not understood is refused with what to do, under an exit
// status that a command has for nothing else.
func TestWrongWords(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"statu", 1, "did you mean status?"},
		{"help nosuch", 1, `unknown command "nosuch"`},
		{"help plan x", 1, "see 'sitemon plan --help'"},
		{"notify foo", 1, "see 'sitemon notify --help'"},
		{"notify tst", 1, "did you mean test?"},
		{"dead-letters foo", 1, "see 'sitemon dead-letters --help'"},
		{"completion csh", 1, "did you mean bash or zsh or fish?"},
		{"status x", 2, `unknown command "x"`},
		{"status --nope", 2, "unknown flag: --nope"},
		{"status --json=maybe", 2, "must be true or false"},
		{"status --log-level x", 2, "--log-level"},
		{"import gatus", 1, "takes a kind and a file"},
		{"import gatos config.yaml", 1, "there is no importer for \"gatos\"; there are blackbox, gatus"},
		{"import gatus missing.yaml", 1, "read the configuration: open missing.yaml"},
		{"incidents --limit 0", 1, "at least 1"},
		{"report --format pdf", 1, "text, json, csv, html"},
	} {
		t.Run(c.args, func(t *testing.T) { runProgram(t, dir, strings.Fields(c.args)...).want(t, c.code, "", c.want) })
	}
	runProgram(t, dir, "check", "").want(t, 1, "", "no sites file is named")
}

// TestHelp: each command has help, also of "help".
func TestHelp(t *testing.T) {
	dir := t.TempDir()
	for _, args := range []string{
		"help", "help notify test", "notify", "notify test --help", "completion", "completion bash", "dead-letters", "plan --help",
	} {
		if r := runProgram(t, dir, strings.Fields(args)...); r.code != 0 || r.out == "" || r.err != "" {
			t.Errorf("sitemon %s: %+v", args, r)
		}
	}
}

// TestAsking: what is wrong with an address is told, with a hint only where it helps,
// and without the password in it.
func TestAsking(t *testing.T) {
	dir := t.TempDir()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/locked") {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte("<html>fine</html>"))
	}))
	defer other.Close()
	for _, c := range []struct{ name, api, want, without string }{
		{"nobody", "http://127.0.0.1:1", "connection refused (is it running?", "Get"},
		{"a password", "http://ann:hunter2@127.0.0.1:1", "ann:<redacted>@127.0.0.1:1", "hunter2"},
		{"a bad address", "http://ann:hunter2@[::1", "missing ']'", "hunter2"},
		{"no scheme that is known", "ftp://127.0.0.1:1", "unsupported protocol scheme", "Get"},
		{"something else", other.URL, "what answers is not SiteMon's API", "is it running?"},
		{"locked", other.URL + "/locked", "SITEMON_TOKEN", "is it running?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, command := range []string{"status", "incidents", "report"} {
				r := runProgram(t, dir, command, "--api", c.api)
				if r.code == 0 || r.out != "" || !strings.Contains(r.err, c.want) || strings.Contains(r.err, c.without) {
					t.Errorf("%s: status %d, stdout %q, stderr %q\nwant %q, not %q", command, r.code, r.out, r.err, c.want, c.without)
				}
			}
		})
	}
}
