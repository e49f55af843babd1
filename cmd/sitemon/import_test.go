package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sitemon/alerts"
	"sitemon/config"
	"sitemon/importer"
)

// newState is a server whose answers conditions look at: JSON, a text with a line
// break behind it, and a status that only some take.
func newState(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-State", "good")
		fmt.Fprint(w, `{"status": "UP", "code": "200", "count": 3, "half": 2.5, "items": [1, 2], "name": "probe", "big": 1000000, "none": [], "a": "x", "b": "x", "@type": "T"}`)
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusServiceUnavailable) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// newEcho answers each line with +PONG.
func newEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 64)
			if _, err := c.Read(buf); err == nil {
				fmt.Fprint(c, "+PONG\r\n")
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// What the other monitors say of an answer, SiteMon says of it too.
func TestImportedSitesAreProbed(t *testing.T) {
	state := newState(t)
	for _, c := range []struct {
		kind, before string
		up, down     []string // the conditions of one site each
		site         string   // with %d, the condition and the server
	}{
		{
			"gatus", "endpoints:\n",
			[]string{
				"[BODY].status == UP", "[BODY].code == 200", "[BODY].count == 3", "[BODY].big == 1000000", "[BODY].half >= 2", "[BODY].count != 4", "[BODY].code != 404",
				"len([BODY].items) == 2", "len([BODY].name) == 5", "len([BODY].name) > 0", "len([BODY]) > 20", "has([BODY].items) == true", "has([BODY].x) == false",
				"[BODY].a == [BODY].b", "[IP] == 127.0.0.1", "[IP] == any(127.0.0.1, ::1)", "[STATUS] < 300", "200 == [STATUS]", "[BODY] == pat(*UP*)", "[BODY].name == pat(p?o*)",
				"[BODY].@type == T", "[BODY].items[1] == 2", "[CONNECTED] == true", "[RESPONSE_TIME] < 100000", "[BODY].name != any(a, b)",
			},
			[]string{
				"[BODY].status == DOWN", "[BODY].code != 200", "[BODY].count >= 4", "len([BODY].items) == 3", "len([BODY].none) > 0", "[BODY].a != [BODY].b", "[IP] == 192.0.2.1",
				"[STATUS] == 201", "[BODY] == UP", "[BODY] != pat(*UP*)", "has([BODY].x) == true", "[BODY].name == any(a, b)",
			},
			"  - {name: \"site %d\", url: \"%s/json\", conditions: [%q]}\n",
		},
		{
			"uptime-kuma", "monitorList:\n",
			[]string{
				"type: json-query, jsonPath: status, expectedValue: UP", "type: json-query, jsonPath: code, expectedValue: '200'", "type: json-query, jsonPath: '$.count', jsonPathOperator: '>=', expectedValue: 3",
				"type: keyword, keyword: probe", "type: keyword, keyword: missing, invertKeyword: true", "type: http", "type: json-query, jsonPath: 'items[1]', jsonPathOperator: '<', expectedValue: 3",
			},
			[]string{
				"type: json-query, jsonPath: status, jsonPathOperator: '!=', expectedValue: UP", "type: keyword, keyword: missing", "type: http, accepted_statuscodes: ['404']",
				"type: json-query, jsonPath: status, jsonPathOperator: contains, expectedValue: X",
			},
			"  - {name: \"site %d\", interval: 60, url: \"%s/json\", %s}\n",
		},
	} {
		t.Run(c.kind, func(t *testing.T) {
			dir, text := t.TempDir(), strings.Builder{}
			text.WriteString(c.before)
			all := slices.Concat(c.up, c.down)
			for i, condition := range all {
				fmt.Fprintf(&text, c.site, i, state.URL, condition)
			}
			save(t, dir, "config.yaml", text.String())
			got := runProgram(t, dir, "import", c.kind, "config.yaml")
			got.want(t, 0, "", fmt.Sprintf("%d sites, ", len(all)))
			save(t, dir, "sites.yaml", got.out)
			for i, condition := range all {
				want := 0
				if i >= len(c.up) {
					want = 1
				}
				if got := runProgram(t, dir, "probe", fmt.Sprintf("site %d", i)); got.code != want {
					t.Errorf("%s: status %d, want %d\n%s", condition, got.code, want, got.out)
				}
			}
		})
	}
}

// Space around a text counts for nothing, without a condition any status is good, and
// what comes on a connection is looked at.
func TestImportedTextsAreProbed(t *testing.T) {
	state, echo := newState(t), newEcho(t)
	dir := t.TempDir()
	save(t, dir, "config.yaml", "endpoints:\n"+
		"  - {name: text, url: \""+state.URL+"/text\", conditions: [\"[BODY] == ready\", \"[STATUS] == 200\"]}\n"+
		"  - {name: any status, url: \""+state.URL+"/broken\", conditions: [\"[RESPONSE_TIME] < 5000\"]}\n"+
		"  - {name: cache, url: \"tcp://"+echo+"\", body: \"PING\\r\\n\", conditions: [\"[CONNECTED] == true\", \"[BODY] == pat(*PONG*)\"]}\n")
	got := runProgram(t, dir, "import", "gatus", "--verify", "config.yaml")
	for _, name := range []string{"text", "any status", "cache"} {
		got.want(t, 0, "", "verify: "+name+" is up\n")
	}
}

// A folder is read as a whole, and the variables that are needed are named.
func TestImportFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "gatus"), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, dir, filepath.Join("gatus", "a.yaml"), "endpoints: [{name: a, url: \"https://$HOST_A/\", conditions: [\"[STATUS] == 200\"]}]\n")
	save(t, dir, filepath.Join("gatus", "b.yml"), "endpoints: [{name: b, url: \"https://b.example.org/${B:-x}$${no}\", conditions: [\"[STATUS] == 200\"]}]\n")
	save(t, dir, filepath.Join("gatus", "notes.txt"), "nothing\n")
	got := runProgram(t, dir, "import", "gatus", "gatus")
	got.want(t, 0, "name: a\n", "2 sites, ")
	got.want(t, 0, "name: b\n", "needs the variables HOST_A\n")
}

// Every channel that the importers make is one that the notification library can use.
func TestImportedChannels(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "importer", "testdata", "*-[0-9]*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	values := map[string]string{"TEAMS_URL": "ntfy://ntfy.sh/x", "PD_KEY": strings.Repeat("e", 32), "TEAMS_WORKFLOW": "https://example.org/workflow"}
	lookup := func(name string) (string, bool) {
		if v, ok := values[name]; ok {
			return v, true
		}
		return "abcdefgh", true
	}
	sender := alerts.New(alerts.Options{Expander: config.NewExpander(lookup, nil, nil)})
	channels := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(filepath.Base(file), "-")
		kind = map[string]string{"uptime": "uptime-kuma", "prometheus": "prometheus-sd"}[kind] + kind
		kind = strings.TrimSuffix(strings.TrimSuffix(kind, "uptime"), "prometheus")
		r, err := importer.Read(kind, content)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		r.Sites, r.Maintenances = nil, nil
		text, err := r.Text("")
		if err != nil {
			t.Fatal(err)
		}
		doc, _, err := config.Parse([]config.File{{Name: "sites.yaml", Content: text}}, config.ParseOptions{Source: "sites.yaml", Lookup: lookup})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, c := range doc.Alerting.Channels {
			channels++
			if err := sender.Check(c); err != nil {
				t.Errorf("%s: channel %s: %v", filepath.Base(file), c.Name, err)
			}
		}
	}
	if channels < 15 {
		t.Errorf("only %d channels were found", channels)
	}
}
