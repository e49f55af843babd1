package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sitemon"
)

const postgresPort = 5432

// probePostgres signs in and runs the query.
func probePostgres(a *attempt) error {
	s, err := a.service("QUERY", postgresPort)
	if err != nil {
		return err
	}
	asked := sitemon.DefaultPostgresRequest()
	if a.site.Request.Postgres != nil {
		asked = *a.site.Request.Postgres
	}
	query, err := a.expand(asked.Query)
	if err != nil {
		return err
	}
	s.shown.sent = map[string]string{"Query": query}
	conn, end, err := a.reach(s)
	if err != nil {
		return err
	}
	defer end()
	if conn, err = a.postgresTLS(s, conn); err != nil {
		return err
	}
	limit := a.bodyLimit()
	m := newMessages(conn, 2*limit+wireLimit)
	pg, err := a.signInto(s, conn, m)
	if err != nil {
		a.timed(m.answers)
		return a.postgresFailure(s, m, err, "signing in")
	}
	s.shown.fields = map[string]string{"Server-Version": pg.ParameterStatus("server_version")}
	if standby := pg.ParameterStatus("in_hot_standby"); standby != "" {
		s.shown.fields["In-Hot-Standby"] = standby
	}
	c := a.canceller(s, pg)
	defer c.end(false)
	if err = a.untilCancel(conn); err == nil {
		err = a.query(s, pg, m, query)
	}
	a.timed(m.answers)
	c.end(err != nil && timedOut(m.err) && !errors.Is(a.ctx.Err(), context.Canceled))
	if err != nil {
		conn.Close()
		awaitClean(pg)
		return a.postgresFailure(s, m, err, "running the query")
	}
	return a.conclude(func(v *verdict) {
		if !v.quiet(true) {
			v.note(true, "", "", Check{Name: "query", Expected: "to run", Seen: s.shown.status}, "")
		}
		v.ans.body = s.shown.body
		v.bodies(s.shown.body)
	})
}

// postgresTLS begins TLS where the site's sslmode wants it.
func (a *attempt) postgresTLS(s *service, conn net.Conn) (net.Conn, error) {
	mode := s.url.Query().Get("sslmode")
	if mode == "" {
		mode = "prefer"
		if a.site.Request.TLS != nil {
			mode = "verify-full"
		}
	}
	s.shown.protocol = ""
	if mode == "disable" {
		return conn, nil
	}
	request, _ := (&pgproto3.SSLRequest{}).Encode(nil)
	if _, err := conn.Write(request); err != nil {
		return nil, a.unsent(err, "asking for TLS")
	}
	r := newAnswers(conn, 1)
	answer := []byte{0}
	_, err := io.ReadFull(r, answer)
	a.timed(r)
	switch {
	case err != nil:
		return nil, a.unheard(r, err, "Postgres", "asking for TLS")
	case answer[0] == 'N' && mode == "prefer":
		return conn, nil
	case answer[0] == 'N':
		return nil, failf(sitemon.ReasonTLSError, nil, "the server does not speak TLS, and sslmode is %s", mode)
	case answer[0] == 'E': // it has no room for another process, or does not know the question
		s.shown.protocol, s.shown.status = "PostgreSQL", "ERROR"
		return nil, failf(sitemon.ReasonStatus, nil, "the server answered with an error, of which nothing may be believed before TLS (asking for TLS)")
	case answer[0] != 'S':
		return nil, failf(sitemon.ReasonProtocol, nil, "what answers is not Postgres: its answer begins with %q", answer)
	}
	return a.tlsTo(conn, s.host, a.postgresVerifies(mode))
}

// postgresVerifies is what a mode wants of the certificate, in the words of
// [attempt.tlsTo]. Where there are authorities for it, "require" is "verify-ca", as
// libpq has it.
func (a *attempt) postgresVerifies(mode string) string {
	t := a.site.Request.TLS
	switch {
	case t != nil && t.InsecureSkipVerify:
		return "none"
	case mode == "verify-full":
		return ""
	case mode == "verify-ca", mode == "require" && t != nil && (t.CA != "" || t.CAFile != ""):
		return "ca"
	}
	return "none"
}

// signInto starts a session on a connection. The library opens none, reads no
// environment, and watches over nothing: the connection's deadline ends it.
func (a *attempt) signInto(s *service, conn net.Conn, m *messages) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig("host=localhost port=5432 user=postgres sslmode=disable")
	if err != nil {
		return nil, failf(sitemon.ReasonInternal, nil, "the environment has settings of Postgres that can't be used: %v", err)
	}
	conns := make(chan net.Conn, 1)
	conns <- onlyWritten{conn}
	cfg.Host, cfg.Port, cfg.Database, cfg.User, cfg.Password = "server", s.port, s.path(), s.user, s.password
	cfg.TLSConfig, cfg.Fallbacks, cfg.ConnectTimeout, cfg.ValidateConnect = nil, nil, 0, nil
	cfg.RuntimeParams = map[string]string{"application_name": a.set.userAgent}
	cfg.RequireAuth, cfg.ChannelBinding, cfg.SSLCertMode, cfg.OAuthTokenProvider = "", "", "", nil
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"server"}, nil }
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-conns:
			return c, nil
		default:
			return nil, net.ErrClosed // it would cancel what it has given up on
		}
	}
	cfg.BuildFrontend = func(_ io.Reader, w io.Writer) *pgproto3.Frontend { return pgproto3.NewFrontend(m, w) }
	cfg.MaxProtocolMessageBodyLen = int(a.bodyLimit() + wireLimit)
	return pgconn.ConnectConfig(a.shielded(), cfg)
}

// onlyWritten is the connection as the library has it. Where a write takes longer than
// some milliseconds, as on a busy machine, the library reads in the background, and the
// answer would be lost to [messages], through which all else is read.
type onlyWritten struct{ net.Conn }

// Read implements [net.Conn]; it ends the reading in the background.
func (onlyWritten) Read([]byte) (int, error) { return 0, net.ErrClosed }

// query runs the query and keeps its rows as text: columns with tabs between them, a
// row a line.
func (a *attempt) query(s *service, pg *pgconn.PgConn, m *messages, query string) error {
	limit := a.bodyLimit()
	m.again()
	rows := 0
	results := pg.Exec(a.shielded(), query)
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
			if rows++; rows > 1 {
				s.shown.body = append(s.shown.body, '\n')
			}
			for i, v := range r.Values() {
				if i > 0 {
					s.shown.body = append(s.shown.body, '\t')
				}
				s.shown.body = append(s.shown.body, v...)
			}
			if int64(len(s.shown.body)) > limit {
				s.shown.body, s.shown.more, a.report.BodyTruncated = s.shown.body[:limit], true, true
				s.shown.protocol, s.shown.status = m.protocol(), "rows"
				return nil // the connection is closed rather than read to its end
			}
		}
		tag, err := r.Close()
		if err != nil {
			return err
		}
		s.shown.status = tag.String()
	}
	if err := results.Close(); err != nil {
		return err
	}
	s.shown.protocol = m.protocol()
	return pg.Close(a.shielded())
}

// awaitClean waits until a session that the library gave up on has ended. Its
// connection is closed.
func awaitClean(pg *pgconn.PgConn) {
	if pg.IsClosed() {
		<-pg.CleanupDone()
	}
}

// postgresFailure sorts the ways in which a session fails.
func (a *attempt) postgresFailure(s *service, m *messages, err error, doing string) error {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		s.shown.protocol, s.shown.status = m.protocol(), shorten(visible(a.redact(refusal.Severity+" "+refusal.Code)), maxSeen)
		seen := strings.TrimSpace(refusal.Severity + " " + refusal.Code + ": " + refusal.Message)
		seen = shorten(visible(a.redact(seen)), maxSeen)
		return a.refused(Check{Name: doing, Expected: "no error", Seen: seen}, fmt.Sprintf("the server answered %s (%s)", seen, doing))
	}
	if m.err != nil {
		err = m.err
	}
	if long, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		err = long
	}
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok && !connectionLost(err) && !timedOut(err) {
		_, text, _ := strings.Cut(connect.Error(), "(server): ") // without the host that it was told
		return failf(sitemon.ReasonProtocol, err, "what answers is not Postgres, or can't be signed in to: %s", lastOf(text, connect.Error()))
	}
	return a.unheard(m.answers, err, "Postgres", doing)
}

// lastOf is the first text that is not empty.
func lastOf(texts ...string) string {
	return texts[max(slices.IndexFunc(texts, func(s string) bool { return s != "" }), 0)]
}
