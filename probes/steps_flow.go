package probes

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"time"

	"sitemon"
	"sitemon/expression"
)

// evidenceStepURL is how much of a step's address goes into the evidence.
const evidenceStepURL = 120

// flow is what the steps of one probe share.
type flow struct {
	site   *sitemon.Site // as it is without any step
	base   *url.URL
	values map[string]string // what was captured
	jar    *cookiejar.Jar    // nil without cookies
	conns  []*httpConn       // idle, one an origin
	lines  []stepLine        // of the steps that were begun
	began  time.Time         // the present step,
	before sitemon.Phases    // and the phases until then
	// slow is what a step was that degrades the site, the first of them; those after
	// it are made all the same.
	slow verdict
}

// stepLine is what evidence says of a step.
type stepLine struct {
	url      string
	status   int
	took     time.Duration
	captured []string // names
	reason   sitemon.Reason
}

// received keeps the cookies of an answer that is the last one of its step.
func (f *flow) received(r *request, resp *http.Response) {
	r.collect(r.url, resp)
	f.jar = r.jar
}

// take hands out the connection to r's origin. A request that must not be sent
// twice only goes by one that tells when it is closed.
func (f *flow) take(r *request) *httpConn {
	for i, c := range f.conns {
		if c.origin == r.origin() && (c.multiplexed() || repeatable(r.method)) {
			f.conns = slices.Delete(f.conns, i, i+1)
			return c
		}
	}
	return nil
}

// put keeps a connection for the steps that follow.
func (f *flow) put(c *httpConn) {
	c.kept = true
	for i, old := range f.conns {
		if old.origin == c.origin {
			old.close()
			f.conns[i] = c
			return
		}
	}
	f.conns = append(f.conns, c)
}

func (f *flow) close() {
	for _, c := range f.conns {
		c.close()
	}
	f.conns = nil
}

// ownTime makes what a step's own conditions read about time that of the step alone.
func (f *flow) ownTime(env *expression.Environment, phases sitemon.Phases) {
	if e := f.site.Steps[len(f.lines)-1].Expect; e == nil || e.Expr == nil {
		return
	}
	env.Latency = time.Since(f.began)
	env.Phases = expression.Phases{
		Resolve: phases.Resolve - f.before.Resolve, Connect: phases.Connect - f.before.Connect, TLS: phases.TLS - f.before.TLS,
		Processing: phases.Processing - f.before.Processing, Transfer: phases.Transfer - f.before.Transfer,
	}
}

// evidence has one line for each step.
func (f *flow) evidence(a *attempt) []sitemon.EvidenceStep {
	lines := make([]sitemon.EvidenceStep, len(f.site.Steps))
	for i := range lines {
		lines[i].Name = shorten(visible(f.site.Steps[i].Name), evidenceName)
		if i >= len(f.lines) {
			continue
		}
		l := &f.lines[i]
		lines[i].StatusCode, lines[i].DurationUS, lines[i].Reason = l.status, l.took.Microseconds(), l.reason
		if l.url != "" {
			lines[i].URL = shorten(a.evidenceURL(l.url), evidenceStepURL)
		}
	}
	return lines
}

// detailSteps keeps the steps for who asked for details.
func (a *attempt) detailSteps() {
	if a.detail == nil {
		return
	}
	for i, line := range a.flow.evidence(a) {
		s := Step{EvidenceStep: line}
		if i < len(a.flow.lines) {
			s.Captured = a.flow.lines[i].captured
		}
		a.detail.Steps = append(a.detail.Steps, s)
	}
	// What was noted before may hold what was captured after.
	for i := range a.detail.Checks {
		c := &a.detail.Checks[i]
		c.Expected, c.Seen = a.redact(c.Expected), a.redact(c.Seen)
	}
	for _, hop := range a.detail.Hops {
		for _, values := range hop.Headers {
			for i := range values {
				values[i] = a.redact(values[i])
			}
		}
	}
}
