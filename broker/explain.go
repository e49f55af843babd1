package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/segmentio/kafka-go"
)

// explained says what an error of connecting means to whoever runs SiteMon, where
// the library's own words do not.
func explained(err error) error {
	hint := ""
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		hint = "the broker's certificate is signed by nobody whom KAFKA_AUTH_CA (or the system) names"
	case errors.As(err, &name):
		hint = "the broker's certificate is for another host"
	case errors.As(err, &record):
		hint = "the broker does not speak TLS at this port"
	case strings.Contains(err.Error(), "remote error: tls:"):
		hint = "the broker refuses the client certificate, KAFKA_ACCESS_CRT"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		hint = "the broker refuses KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD"
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		hint = "the broker does not offer this KAFKA_SASL_MECHANISM"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		hint = "the broker ended the connection: it may want TLS (KAFKA_TLS) or a sign-in (KAFKA_SASL_MECHANISM)"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		hint = "no answer in time: it hangs, or this port is none of Kafka's"
	default:
		return err
	}
	return fmt.Errorf("%s: %w", hint, err)
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
