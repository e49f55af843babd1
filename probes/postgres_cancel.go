package probes

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"sitemon"
)

const (
	// cancelReserve is how long before the end at most the connection is made by which a
	// query is cancelled, while it may still end by itself.
	cancelReserve = 500 * time.Millisecond
	// wordReserve is how much of the time at most is kept to say it.
	wordReserve = 50 * time.Millisecond
)

// canceller cancels the query of a session that takes too long, as a closed connection
// does not end one that waits or computes: those of one probe after the other would
// pile up in a database that is slow or locked, until it lets nobody in any more. It
// goes by a connection of its own, to the same address and with TLS as before, and is no
// part of the report.
type canceller struct {
	attempt attempt // of its own
	service service
	target  netip.AddrPort
	word    []byte
	stop    context.CancelFunc
	timer   *time.Timer
	made    chan struct{} // closed once the connection was tried to be made
	conn    net.Conn      // nil: there is none
	unwatch func() bool
	close   func() error
	ended   bool
}

// canceller gets ready to cancel the query that a session is about to run.
func (a *attempt) canceller(s *service, pg *pgconn.PgConn) *canceller {
	ctx, stop := context.WithCancel(a.ctx)
	own := attempt{set: a.set, ctx: ctx, site: a.site, start: a.start, deadline: a.deadline, secrets: slices.Clip(a.secrets)}
	c := &canceller{attempt: own, service: *s, stop: stop, made: make(chan struct{})}
	shown := *s.shown
	c.service.shown = &shown
	var err error
	if c.target, err = netip.ParseAddrPort(a.report.RemoteAddr); err == nil && pg.PID() != 0 && len(pg.SecretKey()) > 0 {
		c.word, _ = (&pgproto3.CancelRequest{ProcessID: pg.PID(), SecretKey: pg.SecretKey()}).Encode(nil)
	}
	left := time.Until(a.deadline)
	c.timer = time.AfterFunc(left-min(cancelReserve, left/5), c.make)
	return c
}

// make makes the connection.
func (c *canceller) make() {
	defer close(c.made)
	if len(c.word) == 0 {
		return
	}
	conn, err := c.attempt.connectTo([]netip.Addr{c.target.Addr()}, c.target.Port())
	if err != nil {
		return
	}
	c.unwatch = c.attempt.onCancel(conn)
	c.close = conn.Close
	if secure, err := c.attempt.postgresTLS(&c.service, conn); err == nil {
		c.conn = secure
	}
}

// end cancels the query if it is late, and leaves nothing behind.
func (c *canceller) end(late bool) {
	if c.ended {
		return
	}
	c.ended = true
	defer c.attempt.release()
	defer c.stop()
	if !late {
		c.stop()
	}
	if !c.timer.Stop() {
		<-c.made
	} else if late {
		c.make()
	}
	if c.close == nil {
		return
	}
	defer c.close() //nolint:errcheck // It has served.
	c.unwatch()
	if !late || c.conn == nil || c.conn.SetWriteDeadline(time.Now().Add(wordReserve)) != nil { // on a busy machine the time is over
		return
	}
	if _, err := c.conn.Write(c.word); err == nil {
		_, _ = io.CopyN(io.Discard, c.conn, 1) // the server closes once it has done so
	}
}

// untilCancel ends reading before the deadline does, so that there is time to cancel
// the query.
func (a *attempt) untilCancel(conn net.Conn) error {
	reserve := min(wordReserve, time.Until(a.deadline)/20)
	if err := conn.SetReadDeadline(a.deadline.Add(-reserve)); err != nil {
		return failf(sitemon.ReasonInternal, err, "set the deadline: %s", words(err))
	}
	if err := a.ctx.Err(); err != nil { // whose end may have set a deadline before
		return a.noAnswer(sitemon.ReasonProcessingTimeout, err, "connected, running the query")
	}
	return nil
}
