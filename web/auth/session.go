package auth

import (
	"net/http"
	"strings"
	"time"
)

// session is what the cookie of a session holds.
type session struct {
	Name  string `json:"n"`
	By    string `json:"b"` // what vouches for the name: password or oidc
	Role  Role   `json:"r"`
	Until int64  `json:"u"` // seconds since 1970
}

// The ways to a session.
const (
	byPassword = "password"
	byOIDC     = "oidc"
)

// SignIn begins a session for somebody with a password. Its errors are [ErrWrong]
// and [ErrOften].
func (g *Gate) SignIn(w http.ResponseWriter, r *http.Request, name, password string) (Principal, error) {
	p, err := g.byPassword(r, name, password)
	if err != nil {
		return p, err
	}
	return p, g.begin(w, r, session{Name: p.Name, By: byPassword, Role: p.Role})
}

// SignOut ends the session of a browser.
func (g *Gate) SignOut(w http.ResponseWriter, r *http.Request) {
	c := g.cookie(r, cookieName, "/")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// begin gives a browser a session.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, s session) error {
	s.Until = g.now().Add(sessionLasts).Unix()
	c := g.cookie(r, cookieName, "/")
	var err error
	if c.Value, err = g.cookies.Encode(c.Name, s); err != nil {
		return err
	}
	c.MaxAge = int(sessionLasts / time.Second)
	http.SetCookie(w, c)
	return nil
}

// bySession returns who the request's session is of. Somebody with a password has
// the role that the settings say now.
func (g *Gate) bySession(r *http.Request) (Principal, error) {
	c, err := r.Cookie(g.cookie(r, cookieName, "/").Name)
	if err != nil {
		return Principal{}, ErrNobody
	}
	var s session
	if g.cookies.Decode(c.Name, c.Value, &s) != nil {
		return Principal{}, ErrNobody // of other settings, or made up
	}
	until := time.Unix(s.Until, 0)
	if !g.now().Before(until) {
		return Principal{}, ErrNobody
	}
	p := Principal{Name: s.Name, Role: s.Role, Until: until}
	switch l, ok := g.logins[s.Name]; {
	case s.By == byPassword && ok:
		p.Role = l.Role
	case s.By == byOIDC && g.oidc != nil:
	default:
		return Principal{}, ErrNobody
	}
	return p, nil
}

// cookie is a cookie for this server alone. Where the browser came by TLS, other
// hosts of the domain can't set it either.
func (g *Gate) cookie(r *http.Request, name, path string) *http.Cookie {
	c := &http.Cookie{Name: name, Path: path, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: Secure(r)}
	if c.Secure && path == "/" {
		c.Name = "__Host-" + name
	}
	return c
}

// Secure reports whether the browser came by TLS, to us or to a proxy before us. What
// a client pretends to a server without a proxy concerns its own cookies alone.
func Secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
