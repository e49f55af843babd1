package web

import (
	"errors"
	"net/http"

	"sitemon/web/auth"
)

// loginRoutes are where people sign in and out; there are none where nobody has to.
func (s *Server) loginRoutes() []route {
	if s.Auth == nil {
		return nil
	}
	return []route{
		{"GET", "/login", classLogin, nil, s.loginPage},
		{"POST", "/login", classLogin, nil, s.loginForm},
		{"POST", "/login/provider", classLogin, nil, s.providerForm},
		{"GET", auth.CallbackPath, classLogin, nil, s.providerCallback},
		{"POST", "/logout", classLogin, nil, s.logoutForm},
	}
}

// loginPage is the page on which people sign in.
type loginPage struct {
	layout
	Next      string
	Passwords bool
	Provider  string // host of the provider, or ""
	Error     string
	Name      string // that was written before
}

// loginPage asks who it is. Who has signed in already goes on.
func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	next := localPath(r.URL.Query().Get("next"))
	if s.principal(r).Name != "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return s.askAgain(w, r, http.StatusOK, loginPage{Next: next})
}

func (s *Server) askAgain(w http.ResponseWriter, r *http.Request, status int, d loginPage) error {
	d.layout = s.layoutOf(r, "login", "Sign in")
	d.Passwords, d.Provider = s.Auth.HasPasswords(), s.Auth.Provider()
	return s.render(w, status, "login", nil, d)
}

// loginForm signs somebody in who has a password.
func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	d := loginPage{Next: localPath(r.PostForm.Get("next")), Name: r.PostForm.Get("username")}
	p, err := s.Auth.SignIn(w, r, d.Name, r.PostForm.Get("password"))
	switch {
	case errors.Is(err, auth.ErrOften):
		w.Header().Set("Retry-After", "60")
		d.Error = "There were too many wrong passwords. Wait a minute, then try again."
		return s.askAgain(w, r, http.StatusTooManyRequests, d)
	case errors.Is(err, auth.ErrWrong):
		s.log.Warn("sign-in refused", "remote", r.RemoteAddr)
		d.Error = "User name or password is not right."
		return s.askAgain(w, r, http.StatusUnauthorized, d)
	case err != nil:
		return err
	}
	s.log.Info("signed in", "user", p.Name, "role", p.Role, "remote", r.RemoteAddr)
	http.Redirect(w, r, d.Next, http.StatusSeeOther)
	return nil
}

// providerForm leads to the provider.
func (s *Server) providerForm(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	next := localPath(r.PostForm.Get("next"))
	at, err := s.Auth.BeginOIDC(w, r, next)
	if err != nil {
		s.log.Error("sign-in failed", "err", err)
		return s.askAgain(w, r, http.StatusBadGateway, loginPage{Next: next, Error: "The provider does not answer. The log says more."})
	}
	// Not a redirect: the policy for forms, which browsers apply to where their answers
	// lead, knows this server alone.
	d := leavePage{layout: s.layoutOf(r, "login", "Sign in"), Provider: s.Auth.Provider(), URL: at}
	return s.render(w, http.StatusOK, "leave", nil, d)
}

// leavePage leads to the provider.
type leavePage struct {
	layout
	Provider, URL string
}

// providerCallback is where the provider sends people back to.
func (s *Server) providerCallback(w http.ResponseWriter, r *http.Request) error {
	next, err := s.Auth.FinishOIDC(w, r)
	switch {
	case errors.Is(err, auth.ErrRole):
		s.log.Warn("sign-in refused", "err", err)
		return s.askAgain(w, r, http.StatusForbidden, loginPage{Next: "/", Error: "You are known to the provider, but none of your roles may come in here. Ask whoever runs SiteMon."})
	case err != nil:
		s.log.Warn("sign-in refused", "err", err)
		return s.askAgain(w, r, http.StatusUnauthorized, loginPage{Next: "/", Error: "Signing in at the provider did not work. Try again; the log says more."})
	}
	http.Redirect(w, r, localPath(next), http.StatusSeeOther)
	return nil
}

// logoutForm ends the session of the browser.
func (s *Server) logoutForm(w http.ResponseWriter, r *http.Request) error {
	s.Auth.SignOut(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}
