package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sitemon"
)

// OIDC is an OpenID Connect provider (OpenID Connect Core 1.0, the authorization code
// flow with PKCE), and who of its people may come in.
type OIDC struct {
	Issuer       string // its URL
	ClientID     string
	ClientSecret sitemon.Secret
	// RolesClaim is the claim of the ID token, a text or a list of texts, in which
	// Operators and Viewers are looked for. Who has none of them does not come in.
	RolesClaim         string
	Operators, Viewers []string
	// Client makes the requests to the provider; nil: one with a time limit.
	Client *http.Client
}

const (
	// signInLasts is how long somebody may take at the provider.
	signInLasts = 10 * time.Minute
	stateCookie = "sitemon_sign_in"
	// CallbackPath is where the provider sends browsers back to.
	CallbackPath = "/login/callback"
	// providerTime bounds a request to the provider.
	providerTime = 10 * time.Second
)

// ErrRole is the error of somebody whom the provider vouches for, and who has no
// role here.
var ErrRole = errors.New("the provider knows you, but none of your roles may come in here")

// provider is a provider that is asked what it offers when somebody signs in first.
type provider struct {
	OIDC
	mu    sync.Mutex
	found *oidc.Provider
}

// attempt is what the cookie of an attempt to sign in holds.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"t"`
	Until    int64  `json:"u"`
}

func (p *provider) host() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return p.Issuer
	}
	return u.Host
}

// client puts the provider's client into a context.
func (p *provider) client(ctx context.Context) context.Context {
	c := p.Client
	if c == nil {
		c = &http.Client{Timeout: providerTime}
	}
	return oidc.ClientContext(ctx, c)
}

// discover asks the provider what it offers, until it has said so once.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// Its keys are fetched again later, so the context must outlive the request.
		found, err := oidc.NewProvider(p.client(context.WithoutCancel(ctx)), p.Issuer)
		if err != nil {
			return nil, fmt.Errorf("ask the OpenID Connect provider %s what it offers: %w", p.Issuer, err)
		}
		p.found = found
	}
	return p.found, nil
}

func (p *provider) config(r *http.Request, found *oidc.Provider) *oauth2.Config {
	scheme := "http"
	if Secure(r) {
		scheme = "https"
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret.Reveal(), Endpoint: found.Endpoint(),
		RedirectURL: scheme + "://" + r.Host + CallbackPath,
		Scopes:      []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// BeginOIDC returns where a browser is to go to sign in at the provider. next is the
// page of ours that it shall come to then.
func (g *Gate) BeginOIDC(w http.ResponseWriter, r *http.Request, next string) (string, error) {
	if g.oidc == nil {
		return "", errors.New("there is no OpenID Connect provider in the settings")
	}
	found, err := g.oidc.discover(r.Context())
	if err != nil {
		return "", err
	}
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Until: g.now().Add(signInLasts).Unix()}
	c := g.cookie(r, stateCookie, CallbackPath)
	if c.Value, err = g.cookies.Encode(c.Name, a); err != nil {
		return "", fmt.Errorf("keep an attempt to sign in: %w", err)
	}
	c.MaxAge = int(signInLasts / time.Second)
	http.SetCookie(w, c)
	return g.oidc.config(r, found).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// FinishOIDC takes a browser that comes back from the provider, begins its session and
// returns the page that it shall go to. What is not right is an [ErrWrong], a person
// without a role an [ErrRole].
func (g *Gate) FinishOIDC(w http.ResponseWriter, r *http.Request) (next string, err error) {
	if g.oidc == nil {
		return "", fmt.Errorf("%w: there is no OpenID Connect provider in the settings", ErrWrong)
	}
	a, err := g.attempt(w, r)
	if err != nil {
		return "", err
	}
	q := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return "", fmt.Errorf("%w: the answer is not one to this browser's attempt", ErrWrong)
	}
	if said := q.Get("error"); said != "" {
		return "", fmt.Errorf("%w: the provider says %q", ErrWrong, said)
	}
	found, err := g.oidc.discover(r.Context())
	if err != nil {
		return "", err
	}
	ctx := g.oidc.client(r.Context())
	token, err := g.oidc.config(r, found).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", fmt.Errorf("%w: exchange the code: %w", ErrWrong, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := found.Verifier(&oidc.Config{ClientID: g.oidc.ClientID, Now: g.now}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrWrong, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return "", fmt.Errorf("%w: the token is not one for this browser's attempt", ErrWrong)
	}
	p, err := g.oidc.principal(id)
	if err != nil {
		return "", err
	}
	return a.Next, g.begin(w, r, session{Name: p.Name, By: byOIDC, Role: p.Role})
}

// attempt reads what the browser's cookie says of its attempt, and takes it away.
func (g *Gate) attempt(w http.ResponseWriter, r *http.Request) (a attempt, err error) {
	c := g.cookie(r, stateCookie, CallbackPath)
	had, err := r.Cookie(c.Name)
	if err == nil {
		err = g.cookies.Decode(c.Name, had.Value, &a)
	}
	if err != nil || g.now().Unix() >= a.Until {
		return a, fmt.Errorf("%w: the attempt to sign in is too old, or another browser's; begin anew", ErrWrong)
	}
	c.MaxAge = -1
	http.SetCookie(w, c)
	return a, nil
}

// principal is who an ID token is of, with the role that its claims give.
func (p *provider) principal(id *oidc.IDToken) (Principal, error) {
	var claims map[string]json.RawMessage
	if err := id.Claims(&claims); err != nil {
		return Principal{}, fmt.Errorf("%w: read the claims: %w", ErrWrong, err)
	}
	var name string
	for _, claim := range []string{"preferred_username", "email", "name"} {
		if json.Unmarshal(claims[claim], &name) == nil && name != "" {
			break
		}
	}
	if name == "" {
		name = id.Subject
	}
	var roles []string
	var one string
	if json.Unmarshal(claims[p.RolesClaim], &roles) != nil && json.Unmarshal(claims[p.RolesClaim], &one) == nil {
		roles = []string{one}
	}
	has := func(wanted []string) bool {
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(wanted, r) })
	}
	switch {
	case has(p.Operators):
		return Principal{Name: name, Role: Operator}, nil
	case has(p.Viewers):
		return Principal{Name: name, Role: Viewer}, nil
	}
	return Principal{}, ErrRole
}
