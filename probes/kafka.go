package probes

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sitemon"
)

const (
	kafkaPort = 9092
	// The first version of a request for metadata that does not make topics, and the
	// last one without the tags that came later: what all brokers since 0.11 know.
	leastMetadata = 4
	mostMetadata  = 8
)

// Error codes of Kafka that mean something here.
const (
	kafkaUnknownTopic   = 3
	kafkaLeaderLess     = 5
	kafkaBadMechanism   = 33
	kafkaUnsupportedAPI = 35
)

// probeKafka signs in to a broker and asks what it knows of the cluster, and of the
// topic that the URL names.
func probeKafka(a *attempt) error {
	s, err := a.service("METADATA", kafkaPort)
	if err != nil {
		return err
	}
	asked := sitemon.DefaultKafkaRequest()
	if a.site.Request.Kafka != nil {
		asked = *a.site.Request.Kafka
	}
	conn, end, err := a.reach(s)
	if err != nil {
		return err
	}
	defer end()
	protocol := "Kafka"
	if asked.TLS {
		var tc net.Conn
		if tc, err = a.tlsTo(conn, s.host, ""); err != nil {
			return err
		}
		conn, protocol = tc, "Kafka/tls"
	}
	k := &kafkaTalk{a: a, s: s, conn: conn, protocol: protocol, answers: newAnswers(conn, 3*wireLimit)}
	versions, err := k.versions()
	if err != nil {
		return err
	}
	if s.user != "" {
		if done, err := k.signIn(asked.Mechanism); err != nil || !done {
			return err
		}
	}
	m, err := k.metadata(versions)
	if err != nil {
		return err
	}
	a.timed(k.answers)
	return a.judgeKafka(s, m)
}

// versions asks which versions of requests the broker knows.
func (k *kafkaTalk) versions() (*kmsg.ApiVersionsResponse, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := k.ask(req, resp, "asking for the versions of its requests"); err != nil {
		return nil, err
	}
	if resp.ErrorCode != 0 {
		return nil, k.fail(fmt.Errorf("it answers %s", kafkaError(resp.ErrorCode)), "asking for the versions of its requests")
	}
	return resp, nil
}

// metadata asks what the broker knows.
func (k *kafkaTalk) metadata(versions *kmsg.ApiVersionsResponse) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	i := slices.IndexFunc(versions.ApiKeys, func(v kmsg.ApiVersionsResponseApiKey) bool { return v.ApiKey == req.Key() })
	if i < 0 || versions.ApiKeys[i].MaxVersion < leastMetadata || versions.ApiKeys[i].MinVersion > mostMetadata {
		return nil, k.fail(fmt.Errorf("it knows no request for metadata of the versions %d to %d, which those since 0.11 know", leastMetadata, mostMetadata), "asking for metadata")
	}
	req.SetVersion(min(versions.ApiKeys[i].MaxVersion, mostMetadata))
	req.Topics = []kmsg.MetadataRequestTopic{} // none, rather than all
	if topic := k.s.path(); topic != "" {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
	}
	resp := kmsg.NewPtrMetadataResponse()
	err := k.ask(req, resp, "asking for metadata")
	if f, ok := errors.AsType[*failure](err); ok && f.reason == sitemon.ReasonTransferError && k.s.user == "" {
		f.text += "; a broker hangs up on who has to sign in and does not"
	}
	return resp, err
}

// kafkaError is the name of an error code.
func kafkaError(code int16) string {
	if title := kafka.Error(code).Title(); title != "" {
		return strings.ToLower(title)
	}
	return fmt.Sprintf("error %d", code)
}

// judgeKafka judges what a broker knows. The body that expressions are matched against
// is a list of brokers and of the topic.
func (a *attempt) judgeKafka(s *service, m *kmsg.MetadataResponse) error {
	s.shown.status = fmt.Sprintf("%d brokers", len(m.Brokers))
	if len(m.Brokers) == 1 {
		s.shown.status = "1 broker"
	}
	s.shown.fields = map[string]string{}
	if m.ClusterID != nil {
		s.shown.fields["Cluster"] = *m.ClusterID
	}
	return a.conclude(func(v *verdict) {
		var lines []string
		for _, b := range m.Brokers {
			line := fmt.Sprintf("broker %d %s", b.NodeID, net.JoinHostPort(b.Host, fmt.Sprint(b.Port)))
			if b.NodeID == m.ControllerID {
				line += " controller"
			}
			lines = append(lines, line)
		}
		topic := s.path()
		if topic != "" {
			lines = append(lines, v.kafkaTopic(topic, m.Topics))
		}
		s.shown.body = []byte(strings.Join(lines, "\n"))
		v.ans.body = s.shown.body
		v.bodies(s.shown.body)
	})
}

// kafkaTopic judges a topic, and returns its line of the body.
func (v *verdict) kafkaTopic(name string, topics []kmsg.MetadataResponseTopic) string {
	c := Check{Name: "topic " + name, Expected: "a leader for each partition, all replicas in sync"}
	i := slices.IndexFunc(topics, func(t kmsg.MetadataResponseTopic) bool { return t.Topic != nil && *t.Topic == name })
	switch {
	case i < 0:
		c.Seen = "the broker says nothing of it"
	case topics[i].ErrorCode == kafkaUnknownTopic:
		c.Seen = "it does not exist"
	case topics[i].ErrorCode != 0 && topics[i].ErrorCode != kafkaLeaderLess:
		c.Seen = kafkaError(topics[i].ErrorCode)
	}
	if c.Seen != "" {
		v.note(false, sitemon.OutcomeDown, sitemon.ReasonStatus, c, fmt.Sprintf("the topic %s: %s", name, c.Seen))
		return fmt.Sprintf("topic %s: %s", name, c.Seen)
	}
	leaderless, behind := 0, 0
	for _, p := range topics[i].Partitions {
		switch {
		case p.Leader < 0:
			leaderless++
		case len(p.ISR) < len(p.Replicas):
			behind++
		}
	}
	total := len(topics[i].Partitions)
	c.Seen = fmt.Sprintf("%d partitions, %d without a leader, %d not in sync", total, leaderless, behind)
	outcome := sitemon.OutcomeDegraded
	if leaderless > 0 || total == 0 {
		outcome = sitemon.OutcomeDown
	}
	if ok := leaderless+behind == 0 && total > 0; !v.quiet(ok) {
		v.note(ok, outcome, sitemon.ReasonStatus, c, fmt.Sprintf("the topic %s: %s", name, c.Seen))
	}
	return fmt.Sprintf("topic %s: %s", name, c.Seen)
}
