package testkit_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"sitemon/internal/testkit"
)

func TestKafkaServerKeepsWhatItStored(t *testing.T) {
	k := testkit.StartKafka(t, testkit.KafkaOptions{})
	if err := produce(t, k.Addr, nil, nil, "before"); err != nil {
		t.Fatal(err)
	}
	k.Kill()
	k.Kill() // of a dead one does nothing
	if err := dial(t, k.Addr, nil, nil); err == nil {
		t.Error("a killed broker answers")
	}
	k.Start()
	if err := produce(t, k.Addr, nil, nil, "between"); err != nil {
		t.Fatal(err)
	}
	k.Stop()
	if err := dial(t, k.Addr, nil, nil); err == nil {
		t.Error("a stopped broker answers")
	}
	k.Start()
	k.Freeze()
	if err := dial(t, k.Addr, nil, nil); err == nil {
		t.Error("a frozen broker answers")
	}
	k.Thaw()
	if err := produce(t, k.Addr, nil, nil, "after"); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, k.Addr, 3); got[0] != "before" || got[1] != "between" || got[2] != "after" {
		t.Errorf("got %q", got)
	}
}

func TestKafkaServerAsksForWhatItShould(t *testing.T) {
	users := []testkit.KafkaUser{
		{Mechanism: "PLAIN", Name: "ann", Password: "a secret; with = and \"quotes\""},
		{Mechanism: "SCRAM-SHA-256", Name: "ben", Password: "secret-b"},
		{Mechanism: "SCRAM-SHA-512", Name: "cid", Password: "secret-c"},
	}
	signIns := func(t *testing.T, of []testkit.KafkaUser) []sasl.Mechanism {
		ms := []sasl.Mechanism{plain.Mechanism{Username: of[0].Name, Password: of[0].Password}, nil, nil}
		for i, algorithm := range map[int]scram.Algorithm{1: scram.SHA256, 2: scram.SHA512} {
			m, err := scram.Mechanism(algorithm, of[i].Name, of[i].Password)
			if err != nil {
				t.Fatal(err)
			}
			ms[i] = m
		}
		return ms
	}
	wrong := []testkit.KafkaUser{users[0], users[1], users[2]}
	for i := range wrong {
		wrong[i].Password = "wrong"
	}
	t.Run("client certificate, through a proxy", func(t *testing.T) {
		k := testkit.StartKafka(t, testkit.KafkaOptions{ClientAuth: true, Proxied: true})
		if err := produce(t, k.Addr, tlsConfig(t, k, k.CertPEM, k.KeyPEM), nil, "x"); err != nil {
			t.Error(err)
		}
		if err := produce(t, k.Direct, nil, nil, "x"); err != nil {
			t.Error(err)
		}
		_, cert, key := testkit.Certificate(t)
		if produce(t, k.Addr, tlsConfig(t, k, cert, key), nil, "x") == nil {
			t.Error("a stranger's certificate is accepted")
		}
		if produce(t, k.Addr, tlsConfig(t, k, "", ""), nil, "x") == nil {
			t.Error("no certificate is accepted")
		}
		if dial(t, k.Addr, nil, nil) == nil {
			t.Error("no TLS is accepted")
		}
		k.Proxy.Refuse()
		if produce(t, k.Addr, tlsConfig(t, k, k.CertPEM, k.KeyPEM), nil, "x") == nil {
			t.Error("there is a way around the proxy")
		}
	})
	t.Run("TLS and SASL", func(t *testing.T) {
		k := testkit.StartKafka(t, testkit.KafkaOptions{TLS: true, SASL: users})
		config := tlsConfig(t, k, "", "")
		for i, m := range signIns(t, users) {
			if err := produce(t, k.Addr, config, m, "x"); err != nil {
				t.Errorf("%s: %v", users[i].Mechanism, err)
			}
		}
		for i, m := range signIns(t, wrong) {
			if dial(t, k.Addr, config, m) == nil {
				t.Errorf("%s: a wrong password is accepted", users[i].Mechanism)
			}
		}
	})
}

func tlsConfig(t *testing.T, k *testkit.KafkaServer, certPEM, keyPEM string) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !c.RootCAs.AppendCertsFromPEM([]byte(k.CAPEM)) {
		t.Fatal("no authority")
	}
	if certPEM != "" {
		cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c
}

const topic = "records"

// produce makes the topic if need be, and writes a record.
func produce(t *testing.T, addr string, config *tls.Config, m sasl.Mechanism, value string) error {
	t.Helper()
	transport := &kafka.Transport{TLS: config, SASL: m}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := kafka.Client{Addr: kafka.TCP(addr), Transport: transport}
	if _, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}},
	}); err != nil {
		return err
	}
	w := kafka.Writer{
		Addr: kafka.TCP(addr), Topic: topic, Transport: transport, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
	}
	defer w.Close()
	return w.WriteMessages(ctx, kafka.Message{Value: []byte(value)})
}

// dial asks for the topic's partitions.
func dial(t *testing.T, addr string, config *tls.Config, m sasl.Mechanism) error {
	t.Helper()
	d := kafka.Dialer{TLS: config, SASLMechanism: m, Timeout: time.Second}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := d.LookupPartitions(ctx, "tcp", addr, topic)
	return err
}

func consume(t *testing.T, addr string, n int) []string {
	t.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic})
	defer r.Close()
	var values []string
	for range n {
		m, err := r.ReadMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(m.Value))
	}
	return values
}
