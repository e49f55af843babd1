package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

// Topic is one that must be there.
type Topic struct {
	Name       string
	Partitions int
	Config     map[string]string // for a topic that is made; nil: the broker's defaults
}

// Partitions of the topics that SiteMon makes.
const (
	reportPartitions = 12
	deadPartitions   = 1
	// ShardPartitions is how many parts the sites of a location have.
	ShardPartitions = 64
)

// DeadTopic is where messages go that can't be used.
func DeadTopic(topic string) string { return topic + ".dead" }

// ShardsTopic is the one over whose partitions monitors share the sites.
func ShardsTopic(topic string) string { return topic + ".shards" }

// ReportTopics are the topics that go with the one of the reports. What can't be
// used is kept for 30 days, the rest as long as the brokers are set up to.
func ReportTopics(topic string) []Topic {
	return []Topic{
		{topic, reportPartitions, nil},
		{DeadTopic(topic), deadPartitions, map[string]string{"retention.ms": "2592000000"}},
		{ShardsTopic(topic), ShardPartitions, nil},
	}
}

// EnsureTopics makes the topics that are missing. Where that is not allowed, the
// error names each with the command that makes it. A topic with fewer partitions
// than wanted is used as it is.
func (b *Broker) EnsureTopics(ctx context.Context, topics ...Topic) error {
	missing, err := b.missing(ctx, topics)
	if err != nil || len(missing) == 0 {
		return err
	}
	errs := b.create(ctx, missing, -1) // as the brokers are set up
	if errors.Is(errors.Join(errs...), kafka.InvalidReplicationFactor) || errors.Is(errors.Join(errs...), kafka.UnsupportedVersion) {
		errs = b.create(ctx, missing, 1) // brokers older than 2.4
	}
	return errors.Join(errs...)
}

// missing returns those of the topics that are not there.
func (b *Broker) missing(ctx context.Context, topics []Topic) ([]Topic, error) {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	meta, err := b.Client().Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the topics %s: %w", strings.Join(names, ", "), err)
	}
	there := map[string]int{}
	for _, t := range meta.Topics {
		if t.Error == nil {
			there[t.Name] = len(t.Partitions)
		}
	}
	return slices.DeleteFunc(slices.Clone(topics), func(t Topic) bool {
		n, ok := there[t.Name]
		if ok && n < t.Partitions {
			b.log.Debug("a topic has fewer partitions than SiteMon would give it", "topic", t.Name, "partitions", n, "wanted", t.Partitions)
		}
		return ok
	}), nil
}

// create makes topics; there is an error for each that was not made.
func (b *Broker) create(ctx context.Context, topics []Topic, replicas int) []error {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		c := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: replicas}
		for name, value := range t.Config {
			c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		req.Topics = append(req.Topics, c)
	}
	resp, err := b.Client().CreateTopics(ctx, req)
	if err != nil {
		return []error{fmt.Errorf("make topics: %w", err)}
	}
	var errs []error
	for _, t := range topics {
		switch err := resp.Errors[t.Name]; {
		case err == nil:
			b.log.Info("topic made", "topic", t.Name, "partitions", t.Partitions)
		case errors.Is(err, kafka.TopicAlreadyExists): // another process was first
		default:
			errs = append(errs, fmt.Errorf("make the topic %s: %w (make it yourself: kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d)",
				t.Name, err, b.addresses[0], t.Name, t.Partitions))
		}
	}
	return errs
}

// Partitions returns how many partitions a topic has. The error wraps
// [sitemon.ErrNotFound] where there is no such topic.
func (b *Broker) Partitions(ctx context.Context, topic string) (int, error) {
	meta, err := b.Client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("ask Kafka for the partitions of %s: %w", topic, err)
	}
	for _, t := range meta.Topics {
		switch {
		case t.Name != topic:
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			return 0, fmt.Errorf("topic %s: %w", topic, sitemon.ErrNotFound)
		case t.Error != nil:
			return 0, fmt.Errorf("topic %s: %w", topic, t.Error)
		default:
			return len(t.Partitions), nil
		}
	}
	return 0, fmt.Errorf("topic %s: %w", topic, sitemon.ErrNotFound)
}
