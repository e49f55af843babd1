package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sitemon"
)

// option is one setting: where it can be said, and how it is read.
type option struct {
	key      string // in sitemon.yaml, nested by dots
	flag     string // "": it has no flag
	variable string // "": it has no environment variable
	usage    string // what it means, a noun phrase; `name` is shown as its value in --help
	// unset is shown as the default where the value of set cannot be.
	unset string
	// notInFile: the key is only a name for flag and variable.
	notInFile bool
	// secret: the value is shown nowhere.
	secret bool
	// value returns where the setting is kept.
	value func(s *Settings) value
}

// options lists every setting, in the order in which --help and the docs have
// them.
func options() []option {
	return slices.Concat(flagOptions(), serviceOptions(), fileOptions())
}

func flagOptions() []option {
	return []option{
		{
			key: "role", flag: "role", variable: "SITEMON_ROLE", usage: "`role` of this process: all, or monitor, writer and web joined by commas, which share Kafka and Postgres",
			value: func(s *Settings) value { return parsed(&s.Role, parseRoles, Roles.String) },
		},
		{
			key: "sites", flag: "sites", variable: "SITEMON_SITES", usage: "sites `file`, or a folder whose *.yaml and *.yml are read together; '' takes the sites from Postgres alone",
			value: func(s *Settings) value { return checked(&s.Sites, anyText) },
		},
		{
			key: "listen", flag: "listen", variable: "SITEMON_LISTEN", usage: "`address` of the page, the API, /metrics, /healthz and /readyz; a monitor alone has the last three, at 127.0.0.1:8081",
			value: func(s *Settings) value { return checked(&s.Listen, hostPort) },
		},
		{
			key: "data_dir", flag: "data-dir", variable: "SITEMON_DATA_DIR", usage: "`folder` of the database, the spool and the last known sites; under systemd the default is $STATE_DIRECTORY",
			value: func(s *Settings) value { return checked(&s.DataDir, filled) },
		},
		{
			key: "source", flag: "source", variable: "SITEMON_SOURCE", unset: "base name of --sites", usage: "`name` under which the sites are stored",
			value: func(s *Settings) value { return checked(&s.Source, shortName) },
		},
		{
			key: "location", flag: "location", variable: "SITEMON_LOCATION", usage: "`name` of the place where this monitor stands",
			value: func(s *Settings) value { return checked(&s.Location, shortName) },
		},
		{
			key: "instance", flag: "instance", variable: "SITEMON_INSTANCE", unset: "host name and a short hash of the data folder", usage: "`name` of this monitor in its reports",
			value: func(s *Settings) value { return checked(&s.Instance, shortName) },
		},
		{
			key: "config", flag: "config", variable: "SITEMON_CONFIG", notInFile: true, unset: "sitemon.yaml where it exists", usage: "`file` of the daemon's own settings; '' reads none",
			value: func(s *Settings) value { return checked(&s.Config, anyText) },
		},
		{
			key: "env_file", flag: "env-file", notInFile: true, unset: ".env where it exists", usage: "`file` of environment variables, NAME=value a line; '' reads none",
			value: func(s *Settings) value { return checked(&s.EnvFile, anyText) },
		},
		{
			key: "insecure_no_auth", flag: "insecure-no-auth", variable: "SITEMON_INSECURE_NO_AUTH", usage: "allow a --listen beyond loopback, where everybody who reaches it may read and change everything",
			value: func(s *Settings) value { return parsed(&s.InsecureNoAuth, parseBool, strconv.FormatBool) },
		},
		{
			key: "log.level", flag: "log-level", variable: "SITEMON_LOG_LEVEL", usage: "least `level` of what is logged: debug, info, warn or error",
			value: func(s *Settings) value { return parsed(&s.Log.Level, parseLevel, showLevel) },
		},
		{
			key: "log.format", flag: "log-format", variable: "SITEMON_LOG_FORMAT", usage: "`form` of the log on stderr: text, json, or auto (text on a terminal, else json)",
			value: func(s *Settings) value { return parsed(&s.Log.Format, oneOf(LogText, LogJSON, LogAuto), asText) },
		},
	}
}

// serviceOptions are the settings whose variables are older than SiteMon.
func serviceOptions() []option {
	return []option{
		{
			key: "scan_interval", variable: "SCAN_INTERVAL", usage: "interval of sites that name none and have none in defaults: seconds, or a duration with a unit",
			value: func(s *Settings) value { return parsed(&s.ScanInterval, parseScanInterval, FormatDuration) },
		},
		{
			key: "kafka.broker", variable: "KAFKA_BROKER", usage: "brokers, `kafka://host:port[,host:port…]`; the scheme may be missing",
			value: func(s *Settings) value { return parsed(&s.Kafka.Brokers, parseBrokers, showBrokers) },
		},
		{
			key: "kafka.topic", variable: "KAFKA_TOPIC", usage: "topic of the reports",
			value: func(s *Settings) value { return checked(&s.Kafka.Topic, kafkaTopic) },
		},
		{
			key: "kafka.tls.enabled", variable: "KAFKA_TLS", usage: "TLS without a client certificate",
			value: func(s *Settings) value { return parsed(&s.Kafka.TLS.Enabled, parseBool, strconv.FormatBool) },
		},
		{
			key: "kafka.tls.ca", variable: "KAFKA_AUTH_CA", usage: "certificates that sign the brokers', as PEM or the path of a PEM file; with key and certificate, or none of them",
			value: func(s *Settings) value { return checked(&s.Kafka.TLS.CA, filled) },
		},
		{
			key: "kafka.tls.key", variable: "KAFKA_ACCESS_KEY", secret: true, usage: "key of the client certificate, likewise",
			value: func(s *Settings) value { return checked(&s.Kafka.TLS.Key, filled) },
		},
		{
			key: "kafka.tls.cert", variable: "KAFKA_ACCESS_CRT", usage: "client certificate, likewise",
			value: func(s *Settings) value { return checked(&s.Kafka.TLS.Cert, filled) },
		},
		{
			key: "kafka.sasl.mechanism", variable: "KAFKA_SASL_MECHANISM", usage: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; with user name and password, or none of them",
			value: func(s *Settings) value {
				return parsed(&s.Kafka.SASL.Mechanism, oneOf("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), asText)
			},
		},
		{
			key: "kafka.sasl.username", variable: "KAFKA_SASL_USERNAME", usage: "user name",
			value: func(s *Settings) value { return checked(&s.Kafka.SASL.Username, filled) },
		},
		{
			key: "kafka.sasl.password", variable: "KAFKA_SASL_PASSWORD", secret: true, usage: "password",
			value: func(s *Settings) value { return checked(&s.Kafka.SASL.Password, filled) },
		},
		{
			key: "postgres.dsn", variable: "POSTGRES_DSN", secret: true, usage: "`postgres://user:password@host:port/database`; ssl is accepted beside sslmode",
			value: func(s *Settings) value { return parsed(&s.Postgres.DSN, parseDSN, sitemon.Secret.String) },
		},
		{
			key: "seed_timezone", variable: "SITEMON_SEED_TIMEZONE", unset: "that of the process", usage: "time zone of the times that the original system wrote",
			value: func(s *Settings) value { return parsed(&s.SeedTimezone, parseZone, (*time.Location).String) },
		},
	}
}

// fileOptions are the settings that only sitemon.yaml has.
func fileOptions() []option {
	return []option{
		{
			key: "web.hosts", unset: "none", usage: "further host names under which page and API answer; localhost, 127.0.0.1 and [::1] always do",
			value: func(s *Settings) value { return listed(&s.Web.Hosts, parseHost, asText) },
		},
		{
			key: "web.tls_cert_file", unset: "none", usage: "PEM file of the certificate of page and API, with those that sign it; read again when it changes. Without one they are served in plain http",
			value: func(s *Settings) value { return checked(&s.Web.TLSCertFile, filled) },
		},
		{
			key: "web.tls_key_file", unset: "none", usage: "PEM file of its key",
			value: func(s *Settings) value { return checked(&s.Web.TLSKeyFile, filled) },
		},
		{
			key: "scheduler.concurrency", usage: "probes at a time",
			value: func(s *Settings) value { return parsed(&s.Scheduler.Concurrency, parseCount, strconv.Itoa) },
		},
		{
			key: "scheduler.per_host", usage: "probes at a time towards one host",
			value: func(s *Settings) value { return parsed(&s.Scheduler.PerHost, parseCount, strconv.Itoa) },
		},
		{
			key: "scheduler.canaries", unset: "none", usage: "URLs that alone decide whether the monitor's own network is there; without them that is concluded from the sites",
			value: func(s *Settings) value { return listed(&s.Scheduler.Canaries, parseCanary, asText) },
		},
		{
			key: "probes.deny", usage: "addresses and networks that are never probed",
			value: func(s *Settings) value { return listed(&s.Probes.Deny, parsePrefix, netip.Prefix.String) },
		},
		{
			key: "probes.allow", unset: "none", usage: "addresses and networks that are probed although probes.deny has them",
			value: func(s *Settings) value { return listed(&s.Probes.Allow, parsePrefix, netip.Prefix.String) },
		},
		{
			key: "retention.reports", usage: "how long reports are kept",
			value: func(s *Settings) value { return parsed(&s.Retention.Reports, parseRetention, FormatDuration) },
		},
		{
			key: "retention.availability_5m", usage: "how long the sums of 5 minutes are kept",
			value: func(s *Settings) value { return parsed(&s.Retention.Availability5m, parseRetention, FormatDuration) },
		},
		{
			key: "retention.availability_1h", usage: "how long the sums of each hour are kept",
			value: func(s *Settings) value { return parsed(&s.Retention.Availability1h, parseRetention, FormatDuration) },
		},
		{
			key: "retention.max_size", unset: "none", usage: "size of the database at which the reports of the oldest days go before their time",
			value: func(s *Settings) value { return parsed(&s.Retention.MaxSize, parseSize, formatSize) },
		},
		{
			key: "spool.max_size", usage: "size of the reports on disk that wait for Kafka or Postgres, at which the oldest go",
			value: func(s *Settings) value { return parsed(&s.Spool.MaxSize, parseSize, formatSize) },
		},
		{
			key: "metrics.per_site", usage: "metrics of each site; false for very many sites",
			value: func(s *Settings) value { return parsed(&s.Metrics.PerSite, parseBool, strconv.FormatBool) },
		},
	}
}

// shown is the default as --help and the docs show it.
func (o option) shown(defaults *Settings) string {
	if o.unset != "" {
		return o.unset
	}
	return o.value(defaults).show()
}

// Flags registers the flags of the daemon's settings in fs, with help that has
// the variables and defaults too. [Load] reads them back.
func Flags(fs *pflag.FlagSet) {
	defaults := DefaultSettings()
	for _, o := range options() {
		if o.flag == "" {
			continue
		}
		usage := o.usage
		if o.variable != "" {
			usage += " ($" + o.variable + ")"
		}
		text := o.shown(&defaults)
		if on, err := strconv.ParseBool(text); err == nil {
			fs.Bool(o.flag, on, usage)
			continue
		}
		fs.String(o.flag, "", usage)
		fs.Lookup(o.flag).DefValue = text // only shown: a flag counts if it is set
	}
}

// optionBy returns the options by one of their names.
func optionBy(name func(option) string) map[string]option {
	by := map[string]option{}
	for _, o := range options() {
		if n := name(o); n != "" {
			by[n] = o
		}
	}
	return by
}

// within reports whether the key of an option lies below a section of the file.
func (o option) within(section string) bool {
	return !o.notInFile && strings.HasPrefix(o.key, section+".")
}
