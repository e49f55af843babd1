package probes

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// takeSteps makes the requests of a site that has several, one after the other,
// until one of them fails. The phases of the report are sums over them; all else
// is that of the last one that was made.
func (a *attempt) takeSteps() error {
	f := &flow{site: a.site, values: map[string]string{}}
	a.flow = f
	defer f.close()
	var err error
	if f.base, err = a.target(); err != nil {
		return err
	}
	for i := range f.site.Steps {
		if err = a.step(i); err != nil || a.report.Outcome != "" {
			a.failStep(i, err)
			if err != nil || a.report.Outcome != sitemon.OutcomeDegraded {
				break
			}
			a.postpone(i)
		}
	}
	a.detailSteps()
	return a.sumUp(err)
}

// postpone keeps what degrades the site until all steps are over.
func (a *attempt) postpone(i int) {
	f, r := a.flow, &a.report
	if f.slow.outcome == "" {
		text := r.Error
		if i < len(f.site.Steps)-1 {
			text = f.prefix(i) + text
		}
		f.slow.outcome, f.slow.reason, f.slow.texts = r.Outcome, r.Reason, []string{text}
	}
	r.Outcome, r.Reason, r.Error = "", "", ""
}

// step makes one request. Where its answer is not as expected, the report has an
// outcome.
func (a *attempt) step(i int) (err error) {
	f := a.flow
	a.beginStep(i)
	step := &f.site.Steps[i]
	line := &f.lines[i]
	checks, failed := 0, len(a.trail().failed)
	if a.detail != nil {
		checks = len(a.detail.Checks)
	}
	defer func() {
		line.took, line.status = time.Since(f.began), a.report.StatusCode
		if a.detail != nil {
			prefixChecks(a.detail.Checks[checks:], step.Name)
		}
		prefixChecks(a.trail().failed[failed:], step.Name)
		prefixChecks(a.trail().met, step.Name)
	}()
	r, err := a.stepRequest(step)
	if err != nil {
		return err
	}
	line.url = r.url.String()
	ans, err := a.fetch(r)
	if err != nil {
		return err
	}
	c := captures{verdict: verdict{attempt: a}, step: step}
	c.find(ans) // first of all, as what judging says is to be without them
	if err := a.judge(ans); err != nil || a.report.Outcome == sitemon.OutcomeDown {
		return err
	}
	c.keep(line)
	c.pace(time.Since(f.began))
	return c.end()
}

// beginStep makes the attempt ready for the next step.
func (a *attempt) beginStep(i int) {
	f := a.flow
	f.lines, f.began, f.before = append(f.lines, stepLine{}), time.Now(), a.report.Phases
	a.hideExchanged() // while the exchange is known
	t := a.trail()
	clear(t.hops)
	t.hops, t.hidden, t.tried, t.met = t.hops[:0], 0, nil, nil
	t.sending(nil)
	r := &a.report
	r.Duration, r.RemoteAddr, r.StatusCode, r.BodyBytes, r.BodyTruncated = 0, "", 0, 0, false
	a.site = stepSite(f.site, i)
}

// stepSite is the site as one of its steps has it.
func stepSite(site *sitemon.Site, i int) *sitemon.Site {
	step := &site.Steps[i]
	s, r := *site, *site.Request
	if step.Method != "" {
		r.Method, r.Body = step.Method, ""
	}
	r.Body = cmp.Or(step.Body, r.Body)
	if step.FollowRedirects != nil {
		r.FollowRedirects = *step.FollowRedirects
	}
	r.KeepAlive = true // until the last step is over
	s.Request = &r
	e := sitemon.Expect{}
	if step.Expect != nil {
		e = *step.Expect
	}
	if i == len(site.Steps)-1 {
		e = lastExpect(*site.Expect, &e)
	} else {
		e.Latency = 0 // which is judged as that of all steps
	}
	s.Expect, s.Steps = &e, nil
	return &s
}

// lastExpect is what is expected of the last step's answer: what the site expects,
// with the step's own keys before it.
func lastExpect(site sitemon.Expect, step *sitemon.Expect) sitemon.Expect {
	e := site
	if step.Status != nil {
		e.Status = step.Status
	}
	if step.HTTPVersions != nil {
		e.HTTPVersions = step.HTTPVersions
	}
	if step.BodyMatch != nil || step.BodyNotMatch != nil {
		e.BodyMatch, e.BodyNotMatch = step.BodyMatch, step.BodyNotMatch
	}
	if step.JSON != nil {
		e.JSON = step.JSON
	}
	if step.Expr != nil {
		e.Expr = step.Expr
	}
	if step.Headers != nil {
		e.Headers = slices.Clone(step.Headers)
		for _, h := range site.Headers {
			if !slices.ContainsFunc(step.Headers, func(o sitemon.HeaderPattern) bool { return strings.EqualFold(o.Name, h.Name) }) {
				e.Headers = append(e.Headers, h)
			}
		}
	}
	return e
}

// stepRequest makes the request of a step. What the site sends with all of them
// goes along, but its credentials only to its own host, as with redirects. To
// where a captured value leads, the step's own credentials do not go either.
func (a *attempt) stepRequest(step *sitemon.Step) (*request, error) {
	u, led, err := a.stepURL(step)
	if err != nil {
		return nil, err
	}
	r, own := a.site.Request, step.Headers
	home := within(u.Hostname(), a.flow.base.Hostname()) && (a.flow.base.Scheme != "https" || u.Scheme == "https")
	headers := slices.Clone(own)
	for _, h := range a.flow.site.Request.Headers {
		said := slices.ContainsFunc(own, func(o sitemon.Header) bool { return strings.EqualFold(o.Name, h.Name) })
		if !said && (home || !sitemon.CredentialName(h.Name) && !strings.EqualFold(h.Name, "Host")) {
			headers = append(headers, h)
		}
	}
	r.Headers = headers
	if !home || slices.ContainsFunc(own, func(h sitemon.Header) bool { return strings.EqualFold(h.Name, "Authorization") }) {
		r.BasicAuth, r.Authorization, r.OAuth2 = nil, nil, nil
	}
	q, err := a.prepareTo(u)
	if err != nil {
		return nil, err
	}
	q.jar = a.flow.jar
	if led {
		q.leave(a.flow.base)
	}
	return q, nil
}

// stepURL is where a step's request goes; led tells that a captured value chose
// the host.
func (a *attempt) stepURL(step *sitemon.Step) (u *url.URL, led bool, err error) {
	base := *a.flow.base
	if step.URL == "" {
		return &base, false, nil
	}
	address := "" // what was captured to begin with
	text, err := a.fill(step.URL, func(before, value string) string {
		if before == "" {
			address = value
		}
		return inURL(before, value)
	})
	if err != nil {
		return nil, false, err
	}
	u, err = base.Parse(text)
	plainText, fillErr := a.fill(step.URL, func(string, string) string { return "x" })
	plain, plainErr := base.Parse(plainText)
	led = fillErr == nil && (plainErr != nil || err != nil || plain.Host != u.Host || plain.Scheme != u.Scheme)
	switch {
	case err == nil && u.Hostname() != "" && (u.Scheme == "http" || u.Scheme == "https"):
	case led: // by the server, as with a redirect
		return nil, false, failf(sitemon.ReasonRedirect, nil, "a captured value leads to %s, which is neither http nor https", a.seenURL(text))
	default:
		return nil, false, failf(sitemon.ReasonInternal, nil, "the URL of the step can't be read")
	}
	if u.User == nil && u.Host == base.Host {
		u.User = base.User
	}
	a.hideQuery(u)
	if !strings.Contains(sitemon.RedactURL(u.String()), address) {
		a.hideAddress(u)
	}
	return u, led, nil
}

// hideAddress hides all but the host of an address that was captured, and is not
// written any more as it was.
func (a *attempt) hideAddress(u *url.URL) {
	for _, part := range []string{u.Path, u.EscapedPath(), u.RawQuery, u.Fragment, u.EscapedFragment()} {
		if part != "/" {
			a.hide(part)
		}
	}
}

// placing says how a captured value is written into a text; before is what stands
// there already.
type placing func(before, value string) string

func asIs(_, value string) string { return value }

// inURL writes a value as one segment of a path or one value of a query, but
// where the address begins with it.
func inURL(before, value string) string {
	switch {
	case before == "":
		return value
	case strings.Contains(before, "?"):
		return url.QueryEscape(value)
	case strings.Trim(value, ".") == "": // which would take a part of the path away
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return url.PathEscape(value)
}

// fill replaces the ${…} references of a text by their values, and in a step the
// {{name}}s by what was captured. Neither is looked for in what the other put in.
func (a *attempt) fill(text string, place placing) (string, error) {
	if a.flow == nil || !strings.Contains(text, "{{") {
		return a.expand(text)
	}
	var (
		b   strings.Builder
		err error
	)
	sitemon.EachPlaceholder(text, func(literal string) {
		expanded, failed := a.expand(literal)
		b.WriteString(expanded)
		err = cmp.Or(err, failed)
	}, func(name string) {
		value, ok := a.flow.values[name]
		if !ok {
			err = cmp.Or(err, error(failf(sitemon.ReasonInternal, nil, "no step has captured {{%s}}", name)))
		}
		b.WriteString(place(b.String(), value))
	})
	return b.String(), err
}

// failStep notes which step failed.
func (a *attempt) failStep(i int, err error) {
	line := &a.flow.lines[i]
	if line.reason = a.report.Reason; err != nil {
		line.reason = asFailure(err).reason
	}
}

// sumUp ends the report: with the step that failed named before the words, or with
// what degrades the site.
func (a *attempt) sumUp(err error) error {
	f, r := a.flow, &a.report
	last := len(f.lines) - 1
	switch {
	case err != nil && last >= 0:
		failed := asFailure(err)
		return &failure{failed.reason, f.prefix(last) + failed.text, failed}
	case err != nil:
		return err
	case r.Outcome != "":
		r.Error = shorten(f.prefix(last)+r.Error, maxError)
	case f.slow.outcome != "":
		r.Outcome, r.Reason, r.Error = f.slow.outcome, f.slow.reason, shorten(a.redact(f.slow.texts[0]), maxError)
	}
	return nil
}

// prefix names a step in an error.
func (f *flow) prefix(i int) string { return fmt.Sprintf("step %d (%s): ", i+1, f.site.Steps[i].Name) }

func prefixChecks(checks []Check, step string) {
	for i := range checks {
		checks[i].Name = step + ": " + checks[i].Name
	}
}
