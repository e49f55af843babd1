package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sitemon/web"
	"sitemon/web/auth"
)

const (
	viewerToken   = "Authorization: Bearer viewer-0123456789"
	operatorToken = "Authorization: Bearer operator-0123456789"
)

// guarded makes a server to which ann may change things and vic may not.
func guarded(t testing.TB, store *apiStore, edit ...func(*web.Options)) *web.Server {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := auth.New(auth.Options{
		Logins: []auth.Login{{Name: "ann", Hash: hash, Role: auth.Operator}, {Name: "vic", Hash: hash, Role: auth.Viewer}},
		Tokens: []auth.Token{{Name: "reader", Token: "viewer-0123456789", Role: auth.Viewer}, {Name: "deployer", Token: "operator-0123456789", Role: auth.Operator}},
		Now:    func() time.Time { return testNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	return newServer(t, store, append(edit, func(o *web.Options) { o.Auth = gate })...)
}

// signIn signs somebody in by the form, and returns the header with their cookie.
func signIn(t *testing.T, s *web.Server, name string) string {
	t.Helper()
	w := ask(s, "POST", "/login", "Content-Type: application/x-www-form-urlencoded", "Origin: http://localhost:8080",
		"Body: username="+name+"&password=correct+horse&next=/incidents")
	if w.Code != 303 || w.Header().Get("Location") != "/incidents" {
		t.Fatalf("signing in gives status %d and leads to %q", w.Code, w.Header().Get("Location"))
	}
	c := w.Result().Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value
}

func TestWhoMay(t *testing.T) {
	s := guarded(t, newAPIStore())
	ann, vic := signIn(t, s, "ann"), signIn(t, s, "vic")
	const origin = "Origin: http://localhost:8080"
	for _, c := range []struct {
		name, method, target string
		headers              []string
		want                 int
	}{
		{"a stranger asks the API", "GET", "/api/v1/sites", nil, 401},
		{"a stranger wants events", "GET", "/api/v1/events", nil, 401},
		{"a stranger wants metrics", "GET", "/api/v1/openapi.json", nil, 401},
		{"a stranger wants a badge", "GET", "/badge/docs/status.svg", nil, 404},
		{"a stranger wants a page", "GET", "/sites/docs?range=7d", nil, 303},
		{"a stranger wants a part of a page", "GET", "/?parts=list", nil, 401},
		{"a stranger changes something", "POST", "/api/v1/config/reload", nil, 401},
		{"a stranger sends a form", "POST", "/incidents/42/acknowledge", []string{origin}, 401},
		{"an orchestrator", "GET", "/readyz", nil, 200},
		{"under any host name", "GET", "/healthz", []string{"Host: 10.0.0.7:8080"}, 200},
		{"a token reads", "GET", "/api/v1/sites", []string{viewerToken}, 200},
		{"under any host name with a token", "GET", "/api/v1/sites", []string{viewerToken, "Host: sitemon.example.org"}, 200},
		{"a wrong token", "GET", "/api/v1/sites", []string{viewerToken + "x"}, 401},
		{"a wrong token wants a page", "GET", "/", []string{viewerToken + "x"}, 401},
		{"a viewer's token changes something", "POST", "/api/v1/config/reload", []string{viewerToken}, 403},
		{"an operator's token does", "POST", "/api/v1/config/reload", []string{operatorToken}, 200},
		{"a viewer's session reads", "GET", "/", []string{vic}, 200},
		{"a viewer's stolen session changes something", "POST", "/incidents/42/acknowledge", []string{vic, origin}, 403},
		{"or by the API", "POST", "/api/v1/incidents/42/acknowledge", []string{vic, origin}, 403},
		{"an operator's session does", "POST", "/api/v1/incidents/42/acknowledge", []string{ann, origin}, 200},
		{"without an origin", "POST", "/api/v1/incidents/42/acknowledge", []string{ann}, 403},
		{"from a foreign page", "POST", "/api/v1/incidents/42/acknowledge", []string{ann, "Origin: https://evil.example.org"}, 403},
		{"from a foreign page, says the browser", "POST", "/api/v1/incidents/42/acknowledge", []string{ann, origin, "Sec-Fetch-Site: cross-site"}, 403},
		{"from a file", "POST", "/api/v1/incidents/42/acknowledge", []string{ann, "Origin: null"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ask(s, c.method, c.target, c.headers...)
			wantStatus(t, w, c.want)
			switch c.want {
			case 401:
				if got := w.Header().Values("WWW-Authenticate"); len(got) != 2 {
					t.Errorf("the challenge is %q", got)
				}
			case 303:
				if got := w.Header().Get("Location"); got != "/login?next="+url.QueryEscape(c.target) {
					t.Errorf("it leads to %q", got)
				}
			}
		})
	}
}

// What people say of an incident is theirs, whatever name they write.
func TestRemarksAreSigned(t *testing.T) {
	store := newAPIStore()
	s := guarded(t, store)
	ask(s, "POST", "/api/v1/incidents/42/acknowledge", operatorToken, `Body: {"by":"somebody else"}`)
	if got := store.incidents[0].AcknowledgedBy; got != "deployer" {
		t.Errorf("acknowledged by %q, want deployer", got)
	}
	ask(s, "POST", "/incidents/42/comments", signIn(t, s, "ann"), "Origin: http://localhost:8080", "Content-Type: application/x-www-form-urlencoded", "Body: text=hello&by=nobody")
	timeline := store.incidents[0].Timeline
	if got := timeline[len(timeline)-1]; got.By != "ann" || got.Text != "hello" {
		t.Errorf("commented by %q: %q", got.By, got.Text)
	}
}

func TestViewersSeeNoForms(t *testing.T) {
	s := guarded(t, newAPIStore())
	for name, c := range map[string]struct {
		cookie string
		forms  bool
	}{"ann": {signIn(t, s, "ann"), true}, "vic": {signIn(t, s, "vic"), false}} {
		text := body(ask(s, "GET", "/incidents/42", c.cookie))
		if got := strings.Contains(text, "/comments"); got != c.forms {
			t.Errorf("%s can comment: %t, want %t", name, got, c.forms)
		}
		if !strings.Contains(text, `action="/logout"`) || !strings.Contains(text, ">"+name+"<") || strings.Contains(text, `name="by"`) {
			t.Errorf("the page does not say who %s is, or asks for the name", name)
		}
	}
}

func TestLoginPage(t *testing.T) {
	s := guarded(t, newAPIStore())
	text := page(t, s, "/login?next=/incidents", 200)
	for _, want := range []string{`name="next" value="/incidents"`, `autocomplete="current-password"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	for _, bad := range []string{"data-events=\"/api", "sites.yaml", `href="/monitors"`} {
		if strings.Contains(text, bad) {
			t.Errorf("a stranger is told %s", bad)
		}
	}
	const form = "Content-Type: application/x-www-form-urlencoded"
	w := ask(s, "POST", "/login", form, "Body: username=%3Cb%3Evic&password=wrong&next=/x")
	wantStatus(t, w, 401)
	if text := body(w); !strings.Contains(text, "User name or password is not right.") || !strings.Contains(text, `value="&lt;b&gt;vic"`) || strings.Contains(text, "wrong") || len(w.Result().Cookies()) > 0 {
		t.Errorf("a wrong password is answered by %s", text)
	}
	for range 5 {
		ask(s, "POST", "/login", form, "Body: username=ann&password=wrong")
	}
	w = ask(s, "POST", "/login", form, "Body: username=ann&password=correct+horse")
	wantStatus(t, w, 429)
	if w.Header().Get("Retry-After") == "" {
		t.Error("who guesses is not told when to come again")
	}
	wantStatus(t, ask(s, "POST", "/login", form, "Origin: https://evil.example.org", "Body: username=vic&password=correct+horse"), 403)
	vic := signIn(t, s, "vic")
	if w := ask(s, "GET", "/login?next=/monitors", vic); w.Code != 303 || w.Header().Get("Location") != "/monitors" {
		t.Errorf("who has signed in is asked again: status %d", w.Code)
	}
	w = ask(s, "POST", "/logout", vic, "Origin: http://localhost:8080")
	if c := w.Result().Cookies(); w.Code != 303 || len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("signing out gives status %d and the cookies %v", w.Code, c)
	}
	if w := ask(newServer(t, newAPIStore()), "GET", "/login"); w.Code != 404 {
		t.Errorf("where nobody has to sign in the page has status %d", w.Code)
	}
}

// Nothing that is written into next leads away from this server.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{
		"/", "/sites/a?b=c#d", "//evil.example.org", "/\\evil.example.org", "\\\\evil", "https://evil.example.org", "javascript:alert(1)", "/%2F/evil", "/\t/evil", "/..//evil", "///evil", "/@evil", "?x", "/a\n/b",
	} {
		f.Add(seed)
	}
	s := guarded(f, newAPIStore())
	base, err := url.Parse("http://localhost:8080/login")
	if err != nil {
		f.Fatal(err)
	}
	cookie := ""
	f.Fuzz(func(t *testing.T, next string) {
		if cookie == "" {
			cookie = signIn(t, s, "vic")
		}
		r := httptest.NewRequest("GET", "http://localhost:8080/login?next="+url.QueryEscape(next), nil)
		name, value, _ := strings.Cut(strings.TrimPrefix(cookie, "Cookie: "), "=")
		r.AddCookie(&http.Cookie{Name: name, Value: value})
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		at := w.Header().Get("Location")
		to, err := base.Parse(at)
		if err != nil || to.Host != base.Host || to.Scheme != "http" || strings.HasPrefix(at, "//") || strings.ContainsAny(at, "\\\t\r\n") {
			t.Errorf("next=%q leads to %q", next, at)
		}
	})
}
