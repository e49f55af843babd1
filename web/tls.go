package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at, at most.
const certificateCheck = 5 * time.Second

// certificateFiles is a certificate that is read again when its files change.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	now     *tls.Certificate
	tried   [2]time.Time // when the files were changed that were read last, good or bad
	checked time.Time
}

// TLSConfig returns the configuration of a server with the certificate and the key
// in two PEM files. They are read again when they change; a pair that is no good is
// logged, and the one before stays.
func TLSConfig(certFile, keyFile string, log *slog.Logger) (*tls.Config, error) {
	c := &certificateFiles{cert: certFile, key: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(time.Now()), nil
		},
	}, nil
}

// current is the certificate of the files as they are now.
func (c *certificateFiles) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < certificateCheck {
		return c.now
	}
	c.checked = now
	if err := c.read(); err != nil {
		c.log.Error("certificate not read; the one before stays", "file", c.cert, "err", err)
	}
	return c.now
}

// read reads the files if they have changed since they were read last.
func (c *certificateFiles) read() error {
	var at [2]time.Time
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("read the certificate of page and API: %w", err)
		}
		at[i] = info.ModTime()
	}
	if at == c.tried {
		return nil
	}
	c.tried = at
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the certificate of page and API from %s and %s: %w", c.cert, c.key, err)
	}
	if c.now != nil {
		c.log.Info("certificate changed", "file", c.cert, "ends", pair.Leaf.NotAfter)
	}
	c.now = &pair
	return nil
}
