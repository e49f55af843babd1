package testkit

import (
	"os"
	"testing"

	"sitemon/internal/servers"
)

// Kafka returns the address, host:port, of a broker for tests. Topics and groups
// must have names of their own: see [Unique].
func Kafka(t testing.TB) string {
	t.Helper()
	addr := os.Getenv("SITEMON_TEST_KAFKA")
	if addr == "" {
		Missing(t, "no Kafka: SITEMON_TEST_KAFKA names none; `make test` starts one")
	}
	return addr
}

// KafkaUser may sign in to a broker by one mechanism: PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512.
type KafkaUser = servers.KafkaUser

// KafkaOptions say what a broker of a test's own asks of its clients.
type KafkaOptions struct {
	TLS        bool              // a certificate for 127.0.0.1 and localhost
	ClientAuth bool              // clients need a certificate too; implies TLS
	SASL       []KafkaUser       // who may sign in; none: nobody has to
	Properties map[string]string // of the broker's configuration, beside or instead of the usual ones
	Proxied    bool              // clients are sent through a Proxy
}

// KafkaServer is a broker of a test's own.
type KafkaServer struct {
	control
	Addr    string // host:port
	Direct  string // host:port of a second door, without TLS, sign-in and proxy
	CAPEM   string // the authority of its certificate; empty without TLS, as are the next two
	CertPEM string // a client certificate that it accepts,
	KeyPEM  string // and its key
	Proxy   *Proxy // between it and Addr; nil unless asked for
}

// StartKafka starts a broker that ends with the test.
func StartKafka(t testing.TB, options KafkaOptions) *KafkaServer {
	t.Helper()
	s := &KafkaServer{}
	theirs := servers.KafkaOptions{
		TLS: options.TLS, ClientAuth: options.ClientAuth, SASL: options.SASL, Properties: options.Properties,
	}
	if options.Proxied {
		theirs.Advertise = func(addr string) string {
			s.Proxy = StartProxy(t, addr)
			return s.Proxy.Addr
		}
	}
	k, err := servers.StartKafka(t.Context(), theirs)
	started(t, err)
	t.Cleanup(func() { closed(t, k.Close()) })
	s.control, s.Addr, s.Direct = control{t, k}, k.Addr, k.Direct
	if k.Authority != nil {
		s.CAPEM = k.Authority.PEM
		if s.CertPEM, s.KeyPEM, err = k.Authority.Issue("client"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Certificate makes an authority and a client certificate of it that no server
// knows, in PEM.
func Certificate(t testing.TB) (ca, cert, key string) {
	t.Helper()
	authority, err := servers.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if cert, key, err = authority.Issue("stranger"); err != nil {
		t.Fatal(err)
	}
	return authority.PEM, cert, key
}
