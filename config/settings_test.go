package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"sitemon"
	"sitemon/config"
)

// said is what a test says to Load.
type said struct {
	flags  []string
	env    []string
	dotenv string // .env, "" for none
	file   string // sitemon.yaml, "" for none
}

// load reads settings in a folder of its own.
func load(t *testing.T, in said) (config.Settings, []config.Warning, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if in.dotenv != "" {
		check(t, os.WriteFile(".env", []byte(in.dotenv), 0o600))
	}
	if in.file != "" {
		check(t, os.WriteFile("sitemon.yaml", []byte(in.file), 0o600))
	}
	fs := pflag.NewFlagSet("sitemon", pflag.ContinueOnError)
	config.Flags(fs)
	check(t, fs.Parse(in.flags))
	return config.Load(fs, in.env)
}

func mustLoad(t *testing.T, in said) config.Settings {
	t.Helper()
	s, _, err := load(t, in)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return s
}

func diff(want, got config.Settings) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(config.Settings{}, "Environ"), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }))
}

func TestLoadPrecedence(t *testing.T) {
	all := said{
		flags:  []string{"--location=flag"},
		env:    []string{"SITEMON_LOCATION=env"},
		dotenv: "SITEMON_LOCATION=dotenv\n",
		file:   "location: file\n",
	}
	tests := []struct {
		name string
		in   said
		want string
	}{
		{"flag", all, "flag"},
		{"environment", said{env: all.env, dotenv: all.dotenv, file: all.file}, "env"},
		{".env", said{dotenv: all.dotenv, file: all.file}, "dotenv"},
		{"config file", said{file: all.file}, "file"},
		{"default", said{}, "default"},
		{"an empty variable is not set", said{env: []string{"SITEMON_LOCATION="}, file: all.file}, "file"},
		{"an empty variable hides nothing in .env", said{env: []string{"SITEMON_LOCATION="}, dotenv: all.dotenv}, "dotenv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustLoad(t, tt.in).Location; got != tt.want {
				t.Errorf("location %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadDefaults(t *testing.T) {
	got := mustLoad(t, said{})
	want := config.DefaultSettings()
	want.Config, want.EnvFile = "", "" // there are none
	want.Source, want.Instance = "sites.yaml", got.Instance
	if d := diff(want, got); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
	host, err := os.Hostname()
	check(t, err)
	if hash, ok := strings.CutPrefix(got.Instance, host+"-"); !ok || len(hash) != 8 {
		t.Errorf("instance %q, want the host name and a hash of 8 digits", got.Instance)
	}
	if again := mustLoad(t, said{}); again.Instance == got.Instance {
		t.Errorf("two data folders have one instance, %q", got.Instance)
	}
}

// everything says each setting that is built, otherwise than its default.
func everything() config.Settings {
	return config.Settings{
		Role: config.Roles{config.RoleAll}, Sites: "s", Listen: "127.0.0.1:1", DataDir: "d", Source: "src", Location: "loc",
		Instance: "inst", InsecureNoAuth: true,
		Log:          config.LogSettings{Level: slog.LevelWarn, Format: config.LogJSON},
		Kafka:        config.KafkaSettings{Topic: "monitor_reports"},
		ScanInterval: 90 * time.Second,
		SeedTimezone: time.UTC,
	}
}

func TestLoadFile(t *testing.T) {
	got := mustLoad(t, said{file: `
x-anchor: &levels { level: WARN, format: json }
role: all
sites: s
listen: 127.0.0.1:1
data_dir: d
source: src
location: loc
instance: inst
insecure_no_auth: yes
log: *levels
scan_interval: 1m30s
web: { hosts: [Mon.Example.org, "[2001:db8::1]"] }
scheduler: { concurrency: 10, per_host: 2, canaries: ["https://example.org", "tcp://192.0.2.1:53"] }
probes: { deny: 10.0.0.0/8, allow: ["10.1.2.3", "::ffff:10.1.2.4", "::ffff:192.0.2.0/120"] }
retention: { reports: 7d, availability_5m: 3d, availability_1h: 8d, max_size: 50GB }
metrics: { per_site: false }
spool: { max_size: 1.5GB }
seed_timezone: UTC
`})
	want := everything()
	want.Config = "sitemon.yaml"
	want.Web.Hosts = []string{"mon.example.org", "2001:db8::1"}
	want.Scheduler = config.SchedulerSettings{Concurrency: 10, PerHost: 2, Canaries: []string{"https://example.org", "tcp://192.0.2.1:53"}}
	want.Probes.Deny = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	want.Probes.Allow = []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.1.2.4/32"), netip.MustParsePrefix("192.0.2.0/24")}
	want.Spool.MaxSize = 1_500_000_000
	want.Retention = config.RetentionSettings{Reports: 7 * 24 * time.Hour, Availability5m: 3 * 24 * time.Hour, Availability1h: 8 * 24 * time.Hour, MaxSize: 50_000_000_000}
	if d := diff(want, got); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
}

func TestLoadFlagsAndVariables(t *testing.T) {
	want := config.DefaultSettings()
	set := everything()
	want.Role, want.Sites, want.Listen, want.DataDir, want.Source = set.Role, set.Sites, set.Listen, set.DataDir, set.Source
	want.Location, want.Instance, want.InsecureNoAuth, want.Log = set.Location, set.Instance, true, set.Log
	want.Config, want.EnvFile = "", ""
	flags := said{flags: []string{
		"--role=all,web", "--sites=s", "--listen=127.0.0.1:1", "--data-dir=d", "--source=src", "--location=loc",
		"--instance=inst", "--insecure-no-auth", "--log-level=warn", "--log-format=json",
	}}
	if d := diff(want, mustLoad(t, flags)); d != "" {
		t.Errorf("by flags (-want +got):\n%s", d)
	}
	want.ScanInterval = 90 * time.Second
	vars := said{env: []string{
		"SITEMON_ROLE=all", "SITEMON_SITES=s", "SITEMON_LISTEN=127.0.0.1:1", "SITEMON_DATA_DIR=d", "SITEMON_SOURCE=src",
		"SITEMON_LOCATION=loc", "SITEMON_INSTANCE=inst", "SITEMON_INSECURE_NO_AUTH=1", "SITEMON_LOG_LEVEL=warn",
		"SITEMON_LOG_FORMAT=json", "SCAN_INTERVAL=90",
	}}
	if d := diff(want, mustLoad(t, vars)); d != "" {
		t.Errorf("by variables (-want +got):\n%s", d)
	}
	want.EnvFile = ".env"
	if d := diff(want, mustLoad(t, said{dotenv: strings.Join(vars.env, "\n")})); d != "" {
		t.Errorf("by .env (-want +got):\n%s", d)
	}
}

func TestLoadScanInterval(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "1.5": 1500 * time.Millisecond, "250s": 250 * time.Second, "1d": 24 * time.Hour,
	} {
		if got := mustLoad(t, said{env: []string{"SCAN_INTERVAL=" + text}}).ScanInterval; got != want {
			t.Errorf("SCAN_INTERVAL=%s is %v, want %v", text, got, want)
		}
	}
}

func TestLoadDataDirUnderSystemd(t *testing.T) {
	env := []string{"STATE_DIRECTORY=/var/lib/sitemon:/var/lib/other"}
	if got := mustLoad(t, said{env: env}).DataDir; got != "/var/lib/sitemon" {
		t.Errorf("data folder %q, want $STATE_DIRECTORY's first", got)
	}
	if got := mustLoad(t, said{env: env, file: "data_dir: mine"}).DataDir; got != "mine" {
		t.Errorf("data folder %q, want what was said", got)
	}
}

func TestLoadSource(t *testing.T) {
	for sites, want := range map[string]string{"a/b.yaml": "b.yaml", "conf/sites/": "sites", "..": ""} {
		got := mustLoad(t, said{flags: []string{"--sites", sites}}).Source
		if want == "" {
			wd, err := os.Getwd()
			check(t, err)
			want = filepath.Base(filepath.Dir(wd))
		}
		if got != want {
			t.Errorf("source of %s is %q, want %q", sites, got, want)
		}
	}
}

func TestLoadListen(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:80", "[::1]:80", "localhost:0", "127.8.9.10:80", "[::ffff:127.0.0.1]:80"} {
		mustLoad(t, said{flags: []string{"--listen", listen}})
	}
	for _, listen := range []string{":80", "0.0.0.0:80", "[::]:80", "192.0.2.1:80", "example.org:80"} {
		mustLoad(t, said{flags: []string{"--insecure-no-auth", "--listen", listen}})
		_, _, err := load(t, said{flags: []string{"--listen", listen}})
		if err == nil || !strings.Contains(err.Error(), "--insecure-no-auth") {
			t.Errorf("--listen %s: got %v, want a refusal that names --insecure-no-auth", listen, err)
		}
	}
}

func TestLoadConfigAndEnvFileElsewhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "other.yaml")
	envPath := filepath.Join(dir, "other.env")
	put(t, path, "location: elsewhere\n")
	put(t, envPath, "SITEMON_CONFIG="+path+"\n")
	for name, in := range map[string]said{
		"flag":     {flags: []string{"--config", path}},
		"variable": {env: []string{"SITEMON_CONFIG=" + path}},
		"env file": {flags: []string{"--env-file", envPath}},
	} {
		if s := mustLoad(t, in); s.Location != "elsewhere" || s.Config != path {
			t.Errorf("by %s: location %q from %q", name, s.Location, s.Config)
		}
	}
	none := mustLoad(t, said{flags: []string{"--config=", "--env-file="}, file: "bad: file", dotenv: "also bad"})
	if none.Config != "" || none.EnvFile != "" {
		t.Errorf("empty flags: read %q and %q, want neither", none.Config, none.EnvFile)
	}
}

func TestLoadExpandsReferences(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	put(t, secret, "from-file\n")
	s := mustLoad(t, said{
		env:    []string{"NAME=env", "EMPTY="},
		dotenv: "OTHER=dotenv\nNAME=hidden\n",
		file: "location: ${NAME}-${OTHER}-${NONE:-fallback}-${EMPTY:-empty}\n" +
			"instance: a$${b}$c\nsource: ${file:" + secret + "}\nscheduler: { concurrency: \"${N:-7}\" }\n",
	})
	if s.Location != "env-dotenv-fallback-empty" || s.Instance != "a${b}$c" || s.Source != "from-file" || s.Scheduler.Concurrency != 7 {
		t.Errorf("got %q, %q, %q, %d", s.Location, s.Instance, s.Source, s.Scheduler.Concurrency)
	}
	for name, want := range map[string]string{"NAME": "env", "OTHER": "dotenv", "EMPTY": ""} {
		if got, ok := s.Environ.Lookup(name); got != want || !ok {
			t.Errorf("Environ has %s = %q (%v), want %q", name, got, ok, want)
		}
	}
	if _, ok := s.Environ.Lookup("NONE"); ok {
		t.Error("Environ has a variable that is not set")
	}
}

func TestLoadWarnings(t *testing.T) {
	_, got, err := load(t, said{
		env:    []string{"SITEMON_LISTN=x", "SITEMON_PORT_8080_TCP=y", "SITEMON_SCAN_INTERVAL=60", "SITEMON_TOKEN=t", "KAFKA_HEAP_OPTS=z"},
		dotenv: "SITEMON_ROLES=all\n",
	})
	check(t, err)
	want := []config.Warning{
		{Variable: "SITEMON_ROLES", File: ".env", Suggestion: "SITEMON_ROLE"},
		{Variable: "SITEMON_LISTN", Suggestion: "SITEMON_LISTEN"},
		{Variable: "SITEMON_PORT_8080_TCP"},
		{Variable: "SITEMON_SCAN_INTERVAL", Suggestion: "SCAN_INTERVAL"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
	if s := want[0].String(); s != "unknown environment variable SITEMON_ROLES in .env; did you mean SITEMON_ROLE?" {
		t.Errorf("as text: %s", s)
	}
}

func TestSettingsShowNoSecret(t *testing.T) {
	const secret = "hunter2"
	s, _, err := load(t, said{env: []string{
		"POSTGRES_DSN=postgres://u:" + secret + "@h/db", "KAFKA_SASL_PASSWORD=" + secret, "KAFKA_ACCESS_KEY=" + secret, "OTHER=" + secret,
	}})
	if !errors.Is(err, sitemon.ErrInvalid) {
		t.Fatalf("got %v, want an error that wraps ErrInvalid", err)
	}
	if s.Kafka.SASL.Password.Reveal() != secret {
		t.Fatal("the password was not read")
	}
	asJSON, jsonErr := json.Marshal(s)
	check(t, jsonErr)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "settings", s, "environ", s.Environ)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), string(asJSON), log.String(), err.Error()} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

func TestFlagsHelp(t *testing.T) {
	fs := pflag.NewFlagSet("sitemon", pflag.ContinueOnError)
	config.Flags(fs)
	help := fs.FlagUsages()
	for _, o := range config.Options() {
		if o.Flag == "" {
			continue
		}
		line := lineOf(help, "--"+o.Flag)
		if o.Variable != "" && !strings.Contains(line, "$"+o.Variable) {
			t.Errorf("help of --%s does not name %s:\n%s", o.Flag, o.Variable, line)
		}
		if o.Default != "false" && !strings.Contains(line, o.Default) {
			t.Errorf("help of --%s does not show its default %s:\n%s", o.Flag, o.Default, line)
		}
	}
}

func TestDocumentationHasEverySetting(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	check(t, err)
	for _, o := range config.Options() {
		var want []string
		for _, name := range []struct{ prefix, name string }{{"`", o.Key}, {"`--", o.Flag}, {"`", o.Variable}} {
			if name.name != "" {
				want = append(want, name.prefix+name.name+"`")
			}
		}
		for item := range strings.SplitSeq(o.Default, ", ") {
			want = append(want, item)
		}
		if !hasRow(string(doc), want) {
			t.Errorf("docs/configuration.md has no table row with all of %q", want)
		}
	}
}

func hasRow(doc string, want []string) bool {
	for line := range strings.Lines(doc) {
		found := strings.HasPrefix(line, "|")
		for _, w := range want {
			found = found && strings.Contains(line, w)
		}
		if found {
			return true
		}
	}
	return false
}

// lineOf returns the line of help about a flag.
func lineOf(help, flag string) string {
	for line := range strings.Lines(help) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), flag); ok && strings.ContainsAny(rest[:1], " [") {
			return line
		}
	}
	return ""
}
