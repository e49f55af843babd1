package sinks_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/sinks"
)

// newTopic makes a topic of its own at the broker of the tests, and a sink that
// publishes to it.
func newTopic(t *testing.T, config map[string]string) (*broker.Broker, string, *sinks.Kafka) {
	t.Helper()
	b, err := broker.New(broker.Options{Addresses: []string{testkit.Kafka(t)}, ClientID: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	topic := testkit.Unique("sink")
	if err := b.EnsureTopics(t.Context(), broker.Topic{Name: topic, Partitions: 3, Config: config}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = b.Client().DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	})
	k := sinks.NewKafka(sinks.KafkaOptions{Broker: b, Topic: topic, Logger: slog.New(slog.DiscardHandler)})
	return b, topic, k
}

// published reads n messages of a topic.
func published(t *testing.T, b *broker.Broker, topic string, n int) (all []kafka.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for p := range 3 {
		conn, err := b.Dialer().DialLeader(ctx, "tcp", b.Addresses()[0], topic, p)
		if err != nil {
			t.Fatal(err)
		}
		last, err := conn.ReadLastOffset()
		if err = errorsOf(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: b.Addresses(), Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != n {
		t.Fatalf("the topic has %d messages, want %d", len(all), n)
	}
	return all
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Messages of one site stay in one partition and in their order.
func TestKafkaKeepsTheOrderOfASite(t *testing.T) {
	b, topic, k := newTopic(t, nil)
	const sites, each = 20, 50
	for i := range each {
		var batch []sinks.Message
		for s := range sites {
			batch = append(batch, sinks.Message{Key: fmt.Append(nil, "site-", s), Value: fmt.Append(nil, i)})
		}
		if err := k.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	next, partition := map[string]int{}, map[string]int{}
	used := map[int]bool{}
	for _, m := range published(t, b, topic, sites*each) {
		key := string(m.Key)
		if want := fmt.Sprint(next[key]); string(m.Value) != want {
			t.Fatalf("%s: message %s comes where %s should", key, m.Value, want)
		}
		if next[key] > 0 && partition[key] != m.Partition {
			t.Fatalf("%s is in two partitions", key)
		}
		next[key]++
		partition[key] = m.Partition
		used[m.Partition] = true
	}
	if len(used) != 3 {
		t.Errorf("%d partitions are used, want all 3", len(used))
	}
}

// A message that Kafka never takes is left out, and holds up nothing.
func TestKafkaLeavesOutWhatIsTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		config map[string]string
		size   int
	}{
		"for the client": {nil, 2 << 20},
		"for the topic":  {map[string]string{"max.message.bytes": "2000", "compression.type": "uncompressed"}, 9000},
	} {
		t.Run(name, func(t *testing.T) {
			b, topic, k := newTopic(t, c.config)
			var large strings.Builder // which no codec makes small
			for large.Len() < c.size {
				large.WriteString(testkit.Unique(""))
			}
			var batch []sinks.Message
			for i := range 10 {
				batch = append(batch, sinks.Message{Key: fmt.Append(nil, i), Value: []byte("small")})
			}
			batch[4].Value = []byte(large.String())
			if err := k.Deliver(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			for _, m := range published(t, b, topic, 9) {
				if string(m.Value) != "small" {
					t.Errorf("%d bytes came through", len(m.Value))
				}
			}
		})
	}
}

// A broker that is away gives an error soon, and one that hangs within the time of
// two requests.
func TestKafkaAway(t *testing.T) {
	proxy := testkit.StartProxy(t, testkit.Kafka(t))
	b, err := broker.New(broker.Options{Addresses: []string{proxy.Addr}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	proxy.Refuse()
	k := sinks.NewKafka(sinks.KafkaOptions{Broker: b, Topic: "any", Logger: slog.New(slog.DiscardHandler)})
	if err := k.Deliver(t.Context(), []sinks.Message{{Key: []byte("a"), Value: []byte("b")}}); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	proxy.Cut()
	if err := k.Deliver(ctx, []sinks.Message{{Key: []byte("a"), Value: []byte("b")}}); err == nil {
		t.Error("no error from a broker that hangs")
	}
}
