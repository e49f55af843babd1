package probes_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sitemon"
	"sitemon/probes"
)

const day = 24 * time.Hour

func TestCertificates(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-10*day), time.Now().Add(-time.Hour)
	}
	tests := []struct {
		name    string
		cert    tls.Certificate
		host    string
		tls     *sitemon.TLSConfig
		expect  sitemon.Expect
		outcome sitemon.Outcome
		reason  sitemon.Reason
		want    string
		left    time.Duration // of the certificate
	}{
		{name: "good by name", cert: ca.server(t, nil), host: "localhost", outcome: "up", left: 100 * day},
		{name: "good by address", cert: ca.server(t, nil), outcome: "up", left: 100 * day},
		{name: "expired", cert: ca.server(t, expired), outcome: "down", reason: "tls_expired", want: "the certificate of localhost, 127.0.0.1 expired at 20", left: -time.Hour},
		{name: "not yet valid", cert: ca.server(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(day) }), outcome: "down", reason: "tls_expired", want: "not valid before", left: 100 * day},
		{name: "another name", cert: ca.server(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"a.example", "b.example"}, nil }), host: "localhost", outcome: "down", reason: "tls_hostname", want: "the certificate is not for localhost but for a.example, b.example", left: 100 * day},
		{name: "another address", cert: ca.server(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} }), outcome: "down", reason: "tls_hostname", want: "not for 127.0.0.1 but for localhost, 192.0.2.1", left: 100 * day},
		{name: "untrusted", cert: stranger.server(t, nil), outcome: "down", reason: "tls_untrusted", want: `the certificate was issued by "CN=Test Authority", which is not trusted`, left: 100 * day},
		{name: "for clients only", cert: ca.server(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), outcome: "down", reason: "tls_untrusted", want: "the certificate is not valid: ", left: 100 * day},
		{name: "unverified", cert: stranger.server(t, expired), tls: &sitemon.TLSConfig{InsecureSkipVerify: true}, outcome: "up", left: -time.Hour},
		{name: "unverified and looked at", cert: stranger.server(t, expired), tls: &sitemon.TLSConfig{InsecureSkipVerify: true}, expect: sitemon.Expect{CertificateValidFor: 14 * day}, outcome: "degraded", reason: "certificate", want: "certificate expired for 1h0m", left: -time.Hour},
		{name: "an authority of its own", cert: stranger.server(t, nil), tls: &sitemon.TLSConfig{CA: stranger.pem()}, outcome: "up", left: 100 * day},
		{name: "another server name", cert: ca.server(t, func(c *x509.Certificate) { c.DNSNames = []string{"a.example"} }), tls: &sitemon.TLSConfig{ServerName: "a.example"}, outcome: "up", left: 100 * day},
		{name: "valid for long enough", cert: ca.server(t, nil), expect: sitemon.Expect{CertificateValidFor: 99 * day}, outcome: "up", left: 100 * day},
		{name: "not for long", cert: ca.server(t, nil), expect: sitemon.Expect{CertificateValidFor: 101 * day}, outcome: "degraded", reason: "certificate", want: "certificate valid for 99d23h (until", left: 100 * day},
		{name: "too old a protocol", cert: ca.server(t, nil), tls: &sitemon.TLSConfig{MaxVersion: tls.VersionTLS12}, outcome: "down", reason: "tls_error", want: "the server ended the TLS handshake: protocol version not supported"},
		{name: "an authority that is none", cert: ca.server(t, nil), tls: &sitemon.TLSConfig{CA: "nonsense"}, outcome: "unknown", reason: "internal", want: "tls_config.ca: no certificate in PEM form found"},
		{name: "a key that is none", cert: ca.server(t, nil), tls: &sitemon.TLSConfig{Cert: ca.pem(), Key: "nonsense"}, outcome: "unknown", reason: "internal", want: "tls_config.cert: tls: failed to find any PEM data in key input"},
	}
	for _, tt := range tests {
		for _, scheme := range []string{"tls", "https"} {
			t.Run(scheme+"/"+tt.name, func(t *testing.T) {
				addr := listen(t, func(c net.Conn) {
					tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{tt.cert}, MinVersion: tls.VersionTLS13})
					answer(okHead+"Content-Length: 2\r\n\r\nok", nil)(tc)
				})
				if _, port, err := net.SplitHostPort(addr); err == nil && tt.host != "" {
					addr = net.JoinHostPort(tt.host, port)
				}
				site := newSite(t, scheme+"://"+addr)
				site.Request.TLS, site.Expect = tt.tls, &tt.expect
				r := probe(t, probes.Options{Roots: ca.pool()}, site)
				wantReport(t, r, tt.outcome, tt.reason, tt.want)
				if left := time.Until(r.CertificateExpiresAt); tt.left != 0 && (left > tt.left || left < tt.left-time.Hour) {
					t.Errorf("certificate expires in %s, want %s", left, tt.left)
				}
			})
		}
	}
}

// A client certificate is shown, and read again when its file changes: not
// before ten seconds are over, so here from two sets.
func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t)
	client := ca.server(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	server := ca.server(t, nil)
	addr := listen(t, func(c net.Conn) {
		tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()})
		answer(okHead+"Content-Length: 2\r\n\r\nok", nil)(tc)
	})
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalECPrivateKey(client.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	site := newSite(t, "https://"+addr)
	site.Request.TLS = &sitemon.TLSConfig{
		CertFile: write("cert.pem", "CERTIFICATE", client.Certificate[0]), KeyFile: write("key.pem", "EC PRIVATE KEY", der),
	}
	wantReport(t, probe(t, probes.Options{Roots: ca.pool()}, site), sitemon.OutcomeUp, "", "")
	site.Request.TLS = nil
	r := probe(t, probes.Options{Roots: ca.pool()}, site)
	if r.Outcome != sitemon.OutcomeDown {
		t.Errorf("without a certificate: %s/%s %q", r.Outcome, r.Reason, r.Error)
	}
}
