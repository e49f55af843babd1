package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sitemon"
)

// faultCase is something wrong to say, and the lines of the error.
type faultCase struct {
	name string
	in   said
	want []string
}

func testFaults(t *testing.T, tests []faultCase) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := load(t, tt.in)
			if err == nil {
				t.Fatal("want an error")
			}
			if !errors.Is(err, sitemon.ErrInvalid) {
				t.Errorf("the error does not wrap ErrInvalid: %v", err)
			}
			if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestLoadRefusesBadFiles(t *testing.T) {
	file := func(text string) said { return said{file: text} }
	testFaults(t, []faultCase{
		{"unknown key", file("lisen: x\n"), []string{`sitemon.yaml:1:1: unknown key "lisen"; did you mean "listen"?`}},
		{"unknown nested key", file("log:\n  levle: info\n"), []string{`sitemon.yaml:2:3: unknown key "log.levle"; did you mean "level"?`}},
		{"dashes", file("data-dir: x\n"), []string{`sitemon.yaml:1:1: unknown key "data-dir"; did you mean "data_dir"?`}},
		{"flat", file("log_level: info\n"), []string{`sitemon.yaml:1:1: unknown key "log_level"; did you mean log: { level: … }?`}},
		{"dotted", file("log.level: info\n"), []string{`sitemon.yaml:1:1: unknown key "log.level"; did you mean log: { level: … }?`}},
		{"nothing like it", file("web: { port: 80 }\n"), []string{`sitemon.yaml:1:8: unknown key "web.port"; known here: hosts, tls_cert_file, tls_key_file`}},
		{"only a flag", file("config: x\n"), []string{`sitemon.yaml:1:1: unknown key "config"; known here: auth, data_dir, insecure_no_auth, instance, kafka, listen, location, log, metrics, postgres, probes, retention, role, scan_interval, scheduler, seed_timezone, sites, source, spool, web`}},
		{"twice", file("role: all\nrole: all\n"), []string{`sitemon.yaml:2:1: the key "role" is there twice`}},
		{"no value", file("listen:\n"), []string{"sitemon.yaml:1:1: listen has no value; give it one, or take the key out"}},
		{"list for a text", file("listen: [a]\n"), []string{"sitemon.yaml:1:9: listen must be a single value"}},
		{"mapping in a list", file("web: { hosts: [a, {b: c}] }\n"), []string{"sitemon.yaml:1:19: web.hosts must hold texts"}},
		{"text for a section", file("log: info\n"), []string{"sitemon.yaml:1:6: log must be a mapping of keys to values"}},
		{"list for the file", file("- a\n"), []string{"sitemon.yaml:1:1: the file must be a mapping of keys to values"}},
		{"two documents", file("role: all\n---\nrole: all\n"), []string{"sitemon.yaml:2:1: a second document begins here; a file can have one, so take out the line ---"}},
		{"columns count characters", file("x-ä: { ö: ü }\nlog: { x-ä: 1, levle: info }\n"), []string{
			`sitemon.yaml:2:8: unknown key "log.x-ä"; known here: format, level`,
			`sitemon.yaml:2:16: unknown key "log.levle"; did you mean "level"?`,
		}},
		{"several at once", file("listen: here\nretention:\n  reports: 30\nscheduler: { per_host: 0, canaries: [example.org] }\nprobes: { deny: [10.1.0.0/8, x] }\n"), []string{
			`sitemon.yaml:1:9: listen: "here" must be host:port, for example 127.0.0.1:8080`,
			`sitemon.yaml:4:24: scheduler.per_host: "0" must be a whole number from 1 to 1000000`,
			`sitemon.yaml:4:38: scheduler.canaries: "example.org" must be a URL: http://, https://, tcp://host:port or tls://host:port`,
			`sitemon.yaml:5:18: probes.deny: "10.1.0.0/8" has bits set behind its prefix, write 10.0.0.0/8`,
			`sitemon.yaml:5:30: probes.deny: "x" must be an address or a network, for example 169.254.0.0/16`,
			`sitemon.yaml:3:12: retention.reports: "30" must be a duration with a unit, at least 1h, for example 30d`,
		}},
		{"a host with a port", file("web: { hosts: ['example.org:80'] }\n"), []string{`sitemon.yaml:1:16: web.hosts: "example.org:80" must be a host name or an address, without scheme and port`}},
		{"sums of hours that go before those of minutes", file("retention: { reports: 1d, availability_5m: 9d, availability_1h: 8d }\n"), []string{"sitemon.yaml:1:65: retention.availability_1h: 8d is less than retention.availability_5m, 9d; the sums of hours must outlive those of 5 minutes"}},
		{"sums that go before the reports", file("retention: { availability_5m: 1d, availability_1h: 1d }\n"), []string{"sitemon.yaml:1:52: retention.availability_1h: 1d is less than retention.reports, 30d; the sums must outlive what they sum up"}},
		{"a reference to nothing", file("source: ${NONE}\ninstance: ${a b}\nlocation: ${open\n"), []string{
			"sitemon.yaml:1:9: source: the variable NONE is not set; set it, or write a default: ${NONE:-default}",
			`sitemon.yaml:2:11: instance: "${a b}" is no reference; write ${NAME}, ${NAME:-default} or ${file:PATH}, or $${ for the characters ${`,
			"sitemon.yaml:3:11: location: a ${ is never closed; close it with }, or write $${ for the characters ${",
		}},
		{"a bad value from a reference is not shown", said{env: []string{"X=hunter2"}, file: "listen: ${X}\n"}, []string{
			`sitemon.yaml:1:9: listen: "${X}" must be host:port, for example 127.0.0.1:8080`,
		}},
		{"auth", file("auth:\n  basic: [{ username: a, pasword_hash: b }]\n  oidc: x\n"), []string{
			`sitemon.yaml:2:26: unknown key "auth.basic[0].pasword_hash"; did you mean "password_hash"?`,
			"sitemon.yaml:3:9: auth.oidc must be a mapping of keys to values",
		}},
		{"auth that lets nobody in", file("auth: {}\n"), []string{"sitemon.yaml:1:7: auth lets nobody in; give it basic, tokens or oidc, or take it out"}},
		{"credentials", file("auth:\n  basic:\n    - { username: 'a:b', password_hash: secret, role: admin }\n    - { username: c }\n    - { username: c, password_hash: \"" + aHash + "\", role: viewer }\n" +
			"  tokens: [{ name: ci, token: short, role: viewer }, { name: ci, token: \"${NO_TOKEN}\", role: viewer }]\n"), []string{
			`sitemon.yaml:3:55: auth.basic[0].role is "admin"; it can be viewer or operator`,
			"sitemon.yaml:3:41: auth.basic[0].password_hash is no bcrypt hash; sitemon hash-password makes one",
			"sitemon.yaml:3:19: auth.basic[0].username has a colon, which the protocol can't carry",
			"sitemon.yaml:4:7: auth.basic[1] has no password_hash", "sitemon.yaml:4:7: auth.basic[1] has no role",
			`sitemon.yaml:5:19: auth.basic[2].username "c" is there twice`,
			"sitemon.yaml:6:31: auth.tokens[0].token is shorter than 16 characters and could be guessed; `openssl rand -hex 24` makes one",
			"sitemon.yaml:6:73: auth.tokens[1].token: the variable NO_TOKEN is not set; set it, or write a default: ${NO_TOKEN:-default}",
			`sitemon.yaml:6:62: auth.tokens[1].name "ci" is there twice`,
		}},
		{"a provider", file("auth:\n  oidc: { issuer: 'http://sso.example.org', client_id: a, client_secret: b }\n"), []string{
			"sitemon.yaml:2:19: auth.oidc.issuer must be an https URL without a query; http is for this machine alone",
			"sitemon.yaml:2:9: auth.oidc names neither operators nor viewers, so nobody could come in",
		}},
		{"half of TLS", file("web: { tls_cert_file: a }\n"), []string{"sitemon.yaml:1:23: web.tls_cert_file: TLS needs both web.tls_cert_file and web.tls_key_file"}},
		{"auth and none", file("insecure_no_auth: true\nauth: { tokens: [{ name: ci, token: 0123456789abcdef, role: viewer }] }\n"), []string{
			"sitemon.yaml:1:19: insecure_no_auth: nobody has to sign in by it, and sitemon.yaml says under auth who may; take one of them out",
		}},
		{"a size without a unit", file("retention: { max_size: 50 }\n"), []string{
			`sitemon.yaml:1:24: retention.max_size: "50" must be a size with a unit, for example 50GB`,
		}},
	})
}

// aHash is a bcrypt hash.
const aHash = "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

func TestLoadRefusesBadFlagsAndVariables(t *testing.T) {
	const (
		alone = "--role: a monitor and a writer that run apart share Kafka and Postgres; set %s, or run --role=all, which does the work of both in one process"
		dsn   = "POSTGRES_DSN=postgres://h/db"
	)
	testFaults(t, []faultCase{
		{"monitor alone", said{flags: []string{"--role=monitor"}}, []string{fmt.Sprintf(alone, "KAFKA_BROKER and POSTGRES_DSN")}},
		{"writer without Kafka", said{flags: []string{"--role=writer,web"}, env: []string{dsn}}, []string{fmt.Sprintf(alone, "KAFKA_BROKER")}},
		{"web alone", said{flags: []string{"--role=web"}}, []string{"--role: web alone shows what others recorded in Postgres, and POSTGRES_DSN is not set; set it, or run --role=all"}},
		{"unknown role", said{dotenv: "SITEMON_ROLE=al"}, []string{`.env: SITEMON_ROLE: "al" must be all, or monitor, writer and web joined by commas`}},
		{"no sites", said{flags: []string{"--sites", ""}}, []string{"--sites: without a sites file the sites come from Postgres alone, and POSTGRES_DSN is not set"}},
		{"no data folder", said{flags: []string{"--data-dir", ""}}, []string{`--data-dir: "" must not be empty`}},
		{"no port", said{env: []string{"SITEMON_LISTEN=127.0.0.1"}}, []string{`SITEMON_LISTEN: "127.0.0.1" must be host:port, for example 127.0.0.1:8080`}},
		{"open to all", said{flags: []string{"--listen=:8080"}}, []string{"--listen: :8080 can be reached from beyond this machine, and nobody has to sign in; say in sitemon.yaml under auth who may, keep to 127.0.0.1 and put a proxy that asks for a password before it, or allow it with --insecure-no-auth"}},
		{"log", said{flags: []string{"--log-level=loud", "--log-format=xml"}}, []string{
			`--log-level: "loud" must be debug, info, warn or error`, `--log-format: "xml" must be one of text, json, auto`,
		}},
		{"interval", said{env: []string{"SCAN_INTERVAL=0.5"}}, []string{`SCAN_INTERVAL: "0.5" must be seconds or a duration with a unit, from 1s to 24h in whole milliseconds, for example 60 or 1m30s`}},
		{"yes or no", said{env: []string{"SITEMON_INSECURE_NO_AUTH=maybe"}}, []string{`SITEMON_INSECURE_NO_AUTH: "maybe" must be true or false`}},
		{"a name on two lines", said{env: []string{"SITEMON_LOCATION=a\nb"}}, []string{`SITEMON_LOCATION: "a\nb" must be 1 to 200 printable characters`}},
		{"missing files", said{flags: []string{"--config=no.yaml", "--env-file=no.env"}}, []string{
			"--env-file: open no.env: no such file or directory", "--config: open no.yaml: no such file or directory",
		}},
		{"a bad .env does not show its text", said{dotenv: "A=b\n# c\nhunter2 hunter2\n"}, []string{".env:3: is no list of NAME=value lines (the text is not shown, as it may be secret)"}},
	})
}

func TestLoadRefusesBadKafkaAndPostgres(t *testing.T) {
	const dsn = "POSTGRES_DSN=postgres://u:p@h/db"
	env := func(vars ...string) said { return said{env: vars} }
	testFaults(t, []faultCase{
		{"Kafka alone", env("KAFKA_BROKER=a:9092"), []string{"KAFKA_BROKER: Kafka without Postgres has nothing to share: set POSTGRES_DSN too, or leave Kafka out"}},
		{"a topic", env("KAFKA_TOPIC=a b"), []string{`KAFKA_TOPIC: "a b" must be 1 to 242 letters, digits, dots, dashes and underscores`}},
		{"broker without port", env("KAFKA_BROKER=kafka://a", dsn), []string{`KAFKA_BROKER: "kafka://a" must be kafka://host:port, several hosts joined by commas`}},
		{"broker with a password", env("KAFKA_BROKER=kafka://u:hunter2@a:1", dsn), []string{
			"KAFKA_BROKER: the value must not hold a user name; use KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
		}},
		{"part of the client certificate", env("KAFKA_AUTH_CA=ca.pem", "KAFKA_ACCESS_KEY=k"), []string{
			"KAFKA_AUTH_CA, KAFKA_ACCESS_KEY: TLS to Kafka with a client certificate also needs KAFKA_ACCESS_CRT",
		}},
		{"part of SASL", env("KAFKA_SASL_MECHANISM=scram", "KAFKA_TLS=true"), []string{
			`KAFKA_SASL_MECHANISM: "scram" must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`,
			"KAFKA_SASL_MECHANISM: SASL also needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
		}},
		{"TLS off and on", env("KAFKA_TLS=false", "KAFKA_AUTH_CA=a", "KAFKA_ACCESS_KEY=k", "KAFKA_ACCESS_CRT=c"), []string{
			"KAFKA_TLS: TLS is off, but a client certificate is set",
		}},
		{"DSN that is no URL", env("POSTGRES_DSN=host=h password=hunter2"), []string{
			"POSTGRES_DSN: the value must be postgres://user:password@host:port/database (special characters in the password percent-encoded)",
		}},
		{"DSN that can't be parsed", env("POSTGRES_DSN=postgres://u:hunter%2@h/db"), []string{
			"POSTGRES_DSN: the value must be postgres://user:password@host:port/database (special characters in the password percent-encoded)",
		}},
		{"unknown sslmode", env("POSTGRES_DSN=postgres://h/db?ssl=true"), []string{
			"POSTGRES_DSN: the value has an unknown ssl; it must be disable, allow, prefer, require, verify-ca or verify-full",
		}},
		{"two ssl modes", env("POSTGRES_DSN=postgres://h/db?ssl=require&sslmode=disable"), []string{
			"POSTGRES_DSN: the value has ssl and sslmode, and they differ",
		}},
		{"a time zone", env("SITEMON_SEED_TIMEZONE=Mars/Base"), []string{`SITEMON_SEED_TIMEZONE: "Mars/Base" must be the name of a time zone, for example Europe/Berlin`}},
		{"a small spool", said{file: "spool: { max_size: 1KB }\n"}, []string{`sitemon.yaml:1:20: spool.max_size: "1KB" must be at least 1MiB`}},
	})
}

func TestLoadRoles(t *testing.T) {
	const kafka, dsn = "KAFKA_BROKER=a:9092", "POSTGRES_DSN=postgres://h/db"
	for _, tt := range []struct {
		name   string
		in     said
		listen string
	}{
		{"all, with nothing", said{}, "127.0.0.1:8080"},
		{"all with Postgres", said{env: []string{dsn}}, "127.0.0.1:8080"},
		{"all with both", said{env: []string{kafka, dsn}}, "127.0.0.1:8080"},
		{"monitor", said{flags: []string{"--role=monitor"}, env: []string{kafka, dsn}}, "127.0.0.1:8081"},
		{"writer", said{flags: []string{"--role=writer"}, env: []string{kafka, dsn}}, "127.0.0.1:8080"},
		{"web", said{flags: []string{"--role=web"}, env: []string{dsn}}, "127.0.0.1:8080"},
		{"monitor and writer are not divided", said{flags: []string{"--role=monitor,writer"}, env: []string{dsn}}, "127.0.0.1:8080"},
		{"sites from Postgres", said{flags: []string{"--sites="}, env: []string{dsn}}, "127.0.0.1:8080"},
		{"a listener that is named", said{flags: []string{"--role=monitor", "--listen=127.0.0.1:9"}, env: []string{kafka, dsn}}, "127.0.0.1:9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s := mustLoad(t, tt.in); s.Listen != tt.listen {
				t.Errorf("listens at %s, want %s", s.Listen, tt.listen)
			}
		})
	}
}

func TestLoadReadsKafkaAndPostgres(t *testing.T) {
	s := mustLoad(t, said{env: []string{
		"KAFKA_BROKER=KAFKA://a:9092, [::1]:9093", "KAFKA_TOPIC=t", "KAFKA_AUTH_CA=ca", "KAFKA_ACCESS_KEY=key", "KAFKA_ACCESS_CRT=crt",
		"KAFKA_SASL_MECHANISM=scram-sha-256", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p",
		"POSTGRES_DSN=postgres://u:p%40@h:1/db?ssl=verify-full&application_name=x",
	}})
	if want := []string{"a:9092", "[::1]:9093"}; !slices.Equal(s.Kafka.Brokers, want) || s.Kafka.Topic != "t" {
		t.Errorf("brokers %q, topic %q", s.Kafka.Brokers, s.Kafka.Topic)
	}
	if tls := s.Kafka.TLS; !tls.Enabled || tls.CA != "ca" || tls.Cert != "crt" || tls.Key.Reveal() != "key" {
		t.Errorf("TLS %+v", tls)
	}
	if sasl := s.Kafka.SASL; sasl.Mechanism != "SCRAM-SHA-256" || sasl.Username != "u" || sasl.Password.Reveal() != "p" {
		t.Errorf("SASL %+v", sasl)
	}
	if got, want := s.Postgres.DSN.Reveal(), "postgres://u:p%40@h:1/db?application_name=x&sslmode=verify-full"; got != want {
		t.Errorf("DSN %s, want %s", got, want)
	}
}
