package probes

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sitemon"
)

// handshake turns conn into a TLS connection to host and checks its certificate.
// It does not close conn.
func (a *attempt) handshake(conn net.Conn, host string, alpn []string) (*tls.Conn, error) {
	cfg, err := a.tlsConfig(host, alpn)
	if err != nil {
		return nil, err
	}
	return a.shake(conn, cfg)
}

// shake is handshake with a configuration.
func (a *attempt) shake(conn net.Conn, cfg *tls.Config) (*tls.Conn, error) {
	if err := noDelay(conn); err != nil {
		return nil, err
	}
	tc := tls.Client(conn, cfg)
	start := time.Now()
	err := tc.Handshake() // the connection's deadline ends it
	a.report.Phases.TLS += time.Since(start)
	if err != nil {
		return nil, a.tlsFailure(cfg.ServerName, err)
	}
	return tc, nil
}

// tlsConfig makes the configuration for one handshake. The certificate is
// checked by our own function, so that its facts are known also where it is bad.
func (a *attempt) tlsConfig(host string, alpn []string) (*tls.Config, error) {
	cfg := &tls.Config{
		ServerName: host, RootCAs: a.set.roots, NextProtos: alpn,
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true,
	}
	verify := true
	if site := a.site.Request.TLS; site != nil {
		verify = !site.InsecureSkipVerify
		if site.MinVersion != 0 {
			cfg.MinVersion = site.MinVersion
		}
		cfg.MaxVersion = site.MaxVersion
		if err := a.tlsMaterial(site, cfg); err != nil {
			return nil, err
		}
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		a.recordCertificates(&state)
		if !verify {
			return nil
		}
		return verifyChain(state.PeerCertificates, cfg.ServerName, cfg.RootCAs)
	}
	return cfg, nil
}

// tlsMaterial puts a site's own authorities, certificate and server name in.
func (a *attempt) tlsMaterial(site *sitemon.TLSConfig, cfg *tls.Config) error {
	ca, err := a.textOrFile("tls_config.ca", site.CA, site.CAFile)
	if err != nil {
		return err
	}
	if ca != "" {
		if cfg.RootCAs, err = a.set.pools.value(ca, 0, func() (*x509.CertPool, error) { return parsePool(ca) }); err != nil {
			return failf(sitemon.ReasonInternal, err, "tls_config.ca: %v", err)
		}
	}
	cert, err := a.textOrFile("tls_config.cert", site.Cert, site.CertFile)
	if err != nil {
		return err
	}
	if cert != "" {
		key, err := a.textOrFile("tls_config.key", site.Key.Reveal(), site.KeyFile)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(cert + "\x00" + key))
		pair, err := a.set.pairs.value(string(sum[:]), 0, func() (tls.Certificate, error) {
			return tls.X509KeyPair([]byte(cert), []byte(key))
		})
		if err != nil {
			return failf(sitemon.ReasonInternal, err, "tls_config.cert: %v", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if site.ServerName != "" {
		cfg.ServerName, err = a.expand(site.ServerName)
	}
	return err
}

func parsePool(pem string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("no certificate in PEM form found")
	}
	return pool, nil
}

// recordCertificates notes what the server showed, good or bad.
func (a *attempt) recordCertificates(state *tls.ConnectionState) {
	var earliest time.Time
	for _, c := range state.PeerCertificates {
		if earliest.IsZero() || c.NotAfter.Before(earliest) {
			earliest = c.NotAfter
		}
	}
	a.report.CertificateExpiresAt = earliest
	a.trail().tls = *state
	if a.detail != nil {
		a.detail.recordTLS(state)
	}
}

// verifyChain is what crypto/tls does for a client by itself.
func verifyChain(chain []*x509.Certificate, name string, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errors.New("the server sent no certificate")
	}
	opts := x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err
}

// tlsFailure sorts the ways in which a handshake fails.
func (a *attempt) tlsFailure(name string, err error) *failure {
	if timedOut(err) || a.ctx.Err() != nil {
		return a.noAnswer(sitemon.ReasonTLSTimeout, err, "connected, in the TLS handshake")
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalidCertificate(invalid)
	}
	if hostname, ok := errors.AsType[x509.HostnameError](err); ok {
		return failf(sitemon.ReasonTLSHostname, err, "the certificate is not for %s but for %s", name, namesOf(hostname.Certificate))
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "an unknown authority"
		if unknown.Cert != nil {
			issuer = fmt.Sprintf("%q, which is not trusted", unknown.Cert.Issuer.String())
		}
		return failf(sitemon.ReasonTLSUntrusted, err, "the certificate was issued by %s", issuer)
	}
	if roots, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return failf(sitemon.ReasonInternal, err, "this monitor's own certificate authorities can't be read: %v", roots.Err)
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return failf(sitemon.ReasonTLSError, err, "the server does not speak TLS: its answer begins with %q", record.RecordHeader[:])
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return failf(sitemon.ReasonTLSError, err, "the server ended the TLS handshake: %s", strings.TrimPrefix(alert.Error(), "tls: "))
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return failf(sitemon.ReasonTLSError, err, "the server ended the TLS handshake: %s", strings.TrimPrefix(op.Err.Error(), "tls: "))
	}
	return failf(sitemon.ReasonTLSError, err, "TLS handshake: %s", strings.TrimPrefix(words(err), "tls: "))
}

func invalidCertificate(invalid x509.CertificateInvalidError) *failure {
	cert := invalid.Cert
	if invalid.Reason != x509.Expired {
		return failf(sitemon.ReasonTLSUntrusted, invalid, "the certificate is not valid: %s", strings.TrimPrefix(invalid.Error(), "x509: "))
	}
	if time.Now().Before(cert.NotBefore) {
		return failf(sitemon.ReasonTLSExpired, invalid, "the certificate is not valid before %s", cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return failf(sitemon.ReasonTLSExpired, invalid, "the certificate of %s expired at %s", namesOf(cert), cert.NotAfter.UTC().Format(time.RFC3339))
}

// namesOf lists whom a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := certificateNames(c)
	switch {
	case len(names) == 0:
		return fmt.Sprintf("%q", c.Subject.String())
	case len(names) > 5:
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}
