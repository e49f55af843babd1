package probes_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sitemon"
	"sitemon/probes"
)

// listenWS serves WebSockets until the test ends.
func listenWS(t testing.TB, opts *websocket.AcceptOptions, handle func(context.Context, *websocket.Conn)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, opts)
		if err != nil {
			return
		}
		defer c.CloseNow()
		handle(r.Context(), c)
	}))
	t.Cleanup(server.Close)
	return server
}

// echoWS sends every message back, until the other side closes; how it did goes to ended.
func echoWS(ended chan<- error) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, c *websocket.Conn) {
		for {
			kind, text, err := c.Read(ctx)
			if err != nil {
				ended <- err
				return
			}
			_ = c.Write(ctx, kind, text)
		}
	}
}

// saysWS sends messages and waits for the other side to close.
func saysWS(messages ...string) func(context.Context, *websocket.Conn) {
	return func(ctx context.Context, c *websocket.Conn) {
		for _, m := range messages {
			_ = c.Write(ctx, websocket.MessageText, []byte(m))
		}
		_, _, _ = c.Read(ctx)
	}
}

func sendsWS(messages ...string) option {
	return func(s *sitemon.Site) { s.Request.WS = &sitemon.WSRequest{Send: messages} }
}

func condition(text string) option {
	return expects(func(e *sitemon.Expect) { e.Expr = append(e.Expr, sitemon.Condition{Expr: text}) })
}

func within(d time.Duration) option { return func(s *sitemon.Site) { s.Timeout = d } }

func TestWebSocket(t *testing.T) {
	t.Parallel()
	matching := func(exprs ...string) option {
		return expects(func(e *sitemon.Expect) {
			for _, x := range exprs {
				e.BodyMatch = append(e.BodyMatch, pattern(t, x))
			}
		})
	}
	not := func(expr string) option {
		return expects(func(e *sitemon.Expect) { e.BodyNotMatch = []sitemon.Pattern{pattern(t, expr)} })
	}
	ready := expects(func(e *sitemon.Expect) {
		e.JSON = []sitemon.JSONExpectation{{Path: "state", Operator: sitemon.JSONEquals, Value: []byte(`"ready"`)}}
	})
	offers := func(names ...string) option {
		return func(s *sitemon.Site) { s.Request.WS = &sitemon.WSRequest{Subprotocols: names} }
	}
	closes := func(_ context.Context, c *websocket.Conn) {
		_ = c.Close(websocket.StatusTryAgainLater, "come back\nlater")
	}
	for _, tt := range []struct {
		name    string
		accept  *websocket.AcceptOptions
		handle  func(context.Context, *websocket.Conn)
		options []option
		outcome sitemon.Outcome
		reason  sitemon.Reason
		text    string
	}{
		{"opens", nil, saysWS(), nil, sitemon.OutcomeUp, "", ""},
		{"a greeting", nil, saysWS("hello"), []option{matching("^hello$")}, sitemon.OutcomeUp, "", ""},
		{"several messages", nil, saysWS("one", "two", "three"), []option{matching("^one\n", "(?m)^three$")}, sitemon.OutcomeUp, "", ""},
		{"no message", nil, saysWS(), []option{matching("hello"), within(hostileTimeout)}, sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, "(opened, waiting for a message)"},
		{"another message", nil, saysWS("goodbye"), []option{matching("hello"), within(hostileTimeout)}, sitemon.OutcomeDown, sitemon.ReasonBody, `body "goodbye", expected a match of "hello"`},
		{"what must not come", nil, saysWS("an error"), []option{not("error")}, sitemon.OutcomeDown, sitemon.ReasonBody, `expected no match of "error"`},
		{"JSON of the newest message", nil, saysWS(`{"state":"busy"}`, `{"state":"ready"}`), []option{ready}, sitemon.OutcomeUp, "", ""},
		{"JSON of no message", nil, saysWS(`{"state":"busy"}`), []option{ready, within(hostileTimeout)}, sitemon.OutcomeDown, sitemon.ReasonJSON, `json state: "busy", expected "ready"`},
		{"closes with a message yet to come", nil, closes, []option{matching("hello")}, sitemon.OutcomeDown, sitemon.ReasonTransferError, `the server closed the WebSocket: 1013 "come back\nlater" (opened, waiting for a message)`},
		{"closes at once", nil, closes, nil, sitemon.OutcomeUp, "", ""},
		{"a subprotocol", &websocket.AcceptOptions{Subprotocols: []string{"b"}}, saysWS(), []option{offers("a", "b")}, sitemon.OutcomeUp, "", ""},
		{"no subprotocol", nil, saysWS(), []option{offers("a", "b")}, sitemon.OutcomeDown, sitemon.ReasonHeader, "subprotocol: none, expected a, b"},
		{"slow", nil, saysWS(), []option{expects(func(e *sitemon.Expect) { e.Latency = time.Nanosecond })}, sitemon.OutcomeDegraded, sitemon.ReasonLatency, ""},
		{
			"a header", nil, saysWS(),
			[]option{expects(func(e *sitemon.Expect) {
				e.Headers = []sitemon.HeaderPattern{{Name: "upgrade", Pattern: pattern(t, "h2c")}}
			})},
			sitemon.OutcomeDown, sitemon.ReasonHeader, `header upgrade: "websocket"`,
		},
		{"a condition on the newest message", nil, saysWS(`{"state":"busy"}`, `{"state":"ready"}`), []option{condition(`json.state == "ready"`)}, sitemon.OutcomeUp, "", ""},
		{"a condition that stays unmet", nil, saysWS(`{"state":"busy"}`), []option{condition(`json.state == "ready"`), within(hostileTimeout)}, sitemon.OutcomeDown, sitemon.ReasonJSON, `json.state is "busy"`},
		{"a condition on all messages", nil, saysWS("one", "two"), []option{condition(`body contains "two"`)}, sitemon.OutcomeUp, "", ""},
		{"a condition on a number of a message", nil, saysWS("n=1", "n=2"), []option{matching(`n=(?P<n>\d)$`), condition("values.n == 2")}, sitemon.OutcomeUp, "", ""},
		{"a condition on something else", nil, saysWS(), []option{condition("status == 101")}, sitemon.OutcomeUp, "", ""},
		{"no message for a condition", nil, saysWS(), []option{condition(`body == ""`), within(hostileTimeout)}, sitemon.OutcomeDown, sitemon.ReasonTransferTimeout, "waiting for a message"},
		{"a hash", nil, saysWS("hello"), []option{expects(func(e *sitemon.Expect) {
			e.BodyHash = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
		})}, sitemon.OutcomeUp, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := listenWS(t, tt.accept, tt.handle)
			server.Start()
			site := newSite(t, "ws"+server.URL[len("http"):]+"/chat?x=1", tt.options...)
			r := patiently(site.Timeout, func(timeout time.Duration) sitemon.Report {
				site.Timeout = timeout
				return probe(t, probes.Options{}, site)
			}, func(r sitemon.Report) bool { return r.Reason == tt.reason && strings.Contains(r.Error, tt.text) })
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.StatusCode != http.StatusSwitchingProtocols || r.Phases.Processing <= 0 || r.Phases.Connect <= 0 {
				t.Errorf("status code %d, phases %+v", r.StatusCode, r.Phases)
			}
		})
	}
}

// The site's messages arrive, what comes back is redacted, and the probe says
// good-bye as the protocol has it.
func TestWebSocketOverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ended := make(chan error, 1)
	server := listenWS(t, nil, echoWS(ended))
	server.TLS = serverTLS(ca.server(t, nil))
	server.StartTLS()
	site := newSite(t, "wss"+server.URL[len("https"):]+"/echo", sendsWS("first", `{"token":"${TOKEN}"}`), headers("X-Api-Key", "k3y-k3y"), func(s *sitemon.Site) {
		s.References = true
		s.Expect.BodyMatch = []sitemon.Pattern{pattern(t, "^first\n"), pattern(t, "token")}
		s.Expect.BodyNotMatch = []sitemon.Pattern{pattern(t, "first")}
		s.Expect.CertificateValidFor = time.Hour
	})
	r, detail := newSet(t, probes.Options{Roots: ca.pool(), Expander: fakeExpander{"TOKEN": "s3cr3t-token"}}).Explain(t.Context(), site)
	wantReport(t, r, sitemon.OutcomeDown, sitemon.ReasonBody, `expected no match of "first"`)
	if r.BodyBytes != int64(len("first\n"+`{"token":"s3cr3t-token"}`)) || r.CertificateExpiresAt.IsZero() {
		t.Errorf("%d bytes, certificate until %s", r.BodyBytes, r.CertificateExpiresAt)
	}
	if secret := regexp.MustCompile("s3cr3t|k3y-"); secret.MatchString(r.Evidence) || secret.MatchString(r.Error) || !strings.Contains(r.Evidence, `"url":"wss://`) {
		t.Errorf("error %q, evidence %s", r.Error, r.Evidence)
	}
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the server saw the end as %v", err)
	}
	if len(detail.Hops) != 1 || detail.Hops[0].StatusCode != http.StatusSwitchingProtocols || !strings.HasPrefix(detail.Hops[0].URL, "wss://") {
		t.Errorf("hops %+v", detail.Hops)
	}
	if len(detail.Checks) != 5 || detail.Checks[0].Name != "status" || !detail.Checks[0].OK {
		t.Errorf("checks %+v", detail.Checks)
	}
}

// Servers that do not switch are judged by their answer.
func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		reason       sitemon.Reason
		text         string
	}{
		{"forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", sitemon.ReasonStatus, "status 403, expected 101, which opens a WebSocket"},
		{"a page", okHead + "Content-Length: 2\r\n\r\nok", sitemon.ReasonStatus, "status 200, expected 101"},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", sitemon.ReasonStatus, "status 302, expected 101"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", sitemon.ReasonProtocol, `Upgrade header "h2c" does not contain websocket`},
		{"a wrong key", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", sitemon.ReasonProtocol, `invalid Sec-WebSocket-Accept "x"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := probe(t, probes.Options{}, newSite(t, "ws://"+listen(t, answer(tt.answer, silent))))
			wantReport(t, r, sitemon.OutcomeDown, tt.reason, tt.text)
			if tt.name == "forbidden" && !strings.Contains(r.Evidence, `"body":"no"`) {
				t.Errorf("evidence %s", r.Evidence)
			}
		})
	}
}
