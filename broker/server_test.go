package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
)

// roundTrip makes a topic, writes a message by the transport and reads it by the
// dialer.
func roundTrip(t *testing.T, b *broker.Broker) {
	t.Helper()
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	topic := testkit.Unique("round-trip")
	if err := b.EnsureTopics(t.Context(), broker.Topic{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w := kafka.Writer{
		Addr: kafka.TCP(b.Addresses()...), Transport: b.Transport(), Topic: topic,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
	}
	defer w.Close()
	if err := w.WriteMessages(t.Context(), kafka.Message{Value: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: b.Addresses(), Dialer: b.Dialer(), Topic: topic, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	if m, err := r.ReadMessage(t.Context()); err != nil || string(m.Value) != "hello" {
		t.Errorf("read %q, %v", m.Value, err)
	}
}

// refused checks that b does not get through, and is told why by Check and by an
// administrative request alike. It must not take long.
func refused(t *testing.T, b *broker.Broker, want string) {
	t.Helper()
	if err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check: got %v, want %q", err, want)
	}
	if err := b.EnsureTopics(t.Context(), broker.Topic{Name: "any", Partitions: 1}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("EnsureTopics: got %v, want %q", err, want)
	}
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	k := testkit.StartKafka(t, testkit.KafkaOptions{
		ClientAuth: true,
		Properties: map[string]string{"default.replication.factor": "3"}, // more than there are brokers
	})
	ca, cert, key := testkit.Certificate(t)
	with := func(ca, cert, key string) broker.Options {
		return broker.Options{Addresses: []string{k.Addr}, TLS: true, CA: ca, Cert: cert, Key: sitemon.Secret(key)}
	}
	roundTrip(t, connect(t, with(k.CAPEM, k.CertPEM, k.KeyPEM)))
	for name, c := range map[string]struct {
		options broker.Options
		want    string
	}{
		"a stranger's certificate": {with(k.CAPEM, cert, key), "the broker refuses the client certificate, KAFKA_ACCESS_CRT"},
		"no certificate":           {with(k.CAPEM, "", ""), "the broker asks for a client certificate: set KAFKA_ACCESS_CRT"},
		"another authority":        {with(ca, k.CertPEM, k.KeyPEM), "signed by nobody whom KAFKA_AUTH_CA (or else the system) names"},
		"the system's authorities": {with("", k.CertPEM, k.KeyPEM), "signed by nobody whom KAFKA_AUTH_CA (or else the system) names"},
		"no TLS":                   {broker.Options{Addresses: []string{k.Addr}}, "the broker ended the connection: it stops, or wants TLS (KAFKA_TLS)"},
		"TLS, where there is none": {broker.Options{Addresses: []string{k.Direct}, TLS: true}, "speaks no TLS at this port"},
		"sign-in, where there is none": {
			broker.Options{Addresses: []string{k.Direct}, SASLMechanism: "SCRAM-SHA-256", Username: "ann", Password: "p"},
			"the broker asks for no sign-in at this port",
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, connect(t, c.options), c.want) })
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	users := []testkit.KafkaUser{
		{Mechanism: "PLAIN", Name: "ann", Password: `a secret; with = and "quotes"`},
		{Mechanism: "SCRAM-SHA-256", Name: "ben", Password: "s3cret-b"},
		{Mechanism: "SCRAM-SHA-512", Name: "cid", Password: "s3cret-c"},
		{Mechanism: "SCRAM-SHA-256", Name: "eve", Password: "s3cret-e"}, // may do nothing
	}
	k := testkit.StartKafka(t, testkit.KafkaOptions{TLS: true, SASL: users, Properties: map[string]string{
		"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":           "User:ANONYMOUS;User:ann;User:ben;User:cid",
	}})
	as := func(u testkit.KafkaUser) broker.Options {
		return broker.Options{
			Addresses: []string{k.Addr}, TLS: true, CA: k.CAPEM,
			SASLMechanism: u.Mechanism, Username: u.Name, Password: sitemon.Secret(u.Password),
		}
	}
	for _, u := range users[:3] {
		t.Run(u.Mechanism, func(t *testing.T) {
			roundTrip(t, connect(t, as(u)))
			u.Password = "wr0ng"
			refused(t, connect(t, as(u)), "the broker refuses KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD")
		})
	}
	t.Run("no sign-in", func(t *testing.T) {
		refused(t, connect(t, broker.Options{Addresses: []string{k.Addr}, TLS: true, CA: k.CAPEM}), "wants a sign-in (KAFKA_SASL_MECHANISM)")
	})
	t.Run("no TLS", func(t *testing.T) {
		o := as(users[0])
		o.TLS, o.CA = false, ""
		refused(t, connect(t, o), "it stops, or wants TLS (KAFKA_TLS)")
	})
	t.Run("no rights", func(t *testing.T) {
		b := connect(t, as(users[3]))
		if err := b.Check(t.Context()); err != nil {
			t.Error(err)
		}
		topic := testkit.Unique("forbidden")
		err := b.EnsureTopics(t.Context(), broker.ReportTopics(topic)...)
		if err == nil {
			t.Fatal("made topics without the right to")
		}
		for _, want := range []string{
			"make the topic " + topic + " with 12 partitions: the broker does not allow this to this user",
			fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions 12 --config retention.ms=604800000\n", k.Addr, topic),
			fmt.Sprintf("--create --topic %s.dead --partitions 1 --config max.message.bytes=4194304 --config retention.ms=2592000000\n", topic),
			fmt.Sprintf("--create --topic %s.shards --partitions 64", topic),
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in the error:\n%v", want, err)
			}
		}
	})
}

func TestUnknownMechanism(t *testing.T) {
	t.Parallel()
	k := testkit.StartKafka(t, testkit.KafkaOptions{SASL: []testkit.KafkaUser{{Mechanism: "SCRAM-SHA-512", Name: "ann", Password: "p"}}})
	o := broker.Options{Addresses: []string{k.Addr}, SASLMechanism: "SCRAM-SHA-512", Username: "ann", Password: "p"}
	roundTrip(t, connect(t, o))
	o.SASLMechanism = "SCRAM-SHA-256"
	refused(t, connect(t, o), "the broker does not offer this KAFKA_SASL_MECHANISM")
	o.SASLMechanism = ""
	refused(t, connect(t, o), "it stops, or wants TLS (KAFKA_TLS) or a sign-in (KAFKA_SASL_MECHANISM)")
}
