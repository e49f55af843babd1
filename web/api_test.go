package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sitemon"
	"sitemon/web"
)

var update = flag.Bool("update-api", false, "write the answers of the API to testdata")

func unescape(path string) string {
	p, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return p
}

// apiCases are requests whose whole answers are in testdata, one file each, and
// which openapi.json must describe.
var apiCases = []struct {
	name   string
	method string
	target string
	route  string // as in openapi.json
	status int
	edit   func(*apiStore)
	send   string // the body
}{
	{name: "sites", target: "/api/v1/sites", route: "/api/v1/sites", status: 200},
	{name: "sites_page", target: "/api/v1/sites?limit=2", route: "/api/v1/sites", status: 200},
	{name: "sites_none", target: "/api/v1/sites?removed=true", route: "/api/v1/sites", status: 200},
	{name: "sites_bad_status", target: "/api/v1/sites?status=broken", route: "/api/v1/sites", status: 400},
	{name: "sites_unknown_parameter", target: "/api/v1/sites?stauts=down", route: "/api/v1/sites", status: 400},
	{name: "site", target: "/api/v1/sites/shop%2Fcheckout", route: "/api/v1/sites/{name}", status: 200},
	{name: "site_new", target: "/api/v1/sites/new", route: "/api/v1/sites/{name}", status: 200},
	{name: "site_missing", target: "/api/v1/sites/nothing", route: "/api/v1/sites/{name}", status: 404},
	{name: "definition", target: "/api/v1/sites/docs/definition", route: "/api/v1/sites/{name}/definition", status: 200, edit: func(f *apiStore) { f.reloads = append(f.reloads, changedSite()) }},
	{name: "definition_missing", target: "/api/v1/sites/nothing/definition", route: "/api/v1/sites/{name}/definition", status: 404},
	{name: "definitions", target: "/api/v1/definitions", route: "/api/v1/definitions", status: 200},
	{name: "definitions_page", target: "/api/v1/definitions?limit=1", route: "/api/v1/definitions", status: 200},
	{name: "definitions_bad_limit", target: "/api/v1/definitions?limit=0", route: "/api/v1/definitions", status: 400},
	{name: "probe", method: "POST", target: "/api/v1/sites/docs/probe", route: "/api/v1/sites/{name}/probe", status: 200},
	{name: "probe_missing", method: "POST", target: "/api/v1/sites/nothing/probe", route: "/api/v1/sites/{name}/probe", status: 404},
	{name: "reports", target: "/api/v1/sites/shop%2Fcheckout/reports", route: "/api/v1/sites/{name}/reports", status: 200},
	{name: "reports_page", target: "/api/v1/sites/shop%2Fcheckout/reports?limit=1", route: "/api/v1/sites/{name}/reports", status: 200},
	{name: "reports_none", target: "/api/v1/sites/new/reports", route: "/api/v1/sites/{name}/reports", status: 200},
	{name: "reports_bad_cursor", target: "/api/v1/sites/docs/reports?cursor=x", route: "/api/v1/sites/{name}/reports", status: 400},
	{name: "availability", target: "/api/v1/sites/docs/availability?from=-2h&step=1h", route: "/api/v1/sites/{name}/availability", status: 200},
	{name: "availability_bad_step", target: "/api/v1/sites/docs/availability?step=30", route: "/api/v1/sites/{name}/availability", status: 400},
	{name: "availability_missing", target: "/api/v1/sites/nothing/availability", route: "/api/v1/sites/{name}/availability", status: 404},
	{name: "availability_histogram", target: "/api/v1/sites/docs/availability?from=-2h&step=1h&histogram=true", route: "/api/v1/sites/{name}/availability", status: 200},
	{name: "availability_bad_histogram", target: "/api/v1/sites/docs/availability?histogram=yes", route: "/api/v1/sites/{name}/availability", status: 400},
	{name: "report", target: "/api/v1/report?month=2026-11&tz=Europe%2FBerlin", route: "/api/v1/report", status: 200},
	{name: "report_window", target: "/api/v1/report?from=-7d&maintenance=include", route: "/api/v1/report", status: 200},
	{name: "report_bad_month", target: "/api/v1/report?month=11", route: "/api/v1/report", status: 400},
	{name: "report_future", target: "/api/v1/report?month=2027-01", route: "/api/v1/report", status: 400},
	{name: "report_both", target: "/api/v1/report?month=2026-11&from=-1d", route: "/api/v1/report", status: 400},
	{name: "availability_bad_maintenance", target: "/api/v1/sites/docs/availability?maintenance=no", route: "/api/v1/sites/{name}/availability", status: 400},
	{name: "config_refused", target: "/api/v1/config", route: "/api/v1/config", status: 200},
	{name: "config", target: "/api/v1/config?limit=1", route: "/api/v1/config", status: 200, edit: func(f *apiStore) { f.reloads = f.reloads[1:] }},
	{name: "config_empty", target: "/api/v1/config", route: "/api/v1/config", status: 200, edit: func(f *apiStore) { f.reloads, f.running = nil, sitemon.Generation{} }},
	{name: "reload", method: "POST", target: "/api/v1/config/reload", route: "/api/v1/config/reload", status: 200},
	{name: "reload_unchanged", method: "POST", target: "/api/v1/config/reload", route: "/api/v1/config/reload", status: 200, edit: func(f *apiStore) { f.plan = sitemon.Plan{Generation: 17, Unchanged: 3} }},
	{name: "reload_refused", method: "POST", target: "/api/v1/config/reload", route: "/api/v1/config/reload", status: 422, edit: func(f *apiStore) { f.reloadErr = sitemon.Problems(f.reloads[0].Errors) }},
	{name: "reload_impossible", method: "POST", target: "/api/v1/config/reload", route: "/api/v1/config/reload", status: 503, edit: func(f *apiStore) { f.reloadErr = errors.New("read sites.yaml: no such file") }},
	{name: "reload_elsewhere", method: "POST", target: "/api/v1/config/reload", route: "/api/v1/config/reload", status: 409, edit: func(f *apiStore) { f.reloadErr = web.ErrNoFile }},
	{name: "incidents", target: "/api/v1/incidents", route: "/api/v1/incidents", status: 200},
	{name: "incidents_page", target: "/api/v1/incidents?limit=1", route: "/api/v1/incidents", status: 200},
	{name: "incidents_open", target: "/api/v1/incidents?open=true&site=shop%2Fcheckout&from=-24h", route: "/api/v1/incidents", status: 200},
	{name: "incidents_bad_open", target: "/api/v1/incidents?open=yes", route: "/api/v1/incidents", status: 400},
	{name: "incidents_bad_cursor", target: "/api/v1/incidents?cursor=x", route: "/api/v1/incidents", status: 400},
	{name: "incident", target: "/api/v1/incidents/42", route: "/api/v1/incidents/{id}", status: 200},
	{name: "incident_missing", target: "/api/v1/incidents/7", route: "/api/v1/incidents/{id}", status: 404},
	{name: "incident_no_number", target: "/api/v1/incidents/x", route: "/api/v1/incidents/{id}", status: 404},
	{name: "acknowledge", method: "POST", target: "/api/v1/incidents/42/acknowledge", route: "/api/v1/incidents/{id}/acknowledge", status: 200, send: `{"by":"ann"}`},
	{name: "acknowledge_nobody", method: "POST", target: "/api/v1/incidents/42/acknowledge", route: "/api/v1/incidents/{id}/acknowledge", status: 200},
	{name: "acknowledge_missing", method: "POST", target: "/api/v1/incidents/7/acknowledge", route: "/api/v1/incidents/{id}/acknowledge", status: 404},
	{name: "comment", method: "POST", target: "/api/v1/incidents/42/comments", route: "/api/v1/incidents/{id}/comments", status: 200, send: `{"text":" the disk was full ","by":"ann"}`},
	{name: "comment_empty", method: "POST", target: "/api/v1/incidents/42/comments", route: "/api/v1/incidents/{id}/comments", status: 400, send: `{"text":" "}`},
	{name: "comment_no_json", method: "POST", target: "/api/v1/incidents/42/comments", route: "/api/v1/incidents/{id}/comments", status: 400, send: `text=hello`},
	{name: "monitors", target: "/api/v1/monitors", route: "/api/v1/monitors", status: 200},
	{name: "certificates", target: "/api/v1/certificates", route: "/api/v1/certificates", status: 200},
	{name: "certificates_none", target: "/api/v1/certificates?q=nothing", route: "/api/v1/certificates", status: 200},
	{name: "status_page", target: "/status/public.json", route: "/status/{path}", status: 200, edit: func(f *apiStore) { f.documents, f.series = statusStore().documents, oneDay }},
	{name: "monitors_none", target: "/api/v1/monitors", route: "/api/v1/monitors", status: 200, edit: func(f *apiStore) { f.monitors = nil }},
	{name: "events_bad_type", target: "/api/v1/events?types=report,accident", route: "/api/v1/events", status: 400},
	{name: "heartbeats", target: "/api/v1/sites/docs/heartbeats?limit=10", route: "/api/v1/sites/{name}/heartbeats", status: 200},
	{name: "heartbeats_missing", target: "/api/v1/sites/nobody/heartbeats", route: "/api/v1/sites/{name}/heartbeats", status: 404},
	{name: "heartbeat", method: "POST", target: "/heartbeat/docs?exit_code=0&duration=12s&token=" + beatSecret, route: "/heartbeat/{name}", status: 200},
	{name: "heartbeat_get", target: "/heartbeat/docs?token=" + beatSecret, route: "/heartbeat/{name}", status: 200},
	{name: "heartbeat_wrong_token", method: "POST", target: "/heartbeat/docs?token=x", route: "/heartbeat/{name}", status: 404},
	{name: "heartbeat_bad_duration", method: "POST", target: "/heartbeat/docs?duration=90&token=" + beatSecret, route: "/heartbeat/{name}", status: 400},
	{name: "heartbeat_failure", method: "POST", target: "/heartbeat/docs/fail?token=" + beatSecret, route: "/heartbeat/{name}/fail", status: 200, send: "disk full"},
	{name: "heartbeat_start", method: "POST", target: "/heartbeat/docs/start?run=r1&token=" + beatSecret, route: "/heartbeat/{name}/start", status: 200},
	{name: "heartbeat_start_get", target: "/heartbeat/docs/start?token=" + beatSecret, route: "/heartbeat/{name}/start", status: 200},
	{name: "heartbeat_failure_get", target: "/heartbeat/docs/fail?token=" + beatSecret, route: "/heartbeat/{name}/fail", status: 200},
	{name: "healthz", target: "/healthz", route: "/healthz", status: 200},
	{name: "readyz", target: "/readyz", route: "/readyz", status: 200},
	{name: "readyz_missing", target: "/readyz", route: "/readyz", status: 503, edit: func(f *apiStore) { f.missing = []string{"the store does not answer"} }},
}

func TestAPIAnswers(t *testing.T) {
	spec := compileSpec(t)
	for _, c := range apiCases {
		t.Run(c.name, func(t *testing.T) {
			store := newAPIStore()
			if c.edit != nil {
				c.edit(store)
			}
			method := "GET"
			if c.method != "" {
				method = c.method
			}
			w := ask(newServer(t, store), method, c.target, "Body: "+c.send)
			wantStatus(t, w, c.status)
			raw := body(w)
			spec.check(t, method, c.route, c.status, w.Header().Get("Content-Type"), []byte(raw))
			golden(t, c.name, []byte(raw))
		})
	}
}

// golden compares an answer, indented, with its file.
func golden(t *testing.T, name string, raw []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", "api", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestSitesFilters(t *testing.T) {
	empty, public := "", "public"
	store := newAPIStore()
	store.sites = nil
	s := newServer(t, store)
	for _, c := range []struct {
		query string
		want  sitemon.SiteQuery
	}{
		{"", sitemon.SiteQuery{Limit: 1001}},
		{"group=public", sitemon.SiteQuery{Group: &public, Limit: 1001}},
		{"group=", sitemon.SiteQuery{Group: &empty, Limit: 1001}},
		{"tag=web&status=down&removed=true", sitemon.SiteQuery{Tag: "web", Status: sitemon.StatusDown, Removed: true, Limit: 1001}},
		{"q=Sh%20op&limit=10000&removed=false", sitemon.SiteQuery{Text: "Sh op", Limit: 10001}},
	} {
		t.Run(c.query, func(t *testing.T) {
			wantStatus(t, ask(s, "GET", "/api/v1/sites?"+c.query), 200)
			if diff := cmp.Diff(c.want, store.siteQuery); diff != "" {
				t.Errorf("query of the store (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSitesPages(t *testing.T) {
	s := newServer(t, newAPIStore())
	var names []string
	query := "limit=1"
	for range 4 {
		var page struct {
			Sites []struct{ Name string }
			Next  *string
		}
		w := ask(s, "GET", "/api/v1/sites?"+query)
		wantStatus(t, w, 200)
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, st := range page.Sites {
			names = append(names, st.Name)
		}
		if page.Next == nil {
			break
		}
		query = "limit=1&cursor=" + *page.Next
	}
	if want := []string{"docs", "new", "shop/checkout"}; !slices.Equal(names, want) {
		t.Errorf("got sites %q over all pages, want %q", names, want)
	}
}

// A search must not tell whether a hidden part of a URL has the text.
func TestSearchDoesNotGuessSecrets(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, c := range []struct {
		q    string
		want []string
	}{
		{"hunter2", nil},
		{"k3y", nil},
		{"HUNTER", nil},
		{"example.org", []string{"docs", "new", "shop/checkout"}},
		{"Lang=EN", []string{"shop/checkout"}},
		{"probe", []string{"shop/checkout"}},
		{"PUBLIC", []string{"docs", "shop/checkout"}},
	} {
		t.Run(c.q, func(t *testing.T) {
			w := ask(s, "GET", "/api/v1/sites?limit=3&q="+c.q)
			var page struct{ Sites []struct{ Name string } }
			if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range page.Sites {
				names = append(names, s.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("got %q, want %q", names, c.want)
			}
		})
	}
}

func TestNamesInPaths(t *testing.T) {
	store := newAPIStore()
	s := newServer(t, store)
	for _, name := range []string{"a", "a/b", "a//b", "ü ß", "50%", "a%2Fb", "q?x=1&y", "#1", "a+b", "reports", "a/reports", `"<b>"`, "..;", "日本"} {
		t.Run(name, func(t *testing.T) {
			store.sites[0].Name = name
			for _, suffix := range []string{"", "/reports", "/availability"} {
				w := ask(s, "GET", "/api/v1/sites/"+url.PathEscape(name)+suffix)
				wantStatus(t, w, 200)
			}
			wantStatus(t, ask(s, "GET", "/badge/"+url.PathEscape(name)+"/status.svg"), 200)
		})
	}
}

func TestRoutesThatAreNot(t *testing.T) {
	s := newServer(t, newAPIStore())
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/api/v1/nothing", 404, ""},
		{"GET", "/api/v1", 404, ""},
		{"GET", "/api/", 404, ""},
		{"GET", "/api/v1/incidents/42/nothing", 404, ""},
		{"GET", "/api/v1/sites/", 404, ""},
		{"GET", "/api/v1/sites/a/b", 404, ""},
		{"GET", "/badge/docs/other.svg", 404, ""},
		{"GET", "/badge/nothing/status.svg", 404, ""},
		{"POST", "/api/v1/sites", 405, "GET, HEAD"},
		{"DELETE", "/api/v1/sites/docs", 405, "GET, HEAD"},
		{"OPTIONS", "/api/v1/sites", 405, "GET, HEAD"},
		{"GET", "/api/v1/config/reload", 405, "POST"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			w := ask(s, c.method, c.target)
			wantStatus(t, w, c.status)
			if got := w.Header().Get("Allow"); got != c.allow {
				t.Errorf("got Allow %q, want %q", got, c.allow)
			}
			wantProblem(t, w.Header().Get("Content-Type"), w.Body.Bytes(), c.status)
		})
	}
}

// wantProblem checks the form of an error.
func wantProblem(t *testing.T, contentType string, raw []byte, status int) {
	t.Helper()
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if contentType != "application/problem+json" || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || p.Status != status {
		t.Errorf("got %s %+v, want a whole problem of status %d", contentType, p, status)
	}
}

func TestHeadHasNoOtherHeaders(t *testing.T) {
	s := newServer(t, newAPIStore())
	get, head := ask(s, "GET", "/api/v1/sites"), ask(s, "HEAD", "/api/v1/sites")
	if diff := cmp.Diff(get.Header(), head.Header()); diff != "" || head.Code != 200 {
		t.Errorf("HEAD: status %d, headers (-GET +HEAD):\n%s", head.Code, diff)
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	for _, target := range []string{"/api/v1/sites", "/api/v1/sites/docs", "/api/v1/sites/docs/reports", "/api/v1/config", "/api/v1/monitors"} {
		t.Run(target, func(t *testing.T) {
			store := newAPIStore()
			store.err = errors.New("disk I/O error at /var/lib/sitemon")
			w := ask(newServer(t, store), "GET", target)
			wantStatus(t, w, 500)
			if b := body(w); strings.Contains(b, "disk") {
				t.Errorf("the answer tells an inner error: %s", b)
			}
		})
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	store := newAPIStore()
	store.panicOnSites = true
	w := ask(newServer(t, store), "GET", "/api/v1/sites")
	wantStatus(t, w, 500)
	wantProblem(t, w.Header().Get("Content-Type"), w.Body.Bytes(), 500)
}

func TestFiguresAreKeptForHalfAMinute(t *testing.T) {
	store, now := newAPIStore(), testNow
	s := newServer(t, store, func(o *web.Options) { o.Now = func() time.Time { return now } })
	for _, step := range []struct {
		after  time.Duration
		target string
		want   []string // names asked of the store; nil: none
	}{
		{0, "/api/v1/sites/docs", []string{"docs"}},
		{time.Second, "/api/v1/sites/docs", nil},
		{time.Second, "/api/v1/sites", []string{"new", "shop/checkout"}},
		{27 * time.Second, "/badge/docs/uptime.svg", nil},
		{time.Second, "/badge/docs/uptime.svg", []string{"docs"}},
		{time.Hour, "/api/v1/sites", []string{"docs", "new", "shop/checkout"}},
	} {
		now = now.Add(step.after)
		store.figureCalls = nil
		wantStatus(t, ask(s, "GET", step.target), 200)
		var want [][]string
		if step.want != nil {
			want = [][]string{step.want}
		}
		if diff := cmp.Diff(want, store.figureCalls); diff != "" {
			t.Errorf("%s: calls of the store (-want +got):\n%s", step.target, diff)
		}
	}
}

func BenchmarkSitesThousand(b *testing.B) {
	store := newAPIStore()
	one := store.sites[2]
	store.sites = make([]sitemon.SiteState, 1000)
	for i := range store.sites {
		store.sites[i] = one
		store.sites[i].Name = fmt.Sprintf("site-%04d", i)
	}
	s := newServer(b, store)
	b.ReportAllocs()
	for b.Loop() {
		if w := ask(s, "GET", "/api/v1/sites", "Accept-Encoding: gzip"); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

// A process without page and API has its health and metrics, and nothing else.
func TestHealthOnly(t *testing.T) {
	s := newServer(t, newAPIStore(), func(o *web.Options) {
		o.HealthOnly = true
		o.Sites, o.History, o.Operations, o.Reloader = nil, nil, nil, nil
	})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 404, "/config": 404, "/api/v1/sites": 404, "/badge/docs/status.svg": 404} {
		if w := ask(s, "GET", path); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
}
