package probes_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

// TestMain lets more tests run at once than there are processors: most of them
// wait for a hostile peer.
func TestMain(m *testing.M) {
	switch os.Getenv(benchServer) {
	case "":
	case "dns":
		serveBenchDNS()
		return
	case "h3":
		serveBenchHTTP3()
		return
	case "grpc":
		serveBenchGRPC()
		return
	case "ws":
		serveBenchWS()
		return
	case "tls":
		serveBenchTLS()
		return
	case "mail":
		serveBenchMail()
		return
	default:
		serveBench()
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// option changes a site made by newSite.
type option func(*sitemon.Site)

// newSite returns a site with the defaults of package config.
func newSite(t testing.TB, target string, options ...option) *sitemon.Site {
	t.Helper()
	u, err := url.Parse(strings.NewReplacer("${", "", "}", "").Replace(target))
	if err != nil {
		t.Fatal(err)
	}
	kind := sitemon.Kind(u.Scheme)
	switch kind {
	case "https", "grpcs", "wss":
		kind = kind[:len(kind)-1]
	}
	s := &sitemon.Site{
		Name: t.Name(), URL: target, Kind: kind, Enabled: true, Interval: 10 * time.Second, Timeout: 10 * time.Second,
		Request: &sitemon.Request{
			Method: "GET", FollowRedirects: true, MaxRedirects: 10, IPProtocolFallback: true,
			BodySizeLimit: 1 << 20, EnableHTTP2: true,
		},
		Expect: &sitemon.Expect{}, References: strings.Contains(target, "${"),
		Definition: json.RawMessage(`{"url":"` + target + `"}`),
	}
	for _, o := range options {
		o(s)
	}
	return s
}

func newSet(t testing.TB, opts probes.Options) *probes.Set {
	s := probes.New(opts)
	t.Cleanup(s.Close)
	return s
}

// probe probes the site once with a set of its own.
func probe(t *testing.T, opts probes.Options, site *sitemon.Site) sitemon.Report {
	t.Helper()
	return newSet(t, opts).Probe(t.Context(), site)
}

// wantReport compares what a probe is judged by.
func wantReport(t *testing.T, got sitemon.Report, outcome sitemon.Outcome, reason sitemon.Reason, text string) {
	t.Helper()
	if got.Outcome != outcome || got.Reason != reason || !strings.Contains(got.Error, text) {
		t.Errorf("got %s/%s %q,\nwant %s/%s %q", got.Outcome, got.Reason, got.Error, outcome, reason, text)
	}
}

// listen serves each connection with handle until the test ends; all of them
// have ended then.
func listen(t testing.TB, handle func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, handle)
	return l.Addr().String()
}

func serveOn(t testing.TB, l net.Listener, handle func(net.Conn)) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns = map[net.Conn]bool{}
	)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			wg.Go(func() {
				handle(c)
				c.Close()
				mu.Lock()
				delete(conns, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// listenTLS is listen for TLS, with the protocols that may be agreed on.
func listenTLS(t testing.TB, cert tls.Certificate, alpn []string, handle func(net.Conn)) (addr string) {
	t.Helper()
	return listen(t, func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: alpn})
		if tc.Handshake() == nil {
			handle(tc)
		}
	})
}

// authority is a certificate authority for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &authority{}
	a.cert, a.key = issue(t, tmpl, nil)
	return a
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// server issues a certificate for localhost and 127.0.0.1, changed by change.
func (a *authority) server(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(tmpl)
	}
	cert, key := issue(t, tmpl, a)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func issue(t testing.TB, tmpl *x509.Certificate, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore = time.Now().Add(-time.Hour)
	}
	if tmpl.NotAfter.IsZero() {
		tmpl.NotAfter = time.Now().Add(100 * 24 * time.Hour)
	}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// fakeExpander knows some names.
type fakeExpander map[string]string

func (f fakeExpander) Expand(text string) (string, []string, error) {
	var secrets []string
	for name, value := range f {
		if ref := "${" + name + "}"; strings.Contains(text, ref) {
			text = strings.ReplaceAll(text, ref, value)
			secrets = append(secrets, value)
		}
	}
	if _, rest, ok := strings.Cut(text, "${"); ok {
		name, _, _ := strings.Cut(rest, "}")
		return "", secrets, unsetError(name)
	}
	return text, secrets, nil
}

type unsetError string

func (e unsetError) Error() string { return "the variable " + string(e) + " is not set" }

// deadline is a context for one probe.
func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// serverTLS is a server's configuration with one certificate.
func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// encode makes the body that the probe has to decode; names are those of the tests.
func encode(t *testing.T, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch name {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "bare deflate":
		w, _ = flate.NewWriter(&b, flate.BestCompression)
	default:
		return text
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
