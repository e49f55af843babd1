package probes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"sitemon"
)

const (
	// wireLimit is how many bytes a database or a broker may send in one probe beside
	// the text that is judged.
	wireLimit = 1 << 20
	// maxHashing is how many rounds of hashing a server may ask for to sign in by SCRAM:
	// they take a tenth of a second, which no deadline interrupts.
	maxHashing = 250_000
)

var (
	errWireLimit = errors.New("the answer is longer than it may be")
	errHashing   = fmt.Errorf("the server asks for more than %d rounds of hashing to sign in", maxHashing)
)

// service is a database or a broker, and who signs in there.
type service struct {
	url            *url.URL // without the user
	host           string
	port           uint16
	user, password string
	shown          *exchange
}

// service reads the site's URL. Its user and password may hold any character where
// they come from references; written out they are percent-encoded.
func (a *attempt) service(method string, port uint16) (*service, error) {
	written := sitemon.ParseServiceURL(a.site.URL)
	raw, err := a.expand(written.Address)
	if err != nil {
		return nil, err
	}
	s := &service{shown: &exchange{method: method, url: a.site.URL}}
	if s.url, err = parseURL(raw); err != nil {
		return nil, err
	}
	a.hideQuery(s.url)
	if s.user, err = a.userText(written.User); err != nil {
		return nil, err
	}
	if s.password, err = a.userText(written.Password); err != nil {
		return nil, err
	}
	a.hide(s.password)
	if s.port, err = portNumber(s.url.Port(), port); err != nil {
		return nil, err
	}
	s.host, err = asciiHost(s.url.Hostname())
	a.asking(s.shown)
	return s, err
}

func (a *attempt) userText(text string) (string, error) {
	if strings.Contains(text, "${") {
		return a.expand(text)
	}
	plain, err := url.PathUnescape(text)
	if err != nil {
		return "", failf(sitemon.ReasonInternal, nil, "the user or the password in the URL is not percent-encoded as it has to be")
	}
	return plain, nil
}

// path is what the URL names behind the host.
func (s *service) path() string { return strings.Trim(s.url.Path, "/") }

// reach opens a connection to the service. The function it returns closes it.
func (a *attempt) reach(s *service) (net.Conn, func(), error) {
	conn, err := a.open(s.host, s.port)
	if err != nil {
		return nil, nil, err
	}
	stop := a.onCancel(conn)
	end := func() { stop(); conn.Close() }
	if err := noDelay(conn); err != nil {
		end()
		return nil, nil, err
	}
	return conn, end, nil
}

// shielded is ctx without its end: libraries that watch for it start goroutines, and
// the connection's deadline is enough.
func (a *attempt) shielded() context.Context { return context.WithoutCancel(a.ctx) }

// answers reads what a service sends, no more than it may, and knows when the answer
// to the last question began.
type answers struct {
	io.Reader
	left  int64
	n     int64
	asked time.Time
	first time.Time // zero: nothing came yet
}

func newAnswers(conn io.Reader, limit int64) *answers {
	return &answers{Reader: conn, left: limit, asked: time.Now()}
}

// Read implements [io.Reader].
func (r *answers) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errWireLimit
	}
	n, err := r.Reader.Read(p[:min(int64(len(p)), r.left)])
	if n > 0 && r.first.IsZero() {
		r.first = time.Now()
	}
	r.n += int64(n)
	r.left -= int64(n)
	return n, err
}

// again is called before another question is asked.
func (r *answers) again() { r.first = time.Time{} }

// timed adds what asking took to the phases: all until the answer to the last question
// began is processing.
func (a *attempt) timed(r *answers) {
	now := time.Now()
	first := r.first
	if first.IsZero() {
		first = now
	}
	a.report.Phases.Processing += first.Sub(r.asked)
	a.report.Phases.Transfer += now.Sub(first)
	a.report.BodyBytes = r.n
}

// unheard is the failure of a question; whom names the kind of server that was meant.
func (a *attempt) unheard(r *answers, err error, whom, doing string) error {
	began := !r.first.IsZero()
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	switch {
	case (timedOut(err) || a.ctx.Err() != nil) && began:
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, fmt.Sprintf("connected, %s, %d bytes so far", doing, r.n))
	case timedOut(err) || a.ctx.Err() != nil:
		return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, "+doing)
	case errors.Is(err, errHashing), errors.Is(err, errWireLimit):
		return failf(sitemon.ReasonProtocol, err, "%s (%s)", words(err), doing)
	case connectionLost(err):
		return failf(sitemon.ReasonTransferError, err, "%s (%s)", words(err), doing)
	}
	return failf(sitemon.ReasonProtocol, err, "what answers is not %s: %s (%s)", whom, words(err), doing)
}

// unsent is the failure of a question that could not be asked.
func (a *attempt) unsent(err error, doing string) error {
	if timedOut(err) || a.ctx.Err() != nil {
		return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, "+doing)
	}
	return failf(sitemon.ReasonSendError, err, "%s (%s)", words(err), doing)
}

// refused makes a report of a service that answered, and not what is expected.
func (a *attempt) refused(c Check, text string) error {
	return a.conclude(func(v *verdict) { v.note(false, sitemon.OutcomeDown, sitemon.ReasonStatus, c, text) })
}

// tlsTo shakes hands with a service. verify: "" as the site's tls_config has it,
// "none" any certificate, "ca" one of a trusted authority for any host.
func (a *attempt) tlsTo(conn net.Conn, host, verify string) (*tls.Conn, error) {
	cfg, err := a.tlsConfig(host, nil)
	if err != nil {
		return nil, err
	}
	if verify != "" {
		cfg.VerifyConnection = func(state tls.ConnectionState) error {
			a.recordCertificates(&state)
			if verify == "none" {
				return nil
			}
			return verifyChain(state.PeerCertificates, "", cfg.RootCAs)
		}
	}
	return a.shake(conn, cfg)
}

// bodyLimit is how much of a text is judged.
func (a *attempt) bodyLimit() int64 {
	if limit := a.site.Request.BodySizeLimit; limit > 0 {
		return limit
	}
	return defaultBodyLimit
}
