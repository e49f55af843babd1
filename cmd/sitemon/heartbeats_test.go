package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/slot"
	"sitemon/store/sqlite"
)

const jobToken = "a-token-of-some-length"

// jobSites is a site that has to call every two seconds, by one variable, and one whose
// variable is missing.
const jobSites = `defaults: { interval: 1s }
sites:
  - { name: job, url: "heartbeat://", heartbeat: { token: "${JOB_TOKEN}", every: 2s, grace: 1s } }
  - { name: nightly, url: "heartbeat://", heartbeat: { token: "${JOB_TOKEN}", schedule: "30 3 * * *", timezone: Europe/Berlin } }
`

// beat sends a heartbeat and returns status and answer.
func (p *process) beat(path, token, body string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.url+"/heartbeat/"+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// waitReport waits for a newest report of the site that says a text.
func (p *process) waitReport(name string, outcome sitemon.Outcome, text string) (r sitemon.Report) {
	p.t.Helper()
	waitFor(p.t, name+" is "+string(outcome)+" "+text, func() bool {
		last := p.sites()[name].LastReport
		if last == nil || last.Outcome != outcome || !strings.Contains(last.Error, text) {
			return false
		}
		r = *last
		return true
	})
	return r
}

// heartbeats is what the API says of a site's heartbeats.
func (p *process) heartbeats(name string) []struct {
	Repeats int
	Failed  bool
} {
	var list struct {
		Heartbeats []struct {
			Repeats int
			Failed  bool
		}
	}
	p.get("/api/v1/sites/"+name+"/heartbeats", &list)
	return list.Heartbeats
}

// A job that calls: never, late, in time, early, again, with a failure, with a wrong
// token; its slots are counted like any other's, over a kill too.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save(t, dir, "sites.yaml", jobSites)
	start := func() *process { return startDaemonIn(t, dir, []string{"JOB_TOKEN=" + jobToken}) }
	p := start()
	p.waitReport("job", sitemon.OutcomeUnknown, "no heartbeat yet")
	p.waitReport("nightly", sitemon.OutcomeUnknown, "no heartbeat yet")
	if r := p.waitReport("job", sitemon.OutcomeDown, "no heartbeat since the site was set up"); r.Reason != sitemon.ReasonProcessingTimeout {
		t.Errorf("a job that never calls: %+v", r)
	}
	send := func(path, token, body string, want int) string {
		t.Helper()
		code, answer := p.beat(path, token, body)
		if code != want {
			t.Fatalf("%s: status %d, want %d: %s", path, code, want, answer)
		}
		return answer
	}
	send("job?run=1", "another-token-as-long", "", http.StatusNotFound)
	send("nobody", jobToken, "", http.StatusNotFound)
	if n := len(p.heartbeats("job")); n != 0 {
		t.Errorf("%d heartbeats with a wrong token are recorded", n)
	}

	send("job?run=1&exit_code=0&duration=1500ms", jobToken, "", http.StatusOK) // late
	if r := p.waitReport("job", sitemon.OutcomeUp, ""); r.Duration != 1500*time.Millisecond {
		t.Errorf("its duration is %s, want that of the run", r.Duration)
	}
	send("job?run=2", jobToken, "", http.StatusOK) // early
	if answer := send("job?run=2", jobToken, "", http.StatusOK); !strings.Contains(answer, `"repeated":true`) {
		t.Errorf("the same run again: %s", answer)
	}
	if list := p.heartbeats("job"); len(list) != 2 || list[0].Repeats != 1 {
		t.Errorf("heartbeats %+v, want two of which the newest came twice", list)
	}
	p.waitReport("job", sitemon.OutcomeDown, "the next one was expected by") // missing
	send("job?run=3", jobToken, "", http.StatusOK)
	p.waitReport("job", sitemon.OutcomeUp, "")
	send("job?run=4&exit_code=3", jobToken, "disk full with "+jobToken, http.StatusOK)
	if r := p.waitReport("job", sitemon.OutcomeDown, ": disk full with <redacted>"); r.Reason != sitemon.ReasonStatus || !strings.HasPrefix(r.Error, "the run ended with exit code 3 at ") {
		t.Errorf("a run that failed: %+v", r)
	}
	p.kill()
	shown := p.logged()
	p = start()
	send("job?run=5", jobToken, "", http.StatusOK)
	p.waitReport("job", sitemon.OutcomeUp, "")
	shown += p.page("/sites/job") + p.page("/api/v1/sites/job") + p.page("/api/v1/sites/job/heartbeats")
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: status %d", code)
	}
	if shown += p.logged(); strings.Contains(shown, jobToken) {
		t.Error("the token is in the log, on the page or in the API")
	}
	countBeats(t, dir)
}

// countBeats compares what is recorded of the job with its planned slots.
func countBeats(t *testing.T, dir string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "data", "sitemon.db"), sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rs, _, err := db.Reports(t.Context(), sitemon.ReportQuery{Site: "job", Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	grid := slot.NewGrid("job", time.Second)
	slots := checkGaps(t, db, "job", grid, onGrid(t, "job", grid, rs))
	t.Logf("%d rows, %d slots in gaps", len(rs), slots)
}

// A token that is missing here stops nothing else, and is said; once it is there the
// heartbeats are accepted.
func TestHeartbeatsWithoutTheirToken(t *testing.T) {
	t.Parallel()
	dir, web := t.TempDir(), newTarget(t)
	file := filepath.Join(dir, "token")
	save(t, dir, "sites.yaml", "sites:\n  - { name: job, url: \"heartbeat://\", interval: 1s, heartbeat: { token: \"${file:"+file+"}\" } }\n"+
		"  - { name: web, url: "+web.URL+", interval: 1s }\n")
	if r := runProgram(t, dir, "check"); r.code != 0 || !strings.Contains(r.err, "refuses the heartbeats") {
		t.Errorf("check: status %d, %s", r.code, r.err)
	}
	p := startDaemon(t, dir)
	p.waitStatus("web", sitemon.StatusUp)
	const refused = "heartbeats of a site are refused"
	waitFor(t, "the log says so", func() bool { return strings.Contains(p.logged(), refused) })
	p.waitReport("job", sitemon.OutcomeUnknown, "no process receives heartbeats of this site yet")
	if code, _ := p.beat("job", jobToken, ""); code != http.StatusServiceUnavailable {
		t.Errorf("a heartbeat gets %d", code)
	}
	resp, err := http.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), "heartbeats of job are refused") {
		t.Errorf("/readyz does not say it: %s", b)
	}
	if err := os.WriteFile(file, []byte(jobToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the token is read", func() bool { code, _ := p.beat("job", jobToken, ""); return code == http.StatusOK })
	p.waitReport("job", sitemon.OutcomeUp, "")
	if n := strings.Count(p.logged(), refused); n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	probed := runProgram(t, dir, "probe", "job")
	probed.want(t, 0, "job is up", "")
}

// A token that disappears while the daemon is away makes no site down: what it sends
// gets 503, and that it misses what it could not receive says nothing.
func TestTokenDisappears(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save(t, dir, "sites.yaml", "sites:\n  - { name: job, url: \"heartbeat://\", interval: 1s, heartbeat: { token: \"${JOB_TOKEN}\", every: 26s, grace: 1s } }\n")
	p := startDaemonIn(t, dir, []string{"JOB_TOKEN=" + jobToken})
	waitFor(t, "the token is read", func() bool { code, _ := p.beat("job", jobToken, ""); return code == http.StatusOK })
	p.waitReport("job", sitemon.OutcomeUp, "")
	p.kill()
	p = startDaemonIn(t, dir, nil)
	if r := p.waitReport("job", sitemon.OutcomeUnknown, "none could be received"); r.Reason != sitemon.ReasonMonitorStopped {
		t.Errorf("reason %q", r.Reason)
	}
	if code, _ := p.beat("job", jobToken, ""); code != http.StatusServiceUnavailable {
		t.Errorf("a heartbeat gets %d", code)
	}
	var list struct{ Reports []sitemon.Report }
	if p.get("/api/v1/sites/job/reports?outcome=down", &list); len(list.Reports) != 0 {
		t.Errorf("it was down: %+v", list.Reports[0])
	}
	p.kill()
	p = startDaemonIn(t, dir, []string{"JOB_TOKEN=" + jobToken})
	waitFor(t, "the token is read", func() bool { code, _ := p.beat("job", jobToken, ""); return code == http.StatusOK })
	p.waitReport("job", sitemon.OutcomeUp, "")
}

// A run that says when it begins is measured, over a kill too, and is down when it does
// not end.
func TestRunsThatBegin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save(t, dir, "sites.yaml", "sites:\n  - { name: job, url: \"heartbeat://\", interval: 1s, heartbeat: { token: \"${JOB_TOKEN}\", every: 1h, grace: 5s } }\n")
	environ := []string{"JOB_TOKEN=" + jobToken}
	p := startDaemonIn(t, dir, environ)
	waitFor(t, "a run begins", func() bool { code, _ := p.beat("job/start", jobToken, ""); return code == http.StatusOK })
	p.kill()
	p = startDaemonIn(t, dir, environ)
	waitFor(t, "it ends", func() bool { code, _ := p.beat("job?exit_code=0", jobToken, ""); return code == http.StatusOK })
	if r := p.waitReport("job", sitemon.OutcomeUp, ""); r.Duration < 100*time.Millisecond {
		t.Errorf("it took %s", r.Duration)
	}
	if code, answer := p.beat("job/start?run=2", jobToken, ""); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, answer)
	}
	if r := p.waitReport("job", sitemon.OutcomeDown, "has not ended within the grace"); r.Reason != sitemon.ReasonTransferTimeout {
		t.Errorf("reason %q", r.Reason)
	}
	if page := p.page("/sites/job"); !strings.Contains(page, "The run did not end in time") || !strings.Contains(page, "A run goes on since") {
		t.Error("the page does not say it")
	}
	if code, _ := p.beat("job?run=2", jobToken, ""); code != http.StatusOK {
		t.Errorf("its end gets %d", code)
	}
	p.waitReport("job", sitemon.OutcomeUp, "")
}

// A monitor and a writer apart: the writer receives, and alone has the token.
func TestHeartbeatsApart(t *testing.T) {
	t.Parallel()
	s, dir := newShared(t), t.TempDir()
	save(t, dir, "sites.yaml", jobSites)
	without := s.environ
	s.environ = append(s.environ, "JOB_TOKEN="+jobToken)
	w := s.start(dir, "writer-1", "writer")
	s.environ = without
	m := s.start(dir, "monitor-1", "monitor")
	s.waitRows("job", "down")
	for range 3 {
		if code, answer := w.beat("job", jobToken, ""); code != http.StatusOK {
			t.Fatalf("a heartbeat gets %d: %s", code, answer)
		}
	}
	s.waitRows("job", "up")
	if n := len(w.heartbeats("job")); n != 1 {
		t.Errorf("%d heartbeats, want one that came three times", n)
	}
	if code := m.stop(); code != 0 {
		t.Errorf("SIGTERM: status %d\n%s", code, m.logged())
	}
}
