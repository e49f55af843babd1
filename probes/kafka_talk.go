package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	saslplain "github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sitemon"
)

// maxKafkaAnswer is how long one answer of a broker may be: the metadata of a topic
// with some ten thousand partitions.
const maxKafkaAnswer = 1 << 20

// maxKafkaHello is how long the answers may be before.
const maxKafkaHello = 64 << 10

// maxSASLRounds is how often a server may answer before somebody is signed in.
const maxSASLRounds = 8

// kafkaTalk is a connection to a broker. Requests and answers are put into bytes and
// out of them by kmsg, which makes room for no more items than can have come; clients
// of Kafka make room for whatever a broker announces, and that may be anybody.
type kafkaTalk struct {
	*answers
	a        *attempt
	s        *service
	conn     net.Conn
	protocol string
	id       int32
}

// ask sends a request and reads the answer to it.
func (k *kafkaTalk) ask(req kmsg.Request, resp kmsg.Response, doing string) error {
	k.id++
	wire := kmsg.NewRequestFormatter(kmsg.FormatterClientID(k.a.set.userAgent)).AppendRequest(nil, req, k.id)
	if _, err := k.conn.Write(wire); err != nil {
		return k.a.unsent(err, doing)
	}
	k.again()
	limit := maxKafkaHello
	if _, ok := req.(*kmsg.MetadataRequest); ok {
		limit = maxKafkaAnswer
	}
	body, err := k.answer(limit)
	if err != nil {
		return k.fail(err, doing)
	}
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(body); err != nil {
		return k.fail(fmt.Errorf("its answer can't be read: %w", err), doing)
	}
	k.s.shown.protocol = k.protocol
	return nil
}

// answer reads the answer to the last request, no longer than limit.
func (k *kafkaTalk) answer(limit int) ([]byte, error) {
	var head [8]byte // the length of what follows, and the number of the request
	if _, err := io.ReadFull(k.answers, head[:4]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:4])
	switch {
	case head[0] == 0x15 && head[1] == 3: // an alert
		return nil, errors.New("it speaks TLS; write kafka: { tls: true }")
	case length < 4 || length > 1<<30:
		return nil, fmt.Errorf("its answer begins with %q", head[:4])
	case int(length) > limit:
		return nil, errWireLimit
	}
	if _, err := io.ReadFull(k.answers, head[4:]); err != nil {
		return nil, err
	}
	if id := int32(binary.BigEndian.Uint32(head[4:])); id != k.id {
		return nil, fmt.Errorf("it answers another request: %d instead of %d", id, k.id)
	}
	b := k.a.buffers()
	for b.body = b.body[:0]; len(b.body) < int(length)-4; { // room is made for what comes
		from := len(b.body)
		b.body = append(b.body, make([]byte, min(readChunk, int(length)-4-from))...)
		if _, err := io.ReadFull(k.answers, b.body[from:]); err != nil {
			return nil, err
		}
	}
	return b.body, nil
}

// fail is the failure of a request.
func (k *kafkaTalk) fail(err error, doing string) error {
	k.a.timed(k.answers)
	return k.a.unheard(k.answers, err, "Kafka", doing)
}

// signIn signs in by SASL. done is false where the broker refuses, which the report
// says then.
func (k *kafkaTalk) signIn(mechanism string) (done bool, err error) {
	m, err := k.mechanism(mechanism)
	if err != nil {
		return false, failf(sitemon.ReasonInternal, nil, "the user or the password can't be used to sign in: %v", err)
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = m.Name()
	hello.SetVersion(1)
	offers := kmsg.NewPtrSASLHandshakeResponse()
	if err := k.ask(hello, offers, "signing in"); err != nil {
		return false, err
	}
	if offers.ErrorCode == kafkaBadMechanism {
		return false, k.refused(fmt.Sprintf("%s is not offered, but %s", m.Name(), strings.Join(offers.SupportedMechanisms, ", ")))
	}
	if offers.ErrorCode != 0 {
		return false, k.refused(kafkaError(offers.ErrorCode))
	}
	state, token, err := m.Start(k.a.shielded())
	for round := 0; err == nil && !done; round++ {
		req, resp := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
		req.SASLAuthBytes = token
		if err := k.ask(req, resp, "signing in"); err != nil {
			return false, err
		}
		switch {
		case resp.ErrorCode != 0:
			text := kafkaError(resp.ErrorCode)
			if resp.ErrorMessage != nil {
				text += ": " + *resp.ErrorMessage
			}
			return false, k.refused(text)
		case hashes(resp.SASLAuthBytes) > maxHashing:
			err = errHashing
		case round == maxSASLRounds:
			err = errors.New("it is never content with what signs in")
		default:
			done, token, err = state.Next(k.a.shielded(), resp.SASLAuthBytes)
		}
	}
	if err != nil {
		return false, k.fail(err, "signing in")
	}
	return true, nil
}

func (k *kafkaTalk) mechanism(name string) (sasl.Mechanism, error) {
	switch name {
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, k.s.user, k.s.password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, k.s.user, k.s.password)
	}
	return saslplain.Mechanism{Username: k.s.user, Password: k.s.password}, nil
}

// refused makes the report of a broker that does not let the user in.
func (k *kafkaTalk) refused(text string) error {
	k.a.timed(k.answers)
	text = shorten(visible(k.a.redact(text)), maxSeen)
	k.s.shown.status = text
	return k.a.refused(Check{Name: "signing in", Expected: "to be let in", Seen: text}, "the broker refuses the user: "+text)
}
