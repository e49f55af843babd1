package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sitemon/web/auth"
)

// principalKey is under what a request's context holds who makes it.
type principalKey struct{}

// principal is who makes a request: nobody in particular, who may do everything,
// where nobody has to sign in.
func (s *Server) principal(r *http.Request) auth.Principal {
	if s.Auth == nil {
		return auth.Principal{Role: auth.Operator}
	}
	p, _ := r.Context().Value(principalKey{}).(auth.Principal)
	return p
}

// admitted is the handler of a route behind the checks of who asks, and of the
// query's parameters.
func (s *Server) admitted(rt route) handler {
	h, need := rt.checked(), rt.needs()
	if s.Auth == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.Auth.Principal(r)
		switch {
		case err == nil:
			r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
		case need == "": // whoever it is
		default:
			return s.stranger(w, r, rt.class, err)
		}
		if need != "" && !p.Role.Allows(need) {
			return problemf(http.StatusForbidden, "%s is signed in as %s, and this needs an %s", p.Name, p.Role, need)
		}
		if need != "" {
			w.Header().Set("Cache-Control", "no-store") // nobody's but theirs
		}
		return h(w, r)
	}
}

// stranger answers to somebody who has no good credentials: a browser that wants a
// page is led to where it can sign in.
func (s *Server) stranger(w http.ResponseWriter, r *http.Request, class routeClass, err error) error {
	switch {
	case errors.Is(err, auth.ErrForeign):
		return problemf(http.StatusForbidden, "%s", err)
	case errors.Is(err, auth.ErrOften):
		w.Header().Set("Retry-After", "60")
		return problemf(http.StatusTooManyRequests, "%s", err)
	case class == classPage && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && r.URL.Query().Get("parts") == "":
		http.Redirect(w, r, loginURL(r.URL.RequestURI()), http.StatusSeeOther)
		return nil
	}
	s.Auth.Challenge(r, w.Header())
	return problemf(http.StatusUnauthorized, "%s", err)
}

// loginURL is where somebody signs in to come to a page.
func loginURL(next string) string {
	if next = localPath(next); next == "/" {
		return "/login"
	}
	return "/login?next=" + url.QueryEscape(next)
}

// longestNext is the longest path that somebody is led back to: the cookie of a sign-in
// at a provider has to hold it.
const longestNext = 1500

// localPath is a path of this server with its query, or "/" for anything that a
// browser could take for another place, and for what is too long.
func localPath(next string) string {
	u, err := url.Parse(next)
	bad := func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }
	if err != nil || len(next) > longestNext || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(next, bad) ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return next
}
