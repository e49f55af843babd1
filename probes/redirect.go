package probes

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sitemon"
)

// redirect makes the request that an answer asks for; nil where the answer is
// the last one. done counts the redirects followed before.
func (a *attempt) redirect(r *request, ans *answer, done int) (*request, error) {
	site := a.site.Request
	if !site.FollowRedirects || !redirecting(ans.resp.StatusCode) {
		return nil, nil
	}
	location := ans.resp.Header.Get("Location")
	if location == "" {
		return nil, nil // judged as it is
	}
	if done >= site.MaxRedirects {
		return nil, failf(sitemon.ReasonRedirect, nil, "more than %d redirects, the last one to %s", site.MaxRedirects, a.seenURL(location))
	}
	u, err := r.url.Parse(location)
	if err != nil || u.Hostname() == "" {
		return nil, failf(sitemon.ReasonRedirect, nil, "redirected to %s, which is no URL", a.seenURL(location))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, failf(sitemon.ReasonRedirect, nil, "redirected to %s, which is neither http nor https", a.seenURL(location))
	}
	next := *r
	next.url = u
	if u.Fragment == "" {
		u.Fragment = r.url.Fragment
	}
	next.rewrite(ans.resp.StatusCode)
	next.leave(r.url)
	next.collect(r.url, ans.resp)
	return &next, nil
}

func redirecting(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// rewrite turns the method into GET and drops the body where browsers and
// [http.Client] do.
func (r *request) rewrite(status int) {
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		return
	}
	if r.method != http.MethodGet && r.method != http.MethodHead {
		r.method = http.MethodGet
	}
	r.body = ""
	fields := make([]field, 0, len(r.fields))
	for _, f := range r.fields {
		if !strings.HasPrefix(f.name, "Content-") {
			fields = append(fields, f)
		}
	}
	r.fields = fields
}

// leave drops what is meant for the host before: its Host header, and all
// credentials where the new host is another one or the way there is not secret
// any more.
func (r *request) leave(from *url.URL) {
	if r.url.Host != from.Host {
		r.host = ""
	}
	if within(r.url.Hostname(), from.Hostname()) && (from.Scheme != "https" || r.url.Scheme == "https") {
		return
	}
	r.authorization, r.oauth = "", false
	fields := make([]field, 0, len(r.fields))
	for _, f := range r.fields {
		if !f.credential {
			fields = append(fields, f)
		}
	}
	r.fields = fields
}

// within reports whether host is parent or a subdomain of it.
func within(host, parent string) bool {
	host, parent = strings.ToLower(host), strings.ToLower(parent)
	return host == parent || !strings.Contains(host, ":") && strings.HasSuffix(host, "."+parent)
}

// maxAnswerCookies is how many cookies are taken of one answer: as many as RFC 6265
// wants kept of one host.
const maxAnswerCookies = 50

// collect takes the cookies of a redirect along, as a browser does: many sites
// redirect for ever without.
func (r *request) collect(from *url.URL, resp *http.Response) {
	if len(resp.Header["Set-Cookie"]) == 0 {
		return
	}
	if r.jar == nil {
		jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
		if err != nil {
			return // never: New knows no error
		}
		r.jar = jar
	}
	cookies := resp.Cookies()
	r.jar.SetCookies(from, cookies[:min(len(cookies), maxAnswerCookies)])
}
