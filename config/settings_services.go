package config

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sitemon"
)

// parseBrokers reads the seed system's form: one URL with several hosts.
func parseBrokers(text string) ([]string, error) {
	const scheme = "kafka://"
	if strings.Contains(text, "@") {
		return nil, errors.New("must not hold a user name; use KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
	}
	var brokers []string
	for broker := range strings.SplitSeq(text, ",") {
		broker = strings.TrimSpace(broker)
		if len(broker) >= len(scheme) && strings.EqualFold(broker[:len(scheme)], scheme) {
			broker = broker[len(scheme):]
		}
		broker = strings.TrimSuffix(broker, "/")
		host, port, err := net.SplitHostPort(broker)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || n == 0 || host == "" || strings.ContainsAny(host, "/ \t") {
			return nil, errors.New("must be kafka://host:port, several hosts joined by commas")
		}
		brokers = append(brokers, net.JoinHostPort(host, port))
	}
	return brokers, nil
}

func showBrokers(brokers []string) string { return strings.Join(brokers, ",") }

// topicName leaves room below Kafka's limit of 249 characters: the names of the
// other topics are longer by up to 7.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,242}$`)

func kafkaTopic(text string) error {
	if !topicName.MatchString(text) || text == "." || text == ".." {
		return errors.New("must be 1 to 242 letters, digits, dots, dashes and underscores")
	}
	return nil
}

// parseDSN checks the URL of a Postgres database and turns the parameter ssl,
// which other drivers know, into libpq's sslmode: the server refuses ssl, and
// without sslmode the connection might be in the clear. Errors hold nothing of
// the text, which may be a password.
func parseDSN(text string) (sitemon.Secret, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", errors.New("must be postgres://user:password@host:port/database (special characters in the password percent-encoded)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", errors.New("has parameters that can't be read")
	}
	if u.Hostname() == "" && query.Get("host") == "" {
		return "", errors.New("has no host")
	}
	for _, name := range []string{"ssl", "sslmode"} {
		if query.Has(name) && !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, query.Get(name)) {
			return "", errors.New("has an unknown " + name + "; it must be disable, allow, prefer, require, verify-ca or verify-full")
		}
	}
	if query.Has("ssl") {
		if mode := query.Get("ssl"); query.Has("sslmode") && query.Get("sslmode") != mode {
			return "", errors.New("has ssl and sslmode, and they differ")
		}
		query.Set("sslmode", query.Get("ssl"))
		query.Del("ssl")
		u.RawQuery = query.Encode()
	}
	return sitemon.Secret(u.String()), nil
}
