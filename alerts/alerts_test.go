package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/alerts"
)

var at = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// notification makes one for a channel whose target is given as JSON.
func notification(target string, change ...func(*sitemon.Notification)) sitemon.Notification {
	n := sitemon.Notification{
		ID: "01J", Source: "sites.yaml", Channel: "ops", Target: json.RawMessage(target), Kind: sitemon.NotifyDown,
		At: at, Summary: "api is down", Severity: sitemon.SeverityCritical, Total: 1,
		Sites: []sitemon.NotifiedSite{{
			Name: "api", Group: "public", URL: "https://api.example.org/", Status: sitemon.StatusDown, Since: at.Add(-time.Minute),
			Reason: sitemon.ReasonStatus, Error: "status 503, expected 200-399", Incident: 42,
		}},
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

// variables expands ${NAME} by a map.
type variables map[string]string

func (v variables) Expand(text string) (expanded string, secrets []string, err error) {
	for name, value := range v {
		if strings.Contains(text, "${"+name+"}") {
			secrets = append(secrets, value)
		}
		text = strings.ReplaceAll(text, "${"+name+"}", value)
	}
	if strings.Contains(text, "${") {
		return text, secrets, errors.New("the variable is not set")
	}
	return text, secrets, nil
}

func newSender(t *testing.T, outbox alerts.Outbox, log io.Writer) *alerts.Sender {
	t.Helper()
	return alerts.New(alerts.Options{
		Outbox: outbox, Expander: variables{"TOKEN": "s3cr3t-token"}, Logger: slog.New(slog.NewTextHandler(log, nil)), UserAgent: "SiteMon/test",
	})
}

// received is what a server was sent.
type received struct {
	mu       sync.Mutex
	requests []request
}

type request struct {
	path   string
	header http.Header
	body   string
}

func (r *received) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.requests...)
}

// serve answers with a status and remembers what came.
func serve(t *testing.T, answer int) (*httptest.Server, *received) {
	t.Helper()
	got := &received{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.mu.Lock()
		got.requests = append(got.requests, request{r.URL.Path, r.Header, string(body)})
		got.mu.Unlock()
		w.WriteHeader(answer)
		_, _ = io.WriteString(w, "an answer with "+r.URL.Query().Get("token"))
	}))
	t.Cleanup(srv.Close)
	return srv, got
}

func TestWebhook(t *testing.T) {
	srv, got := serve(t, 204)
	target := `{"webhook":{"url":"` + srv.URL + `/hook?token=${TOKEN}","secret":"key","headers":{"x-team":"${TOKEN}"}}}`
	if err := newSender(t, nil, io.Discard).Send(t.Context(), notification(target)); err != nil {
		t.Fatal(err)
	}
	requests := got.all()
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": "01J", "User-Agent": "SiteMon/test", "X-Team": "s3cr3t-token",
		// echo -n BODY | openssl dgst -sha256 -hmac key
		"X-SiteMon-Signature": alerts.Sign("key", []byte(r.body)),
	} {
		if v := r.header.Get(name); v != want {
			t.Errorf("header %s is %q, want %q", name, v, want)
		}
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"version": 1.0, "id": "01J", "kind": "down", "channel": "ops", "at": "2026-11-25T10:00:00Z", "summary": "api is down", "total": 1.0,
	} {
		if body[key] != want {
			t.Errorf("%s is %v, want %v", key, body[key], want)
		}
	}
	if _, ok := body["cause"]; ok {
		t.Error("there is a cause where none was given")
	}
}

// The value is the one of RFC 4231, test case 2.
func TestSign(t *testing.T) {
	const want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := alerts.Sign("Jefe", []byte("what do ya want for nothing?")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWebhookTemplate(t *testing.T) {
	srv, got := serve(t, 200)
	target := `{"webhook":{"url":"` + srv.URL + `","template":"{{range .sites}}{{.name}} {{.status}}{{end}} {{json .summary}}"}}`
	if err := newSender(t, nil, io.Discard).Send(t.Context(), notification(target)); err != nil {
		t.Fatal(err)
	}
	if got, want := got.all()[0].body, `api down "api is down"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAlertmanager(t *testing.T) {
	srv, got := serve(t, 200)
	target := `{"alertmanager":{"url":"` + srv.URL + `/"}}`
	s := newSender(t, nil, io.Discard)
	for _, kind := range []sitemon.NotificationKind{sitemon.NotifyDown, sitemon.NotifyRecovered} {
		if err := s.Send(t.Context(), notification(target, func(n *sitemon.Notification) {
			n.Kind, n.Resolved = kind, kind == sitemon.NotifyRecovered
		})); err != nil {
			t.Fatal(err)
		}
	}
	type alert struct {
		Labels           map[string]string
		Annotations      map[string]string
		StartsAt, EndsAt time.Time
	}
	var both [2][]alert
	for i, r := range got.all() {
		if r.path != "/api/v2/alerts" {
			t.Errorf("sent to %s", r.path)
		}
		if err := json.Unmarshal([]byte(r.body), &both[i]); err != nil || len(both[i]) != 1 {
			t.Fatalf("%s: %v", r.body, err)
		}
	}
	fired, resolved := both[0][0], both[1][0]
	if fired.Labels["alertname"] != "SiteDown" || fired.Labels["site"] != "api" || fired.Labels["severity"] != "critical" {
		t.Errorf("labels %v", fired.Labels)
	}
	if !fired.StartsAt.Equal(at.Add(-time.Minute)) || !fired.EndsAt.After(at.Add(24*time.Hour)) {
		t.Errorf("it holds from %s to %s", fired.StartsAt, fired.EndsAt)
	}
	if len(fired.Labels) != len(resolved.Labels) {
		t.Errorf("resolved has other labels: %v, %v", fired.Labels, resolved.Labels)
	}
	for name, value := range fired.Labels {
		if resolved.Labels[name] != value {
			t.Errorf("resolved has another %s: %s", name, resolved.Labels[name])
		}
	}
	if !resolved.EndsAt.Equal(at) {
		t.Errorf("it ends at %s", resolved.EndsAt)
	}
}

// smtpServer takes one mail.
func smtpServer(t *testing.T) (addr string, mail <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	done := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		speakSMTP(conn, done)
	}()
	return l.Addr().String(), done
}

func TestServices(t *testing.T) {
	s := newSender(t, nil, io.Discard)
	t.Run("smtp", func(t *testing.T) {
		addr, mail := smtpServer(t)
		target := `{"url":"smtp://` + addr + `/?from=sitemon@example.org&to=ops@example.org&starttls=no&encryption=None&auth=None"}`
		if err := s.Send(t.Context(), notification(target)); err != nil {
			t.Fatal(err)
		}
		got := <-mail
		for _, want := range []string{"Subject: Down: api is down", "To: ops@example.org", "api (public) is down since 2026-11-25 09:59:00 UTC: status 503"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in the mail:\n%s", want, got)
			}
		}
	})
	t.Run("gotify", func(t *testing.T) {
		srv, got := serve(t, 200)
		target := `{"url":"gotify://` + strings.TrimPrefix(srv.URL, "http://") + `/Aaa.bbb.ccc.ddd?disabletls=yes"}`
		// The answer is not what the service says, so the library complains; what was
		// asked is right.
		_ = s.Send(t.Context(), notification(target))
		if len(got.all()) != 1 || !strings.Contains(got.all()[0].body, `"title": "Down: api is down"`) {
			t.Errorf("got %+v", got.all())
		}
	})
	t.Run("without a title", func(t *testing.T) {
		srv, got := serve(t, 200)
		target := `{"url":"generic+` + srv.URL + `"}`
		if err := s.Send(t.Context(), notification(target)); err != nil {
			t.Fatal(err)
		}
		if body := got.all()[0].body; !strings.Contains(body, "Down: api is down") {
			t.Errorf("the title is missing: %s", body)
		}
	})
}

func TestErrorsHoldNoSecret(t *testing.T) {
	srv, _ := serve(t, 500)
	closed := httptest.NewServer(nil)
	closed.Close()
	s := newSender(t, nil, io.Discard)
	for name, target := range map[string]string{
		"an answer that echoes":    `{"webhook":{"url":"` + srv.URL + `/hook?token=${TOKEN}"}}`,
		"nobody answers":           `{"webhook":{"url":"` + closed.URL + `/s3cr3t-token/x"}}`,
		"a password":               `{"webhook":{"url":"http://me:s3cr3t-token@` + strings.TrimPrefix(closed.URL, "http://") + `/"}}`,
		"alertmanager":             `{"alertmanager":{"url":"` + closed.URL + `/${TOKEN}"}}`,
		"a service's token":        `{"url":"gotify://` + strings.TrimPrefix(closed.URL, "http://") + `/${TOKEN}?disabletls=yes"}`,
		"a service's webhook":      `{"url":"generic+` + closed.URL + `/${TOKEN}?x=${TOKEN}"}`,
		"an address without sense": `{"url":"discord://s3cr3t-token"}`,
		"an unknown service":       `{"url":"${TOKEN}://x"}`,
		"a token of telegram":      `{"url":"telegram://${TOKEN}@telegram?chats=@x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Send(t.Context(), notification(target))
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	s := newSender(t, nil, io.Discard)
	for target, want := range map[string]string{
		`{"webhook":{"url":"https://example.org/${TOKEN}"}}`:                        "",
		`{"webhook":{"url":"https://example.org/${MISSING}"}}`:                      "out of service",
		`{"webhook":{"url":"example.org"}}`:                                         "must be http",
		`{"webhook":{"url":"https://example.org/","template":"{{.summary"}}`:        "template",
		`{"alertmanager":{"url":"http://127.0.0.1:9093"}}`:                          "",
		`{"url":"smtp://mail.example.org:25/?from=a@example.org&to=b@example.org"}`: "",
		`{"url":"nothing://example.org"}`:                                           "unknown service",
		`{}`:                                                                        "names no url",
	} {
		err := s.Check(sitemon.Channel{Name: "ops", Target: json.RawMessage(target)})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", target, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
}

func TestHangingServiceEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		cancel()
		if err == nil {
			<-t.Context().Done()
			_ = conn.Close()
		}
	}()
	target := `{"url":"smtp://` + l.Addr().String() + `/?from=a@example.org&to=b@example.org"}`
	if err := newSender(t, nil, io.Discard).Send(ctx, notification(target)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
