package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
)

// Topic is one that must be there.
type Topic struct {
	Name       string
	Partitions int
	Config     map[string]string // for a topic that is made; nil: the broker's defaults
}

// ShardPartitions is how many parts the sites of a location have.
const ShardPartitions = 64

const (
	reportPartitions = 12
	reportRetention  = "604800000"  // 7 days, in milliseconds: how long writers may be away
	deadPartitions   = 1            // the order in which they came
	deadRetention    = "2592000000" // 30 days: people look at them
	deadMessage      = "4194304"    // bytes: any message fits with its reason that a broker took by its own defaults
)

// DeadTopic is where messages go that can't be used.
func DeadTopic(topic string) string { return topic + ".dead" }

// ShardsTopic is the one over whose partitions monitors share the sites.
func ShardsTopic(topic string) string { return topic + ".shards" }

// ReportTopics are the topic of the reports and those that go with it.
func ReportTopics(topic string) []Topic {
	return []Topic{
		{topic, reportPartitions, map[string]string{"retention.ms": reportRetention}},
		{DeadTopic(topic), deadPartitions, map[string]string{"retention.ms": deadRetention, "max.message.bytes": deadMessage}},
		{ShardsTopic(topic), ShardPartitions, nil}, // never holds a message
	}
}

// EnsureTopics makes the topics that are missing, with as many replicas as the
// brokers give a topic by default, and returns when all can be used. Where that is
// not allowed, the error names each topic with the command that makes it. A topic
// with fewer partitions than wanted is used as it is.
func (b *Broker) EnsureTopics(ctx context.Context, topics ...Topic) error {
	there, err := b.there(ctx, topics)
	if err != nil {
		return err
	}
	var missing []Topic
	for _, t := range topics {
		switch n := there[t.Name]; {
		case n == 0:
			missing = append(missing, t)
		case n < t.Partitions:
			b.log.Info("a topic has fewer partitions than SiteMon would give it", "topic", t.Name, "partitions", n, "wanted", t.Partitions)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	made, errs := b.create(ctx, missing, -1)
	if errors.Is(errors.Join(errs...), kafka.InvalidReplicationFactor) { // that default exceeds the brokers, or they are older than 2.4
		var again []Topic
		again, errs = b.create(ctx, missing, 1)
		made = append(made, again...)
	}
	for _, t := range made {
		b.log.Info("topic made", "topic", t.Name, "partitions", t.Partitions)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return b.settle(ctx, missing)
}

// there returns how many partitions those of the topics have that are there.
func (b *Broker) there(ctx context.Context, topics []Topic) (map[string]int, error) {
	meta, err := b.Client().Metadata(ctx, &kafka.MetadataRequest{Topics: names(topics)})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the topics %s: %w", strings.Join(names(topics), ", "), b.Explain(err))
	}
	there := map[string]int{}
	for _, t := range meta.Topics {
		if t.Error == nil {
			there[t.Name] = len(t.Partitions)
		}
	}
	return there, nil
}

func names(topics []Topic) []string {
	list := make([]string, len(topics))
	for i, t := range topics {
		list[i] = t.Name
	}
	return list
}

// settle waits until the brokers tell of topics that were made just now, be it by
// another process.
func (b *Broker) settle(ctx context.Context, topics []Topic) error {
	late := time.After(requestTimeout)
	for {
		there, err := b.there(ctx, topics)
		if err != nil || len(there) == len(topics) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the topics %s: %w", strings.Join(names(topics), ", "), ctx.Err())
		case <-late:
			return fmt.Errorf("the topics %s are there, but the broker does not tell this user of all of them: it needs the right to describe them",
				strings.Join(names(topics), ", "))
		case <-time.After(retryMin):
		}
		b.Refresh()
	}
}

// create makes topics, and returns those that it made; there is an error for each
// that is still missing.
func (b *Broker) create(ctx context.Context, topics []Topic, replicas int) (made []Topic, errs []error) {
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
		return nil, []error{fmt.Errorf("make topics: %w", b.Explain(err))}
	}
	for _, t := range topics {
		switch err := resp.Errors[t.Name]; {
		case err == nil:
			made = append(made, t)
		case errors.Is(err, kafka.TopicAlreadyExists): // another process was first
		default:
			errs = append(errs, fmt.Errorf("make the topic %s with %d partitions: %w; make it yourself: %s",
				t.Name, t.Partitions, b.Explain(err), b.command(t)))
		}
	}
	return made, errs
}

// command is what makes a topic, for those who may.
func (b *Broker) command(t Topic) string {
	var c strings.Builder
	fmt.Fprintf(&c, "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d",
		strings.Join(b.addresses, ","), t.Name, t.Partitions)
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		fmt.Fprintf(&c, " --config %s=%s", name, t.Config[name])
	}
	return c.String()
}

// Partitions returns how many partitions a topic has, as of the last 6 seconds.
// The error wraps [sitemon.ErrNotFound] where there is no such topic, or none that
// this user may see.
func (b *Broker) Partitions(ctx context.Context, topic string) (int, error) {
	meta, err := b.Client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("ask Kafka for the partitions of %s: %w", topic, b.Explain(err))
	}
	for _, t := range meta.Topics {
		switch {
		case t.Name != topic:
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			return 0, fmt.Errorf("topic %s: %w", topic, sitemon.ErrNotFound)
		case t.Error != nil:
			return 0, fmt.Errorf("topic %s: %w", topic, b.Explain(t.Error))
		default:
			return len(t.Partitions), nil
		}
	}
	return 0, fmt.Errorf("topic %s: %w", topic, sitemon.ErrNotFound)
}
