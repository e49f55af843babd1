package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// tlsConfig returns nil where the connection is not encrypted.
func (o Options) tlsConfig() (*tls.Config, error) {
	switch {
	case !o.TLS && (o.CA != "" || o.Cert != "" || o.Key != ""):
		return nil, errors.New("KAFKA_AUTH_CA, KAFKA_ACCESS_CRT or KAFKA_ACCESS_KEY is set, but TLS is off")
	case !o.TLS:
		return nil, nil
	case o.Cert == "" && o.Key != "":
		return nil, errors.New("KAFKA_ACCESS_CRT is missing beside KAFKA_ACCESS_KEY")
	case o.Cert != "" && o.Key == "":
		return nil, errors.New("KAFKA_ACCESS_KEY is missing beside KAFKA_ACCESS_CRT")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := pemOf("KAFKA_AUTH_CA", o.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("KAFKA_AUTH_CA holds no certificate")
		}
	}
	if o.Cert == "" {
		return config, nil
	}
	cert, err := pemOf("KAFKA_ACCESS_CRT", o.Cert)
	if err != nil {
		return nil, err
	}
	key, err := pemOf("KAFKA_ACCESS_KEY", o.Key.Reveal())
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("KAFKA_ACCESS_CRT and KAFKA_ACCESS_KEY do not make a client certificate: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// pemOf returns PEM that is given itself or by its path. The error shows neither:
// who mixes up two settings must not find a key in the log.
func pemOf(setting, text string) ([]byte, error) {
	if strings.Contains(text, "-----BEGIN") {
		if !strings.Contains(text, "\n") { // env files that know one line only
			text = strings.ReplaceAll(text, `\n`, "\n")
		}
		return []byte(text), nil
	}
	pem, err := os.ReadFile(text)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s is neither PEM nor the path of a file that exists", setting)
	case err != nil:
		return nil, fmt.Errorf("read the file that %s names: %w", setting, errors.Unwrap(err))
	}
	return pem, nil
}

// mechanism returns nil where nobody signs in.
func (o Options) mechanism() (sasl.Mechanism, error) {
	switch o.SASLMechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: o.Username, Password: o.Password.Reveal()}, nil
	case "SCRAM-SHA-256", "SCRAM-SHA-512":
		algorithm := scram.SHA256
		if o.SASLMechanism == "SCRAM-SHA-512" {
			algorithm = scram.SHA512
		}
		m, err := scram.Mechanism(algorithm, o.Username, o.Password.Reveal())
		if err != nil { // the library's words may hold the password
			return nil, errors.New("KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD has characters that SCRAM does not allow")
		}
		return m, nil
	}
	return nil, fmt.Errorf("KAFKA_SASL_MECHANISM: %q is unknown; PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are", o.SASLMechanism)
}
