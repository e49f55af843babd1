// Package broker is how SiteMon reaches Kafka: addresses, TLS and sign-in in one
// place, for those who publish, read and share. It finds the true cause of what
// keeps Kafka away, and makes the topics that are missing.
package broker

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

const (
	// dialTimeout bounds connecting to one broker, TLS and sign-in included.
	dialTimeout = 5 * time.Second
	// requestTimeout bounds one administrative request.
	requestTimeout = 10 * time.Second
	// idleTimeout is after what time an unused connection is closed, before the
	// broker does so (10 minutes unless it is told otherwise).
	idleTimeout = time.Minute
)

// Options say how to reach Kafka.
type Options struct {
	Addresses []string // host:port, of one or more brokers
	// TLS encrypts. CA, Cert and Key are PEM, or the path of a PEM file: those who
	// sign the brokers' certificates ("": those whom the system trusts), and the
	// client's certificate with its key ("": none).
	TLS      bool
	CA, Cert string
	Key      sitemon.Secret
	// SASLMechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or "" for none.
	SASLMechanism, Username string
	Password                sitemon.Secret

	ClientID string       // by which the brokers' logs and quotas know this process
	Logger   *slog.Logger // nil: nothing is logged
}

// Broker is the way to Kafka. It is safe for concurrent use, and connects only
// when it is used.
type Broker struct {
	addresses []string
	transport *kafka.Transport
	dialer    *kafka.Dialer
	explainer explainer
	log       *slog.Logger
}

// New makes a Broker. It reads the certificates; its errors name the setting that
// is wrong, and never show what it holds.
func New(o Options) (*Broker, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("KAFKA_BROKER names no broker")
	}
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	mechanism, err := o.mechanism()
	if err != nil {
		return nil, err
	}
	b := &Broker{
		addresses: slices.Clone(o.Addresses),
		transport: &kafka.Transport{
			Dial: dial, DialTimeout: dialTimeout, IdleTimeout: idleTimeout,
			ClientID: o.ClientID, TLS: tlsConfig, SASL: mechanism,
		},
		dialer: &kafka.Dialer{
			DialFunc: dial, Timeout: dialTimeout,
			ClientID: o.ClientID, TLS: tlsConfig, SASLMechanism: mechanism,
		},
		explainer: explainer{tls: o.TLS, certificate: o.Cert != "", signIn: mechanism != nil},
		log:       cmp.Or(o.Logger, slog.New(slog.DiscardHandler)).With("component", "kafka"),
	}
	if o.SASLMechanism == "PLAIN" && !o.TLS {
		b.log.Warn("the password for Kafka goes over the network in the clear: KAFKA_TLS is off and KAFKA_SASL_MECHANISM is PLAIN")
	}
	return b, nil
}

// Addresses returns the brokers to begin with, host:port.
func (b *Broker) Addresses() []string { return slices.Clone(b.addresses) }

// Transport is for [kafka.Client] and [kafka.Writer]; all share it. What it knows
// of topics and partitions may be 6 seconds old.
func (b *Broker) Transport() *kafka.Transport { return b.transport }

// Dialer is for readers and consumer groups.
func (b *Broker) Dialer() *kafka.Dialer { return b.dialer }

// Client returns a client for requests of 10 seconds at most.
func (b *Broker) Client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(b.addresses...), Timeout: requestTimeout, Transport: b.transport}
}

// Explain adds to an error from Kafka's client what it means to whoever runs
// SiteMon and which setting to look at, where the client's own words do not say.
func (b *Broker) Explain(err error) error { return b.explainer.explain(err) }

// Refresh forgets what the transport knows of brokers, topics and leaders, and the
// error that it had in their place. The next request asks anew; without this, what
// is known stays for up to 6 seconds. Requests under way are not disturbed.
func (b *Broker) Refresh() { b.transport.CloseIdleConnections() }

// Close ends the connections that the transport keeps.
func (b *Broker) Close() { b.transport.CloseIdleConnections() }
