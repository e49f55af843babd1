package servers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// KafkaOptions say what a broker asks of its clients. The zero value is a
// broker without TLS and without sign-in.
type KafkaOptions struct {
	TLS        bool                // a certificate for 127.0.0.1 and localhost
	ClientAuth bool                // clients need a certificate of the same authority; implies TLS
	SASL       []KafkaUser         // the users that may sign in; none: nobody has to
	Properties map[string]string   // of the broker's configuration, beside or instead of ours
	Advertise  func(string) string // gets the broker's address and returns the one that clients are told, such as a proxy's
}

// KafkaUser may sign in by one mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
// A broker offers the mechanisms of its users.
type KafkaUser struct{ Mechanism, Name, Password string }

// Kafka is one broker, which is its own controller.
type Kafka struct {
	*process
	Addr      string     // host:port that clients are told
	Direct    string     // host:port of a second door, without TLS, sign-in and proxy
	Authority *Authority // of its certificate; nil without TLS

	options KafkaOptions
	ports   []*port // of clients, of Direct, of the controller
	java    string
	libs    string
}

// StartKafka starts a broker with an empty folder and waits until it answers.
func StartKafka(ctx context.Context, options KafkaOptions) (*Kafka, error) {
	java, err := FindJava()
	if err != nil {
		return nil, err
	}
	libs, err := FindKafka()
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("kafka")
	if err != nil {
		return nil, err
	}
	options.TLS = options.TLS || options.ClientAuth
	k := &Kafka{options: options, java: java, libs: libs}
	config := dir.file("server.properties")
	k.process = &process{
		name: "Kafka", path: java, dir: dir, ready: k.answers,
		args: append(javaOptions(libs), "kafka.Kafka", config),
	}
	err = k.prepare(ctx, config)
	if err == nil {
		err = k.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Close kills the broker and removes all it has stored.
func (k *Kafka) Close() error {
	err := k.process.Close()
	releasePorts(k.ports)
	k.ports = nil
	return err
}

// prepare takes the ports, writes the configuration and formats the folder.
func (k *Kafka) prepare(ctx context.Context, config string) error {
	var err error
	if k.ports, err = reservePorts(3); err != nil {
		return err
	}
	k.Addr, k.Direct = k.ports[0].addr(), k.ports[1].addr()
	if k.options.Advertise != nil {
		k.Addr = k.options.Advertise(k.Addr)
	}
	if k.options.TLS {
		if err := k.certify(); err != nil {
			return err
		}
	}
	if err := os.WriteFile(config, []byte(k.properties()), 0o600); err != nil {
		return fmt.Errorf("write Kafka's configuration: %w", err)
	}
	return k.format(ctx, config)
}

func (k *Kafka) certify() error {
	var err error
	if k.Authority, err = NewAuthority(); err != nil {
		return err
	}
	cert, key, err := k.Authority.Issue("kafka", "127.0.0.1", "localhost")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(k.dir.file("server.pem"), []byte(key+cert), 0o600),
		os.WriteFile(k.dir.file("ca.pem"), []byte(k.Authority.PEM), 0o600))
}

// properties is the broker's configuration file. CLIENT is the listener with
// what the options ask for.
func (k *Kafka) properties() string {
	client := "PLAINTEXT"
	switch {
	case k.options.TLS && len(k.options.SASL) > 0:
		client = "SASL_SSL"
	case k.options.TLS:
		client = "SSL"
	case len(k.options.SASL) > 0:
		client = "SASL_PLAINTEXT"
	}
	var b strings.Builder
	set := func(key, format string, args ...any) {
		if _, theirs := k.options.Properties[key]; !theirs {
			b.WriteString(property(key, fmt.Sprintf(format, args...)))
		}
	}
	set("process.roles", "broker,controller")
	set("node.id", "1")
	set("controller.quorum.voters", "1@%s", k.ports[2].addr())
	set("listeners", "CLIENT://%s,DIRECT://%s,CONTROLLER://%s", k.ports[0].addr(), k.Direct, k.ports[2].addr())
	set("advertised.listeners", "CLIENT://%s,DIRECT://%s", k.Addr, k.Direct)
	set("controller.listener.names", "CONTROLLER")
	set("inter.broker.listener.name", "DIRECT")
	set("listener.security.protocol.map", "CLIENT:%s,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT", client)
	set("log.dirs", "%s", filepath.ToSlash(k.dir.file("data")))
	for _, topic := range []string{"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
		set(topic+".replication.factor", "1")
		set(topic+".num.partitions", "4") // the default of 50 takes seconds to make
	}
	set("transaction.state.log.min.isr", "1")
	set("share.coordinator.state.topic.min.isr", "1")
	set("group.initial.rebalance.delay.ms", "0")
	// How long a killed broker is remembered, and refused under its own name.
	set("broker.session.timeout.ms", "3000")
	set("broker.heartbeat.interval.ms", "500")
	if k.options.TLS {
		set("ssl.keystore.type", "PEM")
		set("ssl.keystore.location", "%s", filepath.ToSlash(k.dir.file("server.pem")))
		set("ssl.truststore.type", "PEM")
		set("ssl.truststore.location", "%s", filepath.ToSlash(k.dir.file("ca.pem")))
	}
	if k.options.ClientAuth {
		set("ssl.client.auth", "required")
	}
	k.signIn(set)
	for _, key := range slices.Sorted(maps.Keys(k.options.Properties)) {
		b.WriteString(property(key, k.options.Properties[key]))
	}
	return b.String()
}

// property is a line of a Java properties file.
func property(key, value string) string {
	return key + "=" + strings.ReplaceAll(value, `\`, `\\`) + "\n"
}

// signIn sets what SASL needs.
func (k *Kafka) signIn(set func(key, format string, args ...any)) {
	var mechanisms []string
	var plain strings.Builder
	for _, u := range k.options.SASL {
		mechanism := strings.ToLower(u.Mechanism)
		if mechanism == "plain" {
			fmt.Fprintf(&plain, " user_%s=%q", u.Name, u.Password)
		} else {
			set("listener.name.client."+mechanism+".sasl.jaas.config",
				"org.apache.kafka.common.security.scram.ScramLoginModule required;")
		}
		mechanisms = append(mechanisms, u.Mechanism)
	}
	if plain.Len() > 0 {
		set("listener.name.client.plain.sasl.jaas.config",
			"org.apache.kafka.common.security.plain.PlainLoginModule required%s;", plain.String())
	}
	if len(mechanisms) > 0 {
		set("listener.name.client.sasl.enabled.mechanisms", "%s", strings.Join(mechanisms, ","))
	}
}

// format prepares the folder, with the users of SCRAM in it.
func (k *Kafka) format(ctx context.Context, config string) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	args := append(javaOptions(k.libs), "kafka.tools.StorageTool", "format",
		"-t", base64.RawURLEncoding.EncodeToString(append([]byte{0}, id[1:]...)), "-c", config)
	for _, u := range k.options.SASL {
		if strings.HasPrefix(u.Mechanism, "SCRAM") {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", u.Mechanism, u.Name, u.Password))
		}
	}
	cmd := exec.CommandContext(ctx, k.java, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's folder: %w; it printed:\n%s", err, out)
	}
	return nil
}

// answers asks the broker for itself, by the door that is always open.
func (k *Kafka) answers(ctx context.Context) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(k.Direct), Transport: transport}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(answer.Brokers) == 0 {
		return errors.New("no broker has signed on yet")
	}
	return nil
}

// javaOptions: one broker with little to do; its warnings go to standard error.
func javaOptions(libs string) []string {
	return []string{
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(libs, "*"),
	}
}
