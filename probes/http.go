package probes

import (
	"net/http"
	"time"

	"sitemon"
)

// probeHTTP requests the site's URL, follows redirects, reads the body of the
// last answer and judges it.
func probeHTTP(a *attempt) error {
	if len(a.site.Steps) > 0 {
		return a.takeSteps()
	}
	r, err := a.prepare()
	if err != nil {
		return err
	}
	ans, err := a.fetch(r)
	if err != nil {
		return err
	}
	return a.judge(ans)
}

// fetch requests r, follows redirects and reads the body of the last answer.
func (a *attempt) fetch(r *request) (*judged, error) {
	for redirects := 0; ; redirects++ {
		ans, err := a.request(r)
		if err != nil {
			return nil, err
		}
		next, err := a.redirect(r, ans, redirects)
		if err != nil {
			ans.discard()
			return nil, err
		}
		if next != nil {
			a.trail().follow()
			ans.discard()
			r = next
			continue
		}
		body, err := a.readBody(ans)
		ans.done(err == nil && !a.report.BodyTruncated)
		if err != nil {
			return nil, err
		}
		resp := ans.resp
		if r.oauth && resp.StatusCode == http.StatusUnauthorized {
			a.set.tokens.drop(r.authorization)
		}
		if a.flow != nil {
			a.flow.received(r, resp)
		}
		return &judged{resp.Proto, resp.StatusCode, resp.Header, body}, nil
	}
}

// answer is a response of which the headers have been read.
type answer struct {
	attempt *attempt
	conn    *httpConn
	resp    *http.Response
	started time.Time // its first byte
}

// request sends r and reads the answer's headers, on a kept connection where the
// site has one that is still good.
func (a *attempt) request(r *request) (*answer, error) {
	a.report.CertificateExpiresAt = time.Time{}
	a.trail().sending(r)
	if a.site.Request.KeepAlive {
		if c := a.takeKept(r); c != nil {
			ans, err := a.exchange(c, r)
			if err == nil || !c.stale || !repeatable(r.method) {
				return ans, err
			}
			// Closed by the other side while it idled: a new one answers for it.
		}
	}
	c, err := a.connect(r)
	if err != nil {
		return nil, err
	}
	return a.exchange(c, r)
}

// takeKept hands out a connection that has served before; nil where there is none
// that r can go by.
func (a *attempt) takeKept(r *request) *httpConn {
	switch {
	case a.flow != nil:
		return a.flow.take(r)
	case repeatable(r.method):
		return a.set.kept.take(a.site, r.origin())
	}
	return nil
}

// repeatable reports whether a request may be sent twice (RFC 9110 section
// 9.2.2): only then is a connection used that may turn out to be closed.
func repeatable(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// exchange sends r on c and reads the answer's headers. On an error c is closed.
func (a *attempt) exchange(c *httpConn, r *request) (*answer, error) {
	a.report.RemoteAddr = c.remote
	a.report.CertificateExpiresAt = c.expires
	a.trail().conn = c
	var (
		resp *http.Response
		err  error
	)
	start := time.Now()
	first := start
	switch {
	case c.h3 != nil:
		resp, err = a.roundTrip3(c, r) //nolint:bodyclose // Its body ends with the connection, which answer.done sees to.
		first = time.Now()
	case c.h2 != nil:
		resp, err = a.roundTrip2(c, r) //nolint:bodyclose // As above.
		first = time.Now()
	default:
		resp, first, err = a.roundTrip1(c, r) //nolint:bodyclose // As above.
	}
	a.report.Phases.Processing += first.Sub(start)
	if err != nil {
		c.close()
		return nil, err
	}
	a.report.StatusCode = resp.StatusCode
	a.trail().response = resp
	if a.detail != nil {
		a.detail.recordHop(a, r, resp)
	}
	return &answer{a, c, resp, first}, nil
}

// discard gives an answer up whose body is of no interest.
func (ans *answer) discard() {
	a := ans.attempt
	if !a.site.Request.KeepAlive {
		ans.conn.close()
		return
	}
	_, err := a.readBody(ans)
	ans.done(err == nil && !a.report.BodyTruncated)
	a.report.BodyBytes, a.report.BodyTruncated = 0, false
}

// done gives the connection back: to be kept where the site wants that and the
// answer was read to its end.
func (ans *answer) done(complete bool) {
	a, c := ans.attempt, ans.conn
	switch {
	case !complete:
		c.close()
	case !a.site.Request.KeepAlive || ans.resp.Close:
		c.end()
	case !c.idle(a.bufs):
		c.close()
	case a.flow != nil:
		a.flow.put(c)
	default:
		a.set.kept.put(a.site, c)
	}
}

// phase adds the time since start to a phase and returns the present.
func phase(d *time.Duration, start time.Time) time.Time {
	now := time.Now()
	*d += now.Sub(start)
	return now
}

// waiting is the failure of a deadline that came before the headers had.
func (a *attempt) waiting(answered bool, err error) *failure {
	if answered {
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, "connected, receiving the headers")
	}
	return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, waiting for the first byte")
}
