package probes_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sitemon"
	"sitemon/internal/servers"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

// serveBenchTLS is serveBench for HTTP over TLS, in both versions. Behind the address
// it prints the authority of its certificate.
func serveBenchTLS() {
	authority, cert, err := authorized()
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	page := "site-1 is up\n" + strings.Repeat("x", 1011)
	server := &http.Server{
		TLSConfig: serverTLS(cert), ReadHeaderTimeout: time.Second,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // of connections without a request
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	fmt.Println(l.Addr(), base64.StdEncoding.EncodeToString([]byte(authority)))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func authorized() (authority string, cert tls.Certificate, err error) {
	a, err := servers.NewAuthority()
	if err != nil {
		return "", cert, err
	}
	certPEM, keyPEM, err := a.Issue("bench", "127.0.0.1")
	if err != nil {
		return "", cert, err
	}
	cert, err = tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	return a.PEM, cert, err
}

// serveBenchMail is serveBench for something that talks line by line.
func serveBenchMail() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go talkMail(c)
		}
	}()
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func talkMail(c net.Conn) {
	defer c.Close()
	_, _ = io.WriteString(c, "220 bench ESMTP\r\n")
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "QUIT") {
			_, _ = io.WriteString(c, "221 bye\r\n")
			return
		}
		_, _ = io.WriteString(c, "250 OK\r\n")
	}
}

// benchKind measures probes of one site that is up.
func benchKind(b *testing.B, site *sitemon.Site) {
	set := newSet(b, probes.Options{})
	measure(b, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if r := set.Probe(ctx, site); r.Outcome != sitemon.OutcomeUp {
			return fmt.Errorf("%s: %s", r.Outcome, r.Error)
		}
		return nil
	})
}

// BenchmarkKindsByTLS is BenchmarkKinds for what begins with a handshake of TLS, whose
// certificate is verified.
func BenchmarkKindsByTLS(b *testing.B) {
	addr, encoded, _ := strings.Cut(startBenchServer(b, "tls"), " ")
	authority, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		b.Fatal(err)
	}
	checked := trusts(string(authority))
	for _, tt := range []struct {
		name, url string
		options   []option
	}{
		{"https, http/2", "https://" + addr + "/", []option{checked}},
		{"https, http/1.1", "https://" + addr + "/", []option{checked, func(s *sitemon.Site) { s.Request.EnableHTTP2 = false }}},
		{"tls", "tls://" + addr, []option{checked}},
	} {
		b.Run(tt.name, func(b *testing.B) { benchKind(b, newSite(b, tt.url, tt.options...)) })
	}
}

// BenchmarkKindsOfServices is BenchmarkKinds for databases and brokers, each where it
// is on this machine.
func BenchmarkKindsOfServices(b *testing.B) {
	b.Run("redis", func(b *testing.B) {
		benchKind(b, newSite(b, "redis://"+testkit.StartRedis(b, testkit.RedisOptions{}).Addr))
	})
	b.Run("postgres", func(b *testing.B) { benchKind(b, newSite(b, testkit.Postgres(b))) })
	b.Run("kafka", func(b *testing.B) { benchKind(b, newSite(b, "kafka://"+testkit.Kafka(b))) })
}
