package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// explainer knows what a Broker was told, without which many errors can't be
// explained.
type explainer struct {
	tls, certificate, signIn bool
}

// explain says what an error means, where the library's own words do not.
func (x explainer) explain(err error) error {
	hint := x.hint(err)
	// Without the library's "failed to" around it.
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op
	} else if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		err = refused.Err
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%s: %w", hint, err)
}

func (x explainer) hint(err error) string {
	if hint := x.certificateHint(err); hint != "" {
		return hint
	}
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return "the broker refuses KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD"
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return "the broker does not offer this KAFKA_SASL_MECHANISM"
	case errors.Is(err, kafka.IllegalSASLState):
		return "the broker asks for no sign-in at this port: leave out KAFKA_SASL_MECHANISM, or take another port"
	case errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.ClusterAuthorizationFailed):
		return "the broker does not allow this to this user"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return x.endedHint()
	case op != nil && op.Op == "dial" && op.Timeout():
		return "no answer: the host is down, or a firewall is in between"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time: the broker hangs, or this port is none of Kafka's"
	}
	return ""
}

// certificateHint explains the refusals of TLS.
func (x explainer) certificateHint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the broker's certificate is signed by nobody whom KAFKA_AUTH_CA (or else the system) names"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the broker's certificate is for another host than KAFKA_BROKER names"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "the broker's certificate is not valid"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the broker does not speak TLS at this port"
	}
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || op.Op != "remote error": // an alert of TLS
		return ""
	case x.certificate:
		return "the broker refuses the client certificate, KAFKA_ACCESS_CRT"
	}
	return "the broker asks for a client certificate: set KAFKA_ACCESS_CRT, KAFKA_ACCESS_KEY and KAFKA_AUTH_CA"
}

// endedHint says what it may mean that the broker ends a connection.
func (x explainer) endedHint() string {
	switch {
	case x.tls && x.signIn:
		return "the broker ended the connection: it stops, or speaks no TLS at this port"
	case x.tls:
		return "the broker ended the connection: it stops, speaks no TLS at this port, or wants a sign-in (KAFKA_SASL_MECHANISM)"
	case x.signIn:
		return "the broker ended the connection: it stops, or wants TLS (KAFKA_TLS)"
	}
	return "the broker ended the connection: it stops, or wants TLS (KAFKA_TLS) or a sign-in (KAFKA_SASL_MECHANISM)"
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
