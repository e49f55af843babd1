// Package broker is how SiteMon reaches Kafka: addresses, TLS and sign-in in one
// place, for those who publish, read and share.
package broker

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"sitemon"
)

const (
	// dialTimeout bounds connecting to one broker, TLS and sign-in included.
	dialTimeout = 5 * time.Second
	// requestTimeout bounds one administrative request.
	requestTimeout = 10 * time.Second

	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Options say how to reach Kafka.
type Options struct {
	Addresses []string // host:port, of one or more brokers
	// TLS encrypts. CA, Cert and Key are PEM, or the path of a PEM file: those who
	// sign the brokers' certificates ("": those whom the system trusts), and the
	// client's certificate ("": none).
	TLS      bool
	CA, Cert string
	Key      sitemon.Secret
	// SASLMechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or "" for none.
	SASLMechanism, Username string
	Password                sitemon.Secret

	ClientID string
	Logger   *slog.Logger
}

// Broker is the way to Kafka. It is safe for concurrent use, and connects only
// when it is used.
type Broker struct {
	addresses []string
	transport *kafka.Transport
	dialer    *kafka.Dialer
	log       *slog.Logger
}

// New makes a Broker. It reads the certificates; its errors name the setting that
// is wrong.
func New(o Options) (*Broker, error) {
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	mechanism, err := o.mechanism()
	if err != nil {
		return nil, err
	}
	return &Broker{
		addresses: o.Addresses,
		log:       cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("component", "kafka"),
		transport: &kafka.Transport{DialTimeout: dialTimeout, IdleTimeout: time.Minute, ClientID: o.ClientID, TLS: tlsConfig, SASL: mechanism},
		dialer:    &kafka.Dialer{Timeout: dialTimeout, DualStack: true, ClientID: o.ClientID, TLS: tlsConfig, SASLMechanism: mechanism},
	}, nil
}

// tlsConfig returns nil where the connection is not encrypted.
func (o Options) tlsConfig() (*tls.Config, error) {
	if !o.TLS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := pemOf("KAFKA_AUTH_CA", o.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("KAFKA_AUTH_CA holds no certificate")
		}
	}
	if o.Cert == "" {
		return config, nil
	}
	cert, err := pemOf("KAFKA_ACCESS_CRT", o.Cert)
	if err != nil {
		return nil, err
	}
	key, err := pemOf("KAFKA_ACCESS_KEY", o.Key.Reveal())
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("KAFKA_ACCESS_CRT and KAFKA_ACCESS_KEY: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// pemOf returns PEM that is given itself or by its path. The error never shows the
// text: it may be a key.
func pemOf(setting, text string) ([]byte, error) {
	if strings.Contains(text, "-----BEGIN") {
		return []byte(text), nil
	}
	pem, err := os.ReadFile(text)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s is neither PEM nor the path of a file that exists", setting)
	case err != nil:
		return nil, fmt.Errorf("read the file that %s names: %w", setting, errors.Unwrap(err))
	}
	return pem, nil
}

// mechanism returns nil where nobody signs in.
func (o Options) mechanism() (sasl.Mechanism, error) {
	switch o.SASLMechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: o.Username, Password: o.Password.Reveal()}, nil
	case "SCRAM-SHA-256", "SCRAM-SHA-512":
		algorithm := scram.SHA256
		if o.SASLMechanism == "SCRAM-SHA-512" {
			algorithm = scram.SHA512
		}
		m, err := scram.Mechanism(algorithm, o.Username, o.Password.Reveal())
		if err != nil { // the library's words may hold the password
			return nil, errors.New("KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD has characters that SCRAM does not allow")
		}
		return m, nil
	}
	return nil, fmt.Errorf("KAFKA_SASL_MECHANISM: %q is unknown; PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are", o.SASLMechanism)
}

// Addresses returns the brokers to begin with, host:port.
func (b *Broker) Addresses() []string { return b.addresses }

// Transport is for [kafka.Writer] and [kafka.Client]; all share it.
func (b *Broker) Transport() *kafka.Transport { return b.transport }

// Dialer is for readers and consumer groups.
func (b *Broker) Dialer() *kafka.Dialer { return b.dialer }

// Client returns a client for administrative requests.
func (b *Broker) Client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(b.addresses...), Timeout: requestTimeout, Transport: b.transport}
}

// Close ends idle connections.
func (b *Broker) Close() { b.transport.CloseIdleConnections() }

// Check connects to one of the brokers, signs in, and asks it something. The error
// says what is really wrong, as administrative requests do not.
func (b *Broker) Check(ctx context.Context) error {
	var errs []error
	for _, address := range b.addresses {
		err := b.check(ctx, address)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("reach Kafka at %s: %w", address, explained(err)))
	}
	return errors.Join(errs...)
}

func (b *Broker) check(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := b.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	_, err = conn.ApiVersions() // a refused client certificate shows only at the first answer
	return err
}

// Await returns once Kafka can be reached, or ctx has ended; what says what for. It
// logs once that it waits and why, and once that it is there.
func (b *Broker) Await(ctx context.Context, what string) error {
	for wait, told := retryMin, false; ; wait = min(2*wait, retryMax) {
		err := b.Check(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("wait for Kafka: %w", ctx.Err())
		}
		if err == nil {
			if told {
				b.log.Info("Kafka is there")
			}
			return nil
		}
		if !told && wait > 4*retryMin { // not for a broker that is just starting
			b.log.Warn("waiting for Kafka", "for", what, "err", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Kafka: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}
