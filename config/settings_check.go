package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// derive fills in the settings whose defaults are made from others.
func (l *loader) derive(s *Settings) {
	if _, ok := l.origins["listen"]; !ok && !s.Role.Page() {
		s.Listen = listenMonitor
	}
	if _, ok := l.origins["source"]; !ok && s.Sites != "" {
		s.Source = filepath.Base(absolute(s.Sites))
	}
	if _, ok := l.origins["instance"]; !ok {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "monitor"
		}
		s.Instance = fmt.Sprintf("%s-%08x", host, uint32(xxhash.Sum64String(absolute(s.DataDir))>>32))
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// where is the place at which a setting was said, or its own name.
func (l *loader) where(key string) string {
	if o, ok := l.origins[key]; ok {
		return o.where
	}
	return key
}

func (l *loader) isSet(key string) bool { return l.origins[key].where != "" }

// check finds what is wrong with the settings taken together.
func (l *loader) check(s *Settings) {
	l.checkRole(s)
	if s.BeyondLoopback() && !s.InsecureNoAuth && !s.Auth.Required() {
		l.fail(l.where("listen"), "%s can be reached from beyond this machine, and nobody has to sign in; say in %s under auth who may, "+
			"keep to 127.0.0.1 and put a proxy that asks for a password before it, or allow it with --insecure-no-auth", s.Listen, cmp.Or(s.Config, "sitemon.yaml"))
	}
	if s.InsecureNoAuth && s.Auth.Required() {
		l.fail(l.where("insecure_no_auth"), "nobody has to sign in by it, and %s says under auth who may; take one of them out", s.Config)
	}
	if (s.Web.TLSCertFile == "") != (s.Web.TLSKeyFile == "") {
		l.fail(l.where("web.tls_cert_file"), "TLS needs both web.tls_cert_file and web.tls_key_file")
	}
	if s.Retention.Availability1h < s.Retention.Reports {
		l.fail(l.where("retention.availability_1h"), "%s is less than retention.reports, %s; the sums must outlive what they sum up",
			FormatDuration(s.Retention.Availability1h), FormatDuration(s.Retention.Reports))
	}
	if s.Retention.Availability1h < s.Retention.Availability5m {
		l.fail(l.where("retention.availability_1h"), "%s is less than retention.availability_5m, %s; the sums of hours must outlive those of 5 minutes",
			FormatDuration(s.Retention.Availability1h), FormatDuration(s.Retention.Availability5m))
	}
	l.allOrNone("TLS to Kafka with a client certificate", "kafka.tls.ca", "kafka.tls.key", "kafka.tls.cert")
	l.allOrNone("SASL", "kafka.sasl.mechanism", "kafka.sasl.username", "kafka.sasl.password")
	if l.isSet("kafka.tls.enabled") && !s.Kafka.TLS.Enabled && l.isSet("kafka.tls.cert") {
		l.fail(l.where("kafka.tls.enabled"), "TLS is off, but a client certificate is set")
	}
	if l.isSet("kafka.tls.cert") {
		s.Kafka.TLS.Enabled = true
	}
}

// listenMonitor is where a monitor alone listens unless it is told otherwise, so
// that it can stand beside a writer.
const listenMonitor = "127.0.0.1:8081"

// checkRole finds roles that lack what they share with others.
func (l *loader) checkRole(s *Settings) {
	const broker, dsn = "KAFKA_BROKER", "POSTGRES_DSN"
	kafka, postgres := l.isSet("kafka.broker"), l.isSet("postgres.dsn")
	divided := s.Role.Has(RoleMonitor) != s.Role.Has(RoleWriter) // its reports go to, or come from, another process
	web := !s.Role.Has(RoleMonitor) && !s.Role.Has(RoleWriter)
	switch {
	case divided && (!kafka || !postgres):
		var missing []string
		for _, v := range []struct {
			name string
			set  bool
		}{{broker, kafka}, {dsn, postgres}} {
			if !v.set {
				missing = append(missing, v.name)
			}
		}
		l.fail(l.where("role"), "a monitor and a writer that run apart share Kafka and Postgres; set %s, "+
			"or run --role=all, which does the work of both in one process", strings.Join(missing, " and "))
	case web && !postgres:
		l.fail(l.where("role"), "web alone shows what others recorded in Postgres, and %s is not set; set it, or run --role=all", dsn)
	case kafka && !postgres:
		l.fail(l.where("kafka.broker"), "Kafka without Postgres has nothing to share: set %s too, or leave Kafka out", dsn)
	}
	if s.Sites == "" && !postgres {
		l.fail(l.where("sites"), "without a sites file the sites come from Postgres alone, and %s is not set", dsn)
	}
}

// BeyondLoopback reports whether page and API are reached from other machines.
func (s *Settings) BeyondLoopback() bool {
	host, _, err := net.SplitHostPort(s.Listen)
	return err == nil && !isLoopback(host)
}

// isLoopback reports whether a listener on host is reached from this machine
// alone.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// allOrNone wants all of some settings, or none of them.
func (l *loader) allOrNone(what string, keys ...string) {
	var set, missing []string
	for _, key := range keys {
		if l.isSet(key) {
			set = append(set, l.where(key))
		} else {
			missing = append(missing, optionBy(func(o option) string { return o.key })[key].variable)
		}
	}
	if len(set) > 0 && len(missing) > 0 {
		l.fail(strings.Join(set, ", "), "%s also needs %s", what, strings.Join(missing, " and "))
	}
}
