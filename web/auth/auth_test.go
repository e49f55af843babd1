package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"sitemon/web/auth"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	token  = "0123456789abcdef-ci"
	secret = "correct horse"
)

func options(t *testing.T, c *clock) auth.Options {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Options{
		Logins: []auth.Login{{Name: "ann", Hash: hash, Role: auth.Operator}, {Name: "vic", Hash: hash, Role: auth.Viewer}},
		Tokens: []auth.Token{{Name: "ci", Token: token, Role: auth.Viewer}},
		Now:    c.now,
	}
}

func newGate(t *testing.T, o auth.Options) *auth.Gate {
	t.Helper()
	g, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request is one with headers "Name: value".
func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://sitemon.example.org/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return r
}

func basic(name, password string) *http.Request {
	r := request("GET")
	r.SetBasicAuth(name, password)
	return r
}

func TestCredentials(t *testing.T) {
	g := newGate(t, options(t, newClock()))
	for name, c := range map[string]struct {
		request *http.Request
		want    auth.Principal
		err     error
	}{
		"none":                   {request("GET"), auth.Principal{}, auth.ErrNobody},
		"a token":                {request("GET", "Authorization: Bearer "+token), auth.Principal{Name: "ci", Role: auth.Viewer}, nil},
		"a token, small letters": {request("GET", "Authorization: bearer  "+token), auth.Principal{Name: "ci", Role: auth.Viewer}, nil},
		"a wrong token":          {request("GET", "Authorization: Bearer "+token+"x"), auth.Principal{}, auth.ErrWrong},
		"an empty token":         {request("GET", "Authorization: Bearer "), auth.Principal{}, auth.ErrWrong},
		"another scheme":         {request("GET", "Authorization: Digest x"), auth.Principal{}, auth.ErrWrong},
		"a password":             {basic("ann", secret), auth.Principal{Name: "ann", Role: auth.Operator}, nil},
		"a wrong password":       {basic("ann", "wrong"), auth.Principal{}, auth.ErrWrong},
		"an unknown name":        {basic("eve", secret), auth.Principal{}, auth.ErrWrong},
		"no name":                {basic("", ""), auth.Principal{}, auth.ErrWrong},
		"a long password":        {basic("ann", secret+strings.Repeat("x", 100)), auth.Principal{}, auth.ErrWrong},
		"a made-up session":      {request("GET", "Cookie: sitemon_session=abc"), auth.Principal{}, auth.ErrNobody},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := g.Principal(c.request)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %+v and %v, want %+v and %v", got, err, c.want, c.err)
			}
		})
	}
	h := http.Header{}
	g.Challenge(request("GET"), h)
	if got := fmt.Sprint(h["Www-Authenticate"]); got != `[Basic realm="SiteMon", charset="UTF-8" Bearer realm="SiteMon"]` {
		t.Errorf("the challenge is %s", got)
	}
	h = http.Header{}
	g.Challenge(request("GET", "Sec-Fetch-Mode: cors"), h)
	if got := fmt.Sprint(h["Www-Authenticate"]); got != `[Bearer realm="SiteMon"]` {
		t.Errorf("the challenge for a script of a page is %s", got)
	}
}

func TestRoles(t *testing.T) {
	for _, c := range []struct {
		has, need auth.Role
		want      bool
	}{
		{auth.Operator, auth.Operator, true},
		{auth.Operator, auth.Viewer, true},
		{auth.Viewer, auth.Viewer, true},
		{auth.Viewer, auth.Operator, false},
		{"", auth.Viewer, false},
		{"admin", auth.Viewer, false},
	} {
		if got := c.has.Allows(c.need); got != c.want {
			t.Errorf("%q allows %q: %t, want %t", c.has, c.need, got, c.want)
		}
	}
}

// signIn signs somebody in and returns their cookie.
func signIn(t *testing.T, g *auth.Gate, name string, headers ...string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if _, err := g.SignIn(w, request("POST", headers...), name, secret); err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got the cookies %v, want one", cookies)
	}
	return cookies[0]
}

// with is a request with a cookie.
func with(c *http.Cookie, method string, headers ...string) *http.Request {
	r := request(method, headers...)
	r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	return r
}

func TestSessions(t *testing.T) {
	c := newClock()
	o := options(t, c)
	g := newGate(t, o)
	cookie := signIn(t, g, "vic")
	if cookie.Name != "sitemon_session" || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Errorf("over http the cookie is %+v", cookie)
	}
	if strings.Contains(cookie.Value, "vic") || strings.Contains(cookie.Value, secret) {
		t.Errorf("the cookie tells %s", cookie.Value)
	}
	again := newGate(t, o) // after a restart, or in another process
	if p, err := again.Principal(with(cookie, "GET")); err != nil || p.Name != "vic" || p.Role != auth.Viewer || !p.Until.Equal(c.now().Add(12*time.Hour)) {
		t.Errorf("after a restart the session is of %+v: %v", p, err)
	}
	if _, err := g.Principal(with(&http.Cookie{Name: cookie.Name, Value: cookie.Value[:len(cookie.Value)-4] + "AAAA"}, "GET")); !errors.Is(err, auth.ErrNobody) {
		t.Errorf("a cookie that was changed gives %v", err)
	}

	promoted := options(t, c)
	promoted.Logins, promoted.Logins[1].Hash = append([]auth.Login(nil), o.Logins...), o.Logins[1].Hash
	promoted.Logins[1].Role, promoted.Tokens = auth.Operator, o.Tokens
	if p, err := newGate(t, promoted).Principal(with(cookie, "GET")); err != nil || p.Role != auth.Operator {
		t.Errorf("with another role in the settings the session is of %+v: %v", p, err)
	}
	if _, err := newGate(t, options(t, c)).Principal(with(cookie, "GET")); !errors.Is(err, auth.ErrNobody) {
		t.Errorf("with other hashes in the settings: %v, want the session to be over", err)
	}
	c.pass(12*time.Hour - time.Second)
	if _, err := g.Principal(with(cookie, "GET")); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	c.pass(time.Second)
	if _, err := g.Principal(with(cookie, "GET")); !errors.Is(err, auth.ErrNobody) {
		t.Errorf("after its end: %v", err)
	}
}

// A cookie comes with requests that any page makes the browser send: to change
// something it is not enough.
func TestSessionsNeedAnOriginToChange(t *testing.T) {
	g := newGate(t, options(t, newClock()))
	cookie := signIn(t, g, "ann")
	for name, c := range map[string]struct {
		request *http.Request
		err     error
	}{
		"read":                      {with(cookie, "GET"), nil},
		"change, no origin":         {with(cookie, "POST"), auth.ErrForeign},
		"change, an origin":         {with(cookie, "POST", "Origin: http://sitemon.example.org"), nil},
		"change, the same origin":   {with(cookie, "POST", "Sec-Fetch-Site: same-origin"), nil},
		"change, typed by the user": {with(cookie, "POST", "Sec-Fetch-Site: none"), auth.ErrForeign},
		"change by a script":        {request("POST", "Authorization: Bearer "+token), nil},
	} {
		if _, err := g.Principal(c.request); !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		}
	}
}

func TestSecureCookies(t *testing.T) {
	g := newGate(t, options(t, newClock()))
	cookie := signIn(t, g, "ann", "X-Forwarded-Proto: https")
	if cookie.Name != "__Host-sitemon_session" || !cookie.Secure {
		t.Errorf("over https the cookie is %+v", cookie)
	}
	// One that another host of the domain has set for http does not count.
	if _, err := g.Principal(with(&http.Cookie{Name: "sitemon_session", Value: cookie.Value}, "GET", "X-Forwarded-Proto: https")); !errors.Is(err, auth.ErrNobody) {
		t.Errorf("a cookie without the prefix gives %v", err)
	}
	w := httptest.NewRecorder()
	g.SignOut(w, request("POST", "X-Forwarded-Proto: https"))
	if c := w.Result().Cookies()[0]; c.Name != cookie.Name || c.MaxAge >= 0 || c.Value != "" {
		t.Errorf("signing out sets %+v", c)
	}
}

func TestGuessing(t *testing.T) {
	c := newClock()
	g := newGate(t, options(t, c))
	try := func(name, password, from string) error {
		r := basic(name, password)
		r.RemoteAddr = from + ":1234"
		_, err := g.Principal(r)
		return err
	}
	for range 5 {
		if err := try("ann", "wrong", "192.0.2.1"); !errors.Is(err, auth.ErrWrong) {
			t.Fatalf("a wrong password gives %v", err)
		}
	}
	if err := try("ann", secret, "192.0.2.1"); !errors.Is(err, auth.ErrOften) {
		t.Errorf("after five wrong passwords the right one gives %v", err)
	}
	if err := try("ann", secret, "192.0.2.2"); err != nil {
		t.Errorf("from elsewhere it gives %v", err)
	}
	if err := try("vic", secret, "192.0.2.1"); err != nil {
		t.Errorf("for another name it gives %v", err)
	}
	c.pass(time.Minute)
	if err := try("ann", "wrong", "192.0.2.1"); !errors.Is(err, auth.ErrWrong) {
		t.Errorf("a minute later one more guess gives %v", err)
	}
	if err := try("ann", "wrong", "192.0.2.1"); !errors.Is(err, auth.ErrOften) {
		t.Errorf("and one more %v", err)
	}
	if err := try("ann", secret, "192.0.2.1"); err != nil {
		t.Errorf("the right one, which is known by now, gives %v", err)
	}
}

// Who guesses with many at once gets no more guesses.
func TestGuessingAtOnce(t *testing.T) {
	g := newGate(t, options(t, newClock()))
	var wrong, often atomic.Int64
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			switch _, err := g.Principal(basic("ann", "wrong")); {
			case errors.Is(err, auth.ErrWrong):
				wrong.Add(1)
			case errors.Is(err, auth.ErrOften):
				often.Add(1)
			}
		})
	}
	wg.Wait()
	// Two are compared at a time, so one may be under way when the last is counted.
	if wrong.Load() > 6 || wrong.Load()+often.Load() != 60 {
		t.Errorf("of 60 guesses %d were looked at and %d refused, want 5 or 6 looked at", wrong.Load(), often.Load())
	}
}

// What is kept of wrong passwords does not grow with the length of names.
func TestLongNamesAreNotKept(t *testing.T) {
	g := newGate(t, options(t, newClock()))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 40 {
		if _, err := g.Principal(basic(strings.Repeat("x", 1<<20)+fmt.Sprint(i), "wrong")); !errors.Is(err, auth.ErrWrong) {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 4<<20 {
		t.Errorf("40 names of 1 MiB keep %d bytes", kept)
	}
}

func TestSecretsDivideSessions(t *testing.T) {
	o := options(t, newClock())
	o.Secret = []byte("one")
	cookie := signIn(t, newGate(t, o), "vic")
	if _, err := newGate(t, o).Principal(with(cookie, "GET")); err != nil {
		t.Errorf("with the same secret: %v", err)
	}
	o.Secret = []byte("two")
	if _, err := newGate(t, o).Principal(with(cookie, "GET")); !errors.Is(err, auth.ErrNobody) {
		t.Errorf("with another secret: %v", err)
	}
}

func BenchmarkPassword(b *testing.B) {
	c := newClock()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if err != nil {
		b.Fatal(err)
	}
	g, err := auth.New(auth.Options{Logins: []auth.Login{{Name: "ann", Hash: hash, Role: auth.Viewer}}, Now: c.now})
	if err != nil {
		b.Fatal(err)
	}
	for _, known := range []bool{false, true} {
		b.Run(fmt.Sprintf("known=%t", known), func(b *testing.B) {
			for b.Loop() {
				if !known {
					c.pass(6 * time.Minute)
				}
				if _, err := g.Principal(basic("ann", secret)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
