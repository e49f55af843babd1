package config

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// Settings are the daemon's own settings, as opposed to the sites it watches:
// what flags, environment variables, .env and sitemon.yaml say together.
// docs/configuration.md explains each.
type Settings struct {
	Role Roles
	// Sites is the sites file, or a folder of them.
	Sites string
	// Listen is the address, host:port, of page, API, metrics and health.
	Listen  string
	DataDir string
	// Source names the document of the sites in a store.
	Source string
	// Location is where this monitor stands, Instance which of the monitors there
	// it is.
	Location string
	Instance string
	// Config and EnvFile are the files that were read; "" if there was none.
	Config         string
	EnvFile        string
	InsecureNoAuth bool
	Auth           AuthSettings
	Log            LogSettings
	Kafka          KafkaSettings
	Postgres       PostgresSettings
	// ScanInterval is the interval of sites that name none.
	ScanInterval time.Duration
	Web          WebSettings
	Scheduler    SchedulerSettings
	Probes       ProbeSettings
	Retention    RetentionSettings
	Spool        SpoolSettings
	Metrics      MetricSettings
	// SeedTimezone is the zone of the times that the original system wrote.
	SeedTimezone *time.Location
	// Environ is the environment with .env below it, for ${NAME} in sites.
	Environ Environment
}

// LogSettings say what is logged and how.
type LogSettings struct {
	Level  slog.Level
	Format LogFormat
}

// LogFormat is the form of the log.
type LogFormat string

// The forms of the log.
const (
	LogAuto LogFormat = "auto" // text on a terminal, else JSON
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// KafkaSettings say how to reach Kafka. No brokers: Kafka is not used.
type KafkaSettings struct {
	Brokers []string // host:port
	Topic   string
	TLS     KafkaTLSSettings
	SASL    KafkaSASLSettings
}

// KafkaTLSSettings are the TLS of the connection to Kafka. CA, Cert and Key are
// PEM or the path of a PEM file; all three are set, or none.
type KafkaTLSSettings struct {
	Enabled  bool
	CA, Cert string
	Key      sitemon.Secret
}

// KafkaSASLSettings sign in to Kafka; all three are set, or none.
type KafkaSASLSettings struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Username  string
	Password  sitemon.Secret
}

// PostgresSettings say how to reach Postgres.
type PostgresSettings struct {
	// DSN is a URL with libpq's parameters (ssl has become sslmode); "" is SQLite
	// in the data folder.
	DSN sitemon.Secret
}

// WebSettings are those of page and API.
type WebSettings struct {
	// Hosts are further host names, in lower case and without port, under which
	// requests are answered where nobody has to sign in.
	Hosts []string
	// TLSCertFile and TLSKeyFile are PEM files; both, or neither.
	TLSCertFile, TLSKeyFile string
}

// SchedulerSettings bound the probes.
type SchedulerSettings struct {
	Concurrency int // probes at a time
	PerHost     int // probes at a time towards one host
	// Canaries are URLs that alone decide whether the monitor's own network is
	// there; without them it is concluded from the sites.
	Canaries []string
}

// ProbeSettings are the address policy of probes. What is in Deny is refused
// unless it is in Allow.
type ProbeSettings struct {
	Deny, Allow []netip.Prefix
}

// RetentionSettings say how long what is recorded is kept.
type RetentionSettings struct {
	Reports        time.Duration
	Availability5m time.Duration // sums of 5 minutes
	Availability1h time.Duration // sums of an hour
	MaxSize        int64         // bytes of the database; 0: any
}

// SpoolSettings bound the reports on disk that wait for Kafka or Postgres.
type SpoolSettings struct {
	MaxSize int64 // bytes; beyond it the oldest reports go
}

// MetricSettings choose the metrics.
type MetricSettings struct {
	PerSite bool // series with the label site
}

// DefaultSettings are the settings in effect where nothing else is said. Source
// and Instance are empty: they are made from other settings.
func DefaultSettings() Settings {
	const day = 24 * time.Hour
	return Settings{
		Role:         Roles{RoleAll},
		Sites:        "sites.yaml",
		Listen:       "127.0.0.1:8080",
		DataDir:      "data",
		Location:     "default",
		Config:       "sitemon.yaml",
		EnvFile:      ".env",
		Log:          LogSettings{Level: slog.LevelInfo, Format: LogAuto},
		Kafka:        KafkaSettings{Topic: "monitor_reports"},
		ScanInterval: defaultInterval,
		Scheduler:    SchedulerSettings{Concurrency: 2000, PerHost: 50},
		Probes: ProbeSettings{Deny: []netip.Prefix{
			netip.MustParsePrefix("169.254.0.0/16"),
			netip.MustParsePrefix("fe80::/10"),
			netip.MustParsePrefix("fd00:ec2::254/128"),
			netip.MustParsePrefix("100.100.100.200/32"),
		}},
		Retention: RetentionSettings{Reports: 30 * day, Availability5m: 14 * day, Availability1h: 730 * day},
		Spool:     SpoolSettings{MaxSize: 1 << 30},
		Metrics:   MetricSettings{PerSite: true},

		SeedTimezone: time.Local,
	}
}

// Role is a part that a process plays.
type Role string

// The roles.
const (
	RoleAll     Role = "all" // all of the others
	RoleMonitor Role = "monitor"
	RoleWriter  Role = "writer"
	RoleWeb     Role = "web"
)

// Roles are the parts that one process plays.
type Roles []Role

// String returns the roles joined by commas.
func (rs Roles) String() string {
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = string(r)
	}
	return strings.Join(names, ",")
}

// Has reports whether r is among the roles, or all of them are.
func (rs Roles) Has(r Role) bool {
	return slices.Contains(rs, r) || slices.Contains(rs, RoleAll)
}

// Page reports whether a process of these roles serves page and API: all do but
// monitors alone.
func (rs Roles) Page() bool { return rs.Has(RoleWriter) || rs.Has(RoleWeb) }

// Environment are variables by their names. Their values may be secret, so it
// does not print them.
type Environment struct{ variables map[string]string }

// Lookup returns the value of a variable, and whether it is set.
func (e Environment) Lookup(name string) (value string, ok bool) {
	value, ok = e.variables[name]
	return value, ok
}

// String returns [sitemon.Redacted].
func (e Environment) String() string { return sitemon.Redacted }

// GoString keeps %#v from showing the values.
func (e Environment) GoString() string { return "config.Environment{" + sitemon.Redacted + "}" }

// LogValue implements [slog.LogValuer].
func (e Environment) LogValue() slog.Value { return slog.StringValue(sitemon.Redacted) }
