package broker_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"sitemon/broker"
	"sitemon/internal/testkit"
)

// serve listens on a port of its own and gives each connection to f, which ends
// with it.
func serve(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

// silent accepts, reads, and never answers.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// closing accepts, reads a little, and ends the connection, as a broker does that
// can't make sense of what it reads.
func closing(c net.Conn) { _, _ = c.Read(make([]byte, 1024)) }

// closedPort returns an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

// named answers as a broker that tells clients to reach it as host and port.
func named(t *testing.T, host string, port int32) func(net.Conn) {
	return func(c net.Conn) {
		for {
			version, id, _, _, err := protocol.ReadRequest(c)
			if err != nil {
				return
			}
			answer := &metadata.Response{Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: host, Port: port}}}
			if host == "" {
				answer.Brokers = nil
			}
			if err := protocol.WriteResponse(c, version, id, answer); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

func TestCheckTellsTheCause(t *testing.T) {
	for name, c := range map[string]struct {
		serve   func(net.Conn) // nil: nobody listens
		options broker.Options
		want    string
	}{
		"nobody listens":              {nil, broker.Options{}, "nothing listens there: dial tcp"},
		"no answer":                   {silent, broker.Options{}, "no answer in time: the broker hangs, or this port is none of Kafka's"},
		"no answer to TLS":            {silent, broker.Options{TLS: true}, "no answer in time"},
		"no answer to the sign-in":    {silent, broker.Options{SASLMechanism: "PLAIN", Username: "a", Password: "b"}, "no answer in time"},
		"ended":                       {closing, broker.Options{}, "it stops, or wants TLS (KAFKA_TLS) or a sign-in (KAFKA_SASL_MECHANISM)"},
		"ended, with TLS":             {closing, broker.Options{TLS: true}, "speaks no TLS at this port, or wants a sign-in"},
		"ended, with sign-in":         {closing, broker.Options{SASLMechanism: "PLAIN", Username: "a", Password: "b"}, "it stops, or wants TLS (KAFKA_TLS)"},
		"something else, with TLS":    {func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH\r\n")); silent(c) }, broker.Options{TLS: true}, "does not speak TLS"},
		"names itself as unreachable": {named(t, "127.0.0.1", 1), broker.Options{}, "it sends clients on to 127.0.0.1:1 (advertised.listeners): nothing listens there"},
		"knows of no broker":          {named(t, "", 0), broker.Options{}, "it knows of no broker yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := closedPort(t)
			if c.serve != nil {
				address = serve(t, c.serve)
			}
			c.options.Addresses = []string{address}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // none but the silent ones needs it
			defer cancel()
			err := connect(t, c.options).Check(ctx)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if !strings.HasPrefix(err.Error(), "reach Kafka at "+address+": ") {
				t.Errorf("%q does not say where", err)
			}
		})
	}
}

// The library signs in without a deadline and looks at no context meanwhile.
func TestNothingWaitsForEver(t *testing.T) {
	t.Parallel()
	address := serve(t, silent)
	b := connect(t, broker.Options{Addresses: []string{address}, SASLMechanism: "PLAIN", Username: "a", Password: "b"})
	conn, err := b.Dialer().DialContext(t.Context(), "tcp", address)
	if err == nil {
		t.Fatal("signed in to nobody", conn.Close())
	}
	if n, ok := errors.AsType[net.Error](err); !ok || !n.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

// A stop must not wait for what the library waits for.
func TestCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1024))
		cancel() // in the middle of the sign-in
		silent(c)
	})
	b := connect(t, broker.Options{Addresses: []string{address}, SASLMechanism: "PLAIN", Username: "a", Password: "b"})
	checked := make(chan error)
	go func() { checked <- b.Check(ctx) }()
	select {
	case err := <-checked:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(4 * time.Second): // the sign-in alone waits for 5
		t.Errorf("it goes on, and then says %v", <-checked)
	}
}

func TestCheckNeedsOneOfTheBrokers(t *testing.T) {
	there := testkit.Kafka(t)
	away := closedPort(t)
	if err := connect(t, broker.Options{Addresses: []string{away, there}}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	err := connect(t, broker.Options{Addresses: []string{away, closedPort(t)}}).Check(t.Context())
	if err == nil || strings.Count(err.Error(), "nothing listens there") != 2 {
		t.Errorf("got %v, want one cause for each", err)
	}
}

// A broker behind an address that it does not know is reached by the name that it
// tells its clients.
func TestCheckFollowsTheBrokersOwnName(t *testing.T) {
	proxy := testkit.StartProxy(t, testkit.Kafka(t))
	if err := connect(t, broker.Options{Addresses: []string{proxy.Addr}}).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAwait(t *testing.T) {
	proxy := testkit.StartProxy(t, testkit.Kafka(t))
	proxy.Refuse()
	log, said := logger(slog.LevelInfo)
	b := connect(t, broker.Options{Addresses: []string{proxy.Addr}, Logger: log})
	if _, err := b.Partitions(t.Context(), "any"); err == nil { // which the transport remembers
		t.Fatal("a refused connection works")
	}
	waiting := make(chan error)
	go func() { waiting <- b.Await(t.Context(), "reports") }()
	for !strings.Contains(said.String(), "waiting for Kafka") {
		select {
		case err := <-waiting:
			t.Fatalf("Await returned %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	proxy.Restore()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureTopics(t.Context()); err != nil {
		t.Errorf("right after Await: %v", err)
	}
	for _, want := range []string{"waiting for Kafka", "nothing listens there", "Kafka is there", "for=reports"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, said)
		}
	}
	if got := strings.Count(said.String(), "waiting for Kafka"); got != 1 {
		t.Errorf("said %d times that it waits", got)
	}
}

func TestAwaitIsSilentIfNothingIsWrong(t *testing.T) {
	log, said := logger(slog.LevelDebug)
	if err := connect(t, broker.Options{Addresses: []string{testkit.Kafka(t)}, Logger: log}).Await(t.Context(), "reports"); err != nil {
		t.Fatal(err)
	}
	if said.String() != "" {
		t.Errorf("logged %s", said)
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	for name, address := range map[string]string{"nobody listens": closedPort(t), "no answer": serve(t, silent)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := connect(t, broker.Options{Addresses: []string{address}}).Await(ctx, "reports")
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "reach Kafka at "+address) {
				t.Errorf("got %v, want the end of the context and the cause", err)
			}
		})
	}
}

// certified speaks TLS with a certificate for an address, valid until end.
func certified(t *testing.T, address string, end time.Time) (ca string, serve func(net.Conn)) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end, IPAddresses: []net.IP{net.ParseIP(address)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), func(c net.Conn) { silent(tls.Server(c, config)) }
}

func TestCheckTellsWhatIsWrongWithACertificate(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		end     time.Time
		want    string
	}{
		"another host": {"192.0.2.1", time.Now().Add(time.Minute), "the broker's certificate is for another host than KAFKA_BROKER names"},
		"expired":      {"127.0.0.1", time.Now().Add(-time.Minute), "the broker's certificate is not valid: x509: certificate has expired"},
	} {
		t.Run(name, func(t *testing.T) {
			ca, f := certified(t, c.address, c.end)
			err := connect(t, broker.Options{Addresses: []string{serve(t, f)}, TLS: true, CA: ca}).Check(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
