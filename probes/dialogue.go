package probes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"sitemon"
)

const (
	// maxLine is how long a line of a dialogue may be.
	maxLine = 64 << 10
	// readChunk is how much is read of one at a time.
	readChunk = 4 << 10
)

// dialogue is what is said on a connection, line by line.
type dialogue struct {
	a        *attempt
	conn     net.Conn
	host     string
	captures bool     // a step sends what an expression has captured
	groups   [][]byte // that the last expression captured
	buf      []byte   // all that came
	at       int      // how much of it has been judged
	sent     []string
	signIn   sitemon.SignIn
	protocol string
	shown    *exchange
	met      []Check // expectations that were met, where somebody asks
}

// converse says what a site's query_response has.
func (a *attempt) converse(conn net.Conn, host string, protocol string) error {
	d := &dialogue{a: a, conn: conn, host: host, protocol: protocol, shown: &exchange{method: "CONNECT", url: a.site.URL}}
	d.shown.fill = func() {
		if len(d.buf) > 0 {
			d.shown.protocol = d.protocol
		}
		if len(d.sent) > 0 {
			d.shown.sent = map[string]string{"Sent": strings.Join(d.sent, "\n")}
		}
		d.shown.body = bytes.ReplaceAll(d.buf, []byte("\r\n"), []byte("\n"))
	}
	a.asking(d.shown)
	if err := noDelay(conn); err != nil {
		return err
	}
	for _, step := range a.site.Request.QueryResponse {
		sitemon.EachCapture(step.Send, func(string) {}, func(int) { d.captures = true })
	}
	d.buf = a.buffers().body[:0]
	defer func() { a.buffers().body = d.buf }()
	for i, step := range a.site.Request.QueryResponse {
		done, err := d.step(i, step)
		if err != nil || !done {
			return err
		}
	}
	a.report.BodyBytes = int64(len(d.buf))
	return a.conclude(func(v *verdict) {
		for _, c := range d.met {
			v.note(true, "", "", c, "")
		}
	})
}

// step does one step. done is false where it was not met, which the report says
// then.
func (d *dialogue) step(i int, step sitemon.DialogueStep) (done bool, err error) {
	if step.Expect != nil {
		if done, err = d.expect(i, *step.Expect); err != nil || !done {
			return done, err
		}
	}
	if step.Send != "" {
		if err := d.send(step.Send); err != nil {
			return false, err
		}
	}
	if step.StartTLS {
		return true, d.startTLS()
	}
	return true, nil
}

// expect reads lines until one matches.
func (d *dialogue) expect(i int, p sitemon.Pattern) (bool, error) {
	began, from := time.Now(), d.at
	first := time.Time{} // when something came
	if d.at < len(d.buf) {
		first = began
	}
	for {
		line, readErr := d.line(&first)
		whole := readErr == nil || errors.Is(readErr, io.EOF) && len(line) > 0 // the last line needs no end
		matched, complete := false, true
		if whole {
			matched, complete = d.match(p, line)
		}
		if !complete {
			return false, failf(sitemon.ReasonMonitorOverloaded, d.a.ctx.Err(), "the expression %q could not be matched in time against %d bytes", p.String(), len(line))
		}
		if whole && !matched && readErr == nil {
			continue
		}
		d.timed(began, first)
		if readErr != nil && matched {
			d.at = len(d.buf)
		}
		if !matched {
			return false, d.unmet(i, p, from, readErr)
		}
		if d.a.detail != nil {
			d.met = append(d.met, d.check(i, p, line))
		}
		return true, nil
	}
}

// match matches within the probe's deadline, and keeps what was captured where that
// is sent later.
func (d *dialogue) match(p sitemon.Pattern, line []byte) (matched, complete bool) {
	stop := func() bool { return d.a.ctx.Err() != nil }
	if !d.captures {
		return p.MatchUntil(line, stop)
	}
	groups, complete := p.Submatches(line, stop)
	if groups == nil {
		return false, complete
	}
	d.groups = d.groups[:0]
	for _, g := range groups {
		d.groups = append(d.groups, bytes.Clone(g))
	}
	return true, complete
}

func (d *dialogue) check(i int, p sitemon.Pattern, seen []byte) Check {
	return Check{Name: fmt.Sprintf("query_response %d", i+1), Expected: "a line that matches " + fmt.Sprintf("%q", p.String()), Seen: d.a.seen(seen)}
}

// timed adds the time that an answer took to the phases.
func (d *dialogue) timed(began, first time.Time) {
	now := time.Now()
	if first.IsZero() {
		first = now
	}
	d.a.report.Phases.Processing += first.Sub(began)
	d.a.report.Phases.Transfer += now.Sub(first)
}

var (
	errLongLine = errors.New("a line is longer than 64 KiB")
	errTooMuch  = errors.New("too much was sent")
)

// line returns the next line without its end. An error comes with the beginning of
// a line, if there is one.
func (d *dialogue) line(first *time.Time) ([]byte, error) {
	limit := d.a.bodyLimit()
	for from := d.at; ; {
		if i := bytes.IndexByte(d.buf[from:], '\n'); i >= 0 {
			line := bytes.TrimSuffix(d.buf[d.at:from+i], []byte("\r"))
			d.at = from + i + 1
			return line, nil
		}
		from = len(d.buf)
		switch {
		case len(d.buf)-d.at > maxLine:
			return nil, errLongLine
		case int64(len(d.buf)) >= limit:
			return nil, errTooMuch
		}
		d.buf = slices.Grow(d.buf, readChunk)
		n, err := d.conn.Read(d.buf[from : from+int(min(readChunk, limit-int64(from)))])
		d.buf = d.buf[:from+n]
		if n > 0 && first.IsZero() {
			*first = time.Now()
		}
		if err != nil && n == 0 {
			return d.buf[d.at:], err
		}
	}
}

// unmet is the failure of an expectation, with what came since from: nothing, or
// something else.
func (d *dialogue) unmet(i int, p sitemon.Pattern, from int, err error) error {
	a := d.a
	a.report.BodyBytes = int64(len(d.buf))
	lines, begun := d.at > from, len(d.buf) > d.at
	waiting := fmt.Sprintf("waiting for a line that matches %q", p.String())
	late := timedOut(err) || a.ctx.Err() != nil
	switch {
	case errors.Is(err, errLongLine):
		return failf(sitemon.ReasonProtocol, err, "a line is longer than 64 KiB (%s)", waiting)
	case late && !lines && begun:
		return a.noAnswer(sitemon.ReasonTransferTimeout, err, fmt.Sprintf("connected, %s, %d bytes of a line so far", waiting, len(d.buf)-d.at))
	case late && !lines:
		return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, "+waiting)
	case !late && !lines && !begun:
		return failf(sitemon.ReasonTransferError, err, "%s (%s)", words(err), waiting)
	}
	c := d.check(i, p, bytes.TrimSpace(d.buf[from:]))
	end := words(err)
	switch {
	case errors.Is(err, errTooMuch):
		a.report.BodyTruncated = true
		end = fmt.Sprintf("that is all of the first %d bytes", len(d.buf))
	case late:
		end = fmt.Sprintf("nothing more came within %s", a.patience())
	}
	return a.conclude(func(v *verdict) {
		for _, met := range d.met {
			v.note(true, "", "", met, "")
		}
		v.note(false, sitemon.OutcomeDown, sitemon.ReasonBody, c, fmt.Sprintf("answer %s, expected %s (%s)", c.Seen, c.Expected, end))
	})
}

// send sends one line.
func (d *dialogue) send(text string) error {
	line, err := d.fillIn(text)
	if err != nil {
		return err
	}
	d.note(line)
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	if _, err := io.WriteString(d.conn, line); err != nil {
		doing := fmt.Sprintf("sending line %d", len(d.sent))
		if timedOut(err) || d.a.ctx.Err() != nil {
			return d.a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, "+doing)
		}
		return failf(sitemon.ReasonSendError, err, "%s (%s)", words(err), doing)
	}
	return nil
}

// note keeps a line that is sent for people to see, and what is said there to sign
// in for nobody.
func (d *dialogue) note(line string) {
	if before, credential, ok := d.signIn.Cut(line); ok {
		for word := range strings.FieldsSeq(credential) {
			if len(word) >= minQuerySecret {
				d.a.hide(word)
			}
		}
		line = before + sitemon.Redacted
	}
	if len(line) > evidenceText { // which is all that is shown of them together
		line = d.a.beginning([]byte(line), false, evidenceText)
	}
	d.sent = append(d.sent, line)
}

// fillIn replaces the references of a line, and then what stands for what the other
// side has sent, in which nothing is replaced any more.
func (d *dialogue) fillIn(text string) (string, error) {
	var b strings.Builder
	var failed error
	sitemon.EachCapture(text, func(literal string) {
		s, err := d.a.expand(literal)
		failed = errors.Join(failed, err)
		b.WriteString(s)
	}, func(n int) {
		if n < len(d.groups) {
			b.Write(d.groups[n])
		}
	})
	if f, ok := errors.AsType[*failure](failed); ok {
		return "", f
	}
	return b.String(), nil
}

// startTLS goes on by TLS. What came before, and nobody waited for, does not count
// as said behind its protection.
func (d *dialogue) startTLS() error {
	if d.at < len(d.buf) {
		return failf(sitemon.ReasonProtocol, nil, "the server sent more before TLS began: %s", d.a.seen(d.buf[d.at:]))
	}
	tc, err := d.a.handshake(d.conn, d.host, nil)
	if err != nil {
		return err
	}
	d.conn = tc
	d.protocol = "TCP, STARTTLS"
	return nil
}
