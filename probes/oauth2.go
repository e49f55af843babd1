package probes

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sitemon"
)

const (
	// tokenEarly is how long before its end a token is not used any more.
	tokenEarly = 10 * time.Second
	// tokenLife is how long a token is used that does not say when it ends.
	tokenLife = 5 * time.Minute
	// maxToken bounds the answer of a token server.
	maxToken = 64 << 10
)

// tokenCache holds OAuth 2 tokens, shared by the sites with equal credentials.
// Token servers are asked by one probe at a time for one token.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[[32]byte]*token
}

type token struct {
	turn    chan struct{} // holds one element while a probe fetches
	value   string        // of the Authorization header; "" for none
	expires time.Time
}

// entry returns the place of a token, which it makes, and drops those that ended.
func (c *tokenCache) entry(key [32]byte) *token {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[key]
	if !ok {
		now := time.Now()
		for k, old := range c.tokens {
			if len(old.turn) == 0 && now.After(old.expires) {
				delete(c.tokens, k)
			}
		}
		if c.tokens == nil {
			c.tokens = map[[32]byte]*token{}
		}
		t = &token{turn: make(chan struct{}, 1)}
		c.tokens[key] = t
	}
	return t
}

// read returns the token's value while it is good.
func (c *tokenCache) read(t *token) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().After(t.expires) {
		return ""
	}
	return t.value
}

// write sets the token's value.
func (c *tokenCache) write(t *token, value string, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.value, t.expires = value, expires
}

// drop forgets a token that a server refused, so that the next probe gets a new one.
func (c *tokenCache) drop(value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tokens {
		if t.value == value {
			t.value = ""
		}
	}
}

// token returns the value of the Authorization header for a site with OAuth 2
// client credentials. Fetching it is part of no phase, nor of the duration, unless it
// fails.
func (a *attempt) token(grant *sitemon.OAuth2) (string, error) {
	form, key, err := a.tokenForm(grant)
	if err != nil {
		return "", err
	}
	cache := &a.set.tokens
	t := cache.entry(key)
	value := cache.read(t)
	if value == "" {
		began := time.Now()
		select {
		case t.turn <- struct{}{}:
		case <-a.ctx.Done():
			return "", a.noAnswer(sitemon.ReasonSendError, a.ctx.Err(), "waiting for an OAuth 2 token")
		}
		defer func() { <-t.turn }()
		if value = cache.read(t); value == "" {
			var expires time.Time
			if value, expires, err = a.fetchToken(form); err != nil {
				return "", err
			}
			cache.write(t, value, expires)
		}
		a.leaveOut(time.Since(began))
	}
	a.hideCredential(value)
	return value, nil
}

// leaveOut counts the time that has just gone by to neither the probe nor its step.
func (a *attempt) leaveOut(d time.Duration) {
	a.start = a.start.Add(d)
	if a.flow != nil {
		a.flow.began = a.flow.began.Add(d)
	}
}

// tokenRequest is what is asked of a token server.
type tokenRequest struct {
	url        string
	id, secret string
	values     url.Values
}

func (a *attempt) tokenForm(grant *sitemon.OAuth2) (*tokenRequest, [32]byte, error) {
	r := &tokenRequest{values: url.Values{"grant_type": {"client_credentials"}}}
	var err error
	texts := []struct {
		to   *string
		from string
	}{{&r.url, grant.TokenURL}, {&r.id, grant.ClientID}}
	for _, t := range texts {
		if *t.to, err = a.expand(t.from); err != nil {
			return nil, [32]byte{}, err
		}
	}
	if r.secret, err = a.secretOrFile("oauth2.client_secret", grant.ClientSecret, grant.ClientSecretFile); err != nil {
		return nil, [32]byte{}, err
	}
	scopes := make([]string, len(grant.Scopes))
	for i, s := range grant.Scopes {
		if scopes[i], err = a.expand(s); err != nil {
			return nil, [32]byte{}, err
		}
	}
	if len(scopes) > 0 {
		r.values.Set("scope", strings.Join(scopes, " "))
	}
	for _, p := range grant.EndpointParams {
		value, err := a.expand(p.Value.Reveal())
		if err != nil {
			return nil, [32]byte{}, err
		}
		r.values.Set(p.Name, value)
	}
	key := sha256.Sum256([]byte(strings.Join([]string{r.url, r.id, r.secret, r.values.Encode(), a.site.Request.ProxyURL}, "\x00")))
	return r, key, nil
}

// fetchToken asks the token server, under the probe's deadline and address
// policy, through the site's proxy and with its authorities.
func (a *attempt) fetchToken(r *tokenRequest) (string, time.Time, error) {
	request := &sitemon.Request{
		Method: http.MethodPost, Body: r.values.Encode(),
		Headers: []sitemon.Header{
			{Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			{Name: "Accept", Value: "application/json"},
		},
		ProxyURL: a.site.Request.ProxyURL, BodySizeLimit: maxToken, EnableHTTP2: true,
		PreferredIPProtocol: a.site.Request.PreferredIPProtocol, IPProtocolFallback: true,
	}
	if t := a.site.Request.TLS; t != nil {
		request.TLS = &sitemon.TLSConfig{CA: t.CA, CAFile: t.CAFile, InsecureSkipVerify: t.InsecureSkipVerify}
	}
	site := &sitemon.Site{Name: a.site.Name, URL: a.site.URL, Timeout: a.site.Timeout, Request: request, Expect: a.site.Expect, References: a.site.References}
	sub := &attempt{set: a.set, ctx: a.ctx, site: site, start: a.start, deadline: a.deadline}
	defer sub.release()
	body, status, err := sub.postForm(r)
	a.secrets = append(a.secrets, sub.secrets...)
	if err != nil {
		f := asFailure(err)
		return "", time.Time{}, &failure{f.reason, "fetching an OAuth 2 token: " + f.text, f.err}
	}
	var got struct {
		AccessToken string  `json:"access_token"`
		TokenType   string  `json:"token_type"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if status/100 != 2 || json.Unmarshal(body, &got) != nil || got.AccessToken == "" {
		return "", time.Time{}, failf(sitemon.ReasonSendError, nil,
			"fetching an OAuth 2 token: the token server answered with status %d and no token", status)
	}
	kind := "Bearer"
	if got.TokenType != "" && !strings.EqualFold(got.TokenType, kind) {
		kind = got.TokenType
	}
	life := tokenLife
	if got.ExpiresIn > 0 {
		life = time.Duration(min(got.ExpiresIn, 365*24*3600) * float64(time.Second))
	}
	return kind + " " + got.AccessToken, time.Now().Add(max(life-tokenEarly, life/2)), nil
}

// postForm sends the form, and returns a copy of the answer.
func (a *attempt) postForm(form *tokenRequest) ([]byte, int, error) {
	u, err := parseURL(form.url)
	if err != nil {
		return nil, 0, err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, 0, failf(sitemon.ReasonInternal, nil, "oauth2.token_url: the scheme %q is neither http nor https", u.Scheme)
	}
	r := &request{method: http.MethodPost, url: u, body: a.site.Request.Body}
	if err := a.prepareHeaders(r); err != nil {
		return nil, 0, err
	}
	// Both are form-encoded first (RFC 6749 section 2.3.1).
	r.authorization = a.basic(url.QueryEscape(form.id), url.QueryEscape(form.secret))
	ans, err := a.request(r)
	if err != nil {
		return nil, 0, err
	}
	body, err := a.readBody(ans)
	ans.done(err == nil && !a.report.BodyTruncated)
	return body, ans.resp.StatusCode, err
}
