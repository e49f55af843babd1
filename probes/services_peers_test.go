package probes_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sitemon"
)

// The secret of the sites that hostile services are asked with.
const serviceSecret = "hunter2-hunter2"

// spoiltText is what a service may say that must not be passed on as it is.
const spoiltText = "\x1b[31mno\x00\r\n\u202e " + serviceSecret + "\xff"

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

// pgRow is the beginning of the answer to a query, pgRows all of it.
var (
	pgRow = pgMessages(
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("n")}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte("7")}})
	pgRows = pgRow + pgMessages(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
)

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

// pgSays is a server that answers the first message, pgAnswers one that answers a query.
func pgSays(text string, last func(net.Conn)) func(net.Conn) { return pgStarted(writes(text, last)) }

func pgAnswers(text string, last func(net.Conn)) func(net.Conn) {
	return pgSays(pgWelcome, pgAsked(writes(text, last)))
}

// pgSCRAM is a server that asks for rounds of hashing.
func pgSCRAM(rounds string) func(net.Conn) {
	return pgSays(pgMessages(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}), func(c net.Conn) {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		_, _ = io.ReadFull(c, body)
		_, nonce, _ := strings.Cut(string(body), "r=")
		writes(pgMessages(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "x,s=c2FsdA==,i=" + rounds)}), silent)(c)
	})
}

func pgError(text string) string {
	return pgMessages(&pgproto3.ErrorResponse{Severity: "FATAL" + text, Code: "28P01", Message: text})
}

// postgresPeers are asked for a query without TLS, with a password.
var postgresPeers = []peer{
	{"good", pgAnswers(pgRows, silent), "", ""},
	{"silent after accept", silent, sitemon.ReasonProcessingTimeout, "connected, signing in"},
	{"closes at once", pgStarted(func(net.Conn) {}), sitemon.ReasonTransferError, "the connection was closed (signing in)"},
	{"resets", pgStarted(reset), sitemon.ReasonTransferError, "the connection was reset (signing in)"},
	{"garbage", pgSays("SSH-2.0-OpenSSH_9.9\r\n", silent), sitemon.ReasonProtocol, "what answers is not Postgres"},
	{"a web server", pgSays("HTTP/1.1 400 Bad Request\r\n\r\n", nil), sitemon.ReasonProtocol, "what answers is not Postgres"},
	{"half a head", pgSays("R\x00\x00", silent), sitemon.ReasonTransferTimeout, "signing in, 3 bytes so far"},
	{"half a message", pgSays("R\x00\x00\x00\x08\x00", silent), sitemon.ReasonTransferTimeout, "signing in, 6 bytes so far"},
	{"a byte at a time", pgSays("", drip("N\x00\x00\x10\x00xxxxxxxxxxxxxxxxxxxxxxxxxxxxx")), sitemon.ReasonTransferTimeout, "signing in"},
	{"a negative length", pgSays("R\xff\xff\xff\xff", silent), sitemon.ReasonProtocol, ""},
	{"a length of nothing", pgSays("R\x00\x00\x00\x00", silent), sitemon.ReasonProtocol, ""},
	{"a sign-in of a gigabyte", pgSays("R\x3f\xff\xff\xff", endless("x")), sitemon.ReasonProtocol, "longer than it may be"},
	{"a notice of a gigabyte", pgSays("N\x3f\xff\xff\xff", endless("x")), sitemon.ReasonProtocol, ""},
	{"endless notices", pgSays("", endless(pgMessages(&pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("x", 1000)}))), sitemon.ReasonProtocol, "longer than it may be"},
	{"endless settings", pgSays("", endless(pgMessages(&pgproto3.ParameterStatus{Name: "a", Value: "b"}))), sitemon.ReasonProtocol, "longer than it may be"},
	{"a way to sign in of its own", pgSays(pgMessages(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{spoiltText}}), silent), sitemon.ReasonProtocol, "can't be signed in to"},
	{"two thousand million rounds", pgSCRAM("2000000000"), sitemon.ReasonProtocol, "more than 250000 rounds of hashing"},
	{"rounds beyond numbers", pgSCRAM(strings.Repeat("9", 100)), sitemon.ReasonProtocol, "more than 250000 rounds of hashing"},
	{"rounds below nothing", pgSCRAM("-1"), sitemon.ReasonProtocol, "can't be signed in to"},
	{"rounds that are no number", pgSCRAM(spoiltText), sitemon.ReasonProtocol, "more than 250000 rounds of hashing"},
	{"an error full of what must not be shown", pgSays(pgError(spoiltText), nil), sitemon.ReasonStatus, "(signing in)"},
	{"an error of a megabyte", pgSays(pgError(strings.Repeat(spoiltText, 30000)), nil), sitemon.ReasonStatus, "(signing in)"},
	{"silent after the sign-in", pgAnswers("", silent), sitemon.ReasonProcessingTimeout, "connected, running the query"},
	{"closes after the sign-in", pgAnswers("", nil), sitemon.ReasonTransferError, "the connection was closed (running the query)"},
	{"resets after the sign-in", pgAnswers("", reset), sitemon.ReasonTransferError, "the connection was reset (running the query)"},
	{"stops amid the rows", pgAnswers(pgRow, silent), sitemon.ReasonTransferTimeout, "running the query"},
	{"closes amid the rows", pgAnswers(pgRow, nil), sitemon.ReasonTransferError, "the connection was closed (running the query)"},
	{"a row without columns said", pgAnswers(pgMessages(&pgproto3.DataRow{Values: [][]byte{[]byte("7")}}), silent), sitemon.ReasonTransferTimeout, ""},
	{"a row of a gigabyte", pgAnswers(pgRow+"D\x3f\xff\xff\xff", endless("x")), sitemon.ReasonProtocol, ""},
	{"endless rows", pgAnswers(pgRow, endless(pgMessages(&pgproto3.DataRow{Values: [][]byte{[]byte(strings.Repeat("x", 1000))}}))), "", ""},
	{"endless empty rows", pgAnswers(pgRow, endless(pgMessages(&pgproto3.DataRow{}))), sitemon.ReasonProtocol, "longer than it may be"},
	{"endless notices after the query", pgAnswers("", endless(pgMessages(&pgproto3.NoticeResponse{Message: "x"}))), sitemon.ReasonProtocol, "longer than it may be"},
	{"garbage after the sign-in", pgAnswers("\x00\x01\x02\x03\x04\x05", silent), sitemon.ReasonProtocol, "what answers is not Postgres"},
}

// redisPeers are asked to let a user in, for PING and for INFO.
var redisPeers = []peer{
	{"good", talks(nil, "", [2]string{"INFO", "+OK\r\n+PONG\r\n$9\r\nrole:easy\r\n"}), "", ""},
	{"silent after accept", silent, sitemon.ReasonProcessingTimeout, "waiting for the reply to AUTH"},
	{"closes at once", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, sitemon.ReasonTransferError, "the connection was closed (waiting for the reply to AUTH)"},
	{"resets", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); reset(c) }, sitemon.ReasonTransferError, "the connection was reset (waiting for the reply to AUTH)"},
	{"garbage", writes("SSH-2.0-OpenSSH_9.9\r\n", silent), sitemon.ReasonProtocol, "what answers is not Redis: it says"},
	{"an empty line", writes("\r\n", silent), sitemon.ReasonProtocol, "it sends an empty line"},
	{"half a line", writes("+O", silent), sitemon.ReasonTransferTimeout, "2 bytes so far"},
	{"a byte at a time", drip("+xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), sitemon.ReasonTransferTimeout, "bytes so far"},
	{"an endless line", endless("+x"), sitemon.ReasonProtocol, "it says"},
	{"a secret at the end of what is shown", writes(strings.Repeat("x", 190)+serviceSecret+"\r\n", silent), sitemon.ReasonProtocol, "it says"},
	{"an error full of what must not be shown", writes("-ERR "+strings.NewReplacer("\r", "", "\n", "").Replace(spoiltText)+"\r\n", silent), sitemon.ReasonStatus, "the reply to AUTH"},
	{"silent after the sign-in", writes("+OK\r\n", silent), sitemon.ReasonTransferTimeout, "waiting for the reply to PING"},
	{"closes after the sign-in", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); writes("+OK\r\n", nil)(c) }, sitemon.ReasonTransferError, "waiting for the reply to PING"},
	{"a text of nine exabytes", writes("+OK\r\n+PONG\r\n$9223372036854775807\r\n", endless("x")), sitemon.ReasonProtocol, "longer than it may be"},
	{"a text beyond numbers", writes("+OK\r\n+PONG\r\n$99999999999999999999999\r\n", silent), sitemon.ReasonProtocol, "it says"},
	{"a text of less than nothing", writes("+OK\r\n+PONG\r\n$-2\r\n", silent), sitemon.ReasonProtocol, "it says"},
	{"a text that is none", writes("+OK\r\n+PONG\r\n$-1\r\n", silent), sitemon.ReasonStatus, `the reply to INFO is "", expected a text`},
	{"a text a byte at a time", writes("+OK\r\n+PONG\r\n$1000\r\n", drip("x")), sitemon.ReasonTransferTimeout, "waiting for the reply to INFO"},
	{"a list of a gigabyte", writes("+OK\r\n+PONG\r\n*1000000000\r\n", endless("$1\r\nx\r\n")), sitemon.ReasonProtocol, `it says "*1000000000"`},
	{"INFO is refused", writes("+OK\r\n+PONG\r\n-NOPERM "+serviceSecret+"\r\n", silent), sitemon.ReasonStatus, `the reply to INFO is "NOPERM`},
	{"loading", writes("-LOADING Redis is loading the dataset in memory\r\n", silent), sitemon.ReasonStatus, `the reply to AUTH is "LOADING`},
}

// kafkaAnswer is an answer to the last request read; the first of its bytes are its length.
func kafkaAnswer(id []byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	return append(append(b, id...), body...)
}

// kafkaTalks answers a request after the other with bodies, then does last with one more read.
func kafkaTalks(last func(c net.Conn, id []byte), bodies ...[]byte) func(net.Conn) {
	return func(c net.Conn) {
		for i := 0; ; i++ {
			var length [4]byte
			if _, err := io.ReadFull(c, length[:]); err != nil {
				return
			}
			req := make([]byte, binary.BigEndian.Uint32(length[:]))
			if _, err := io.ReadFull(c, req); err != nil {
				return
			}
			id := req[4:8]
			if i == len(bodies) {
				last(c, id)
				return
			}
			if _, err := c.Write(kafkaAnswer(id, bodies[i])); err != nil {
				return
			}
		}
	}
}

// then is last for a peer that does not care for the request's number.
func then(f func(net.Conn)) func(net.Conn, []byte) { return func(c net.Conn, _ []byte) { f(c) } }

// framedAs is last for an answer of any body.
func framedAs(body []byte) func(net.Conn, []byte) {
	return func(c net.Conn, id []byte) { _, _ = c.Write(kafkaAnswer(id, body)); silent(c) }
}

var (
	kafkaVersions = func() []byte {
		r := kmsg.NewPtrApiVersionsResponse()
		r.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 3, MaxVersion: 8}}
		return r.AppendTo(nil)
	}()
	kafkaMechanisms = func(code int16, names ...string) []byte {
		r := kmsg.NewPtrSASLHandshakeResponse()
		r.ErrorCode, r.SupportedMechanisms = code, names
		r.SetVersion(1)
		return r.AppendTo(nil)
	}
	kafkaSASL = func(code int16, text, data string) []byte {
		r := kmsg.NewPtrSASLAuthenticateResponse()
		r.ErrorCode, r.SASLAuthBytes = code, []byte(data)
		if text != "" {
			r.ErrorMessage = &text
		}
		return r.AppendTo(nil)
	}
	kafkaMetadata = func(brokers ...kmsg.MetadataResponseBroker) []byte {
		r := kmsg.NewPtrMetadataResponse()
		r.Brokers = brokers
		r.SetVersion(8)
		return r.AppendTo(nil)
	}
)

// kafkaScram asks for rounds of hashing.
func kafkaScram(rounds string) func(net.Conn) {
	return kafkaTalks(func(c net.Conn, id []byte) {
		_, _ = c.Write(kafkaAnswer(id, kafkaSASL(0, "", "r=x,s=c2FsdA==,i="+rounds)))
		silent(c)
	}, kafkaVersions, kafkaMechanisms(0))
}

// kafkaPeers are asked what they know once a user has signed in by PLAIN; those by SCRAM say so.
var kafkaPeers = []peer{
	{"good", kafkaTalks(then(silent), kafkaVersions, kafkaMechanisms(0), kafkaSASL(0, "", ""), kafkaMetadata(kmsg.MetadataResponseBroker{NodeID: 1, Host: "b", Port: 9092})), "", ""},
	{"silent after accept", silent, sitemon.ReasonProcessingTimeout, "asking for the versions of its requests"},
	{"closes at once", kafkaTalks(then(func(net.Conn) {})), sitemon.ReasonTransferError, "the connection was closed"},
	{"resets", kafkaTalks(then(reset)), sitemon.ReasonTransferError, "the connection was reset"},
	{"garbage", writes("SSH-2.0-OpenSSH_9.9\r\n", silent), sitemon.ReasonProtocol, "what answers is not Kafka"},
	{"TLS", writes("\x15\x03\x01\x00\x02\x02\x46", silent), sitemon.ReasonProtocol, "it speaks TLS"},
	{"half a length", writes("\x00", silent), sitemon.ReasonTransferTimeout, "1 bytes so far"},
	{"half an answer", kafkaTalks(func(c net.Conn, id []byte) { _, _ = c.Write(kafkaAnswer(id, kafkaVersions)[:12]); silent(c) }), sitemon.ReasonTransferTimeout, "12 bytes so far"},
	{"a byte at a time", kafkaTalks(func(c net.Conn, id []byte) { _, _ = c.Write(append([]byte{0, 0, 0x40, 0}, id...)); drip("x")(c) }), sitemon.ReasonTransferTimeout, "bytes so far"},
	{"an answer of a gigabyte", writes("\x3f\xff\xff\xff", endless("x")), sitemon.ReasonProtocol, "longer than it may be"},
	{"a negative length", writes("\xff\xff\xff\xff", silent), sitemon.ReasonProtocol, "its answer begins with"},
	{"another number", kafkaTalks(func(c net.Conn, _ []byte) { _, _ = c.Write(kafkaAnswer([]byte{9, 9, 9, 9}, kafkaVersions)); silent(c) }), sitemon.ReasonProtocol, "it answers another request"},
	{"more versions than bytes", kafkaTalks(framedAs([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1})), sitemon.ReasonProtocol, "can't be read"},
	{"knows nothing", kafkaTalks(then(silent), make([]byte, 6), kafkaMechanisms(0), kafkaSASL(0, "", "")), sitemon.ReasonProtocol, "it knows no request for metadata"},
	{"other mechanisms", kafkaTalks(framedAs(kafkaMechanisms(33, spoiltText, strings.Repeat("x", 30000))), kafkaVersions), sitemon.ReasonStatus, "PLAIN is not offered, but"},
	{"an error full of what must not be shown", kafkaTalks(framedAs(kafkaSASL(58, spoiltText, "")), kafkaVersions, kafkaMechanisms(0)), sitemon.ReasonStatus, "the broker refuses the user: "},
	{"an error that nobody knows", kafkaTalks(framedAs(kafkaSASL(999, "", "")), kafkaVersions, kafkaMechanisms(0)), sitemon.ReasonStatus, "the broker refuses the user: error 999"},
	{"silent after the sign-in", kafkaTalks(then(silent), kafkaVersions, kafkaMechanisms(0), kafkaSASL(0, "", "")), sitemon.ReasonProcessingTimeout, "asking for metadata"},
	{"closes after the sign-in", kafkaTalks(then(func(net.Conn) {}), kafkaVersions, kafkaMechanisms(0), kafkaSASL(0, "", "")), sitemon.ReasonTransferError, "asking for metadata"},
	{"a list longer than the answer", kafkaTalks(framedAs(manyBrokers), kafkaVersions, kafkaMechanisms(0), kafkaSASL(0, "", "")), sitemon.ReasonProtocol, "can't be read"},
	{"metadata cut off", kafkaTalks(framedAs(kafkaMetadata(kmsg.MetadataResponseBroker{Host: "b"})[:20]), kafkaVersions, kafkaMechanisms(0), kafkaSASL(0, "", "")), sitemon.ReasonProtocol, "can't be read"},
	{"SCRAM, two thousand million rounds", kafkaScram("2000000000"), sitemon.ReasonProtocol, "more than 250000 rounds of hashing"},
	{"SCRAM, rounds below nothing", kafkaScram("-1"), sitemon.ReasonProtocol, "(signing in)"},
	{"SCRAM, an error of its own", kafkaTalks(framedAs(kafkaSASL(0, "", "e="+spoiltText)), kafkaVersions, kafkaMechanisms(0)), sitemon.ReasonProtocol, "(signing in)"},
}

// manyBrokers claims a broker for each byte of a megabyte.
var manyBrokers = append([]byte{0, 0, 0, 0, 0, 0x0f, 0xf0, 0}, make([]byte, 0x0ff000)...)

// slowPostgres takes its time to read a query of so many bytes that it does not fit into
// buffers.
var slowPostgres = pgSays(pgWelcome, func(c net.Conn) {
	time.Sleep(200 * time.Millisecond)
	pgAsked(writes(pgRows, silent))(c)
})
