package probes_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"sitemon/probes"
)

// pgMessages are messages of a Postgres server one after the other.
func pgMessages(messages ...pgproto3.BackendMessage) string {
	var b []byte
	for _, m := range messages {
		b, _ = m.Encode(b)
	}
	return string(b)
}

// pgWelcome lets somebody in.
var pgWelcome = pgMessages(&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "17.1"}, &pgproto3.ReadyForQuery{TxStatus: 'I'})

// pgRows are the answer to a query.
var pgRows = pgMessages(
	&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("n")}}},
	&pgproto3.DataRow{Values: [][]byte{[]byte("7")}},
	&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})

// pgStarted reads what a client of Postgres says first, and goes on with then.
func pgStarted(then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		var length [4]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(length[:]))-4); err == nil {
			then(c)
		}
	}
}

// pgAsked reads a further message of a client, and goes on with then.
func pgAsked(then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
			pgStarted(then)(c)
		}
	}
}

// A write that takes its time, as on a busy machine, loses nothing of the answer.
func TestPostgresSlowWrite(t *testing.T) {
	t.Parallel()
	addr := listen(t, pgStarted(writes(pgWelcome, func(c net.Conn) {
		time.Sleep(200 * time.Millisecond) // the query fills the buffers until then
		pgAsked(writes(pgRows, silent))(c)
	})))
	site := newSite(t, "postgres://monitor@"+addr+"/shop?sslmode=disable", runs("SELECT 7 --"+strings.Repeat("x", 32<<20)), bodyMatches(t, "^7$"))
	wantReport(t, newSet(t, probes.Options{}).Probe(deadline(t, secureTimeout), site), "up", "", "")
}
