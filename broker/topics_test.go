package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
)

// forget deletes topics at the end of the test.
func forget(t *testing.T, b *broker.Broker, topics ...broker.Topic) {
	t.Cleanup(func() {
		var names []string
		for _, topic := range topics {
			names = append(names, topic.Name)
		}
		if _, err := b.Client().DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: names}); err != nil {
			t.Error(err)
		}
	})
}

func TestEnsureTopics(t *testing.T) {
	log, said := logger(slog.LevelInfo)
	b := connect(t, broker.Options{Addresses: []string{testkit.Kafka(t)}, Logger: log})
	name := testkit.Unique("topic")
	topics := broker.ReportTopics(name)
	if err := b.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	forget(t, b, topics...)
	for topic, want := range map[string]int{name: 12, broker.DeadTopic(name): 1, broker.ShardsTopic(name): broker.ShardPartitions} {
		if got, err := b.Partitions(t.Context(), topic); err != nil || got != want {
			t.Errorf("%s has %d partitions, want %d: %v", topic, got, want, err)
		}
	}
	if got := strings.Count(said.String(), "topic made"); got != 3 {
		t.Errorf("%d topics are said to be made, want 3:\n%s", got, said)
	}
	for topic, want := range map[string]string{name: "604800000", broker.DeadTopic(name): "2592000000"} {
		if got := property(t, b, topic, "retention.ms"); got != want {
			t.Errorf("%s is kept for %s ms, want %s", topic, got, want)
		}
	}
	if got := property(t, b, broker.DeadTopic(name), "max.message.bytes"); got != "4194304" {
		t.Errorf("a dead letter may have %s bytes, want 4194304", got)
	}
	t.Run("again", func(t *testing.T) {
		before := said.String()
		if err := b.EnsureTopics(t.Context(), topics...); err != nil {
			t.Error(err)
		}
		if after := said.String(); after != before {
			t.Errorf("logged %s", after[len(before):])
		}
	})
	t.Run("fewer partitions than wanted", func(t *testing.T) {
		if err := b.EnsureTopics(t.Context(), broker.Topic{Name: broker.DeadTopic(name), Partitions: 5}); err != nil {
			t.Error(err)
		}
		if got, err := b.Partitions(t.Context(), broker.DeadTopic(name)); err != nil || got != 1 {
			t.Errorf("has %d partitions now: %v", got, err)
		}
		if !strings.Contains(said.String(), "fewer partitions than SiteMon would give it") {
			t.Errorf("not logged:\n%s", said)
		}
	})
}

// property returns what a topic is configured to.
func property(t *testing.T, b *broker.Broker, topic, name string) string {
	t.Helper()
	resp, err := b.Client().DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Resources[0].ConfigEntries[0].ConfigValue
}

// Several processes that start at once all want the same topics.
func TestEnsureTopicsAtTheSameTime(t *testing.T) {
	topic := broker.Topic{Name: testkit.Unique("topic"), Partitions: 3}
	var brokers []*broker.Broker
	for range 5 {
		brokers = append(brokers, connect(t, broker.Options{Addresses: []string{testkit.Kafka(t)}}))
	}
	forget(t, brokers[0], topic)
	var wg sync.WaitGroup
	for _, b := range brokers {
		wg.Go(func() {
			if err := b.EnsureTopics(t.Context(), topic); err != nil {
				t.Error(err)
			}
			if n, err := b.Partitions(t.Context(), topic.Name); err != nil || n != 3 {
				t.Errorf("%d partitions, %v", n, err)
			}
		})
	}
	wg.Wait()
}

func TestPartitionsOfATopicThatIsMissing(t *testing.T) {
	b := connect(t, broker.Options{Addresses: []string{testkit.Kafka(t)}})
	topic := broker.Topic{Name: testkit.Unique("topic"), Partitions: 2}
	if _, err := b.Partitions(t.Context(), topic.Name); !errors.Is(err, sitemon.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	other := connect(t, broker.Options{Addresses: []string{testkit.Kafka(t)}})
	if err := other.EnsureTopics(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	forget(t, other, topic)
	b.Refresh()
	if n, err := b.Partitions(t.Context(), topic.Name); err != nil || n != 2 {
		t.Errorf("%d partitions, %v", n, err)
	}
}
