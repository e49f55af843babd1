package web_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/heartbeat"
	"sitemon/web"
)

// beatStore keeps heartbeats in memory.
type beatStore struct {
	mu    sync.Mutex
	sites []string
	beats []sitemon.Heartbeat // newest first
	since time.Time
	run   sitemon.OpenRun
	err   error
}

func (b *beatStore) RecordHeartbeat(_ context.Context, site string, h sitemon.Heartbeat) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return false, b.err
	}
	if len(b.beats) > 0 && sitemon.SameHeartbeat(&b.beats[0], &h) {
		return true, nil
	}
	b.sites, b.beats = append(b.sites, site), append([]sitemon.Heartbeat{h}, b.beats...)
	return false, nil
}

func (b *beatStore) Heartbeats(_ context.Context, _ string, limit int) ([]sitemon.Heartbeat, error) {
	return b.beats[:min(limit, len(b.beats))], b.err
}

func (b *beatStore) HeartbeatState(context.Context, string) (sitemon.HeartbeatState, error) {
	s := sitemon.HeartbeatState{Since: b.since, Run: b.run}
	if len(b.beats) > 0 {
		s.Newest = &b.beats[0]
	}
	return s, b.err
}

const beatSecret = "0123456789abcdef-secret"

// beating makes a server for the heartbeats of a site backup/nightly.
func beating(t testing.TB, b *beatStore, edit ...func(*web.Options)) *web.Server {
	t.Helper()
	callers := new(web.Callers)
	r := &sitemon.HeartbeatRequest{Every: 24 * time.Hour, Grace: time.Hour}
	rule, err := heartbeat.NewRule(r, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	callers.Set(map[string]web.Caller{
		"backup/nightly": {Token: beatSecret, Request: r, Rule: rule},
		"broken":         {Fault: "the variable BACKUP is not set", Request: r, Rule: rule},
	})
	return newServer(t, beatAPI(), append([]func(*web.Options){func(o *web.Options) { o.Heartbeats, o.Callers = b, callers }}, edit...)...)
}

// beatAPI is a store with that site.
func beatAPI() *apiStore {
	store := newAPIStore()
	store.sites = append([]sitemon.SiteState{{
		Name: "backup/nightly", URL: "heartbeat://", Kind: sitemon.KindHeartbeat, Interval: time.Minute, Timeout: 10 * time.Second,
		Enabled: true, Source: "sites.yaml", Status: sitemon.StatusUnknown,
	}}, store.sites...)
	return store
}

func TestHeartbeatIsRecorded(t *testing.T) {
	one, zero, windows, now := 1, 0, 3221225477, testNow
	const form = "Content-Type: application/x-www-form-urlencoded"
	long := strings.Repeat("é", sitemon.MaxHeartbeatMessage/2) + "é"
	for _, c := range []struct {
		name    string
		method  string
		query   string
		headers []string
		want    sitemon.Heartbeat
	}{
		{"a post", "POST", "?token=" + beatSecret, nil, sitemon.Heartbeat{}},
		{"a get", "GET", "?token=" + beatSecret, nil, sitemon.Heartbeat{}},
		{"the token in a header", "POST", "", []string{"Authorization: Bearer " + beatSecret}, sitemon.Heartbeat{}},
		{"success", "POST", "?exit_code=0&duration=1m30.5s&run=r1", []string{"Authorization: bearer " + beatSecret}, sitemon.Heartbeat{ExitCode: &zero, Duration: 90500 * time.Millisecond, Run: "r1"}},
		{"an exit code", "POST", "?exit_code=1&token=" + beatSecret, []string{"Body:  disk full \x00\xff"}, sitemon.Heartbeat{Failed: true, ExitCode: &one, Message: "disk full \ufffd\ufffd"}},
		{"a failure", "POST", "/fail?token=" + beatSecret, nil, sitemon.Heartbeat{Failed: true}},
		{"a failure by get", "GET", "/fail?message=no+space&token=" + beatSecret, nil, sitemon.Heartbeat{Failed: true, Message: "no space"}},
		{"the token in the message", "POST", "?token=" + beatSecret, []string{"Body: sent " + beatSecret + " away"}, sitemon.Heartbeat{Message: "sent <redacted> away"}},
		{"an exit code of Windows", "POST", "?exit_code=3221225477&token=" + beatSecret, nil, sitemon.Heartbeat{Failed: true, ExitCode: &windows}},
		{"a run begins", "POST", "/start?run=r1&token=" + beatSecret, []string{"Body: x"}, sitemon.Heartbeat{Began: true, Run: "r1"}},
		{"a run begins, by get", "GET", "/start?token=" + beatSecret, nil, sitemon.Heartbeat{Began: true}},
		{"a whole log", "POST", "?exit_code=0&token=" + beatSecret, []string{"Body: " + strings.Repeat("a", 3<<20)}, sitemon.Heartbeat{ExitCode: &zero, Message: strings.Repeat("a", sitemon.MaxHeartbeatMessage)}},
		{"a message that looks like a parameter", "POST", "?token=" + beatSecret, []string{"Body: run=3"}, sitemon.Heartbeat{Message: "run=3"}},
		{"a message of curl -d", "POST", "?token=" + beatSecret, []string{"Body: free=3", form}, sitemon.Heartbeat{Message: "free=3"}},
		{"a long message", "POST", "?token=" + beatSecret, []string{"Body: " + long}, sitemon.Heartbeat{Message: long[:sitemon.MaxHeartbeatMessage]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &beatStore{}
			w := ask(beating(t, b), c.method, "/heartbeat/backup%2Fnightly"+c.query, c.headers...)
			wantStatus(t, w, http.StatusOK)
			c.want.ReceivedAt, c.want.LastAt = now, now
			if got, want := fmt.Sprintf("%+v", shown(b.beats[0])), fmt.Sprintf("%+v", shown(c.want)); got != want || b.sites[0] != "backup/nightly" {
				t.Errorf("recorded of %s\n got %s\nwant %s", b.sites[0], got, want)
			}
			if got, want := w.Body.String(), `{"received_at":"2026-11-24T10:00:00.000Z","repeated":false}`+"\n"; got != want {
				t.Errorf("answer %s, want %s", got, want)
			}
		})
	}
}

// shown is a heartbeat whose exit code can be printed.
func shown(h sitemon.Heartbeat) any {
	code := "none"
	if h.ExitCode != nil {
		code = fmt.Sprint(*h.ExitCode)
	}
	h.ExitCode = nil
	return []any{h, code}
}

func TestHeartbeatIsRefused(t *testing.T) {
	const good = "?token=" + beatSecret
	for _, c := range []struct {
		name, method, target string
		headers              []string
		status               int
		text                 string
	}{
		{"a wrong token", "POST", "/heartbeat/backup%2Fnightly?token=0123456789abcdef", nil, 404, "there is no site of that name that sends heartbeats, or the token is another one"},
		{"no token", "POST", "/heartbeat/backup%2Fnightly", nil, 404, "or the token is another one"},
		{"an unknown name", "POST", "/heartbeat/nobody" + good, nil, 404, "or the token is another one"},
		{"an unknown name without a token", "POST", "/heartbeat/nobody", nil, 404, "or the token is another one"},
		{"a site of another kind", "POST", "/heartbeat/docs" + good, nil, 404, "or the token is another one"},
		{"a token that is not known here", "POST", "/heartbeat/broken" + good, nil, 503, "the log of the server says why"},
		{"a look at the headers", "HEAD", "/heartbeat/backup%2Fnightly" + good, nil, 405, ""},
		{"another method", "PUT", "/heartbeat/backup%2Fnightly" + good, nil, 405, "PUT is not possible here"},
		{"a page that is opened", "GET", "/heartbeat/backup%2Fnightly" + good, []string{"Sec-Fetch-Mode: navigate"}, 403, "is no heartbeat"},
		{"a page that is fetched ahead", "GET", "/heartbeat/backup%2Fnightly" + good, []string{"Sec-Purpose: prefetch"}, 403, "is no heartbeat"},
		{"an image of a foreign page", "GET", "/heartbeat/backup%2Fnightly" + good, []string{"Sec-Fetch-Site: cross-site"}, 403, "is no heartbeat"},
		{"a form of a foreign page", "POST", "/heartbeat/backup%2Fnightly" + good, []string{"Origin: https://evil.example"}, 403, "another origin"},
		{"a bad exit code", "POST", "/heartbeat/backup%2Fnightly" + good + "&exit_code=x", nil, 400, "whole number"},
		{"an empty exit code", "POST", "/heartbeat/backup%2Fnightly" + good + "&exit_code=", nil, 400, "whole number"},
		{"an exit code beyond 32 bits", "POST", "/heartbeat/backup%2Fnightly" + good + "&exit_code=4294967296", nil, 400, "32 bits"},
		{"a parameter behind a semicolon", "POST", "/heartbeat/backup%2Fnightly" + good + "&message=a;exit_code=1", nil, 400, "query can't be read"},
		{"parameters in the body", "POST", "/heartbeat/backup%2Fnightly" + good, []string{"Body: exit_code=3", "Content-Type: application/x-www-form-urlencoded"}, 400, "belongs into the address"},
		{"a form in the body", "POST", "/heartbeat/backup%2Fnightly" + good, []string{"Body: --x", "Content-Type: multipart/form-data; boundary=x"}, 415, "parameters belong into the address"},
		{"a run that begins with an exit code", "POST", "/heartbeat/backup%2Fnightly/start" + good + "&exit_code=0", nil, 400, "is not a parameter"},
		{"a run that begins with a wrong token", "POST", "/heartbeat/backup%2Fnightly/start?token=0123456789abcdef", nil, 404, "or the token is another one"},
		{"a duration without a unit", "POST", "/heartbeat/backup%2Fnightly" + good + "&duration=90", nil, 400, "write 90s for seconds"},
		{"a bad duration", "POST", "/heartbeat/backup%2Fnightly" + good + "&duration=-3s", nil, 400, "is not between"},
		{"a long name of a run", "POST", "/heartbeat/backup%2Fnightly" + good + "&run=" + strings.Repeat("r", 101), nil, 400, "101 characters"},
		{"an unknown parameter", "POST", "/heartbeat/backup%2Fnightly" + good + "&status=up", nil, 400, "is not a parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &beatStore{}
			w := ask(beating(t, b), c.method, c.target, c.headers...)
			wantStatus(t, w, c.status)
			if !strings.Contains(w.Body.String(), c.text) || strings.Contains(w.Body.String(), beatSecret) || strings.Contains(w.Body.String(), "BACKUP") {
				t.Errorf("answer %s, want %q in it", w.Body, c.text)
			}
			if len(b.beats) > 0 {
				t.Errorf("it was recorded: %+v", b.beats)
			}
		})
	}
	t.Run("before the sites are known", func(t *testing.T) {
		s := beating(t, &beatStore{}, func(o *web.Options) { o.Callers = new(web.Callers) })
		wantStatus(t, ask(s, "POST", "/heartbeat/backup%2Fnightly"+good), http.StatusServiceUnavailable)
	})
	t.Run("the store is away", func(t *testing.T) {
		w := ask(beating(t, &beatStore{err: errors.New("no connection")}), "POST", "/heartbeat/backup%2Fnightly"+good)
		wantStatus(t, w, http.StatusServiceUnavailable)
		if w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "no connection") {
			t.Errorf("answer %v %s", w.Header(), w.Body)
		}
	})
	t.Run("where people have to sign in", func(t *testing.T) {
		b := &beatStore{}
		callers := new(web.Callers)
		callers.Set(map[string]web.Caller{"backup/nightly": {Token: beatSecret}})
		s := guarded(t, beatAPI(), func(o *web.Options) { o.Heartbeats, o.Callers = b, callers })
		wantStatus(t, ask(s, "POST", "/heartbeat/backup%2Fnightly", "Authorization: Bearer "+beatSecret), http.StatusOK)
		wantStatus(t, ask(s, "GET", "/api/v1/sites/backup%2Fnightly/heartbeats", "Authorization: Bearer "+beatSecret), http.StatusUnauthorized)
	})
}

func TestHeartbeatsAreBounded(t *testing.T) {
	b, now := &beatStore{}, testNow
	s := beating(t, b, func(o *web.Options) { o.Now = func() time.Time { return now } })
	send := func(name string) int {
		return ask(s, "POST", "/heartbeat/"+name+"?token="+beatSecret).Code
	}
	passed := 0
	for range 100 {
		if send("backup%2Fnightly") == http.StatusOK {
			passed++
		}
	}
	if passed != 30 {
		t.Errorf("%d of 100 at once have passed, want 30", passed)
	}
	if code := send("nobody"); code != http.StatusNotFound {
		t.Errorf("an unknown name gets %d", code)
	}
	now = now.Add(time.Second)
	for i, want := range []int{200, 200, 429} {
		if got := send("backup%2Fnightly"); got != want {
			t.Errorf("a second later number %d gets %d, want %d", i+1, got, want)
		}
	}
	if len(b.beats) != 1 {
		t.Errorf("%d heartbeats are recorded, want one: the others said the same", len(b.beats))
	}
}

func TestHeartbeatsOnThePage(t *testing.T) {
	three := 3
	b := &beatStore{since: testNow.Add(-48 * time.Hour), run: sitemon.OpenRun{At: testNow.Add(-time.Hour)}, beats: []sitemon.Heartbeat{
		{ReceivedAt: testNow.Add(-26 * time.Hour), LastAt: testNow.Add(-26 * time.Hour), Failed: true, ExitCode: &three, Duration: 90 * time.Second, Message: "<b>disk</b> full", Repeats: 1},
	}}
	page := ask(beating(t, b), "GET", "/sites/backup%2Fnightly", "Host: localhost:8080").Body.String()
	for _, want := range []string{
		"heartbeat, expected every 24 h, with 1 h of grace; looked at every 1 min", "http://localhost:8080/heartbeat/backup%2Fnightly$1", "?exit_code=$code",
		"expected by", "2026-11-24 09:00:00 UTC", "Failure", "&lt;b&gt;disk&lt;/b&gt; full", "sent 1 more time", "1 min 30 s", "$HEARTBEAT_TOKEN", "A run goes on since",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, beatSecret) {
		t.Error("the page shows the token")
	}
	if other := ask(beating(t, b), "GET", "/sites/docs").Body.String(); strings.Contains(other, "HEARTBEAT_TOKEN") {
		t.Error("a site that does not call us has heartbeats")
	}
	none := ask(beating(t, &beatStore{}), "GET", "/sites/backup%2Fnightly?parts=heartbeats").Body.String()
	if !strings.Contains(none, "No heartbeat yet") || strings.Contains(none, "<html") {
		t.Errorf("the part of a site without any: %s", cmp.Or(none, "nothing"))
	}
}

// fixtureBeats are the heartbeats of every server that a test does not give others.
func fixtureBeats() *beatStore {
	two, zero, at := 2, 0, testNow.Add(-7*time.Hour)
	return &beatStore{since: testNow.Add(-48 * time.Hour), run: sitemon.OpenRun{At: testNow.Add(-90 * time.Second), Name: "2026-11-25"}, beats: []sitemon.Heartbeat{
		{ReceivedAt: at, LastAt: at, ExitCode: &zero, Duration: 92400 * time.Millisecond, Message: "14 tables, 2.1 GiB", Run: "2026-11-24"},
		{ReceivedAt: at.Add(-24 * time.Hour), LastAt: at.Add(4*time.Second - 24*time.Hour), Repeats: 1, Failed: true, ExitCode: &two, Message: "no space left on device"},
	}}
}

// fixtureCallers accept heartbeats of the site docs.
func fixtureCallers() *web.Callers {
	c := new(web.Callers)
	c.Set(map[string]web.Caller{"docs": {Token: beatSecret}})
	return c
}
