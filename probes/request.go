package probes

import (
	"encoding/base64"
	"net/http/cookiejar"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sitemon"
)

// request is one HTTP request, ready to be sent: references expanded, files
// read. A redirect makes the next one of it.
type request struct {
	method string
	url    *url.URL
	// host is the Host header where the site sets one; it goes with the first
	// host only.
	host string
	// scheme is the site's where the wire has another one; "": that of url.
	scheme string
	// authorization is the value of the header, "" for none.
	authorization string
	fields        []field
	body          string
	jar           *cookiejar.Jar // of the redirects on the way; nil without cookies
	oauth         bool           // the authorization came from the token cache
}

// field is one header field of a request. Its name is in canonical form.
type field struct {
	name, value string
	credential  bool
}

// prepare makes the first request of a probe.
func (a *attempt) prepare() (*request, error) {
	u, err := a.target()
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, failf(sitemon.ReasonInternal, nil, "an HTTP probe can't reach a URL with the scheme %q", u.Scheme)
	}
	return a.prepareTo(u)
}

// prepareTo makes a request to u as the site's keys have it.
func (a *attempt) prepareTo(u *url.URL) (*request, error) {
	var err error
	site := a.site.Request
	r := &request{method: site.Method, url: u}
	if r.method == "" {
		r.method = "GET"
	}
	if r.body, err = a.fill(site.Body, asIs); err != nil {
		return nil, err
	}
	if err := a.prepareHeaders(r); err != nil {
		return nil, err
	}
	if err := a.authorize(r); err != nil {
		return nil, err
	}
	if !httpguts.ValidHeaderFieldName(r.method) { // a method is a token too
		return nil, failf(sitemon.ReasonInternal, nil, "%q is no HTTP method", r.method)
	}
	if !httpguts.ValidHeaderFieldValue(r.authorization) {
		return nil, failf(sitemon.ReasonInternal, nil, "the credentials hold characters that a header can't carry")
	}
	return r, nil
}

// ownHeaders are set by the probe itself: they say how the body is framed.
var ownHeaders = []string{"Content-Length", "Transfer-Encoding", "Trailer"}

func (a *attempt) prepareHeaders(r *request) error {
	headers := a.site.Request.Headers
	if len(headers) == 0 {
		return nil
	}
	r.fields = make([]field, 0, len(headers))
	for _, h := range headers {
		value, err := a.fill(h.Value.Reveal(), asIs)
		if err != nil {
			return err
		}
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return failf(sitemon.ReasonInternal, nil, "the header %s holds characters that a header can't carry", h.Name)
		}
		f := field{name, value, sitemon.CredentialName(name)}
		if f.credential {
			a.hideCredential(value)
		}
		switch {
		case name == "Host":
			r.host = value
		case name == "Authorization":
			r.authorization = value
		case !slices.Contains(ownHeaders, name):
			r.fields = append(r.fields, f)
		}
	}
	return nil
}

// authorize sets the Authorization header from the site's credentials.
func (a *attempt) authorize(r *request) error {
	site := a.site.Request
	switch {
	case site.BasicAuth != nil:
		user, err := a.textOrFile("basic_auth.username", site.BasicAuth.Username, site.BasicAuth.UsernameFile)
		if err != nil {
			return err
		}
		password, err := a.secretOrFile("basic_auth.password", site.BasicAuth.Password, site.BasicAuth.PasswordFile)
		if err != nil {
			return err
		}
		r.authorization = a.basic(user, password)
	case site.Authorization != nil:
		kind, err := a.expand(site.Authorization.Type)
		if err != nil {
			return err
		}
		if kind == "" {
			kind = "Bearer"
		}
		credentials, err := a.secretOrFile("authorization.credentials", site.Authorization.Credentials, site.Authorization.CredentialsFile)
		if err != nil {
			return err
		}
		r.authorization = kind + " " + credentials
	case site.OAuth2 != nil:
		token, err := a.token(site.OAuth2)
		if err != nil {
			return err
		}
		r.authorization, r.oauth = token, true
	case r.authorization == "" && r.url.User != nil:
		password, _ := r.url.User.Password()
		r.authorization = a.basic(r.url.User.Username(), a.hide(password))
	}
	return nil
}

// basic is the value of an Authorization header (RFC 7617).
func (a *attempt) basic(user, password string) string {
	return "Basic " + a.hide(base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// hideCredential hides a header's value and the credential in it.
func (a *attempt) hideCredential(value string) {
	a.hide(value)
	if _, credential, ok := strings.Cut(value, " "); ok {
		a.hide(credential)
	}
}

// field returns the value of a header field, and whether the request has it.
func (r *request) field(name string) (string, bool) {
	for _, f := range r.fields {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// address is the URL as the site has it.
func (r *request) address() *url.URL {
	if r.scheme == "" {
		return r.url
	}
	u := *r.url
	u.Scheme = r.scheme
	return &u
}

// origin is what a kept connection serves.
func (r *request) origin() string { return r.url.Scheme + "://" + r.url.Host }

// maxCookies is how many bytes of cookies go along: more than servers take.
const maxCookies = 32 << 10

// cookies is the Cookie header that answers on the way have asked for.
func (r *request) cookies() string {
	if r.jar == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range r.jar.Cookies(r.url) {
		if b.Len()+len(c.Name)+len(c.Value) > maxCookies {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + "=" + c.Value)
	}
	return b.String()
}
