package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/miekg/dns"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/icmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"sitemon/internal/servers"
)

const (
	tokenName = "RIG_TOKEN"
	token     = "of-the-measuring-rig"
	// patience is how long a server of the run waits for its client.
	patience = 10 * time.Second
)

// keys makes the same keys for every site.
func keys(format string, args ...any) func(int) string {
	s := fmt.Sprintf(format, args...)
	return func(int) string { return s }
}

// serve starts what the sites ask, and fills in the kinds. What is not on this
// machine is left out, and said.
func (f *fleet) serve(ctx context.Context) error {
	for _, part := range []func() error{f.serveHTTP, f.serveTLS, f.serveTCP, f.serveDNS, f.servePing, f.serveGRPC, f.serveWS} {
		if err := part(); err != nil {
			return fmt.Errorf("start what is probed: %w", err)
		}
	}
	f.add("heartbeat", 2, keys(`url: "heartbeat://", heartbeat: { token: "${%s}", every: 10m, grace: 1m }`, tokenName))
	for _, service := range []struct {
		name  string
		start func(context.Context) (url string, end func() error, err error)
	}{{"redis", startRedis}, {"postgres", startPostgres}, {"kafka", startKafka}} {
		if !f.wants(service.name) {
			continue
		}
		url, end, err := service.start(ctx)
		if errors.Is(err, servers.ErrMissing) || errors.Is(err, servers.ErrUnsupported) {
			fmt.Printf("without %s: %s\n", service.name, err)
			continue
		}
		if err != nil {
			return err
		}
		f.closes = append(f.closes, end)
		if err := f.takes(ctx, url); err != nil {
			fmt.Printf("without %s: %s\n", service.name, err)
			continue
		}
		f.add(service.name, 1, keys("url: %q", url))
	}
	return nil
}

// add makes a kind take part that is wanted.
func (f *fleet) add(name string, share int, site func(int) string) {
	if f.wants(name) {
		f.kinds = append(f.kinds, kind{name: name, share: share, site: site})
	}
}

// wants: without names all kinds are wanted.
func (f *fleet) wants(name string) bool {
	return f.only == "" || slices.Contains(strings.Split(f.only, ","), name)
}

// takes asks the daemon whether it has probes for an address.
func (f *fleet) takes(ctx context.Context, url string) error {
	file := filepath.Join(f.dir, "one.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "sites: [{ name: one, url: %q }]\n", url), 0o644); err != nil {
		return err
	}
	if said, err := exec.CommandContext(ctx, binary(), "check", file).CombinedOutput(); err != nil {
		return fmt.Errorf("the daemon refuses %s: %w: %s", url, err, bytes.TrimSpace(said))
	}
	return nil
}

func startRedis(ctx context.Context) (string, func() error, error) {
	s, err := servers.StartRedis(ctx, servers.RedisOptions{})
	if err != nil {
		return "", nil, err
	}
	return "redis://" + s.Addr, s.Close, nil
}

func startPostgres(ctx context.Context) (string, func() error, error) {
	s, err := servers.StartPostgres(ctx, servers.PostgresOptions{})
	if err != nil {
		return "", nil, err
	}
	return s.DSN, s.Close, nil
}

func startKafka(ctx context.Context) (string, func() error, error) {
	s, err := servers.StartKafka(ctx, servers.KafkaOptions{})
	if err != nil {
		return "", nil, err
	}
	return "kafka://" + s.Addr, s.Close, nil
}

// serveHTTP is the server of the other runs, asked once or in three steps.
func (f *fleet) serveHTTP() error {
	t, err := newTarget("127.0.0.1:0")
	if err != nil {
		return err
	}
	t.silent = true
	f.closes = append(f.closes, func() error { t.close(); return nil })
	f.add("http", 25, func(id int) string {
		return fmt.Sprintf(`url: "%s/s/%d", regex: "site-%d is up"`, t.base, id, id)
	})
	f.add("steps", 5, func(id int) string {
		return fmt.Sprintf(`url: "%s/s/%d", steps: [{ name: a, capture: { n: { regex: "site-([0-9]+) is up" } } }, `+
			`{ name: b, url: "/s/{{n}}" }, { name: c, url: "/s/{{n}}", expect: { body: { match: "site-%d is up" } } }]`, t.base, id, id)
	})
	return nil
}

// serveTLS are HTTP/2 and HTTP/3, and TLS with nothing in it.
func (f *fleet) serveTLS() error {
	config, ca, err := f.certificate()
	if err != nil {
		return err
	}
	pages := http.NewServeMux()
	pages.HandleFunc("GET /s/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "site-%s is up\n%s", r.PathValue("id"), padding)
	})
	trusting := fmt.Sprintf("tls_config: { ca_file: %q }, expect: { certificate_valid_for: 1h", ca)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{
		Handler: pages, TLSConfig: config.Clone(), ReadHeaderTimeout: patience,
		ErrorLog: log.New(io.Discard, "", 0), // the daemon says better who hung up, and why
	}
	f.closes = append(f.closes, web.Close)
	go func() { _ = web.ServeTLS(l, "", "") }()
	f.add("https", 15, func(id int) string {
		return fmt.Sprintf(`url: "https://%s/s/%d", regex: "site-%d is up", %s, http_version: HTTP/2.0 }`, l.Addr(), id, id, trusting)
	})
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	quic := &http3.Server{Handler: pages, TLSConfig: http3.ConfigureTLSConfig(config.Clone())}
	f.closes = append(f.closes, quic.Close, pc.Close)
	go func() { _ = quic.Serve(pc) }()
	f.add("http/3", 3, func(id int) string {
		return fmt.Sprintf(`url: "https://%s/s/%d", enable_http3: true, regex: "site-%d is up", %s }`, pc.LocalAddr(), id, id, trusting)
	})
	addr, err := f.listen(func(c net.Conn) {
		secure := tls.Server(c, config)
		if secure.Handshake() == nil {
			_, _ = io.Copy(io.Discard, secure)
		}
	})
	f.add("tls", 8, keys(`url: "tls://%s", %s }`, addr, trusting))
	return err
}

// certificate is one for the address of the servers, and a file with its authority.
func (f *fleet) certificate() (config *tls.Config, ca string, err error) {
	authority, err := servers.NewAuthority()
	if err != nil {
		return nil, "", err
	}
	certPEM, keyPEM, err := authority.Issue("rig", "127.0.0.1")
	if err != nil {
		return nil, "", err
	}
	cert, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		return nil, "", fmt.Errorf("load the certificate of the run: %w", err)
	}
	ca = filepath.Join(f.dir, "ca.pem")
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, ca, os.WriteFile(ca, []byte(authority.PEM), 0o644)
}

// listen serves connections until the run ends.
func (f *fleet) listen(serve func(net.Conn)) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	f.closes = append(f.closes, l.Close)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				serve(c)
			}()
		}
	}()
	return l.Addr().String(), nil
}

// serveTCP are a port, and one at which something is said.
func (f *fleet) serveTCP() error {
	port, err := f.listen(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	if err != nil {
		return err
	}
	f.add("tcp", 8, keys(`url: "tcp://%s"`, port))
	mail, err := f.listen(func(c net.Conn) {
		_, _ = io.WriteString(c, "220 rig ESMTP\r\n")
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
			_, _ = io.WriteString(c, "250-rig\r\n250 OK\r\n")
		}
	})
	f.add("dialogue", 5, keys(`url: "tcp://%s", query_response: [{ expect: "^220 ", send: "EHLO monitor\r" }, { expect: "^250 ", send: "QUIT\r" }, { expect: "^221 " }]`, mail))
	return err
}

// serveDNS answers every question with one address.
func (f *fleet) serveDNS() error {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1),
		}}
		_ = w.WriteMsg(m)
	})}
	f.closes = append(f.closes, pc.Close)
	go func() { _ = server.ActivateAndServe() }()
	f.add("dns", 12, func(id int) string {
		return fmt.Sprintf(`url: "dns://%s/%s.example.test", regex: "IN A 192[.]0[.]2[.]1$"`, pc.LocalAddr(), siteName(id))
	})
	return nil
}

// servePing leaves it to the kernel, where the daemon, which runs as this process
// does, may ask.
func (f *fleet) servePing() error {
	var errs []error
	for _, network := range []string{"udp4", "ip4:icmp"} {
		c, err := icmp.ListenPacket(network, "127.0.0.1")
		if err == nil {
			f.add("icmp", 6, ping)
			return c.Close()
		}
		errs = append(errs, err)
	}
	fmt.Printf("without icmp: %s\n", errors.Join(errs...))
	return nil
}

// ping is of one of many hosts, all of them this machine: with its pauses a probe
// takes 0.4 s, and the daemon has a limited number of places for one host.
func ping(id int) string {
	return fmt.Sprintf(`url: "icmp://127.0.%d.%d"`, 1+id/200%200, 1+id%200)
}

func (f *fleet) serveGRPC() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	f.closes = append(f.closes, func() error { server.Stop(); return nil })
	go func() { _ = server.Serve(l) }()
	f.add("grpc", 4, keys(`url: "grpc://%s"`, l.Addr()))
	return nil
}

// serveWS sends back what it gets.
func (f *fleet) serveWS() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			form, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), form, text) != nil {
				return
			}
		}
	})}
	f.closes = append(f.closes, server.Close)
	go func() { _ = server.Serve(l) }()
	f.add("ws", 4, func(id int) string {
		return fmt.Sprintf(`url: "ws://%s/", ws: { send: "ping %d" }, regex: "^ping %d$"`, l.Addr(), id, id)
	})
	return nil
}
