package probes_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/internal/testkit"
	"sitemon/probes"
)

func signsIn(tls bool, mechanism string) option {
	return func(s *sitemon.Site) { s.Request.Kafka = &sitemon.KafkaRequest{TLS: tls, Mechanism: mechanism} }
}

// topic makes a topic that ends with the test, and waits until the broker leads it.
func topic(t *testing.T, addr string, partitions int) string {
	t.Helper()
	name := testkit.Unique("probes")
	c := &kafka.Client{Addr: kafka.TCP(addr), Timeout: 10 * time.Second, Transport: &kafka.Transport{}}
	ctx := context.Background()
	r, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err != nil || r.Errors[name] != nil {
		t.Fatal(err, r)
	}
	t.Cleanup(func() {
		_, _ = c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
		c.Transport.(*kafka.Transport).CloseIdleConnections()
	})
	waitFor(t, "the topic", func() bool {
		m, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
		if err != nil || len(m.Topics) != 1 || len(m.Topics[0].Partitions) != partitions {
			return false
		}
		for _, p := range m.Topics[0].Partitions {
			if p.Error != nil || p.Leader.Host == "" {
				return false
			}
		}
		return true
	})
	return name
}

func TestKafka(t *testing.T) {
	addr := testkit.Kafka(t)
	name := topic(t, addr, 3)
	set := newSet(t, probes.Options{})
	for _, tt := range []struct {
		name, url string
		options   []option
		outcome   sitemon.Outcome
		reason    sitemon.Reason
		text      string
	}{
		{name: "a broker", url: "kafka://" + addr, outcome: "up"},
		{name: "a topic", url: "kafka://" + addr + "/" + name, outcome: "up"},
		{name: "what it knows", url: "kafka://" + addr + "/" + name, options: []option{bodyMatches(t, `(?m)^broker 1 .* controller$`), bodyMatches(t, `: 3 partitions, 0 without a leader, 0 not in sync$`)}, outcome: "up"},
		{name: "not what it knows", url: "kafka://" + addr, options: []option{bodyMatches(t, "broker 2")}, outcome: "down", reason: "body", text: `body "broker 1 `},
		{name: "no such topic", url: "kafka://" + addr + "/nothing-here", outcome: "down", reason: "status", text: "the topic nothing-here: it does not exist"},
		{name: "no name for a topic", url: "kafka://" + addr + "/no@name", outcome: "down", reason: "status", text: "the topic no@name: invalid topic"},
		{name: "slow", url: "kafka://" + addr, options: []option{expects(func(e *sitemon.Expect) { e.Latency = 1 })}, outcome: "degraded", reason: "latency"},
		{name: "nobody", url: "kafka://127.0.0.1:1", outcome: "down", reason: "connect_refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, d := set.Explain(t.Context(), newSite(t, tt.url, tt.options...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.Outcome == sitemon.OutcomeUp && (r.Phases.Processing <= 0 || r.BodyBytes < 7 || d.Exchange.Response.Headers["Cluster"] == "" || d.Exchange.Response.Status != "1 broker") {
				t.Errorf("got %+v, %+v", r, d.Exchange)
			}
		})
	}
	r := set.Probe(t.Context(), newSite(t, "kafka://"+addr+"/nothing-here")) // a probe makes no topic
	wantReport(t, r, "down", "status", "it does not exist")
}

func TestKafkaSignIn(t *testing.T) {
	testkit.Kafka(t)
	users := []testkit.KafkaUser{{Mechanism: "PLAIN", Name: "plain", Password: "p@ss:/?#word"}, {Mechanism: "SCRAM-SHA-256", Name: "two", Password: "p@ss:/?#word"}, {Mechanism: "SCRAM-SHA-512", Name: "five", Password: "p@ss:/?#word"}}
	s := testkit.StartKafka(t, testkit.KafkaOptions{TLS: true, SASL: users})
	set := newSet(t, probes.Options{Expander: fakeExpander{"PW": "p@ss:/?#word", "WRONG": "wrong-secret"}})
	for _, tt := range []struct {
		name, user string
		options    []option
		outcome    sitemon.Outcome
		reason     sitemon.Reason
		text       string
	}{
		{name: "PLAIN", user: "plain:${PW}@", options: []option{signsIn(true, "plain"), trusts(s.CAPEM)}, outcome: "up"},
		{name: "SCRAM-SHA-256", user: "two:${PW}@", options: []option{signsIn(true, "scram-sha-256"), trusts(s.CAPEM)}, outcome: "up"},
		{name: "SCRAM-SHA-512", user: "five:${PW}@", options: []option{signsIn(true, "scram-sha-512"), trusts(s.CAPEM)}, outcome: "up"},
		{name: "a wrong password", user: "plain:${WRONG}@", options: []option{signsIn(true, "plain"), trusts(s.CAPEM)}, outcome: "down", reason: "status", text: "the broker refuses the user: sasl authentication failed"},
		{name: "a wrong password by SCRAM", user: "two:${WRONG}@", options: []option{signsIn(true, "scram-sha-256"), trusts(s.CAPEM)}, outcome: "down", reason: "status", text: "sasl authentication failed"},
		{name: "another mechanism's user", user: "plain:${PW}@", options: []option{signsIn(true, "scram-sha-256"), trusts(s.CAPEM)}, outcome: "down", reason: "status"},
		{name: "nobody signs in", options: []option{signsIn(true, "plain"), trusts(s.CAPEM)}, outcome: "down", reason: "transfer_error", text: "asking for metadata); a broker hangs up on who has to sign in"},
		{name: "not trusted", user: "plain:${PW}@", options: []option{signsIn(true, "plain")}, outcome: "down", reason: "tls_untrusted"},
		{name: "no TLS", user: "plain:${PW}@", outcome: "down", reason: "protocol", text: "it speaks TLS; write kafka: { tls: true }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := set.Probe(t.Context(), newSite(t, "tcp://x", append(tt.options, func(site *sitemon.Site) {
				site.Kind, site.URL, site.References = sitemon.KindKafka, "kafka://"+tt.user+s.Addr, true
			})...))
			wantReport(t, r, tt.outcome, tt.reason, tt.text)
			if r.Outcome == sitemon.OutcomeUp && (r.CertificateExpiresAt.IsZero() || r.Phases.TLS <= 0) {
				t.Errorf("nothing is known of the certificate: %+v", r)
			}
			for _, secret := range []string{"p@ss", "wrong-secret"} {
				if strings.Contains(r.Error+r.Evidence, secret) {
					t.Errorf("a secret is shown: %s %s", r.Error, r.Evidence)
				}
			}
		})
	}
	s.Freeze()
	r := set.Probe(deadline(t, hostileTimeout), newSite(t, "kafka://"+s.Direct))
	s.Thaw()
	wantReport(t, r, "down", "processing_timeout", "asking for the versions of its requests")
	s.Kill()
	wantReport(t, set.Probe(t.Context(), newSite(t, "kafka://"+s.Direct)), "down", "connect_refused", "")
}
