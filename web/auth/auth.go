// Package auth says who makes a request, and what they may do.
//
// A [Gate] knows three kinds of credentials: user names with bcrypt hashes, bearer
// tokens, and people that an OpenID Connect provider vouches for. A browser that
// has signed in carries a session: a cookie that is encrypted and signed with keys
// made of the credentials and a secret that is kept. So sessions hold across restarts
// and in every process that has the same, without anything being stored, and all of
// them end when a credential changes. Each request looks up anew whether somebody
// with a password is still there, and with which role; who came by a provider has the
// role of that moment.
package auth

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"golang.org/x/crypto/bcrypt"

	"sitemon"
)

// Role is what somebody may do. The zero value may do nothing.
type Role string

// The roles. An operator may do all that a viewer may.
const (
	Viewer   Role = "viewer"   // read everything
	Operator Role = "operator" // change something too
)

// Roles are all of them, from the least on.
var Roles = []Role{Viewer, Operator}

// Allows reports whether the role is enough where need is needed.
func (r Role) Allows(need Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, need) }

// Principal is who makes a request.
type Principal struct {
	Name string
	Role Role
	// Until is when the session ends that says so; zero: it is not a session's.
	Until time.Time
}

// Login is somebody with a password.
type Login struct {
	Name string
	Hash []byte // bcrypt
	Role Role
}

// Token is a program with a bearer token.
type Token struct {
	Name  string
	Token sitemon.Secret
	Role  Role
}

// Options are who may come in.
type Options struct {
	Logins []Login
	Tokens []Token
	OIDC   *OIDC // nil: there is none
	// Secret is something that nobody knows but the processes that share sessions.
	// Without it sessions are as safe as the worst of the credentials.
	Secret []byte
	Now    func() time.Time // nil: [time.Now]
}

// The errors of credentials.
var (
	// ErrNobody is the error of a request without credentials.
	ErrNobody = errors.New("nobody has signed in")
	// ErrWrong is the error of credentials that are not right, or not any more.
	ErrWrong = errors.New("user name, password or token are not right")
	// ErrOften is the error of somebody who has been wrong too often.
	ErrOften = errors.New("too many wrong passwords; wait a minute")
	// ErrForeign is the error of a change that a session's cookie came with, of
	// which the browser does not say that a page of ours made it.
	ErrForeign = errors.New("the request does not say that it comes from a page of this server")
)

const (
	// sessionLasts is how long a session lasts, whatever happens.
	sessionLasts = 12 * time.Hour
	cookieName   = "sitemon_session"
)

// Gate tells who makes requests. It is safe for concurrent use.
type Gate struct {
	logins    map[string]Login
	tokens    []hashedToken
	oidc      *provider
	now       func() time.Time
	cookies   *securecookie.SecureCookie
	passwords *passwords
}

// hashedToken is a token as it is compared: in constant time, whatever its length.
type hashedToken struct {
	Token
	sum [sha256.Size]byte
}

// New makes a gate. It asks no provider anything yet.
func New(o Options) (*Gate, error) {
	g := &Gate{logins: map[string]Login{}, now: o.Now}
	if g.now == nil {
		g.now = time.Now
	}
	secret := sha256.New()
	fmt.Fprintf(secret, "secret %q\n", o.Secret)
	for _, l := range o.Logins {
		g.logins[l.Name] = l
		fmt.Fprintf(secret, "login %q %q\n", l.Name, l.Hash)
	}
	for _, t := range o.Tokens {
		g.tokens = append(g.tokens, hashedToken{t, sha256.Sum256([]byte(t.Token.Reveal()))})
		fmt.Fprintf(secret, "token %q %q\n", t.Name, t.Token.Reveal())
	}
	if o.OIDC != nil {
		g.oidc = &provider{OIDC: *o.OIDC}
		fmt.Fprintf(secret, "oidc %q %q %q %q %q %q\n", o.OIDC.Issuer, o.OIDC.ClientID, o.OIDC.ClientSecret.Reveal(),
			o.OIDC.RolesClaim, o.OIDC.Operators, o.OIDC.Viewers)
	}
	root := secret.Sum(nil)
	keys, err := hkdf.Key(sha256.New, root, nil, "sitemon sessions", 64+32)
	if err != nil {
		return nil, fmt.Errorf("make the keys of sessions: %w", err)
	}
	g.cookies = securecookie.New(keys[:64], keys[64:])
	g.cookies.MaxAge(0) // what is inside says until when
	g.cookies.SetSerializer(securecookie.JSONEncoder{})
	mac := hmac.New(sha256.New, root)
	mac.Write([]byte("passwords"))
	g.passwords = newPasswords(mac.Sum(nil), costliest(o.Logins), g.now)
	return g, nil
}

// costliest is the hash that takes longest to compare: a name that is not there must
// not be told by its time from one that is.
func costliest(logins []Login) (hash []byte) {
	most := 0
	for _, l := range logins {
		if cost, err := bcrypt.Cost(l.Hash); err == nil && cost > most {
			hash, most = l.Hash, cost
		}
	}
	return hash
}

// HasPasswords reports whether anybody can sign in with a password.
func (g *Gate) HasPasswords() bool { return len(g.logins) > 0 }

// Provider is the host of the OpenID Connect provider, "" for none.
func (g *Gate) Provider() string {
	if g.oidc == nil {
		return ""
	}
	return g.oidc.host()
}

// Principal returns who makes a request: by its Authorization header, else by its
// session. Without either the error is [ErrNobody].
func (g *Gate) Principal(r *http.Request) (Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			return g.byToken(strings.TrimSpace(token))
		}
		if name, password, ok := r.BasicAuth(); ok {
			return g.byPassword(r, name, password)
		}
		return Principal{}, ErrWrong
	}
	p, err := g.bySession(r)
	if err != nil {
		return p, err
	}
	if changes(r.Method) && !ours(r) {
		return Principal{}, ErrForeign
	}
	return p, nil
}

// Challenge says in the answer to a request which credentials would do. A script of a
// page is told of no password: its browser would ask for one by itself, and send it
// for ever.
func (g *Gate) Challenge(r *http.Request, h http.Header) {
	if g.HasPasswords() && r.Header.Get("Sec-Fetch-Mode") == "" {
		h.Add("WWW-Authenticate", `Basic realm="SiteMon", charset="UTF-8"`)
	}
	h.Add("WWW-Authenticate", `Bearer realm="SiteMon"`)
}

func (g *Gate) byToken(token string) (Principal, error) {
	sum := sha256.Sum256([]byte(token))
	var found *hashedToken
	for i := range g.tokens {
		if subtle.ConstantTimeCompare(sum[:], g.tokens[i].sum[:]) == 1 {
			found = &g.tokens[i]
		}
	}
	if found == nil {
		return Principal{}, ErrWrong
	}
	return Principal{Name: found.Name, Role: found.Role}, nil
}

// byPassword takes as long for a name that is not there as for a wrong password.
func (g *Gate) byPassword(r *http.Request, name, password string) (Principal, error) {
	l, ok := g.logins[name]
	if err := g.passwords.check(r.Context(), clientOf(r), l.Hash, name, password); err != nil {
		return Principal{}, err
	}
	if !ok {
		return Principal{}, ErrWrong
	}
	return Principal{Name: l.Name, Role: l.Role}, nil
}

// clientOf is the address of the client, or of the proxy before us.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// ours reports whether a browser says that a page of this server made the request.
// That its origin is no other one has been checked before.
func ours(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") == "same-origin"
}
