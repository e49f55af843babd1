package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sitemon/web/auth"
)

// issuer is a provider that speaks the protocol: discovery, keys, and codes for
// tokens. What it says of people is what a test wants.
type issuer struct {
	*httptest.Server
	t         *testing.T
	key       *rsa.PrivateKey
	now       func() time.Time
	claims    map[string]any // beside those that the protocol needs
	change    map[string]any // instead of those that it needs
	challenge string         // of the browser that was sent here last
	nonce     string
	away      bool
}

func newIssuer(t *testing.T, now func() time.Time) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.away {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		i.answer(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		i.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		i.t.Error(err)
	}
}

// token exchanges a code for an ID token, if the browser is the one that asked.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	id, password, _ := r.BasicAuth()
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if id != "sitemon" || password != "s3cret" || r.FormValue("code") != "code-1" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge {
		w.WriteHeader(http.StatusBadRequest)
		i.answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k1"}}, nil)
	if err != nil {
		i.t.Error(err)
	}
	claims := map[string]any{
		"iss": i.URL, "aud": "sitemon", "sub": "42", "nonce": i.nonce, "iat": i.now().Unix(), "exp": i.now().Add(time.Minute).Unix(),
	}
	for _, more := range []map[string]any{i.claims, i.change} {
		maps.Copy(claims, more)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Error(err)
	}
	i.answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": raw})
}

// visit is a browser that is sent to the provider and comes back.
func (i *issuer) visit(g *auth.Gate, edit func(q url.Values, cookies *[]*http.Cookie)) (next string, session *http.Cookie, err error) {
	i.t.Helper()
	w := httptest.NewRecorder()
	at, err := g.BeginOIDC(w, request("POST"), "/incidents?open=true")
	if err != nil {
		return "", nil, err
	}
	u, err := url.Parse(at)
	if err != nil {
		i.t.Fatal(err)
	}
	q := u.Query()
	if q.Get("client_id") != "sitemon" || q.Get("redirect_uri") != "http://sitemon.example.org/login/callback" || q.Get("code_challenge_method") != "S256" || !strings.Contains(q.Get("scope"), "openid") {
		i.t.Fatalf("the browser is sent to %s", at)
	}
	i.challenge, i.nonce = q.Get("code_challenge"), q.Get("nonce")
	back, cookies := url.Values{"state": {q.Get("state")}, "code": {"code-1"}}, w.Result().Cookies()
	if edit != nil {
		edit(back, &cookies)
	}
	r := httptest.NewRequest("GET", "http://sitemon.example.org/login/callback?"+back.Encode(), nil)
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w = httptest.NewRecorder()
	next, err = g.FinishOIDC(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "sitemon_session" {
			session = c
		}
	}
	return next, session, err
}

func (i *issuer) gate() *auth.Gate {
	return newGate(i.t, auth.Options{Now: i.now, OIDC: &auth.OIDC{
		Issuer: i.URL, ClientID: "sitemon", ClientSecret: "s3cret", RolesClaim: "groups", Operators: []string{"sre"}, Viewers: []string{"staff"},
	}})
}

func TestOIDC(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c.now)
	for name, x := range map[string]struct {
		claims map[string]any
		want   auth.Principal
	}{
		"an operator":     {map[string]any{"groups": []string{"staff", "sre"}, "preferred_username": "ann"}, auth.Principal{Name: "ann", Role: auth.Operator}},
		"a viewer":        {map[string]any{"groups": []string{"staff", "cooks"}, "email": "vic@example.org"}, auth.Principal{Name: "vic@example.org", Role: auth.Viewer}},
		"a single role":   {map[string]any{"groups": "staff", "name": "Vic"}, auth.Principal{Name: "Vic", Role: auth.Viewer}},
		"without a name":  {map[string]any{"groups": "sre"}, auth.Principal{Name: "42", Role: auth.Operator}},
		"an odd username": {map[string]any{"groups": "sre", "preferred_username": 7}, auth.Principal{Name: "42", Role: auth.Operator}},
	} {
		t.Run(name, func(t *testing.T) {
			i.claims, i.change = x.claims, nil
			g := i.gate()
			next, session, err := i.visit(g, nil)
			if err != nil || session == nil || next != "/incidents?open=true" {
				t.Fatalf("came back to %q with %v: %v", next, session, err)
			}
			got, err := g.Principal(with(session, "GET"))
			got.Until = time.Time{}
			if err != nil || got != x.want {
				t.Errorf("got %+v and %v, want %+v", got, err, x.want)
			}
		})
	}
}

func TestOIDCRefuses(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c.now)
	good := map[string]any{"groups": "sre"}
	for name, x := range map[string]struct {
		claims, change map[string]any
		edit           func(q url.Values, cookies *[]*http.Cookie)
		want           error
	}{
		"no role":                {map[string]any{"groups": []string{"cooks"}}, nil, nil, auth.ErrRole},
		"no claim":               {nil, nil, nil, auth.ErrRole},
		"another nonce":          {good, map[string]any{"nonce": "x"}, nil, auth.ErrWrong},
		"a token of before":      {good, map[string]any{"exp": c.now().Add(-time.Second).Unix()}, nil, auth.ErrWrong},
		"for another client":     {good, map[string]any{"aud": "other"}, nil, auth.ErrWrong},
		"from another issuer":    {good, map[string]any{"iss": "https://evil.example.org"}, nil, auth.ErrWrong},
		"another state":          {good, nil, func(q url.Values, _ *[]*http.Cookie) { q.Set("state", "x") }, auth.ErrWrong},
		"no state":               {good, nil, func(q url.Values, _ *[]*http.Cookie) { q.Del("state") }, auth.ErrWrong},
		"another browser":        {good, nil, func(_ url.Values, c *[]*http.Cookie) { *c = nil }, auth.ErrWrong},
		"another code":           {good, nil, func(q url.Values, _ *[]*http.Cookie) { q.Set("code", "x") }, auth.ErrWrong},
		"the provider refuses":   {good, nil, func(q url.Values, _ *[]*http.Cookie) { q.Set("error", "access_denied") }, auth.ErrWrong},
		"after too long a while": {good, nil, func(url.Values, *[]*http.Cookie) { c.pass(10 * time.Minute) }, auth.ErrWrong},
	} {
		t.Run(name, func(t *testing.T) {
			i.claims, i.change = x.claims, x.change
			if _, session, err := i.visit(i.gate(), x.edit); !errors.Is(err, x.want) || session != nil {
				t.Errorf("got %v and the session %v, want %v", err, session, x.want)
			}
		})
	}
}

// A provider that is away when the program starts is asked again by the next who
// signs in.
func TestOIDCProviderComesBack(t *testing.T) {
	i := newIssuer(t, newClock().now)
	i.away, i.claims = true, map[string]any{"groups": "sre"}
	g := i.gate()
	if _, err := g.BeginOIDC(httptest.NewRecorder(), request("POST"), "/"); err == nil {
		t.Error("a provider that is away gives no error")
	}
	i.away = false
	if _, session, err := i.visit(g, nil); err != nil || session == nil {
		t.Errorf("once it is back: %v", err)
	}
}
