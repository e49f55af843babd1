package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// saveCertificate writes a certificate for this machine, and its key, into dir.
func saveCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "sitemon"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	save(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	save(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
}

// TestSignIn runs a daemon that listens on all addresses, with TLS and with people
// who may come in, as the documents say to set it up.
func TestSignIn(t *testing.T) {
	t.Parallel()
	dir, web := t.TempDir(), newTarget(t)
	save(t, dir, "sites.yaml", sites(web, "a:/"))
	saveCertificate(t, dir, 1)
	hashing := program(dir, "hash-password")
	hashing.Stdin = strings.NewReader("correct horse\n")
	hash, err := hashing.Output()
	if err != nil || !strings.HasPrefix(string(hash), "$2a$12$") {
		t.Fatalf("hash-password prints %q: %v", hash, err)
	}
	save(t, dir, "sitemon.yaml", fmt.Sprintf(`
web: { tls_cert_file: cert.pem, tls_key_file: key.pem }
auth:
  basic: [{ username: ann, password_hash: "%s", role: operator }]
  tokens: [{ name: ci, token: "${CI_TOKEN}", role: viewer }]
`, strings.TrimSpace(string(hash))))
	const token = "a-token-of-ci-0123456789"
	if r := runProgram(t, dir, "--listen", "0.0.0.0:0"); r.code != 1 || !strings.Contains(r.err, "CI_TOKEN") {
		t.Fatalf("without the variable of a token: %+v", r)
	}
	p := startDaemonIn(t, dir, []string{"CI_TOKEN=" + token}, "--listen", "0.0.0.0:0")
	if !strings.HasPrefix(p.url, "https://localhost:") {
		t.Fatalf("the page is at %s", p.url)
	}
	var serial int64
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // it is self-signed
		VerifyConnection: func(c tls.ConnectionState) error {
			serial = c.PeerCertificates[0].SerialNumber.Int64()
			return nil
		},
	}}}
	base := strings.Replace(p.url, "localhost", "127.0.0.1", 1)
	status := func(method, path string, edit func(r *http.Request)) int {
		t.Helper()
		r, err := http.NewRequest(method, base+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(r)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	ann := func(r *http.Request) { r.SetBasicAuth("ann", "correct horse") }
	for _, c := range []struct {
		method, path string
		as           func(r *http.Request)
		want         int
	}{
		{"GET", "/healthz", nil, 200},
		{"GET", "/api/v1/sites", nil, 401},
		{"GET", "/metrics", nil, 401},
		{"GET", "/metrics", bearer, 200},
		{"POST", "/api/v1/config/reload", bearer, 403},
		{"POST", "/api/v1/config/reload", ann, 200},
	} {
		if got := status(c.method, c.path, c.as); got != c.want {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, got, c.want)
		}
	}
	listen := strings.TrimPrefix(p.url, "https://")
	waitFor(t, "sitemon status shows the site", func() bool {
		again := program(dir, "status", "--listen", listen)
		again.Env = append(again.Env, "SITEMON_TOKEN="+token, "CI_TOKEN="+token)
		out, err := again.Output()
		return err == nil && strings.Contains(string(out), "up")
	})
	health := program(dir, "healthcheck", "--listen", listen)
	health.Env = append(health.Env, "CI_TOKEN="+token)
	if out, err := health.CombinedOutput(); err != nil {
		t.Errorf("healthcheck: %v: %s", err, out)
	}

	// A new certificate is served without a restart; one that is no good is not.
	saveCertificate(t, dir, 2)
	waitFor(t, "the new certificate is served", func() bool { return status("GET", "/healthz", nil) == 200 && serial == 2 })
	save(t, dir, "cert.pem", "no certificate")
	waitFor(t, "the bad one is logged", func() bool {
		return status("GET", "/healthz", nil) == 200 && strings.Contains(p.logged(), "certificate not read; the one before stays")
	})
	if serial != 2 {
		t.Errorf("the certificate %d is served, want the last good one", serial)
	}
	p.stop()
	for _, secret := range []string{token, "correct horse", "$2a$"} {
		if strings.Contains(p.logged(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "data", "*")); err != nil || len(files) == 0 {
		t.Errorf("no data: %v", err)
	} else {
		for _, f := range files {
			if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), token) {
				t.Errorf("%s holds the token", f)
			}
		}
	}
}
