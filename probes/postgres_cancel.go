package probes

import (
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sitemon"
)

// cancelReserve is how much of the time at most is kept to cancel a query.
const cancelReserve = 500 * time.Millisecond

// untilCancel ends reading before the deadline does, so that there is time to cancel
// the query.
func (a *attempt) untilCancel(conn net.Conn) error {
	reserve := min(cancelReserve, time.Until(a.deadline)/5)
	if err := conn.SetReadDeadline(a.deadline.Add(-reserve)); err != nil {
		return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	if err := a.ctx.Err(); err != nil { // whose end may have set a deadline before
		return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, running the query")
	}
	return nil
}

// cancelQuery asks the server to cancel the query of a session, as a closed connection
// does not end one that waits or computes: those of one probe after the other would
// pile up in a database that is slow or locked, until it lets nobody in any more. It
// goes by a connection of its own, to the same address and with TLS as before, and is no
// part of the report.
func (a *attempt) cancelQuery(s *service, pg *pgconn.PgConn) {
	target, err := netip.ParseAddrPort(a.report.RemoteAddr)
	if err != nil || pg.PID() == 0 || len(pg.SecretKey()) == 0 {
		return
	}
	report, shown := a.report, *s.shown
	defer func() { a.report, *s.shown = report, shown }()
	conn, err := a.connectTo([]netip.Addr{target.Addr()}, target.Port())
	if err != nil {
		return
	}
	defer conn.Close()
	defer a.onCancel(conn)()
	if conn, err = a.postgresTLS(s, conn); err != nil {
		return
	}
	wire, err := (&pgproto3.CancelRequest{ProcessID: pg.PID(), SecretKey: pg.SecretKey()}).Encode(nil)
	if err != nil {
		return
	}
	if _, err := conn.Write(wire); err == nil {
		_, _ = io.CopyN(io.Discard, conn, 1) // the server closes once it has done so
	}
}
