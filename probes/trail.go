package probes

import (
	"crypto/tls"
	"net/http"
	"strings"
)

// trail is what a probe leaves behind, for the evidence of one that fails. To note
// it costs a healthy probe no more than a few pointers in its buffers; all work on
// it is left until there is something to explain.
type trail struct {
	hops     []hop     // the redirects that were followed
	request  *request  // the last one; nil: none was sent
	exchange *exchange // of a kind other than HTTP
	conn     *httpConn
	response *http.Response
	body     []byte // what was read of it; it belongs to the buffers
	more     bool   // the body goes on
	failed   []Check
	met      []Check  // where others failed
	tried    []string // addresses that could not be reached
	tls      tls.ConnectionState

	hidden  int // hops whose secrets are hidden,
	last    hop // and the exchange whose are
	forms   []string
	formsOf int // how many secrets the forms are of
}

// hop is an answer that was followed.
type hop struct {
	request  *request
	response *http.Response
}

// trail returns the attempt's.
func (a *attempt) trail() *trail { return &a.buffers().trail }

// reset makes the trail fit for another probe.
func (t *trail) reset() {
	hops := t.hops
	clear(hops)
	*t = trail{hops: hops[:0]}
}

// sending takes note that r is what the probe asks for now.
func (t *trail) sending(r *request) {
	t.request, t.conn, t.response, t.body, t.more, t.tls = r, nil, nil, nil, false, tls.ConnectionState{}
}

// state is the last handshake that brought a certificate, that of a kept connection
// too.
func (t *trail) state() tls.ConnectionState {
	if t.conn != nil && len(t.tls.PeerCertificates) == 0 {
		if t.conn.h3 != nil {
			return t.conn.h3.state
		} else if tc, ok := t.conn.Conn.(*tls.Conn); ok {
			return tc.ConnectionState()
		}
	}
	return t.tls
}

// follow takes note that the present answer is followed.
func (t *trail) follow() {
	t.hops = append(t.hops, hop{t.request, t.response})
}

// hideExchanged hides what was sent and came back on the way that may be secret:
// cookies, and credentials in the queries of redirects.
func (a *attempt) hideExchanged() {
	if a.bufs == nil {
		return // nothing was
	}
	t := a.trail()
	if t.request == nil {
		return
	}
	for ; t.hidden < len(t.hops); t.hidden++ {
		a.hideHop(t.hops[t.hidden])
	}
	if last := (hop{t.request, t.response}); last != t.last {
		t.last = last
		a.hideHop(last)
	}
}

func (a *attempt) hideHop(h hop) {
	a.hideQuery(h.request.url)
	if sent, ok := h.request.field("Cookie"); ok {
		for pair := range strings.SplitSeq(sent, ";") {
			_, value, _ := strings.Cut(pair, "=")
			a.hideCookie(strings.TrimSpace(value))
		}
	}
	if h.response == nil {
		return
	}
	for _, c := range h.response.Cookies() {
		a.hideCookie(c.Value)
	}
}

// hideCookie hides a cookie, unless it is too short to be a secret: one that says
// "en" must not take every "en" out of a text.
func (a *attempt) hideCookie(value string) {
	if len(value) >= minQuerySecret {
		a.hide(value)
	}
}
