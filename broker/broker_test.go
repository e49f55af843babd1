package broker_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
)

// connect makes a Broker, which ends with the test.
func connect(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// record is a log in memory.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// logger returns a logger and what it has logged.
func logger(level slog.Level) (*slog.Logger, *record) {
	r := &record{}
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: level})), r
}

func TestNewNamesTheSettingThatIsWrong(t *testing.T) {
	ca, cert, key := testkit.Certificate(t)
	_, _, other := testkit.Certificate(t)
	addresses := []string{"127.0.0.1:1"}
	for name, c := range map[string]struct {
		options broker.Options
		want    string
	}{
		"no broker":             {broker.Options{}, "KAFKA_BROKER names no broker"},
		"authority is no PEM":   {broker.Options{TLS: true, CA: "nonsense"}, "KAFKA_AUTH_CA is neither PEM nor the path of a file that exists"},
		"authority is a key":    {broker.Options{TLS: true, CA: key}, "KAFKA_AUTH_CA holds no certificate"},
		"authority is a folder": {broker.Options{TLS: true, CA: t.TempDir()}, "read the file that KAFKA_AUTH_CA names: is a directory"},
		"certificate is no PEM": {broker.Options{TLS: true, CA: ca, Cert: "nonsense", Key: sitemon.Secret(key)}, "KAFKA_ACCESS_CRT is neither"},
		"key is no PEM":         {broker.Options{TLS: true, CA: ca, Cert: cert, Key: "s3cret"}, "KAFKA_ACCESS_KEY is neither"},
		"key without certificate": {
			broker.Options{TLS: true, Key: sitemon.Secret(key)}, "KAFKA_ACCESS_CRT is missing",
		},
		"certificate without key": {broker.Options{TLS: true, Cert: cert}, "KAFKA_ACCESS_KEY is missing"},
		"certificate and key do not match": {
			broker.Options{TLS: true, Cert: cert, Key: sitemon.Secret(other)}, "do not make a client certificate: tls: private key does not match",
		},
		"certificate and key in each other's place": {
			broker.Options{TLS: true, Cert: key, Key: sitemon.Secret(cert)}, "KAFKA_ACCESS_CRT and KAFKA_ACCESS_KEY do not make a client certificate",
		},
		"certificates, but no TLS": {broker.Options{CA: ca}, "but TLS is off"},
		"unknown mechanism":        {broker.Options{SASLMechanism: "GSSAPI"}, `KAFKA_SASL_MECHANISM: "GSSAPI" is unknown`},
		"forbidden characters": {
			broker.Options{SASLMechanism: "SCRAM-SHA-256", Username: "ann", Password: "s3cret\u0000"}, "characters that SCRAM does not allow",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "no broker" {
				c.options.Addresses = addresses
			}
			_, err := broker.New(c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, secret := range []string{"s3cret", "nonsense", "BEGIN", "PRIVATE KEY-----"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q shows what a setting holds", err)
				}
			}
		})
	}
}

func TestNewTakesCertificatesInAnyForm(t *testing.T) {
	ca, cert, key := testkit.Certificate(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	oneLine := func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
	for name, o := range map[string]broker.Options{
		"text":             {CA: ca, Cert: cert, Key: sitemon.Secret(key)},
		"text in one line": {CA: oneLine(ca), Cert: oneLine(cert), Key: sitemon.Secret(oneLine(key))},
		"files":            {CA: file("ca.pem", ca), Cert: file("client.crt", cert), Key: sitemon.Secret(file("client.key", key))},
		"one file for certificate and key": {
			CA: ca, Cert: file("client.pem", cert+key), Key: sitemon.Secret(file("client.pem", cert+key)),
		},
		"authority alone": {CA: ca},
		"nothing":         {},
	} {
		t.Run(name, func(t *testing.T) {
			o.Addresses, o.TLS = []string{"127.0.0.1:1"}, true
			b := connect(t, o)
			config := b.Transport().TLS
			if config == nil || b.Dialer().TLS == nil {
				t.Fatal("TLS is off")
			}
			if (config.RootCAs != nil) != (o.CA != "") {
				t.Error("the authority is not the one that was given")
			}
			if (len(config.Certificates) == 1) != (o.Cert != "") {
				t.Error("the client certificate is not the one that was given")
			}
		})
	}
}

func TestNewWarnsOfAPasswordInTheClear(t *testing.T) {
	for name, c := range map[string]struct {
		options broker.Options
		want    bool
	}{
		"PLAIN":          {broker.Options{SASLMechanism: "PLAIN"}, true},
		"PLAIN over TLS": {broker.Options{SASLMechanism: "PLAIN", TLS: true}, false},
		"SCRAM":          {broker.Options{SASLMechanism: "SCRAM-SHA-512"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			log, said := logger(slog.LevelInfo)
			c.options.Logger, c.options.Addresses = log, []string{"127.0.0.1:1"}
			c.options.Username, c.options.Password = "ann", "s3cret"
			connect(t, c.options)
			if got := strings.Contains(said.String(), "in the clear"); got != c.want {
				t.Errorf("logged %q", said)
			}
			if strings.Contains(said.String(), "s3cret") {
				t.Error("the log shows the password")
			}
		})
	}
}

func TestErrorLoggerSaysAComplaintOnceAndThenCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, said := logger(slog.LevelDebug)
		l := connect(t, broker.Options{Addresses: []string{"127.0.0.1:1"}, Logger: log}).ErrorLogger()
		for range 5 {
			l.Printf("partition %d does not answer", 7)
			l.Printf("the group is away")
			time.Sleep(time.Second)
		}
		for _, complaint := range []string{"partition 7 does not answer", "the group is away"} {
			if got := strings.Count(said.String(), complaint); got != 1 {
				t.Errorf("%q is said %d times:\n%s", complaint, got, said)
			}
		}
		time.Sleep(time.Minute)
		l.Printf("partition %d does not answer", 8)
		if !strings.Contains(said.String(), `"partition 8 does not answer" times=5`) {
			t.Errorf("not counted:\n%s", said)
		}
	})
}

func TestErrorLoggerIsForDetails(t *testing.T) {
	log, said := logger(slog.LevelInfo)
	connect(t, broker.Options{Addresses: []string{"127.0.0.1:1"}, Logger: log}).ErrorLogger().Printf("away")
	if said.String() != "" {
		t.Errorf("logged %s", said)
	}
}
