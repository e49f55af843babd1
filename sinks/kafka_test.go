package sinks_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/sinks"
)

// newTopic makes a topic of its own at the broker of the tests, and a sink that
// publishes to it.
func newTopic(t *testing.T, config map[string]string, log *slog.Logger, reg prometheus.Registerer) (*broker.Broker, string, *sinks.Kafka) {
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
	return b, topic, sinks.NewKafka(sinks.KafkaOptions{Broker: b, Topic: topic, Logger: log, Registerer: reg})
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
	b, topic, k := newTopic(t, nil, slog.New(slog.DiscardHandler), nil)
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
		"for the broker": {nil, 2 << 20},
		"for the topic":  {map[string]string{"max.message.bytes": "2000", "compression.type": "uncompressed"}, 9000},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			reg := prometheus.NewRegistry()
			b, topic, k := newTopic(t, c.config, slog.New(slog.NewTextHandler(&said, nil)), reg)
			large := make([]byte, c.size)
			_, _ = rand.Read(large) // no codec makes it small
			var batch []sinks.Message
			for i := range 10 {
				batch = append(batch, sinks.Message{Key: fmt.Append(nil, i), Value: []byte("small")})
			}
			batch[4].Value = large
			if err := k.Deliver(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			for _, m := range published(t, b, topic, 9) {
				if string(m.Value) != "small" {
					t.Errorf("%d bytes came through", len(m.Value))
				}
			}
			const counted = `
# HELP sitemon_kafka_refused_reports_total Reports lost because they are larger than the topic takes.
# TYPE sitemon_kafka_refused_reports_total counter
sitemon_kafka_refused_reports_total 1
`
			if err := testutil.GatherAndCompare(reg, strings.NewReader(counted)); err != nil {
				t.Error(err)
			}
			if got := strings.Count(said.String(), "is left out"); got != 1 || !strings.Contains(said.String(), "site=4") {
				t.Errorf("logged %s", said.String())
			}
		})
	}
}

// newFake makes a sink that publishes to a fake broker.
func newFake(t *testing.T, partitions int) (*fakeKafka, *sinks.Kafka) {
	t.Helper()
	f := startFakeKafka(t, partitions)
	b, err := broker.New(broker.Options{Addresses: []string{f.addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return f, sinks.NewKafka(sinks.KafkaOptions{Broker: b, Topic: fakeTopic, Logger: slog.New(slog.DiscardHandler)})
}

// numbered returns messages of one key whose values begin with a, b, c and so on.
func numbered(n, size int) (list []sinks.Message) {
	for i := range n {
		list = append(list, sinks.Message{Key: []byte("site"), Value: []byte(string(rune('a'+i)) + strings.Repeat(".", size))})
	}
	return list
}

// initials returns the first character of each value.
func initials(values []string) (s string) {
	for _, v := range values {
		s += v[:1]
	}
	return s
}

// What follows a failed message of its key is not published before it.
func TestKafkaKeepsTheOrderOverAFailure(t *testing.T) {
	f, k := newFake(t, 1)
	f.answer = func(_, request int) kafka.Error {
		if request == 2 {
			return kafka.RequestTimedOut
		}
		return 0
	}
	list := numbered(5, 400_000) // two to a request
	err := k.Deliver(t.Context(), list)
	if !errors.Is(err, kafka.RequestTimedOut) {
		t.Fatalf("got %v, want the failure", err)
	}
	if got := initials(f.all()[0]); got != "ab" {
		t.Errorf("taken: %s, want only what comes before the failure", got)
	}
	if err := k.Deliver(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if got := initials(f.all()[0]); got != "ababcde" {
		t.Errorf("taken: %s", got)
	}
}

func TestKafkaTriesOnceMoreWhatPassesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fails kafka.Error
		times int
		want  kafka.Error // 0: none
		says  string
	}{
		"a leader that has moved": {kafka.NotLeaderForPartition, 1, 0, ""},
		"twice":                   {kafka.NotLeaderForPartition, 2, 0, ""},
		"that moves on and on":    {kafka.NotLeaderForPartition, 9, kafka.NotLeaderForPartition, "[6] Not Leader"},
		"a right that is missing": {kafka.TopicAuthorizationFailed, 1, kafka.TopicAuthorizationFailed, "the broker does not allow this to this user: [29]"},
	} {
		t.Run(name, func(t *testing.T) {
			f, k := newFake(t, 3)
			f.answer = func(partition, request int) kafka.Error {
				if partition == 1 && request <= c.times {
					return c.fails
				}
				return 0
			}
			var list []sinks.Message
			for i := range 30 {
				list = append(list, sinks.Message{Key: fmt.Append(nil, i), Value: []byte("x")})
			}
			err := k.Deliver(t.Context(), list)
			if c.want == 0 {
				if err != nil {
					t.Fatal(err)
				}
				all := f.all()
				if n := len(all[0]) + len(all[1]) + len(all[2]); n != len(list) {
					t.Errorf("%d messages were taken, want each once: %d", n, len(list))
				}
				return
			}
			want := "publish 30 reports to the topic reports: " + c.says
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// A connection that the broker has closed meanwhile is no failure.
func TestKafkaConnectsAgain(t *testing.T) {
	f, k := newFake(t, 2)
	for range 3 {
		if err := k.Deliver(t.Context(), []sinks.Message{{Key: []byte("a"), Value: []byte("x")}, {Key: []byte("b"), Value: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		f.hangUp()
	}
	if all := f.all(); len(all[0])+len(all[1]) != 6 {
		t.Errorf("taken: %v", all)
	}
}

func TestKafkaSaysThatTheTopicIsMissing(t *testing.T) {
	f := startFakeKafka(t, 1)
	b, err := broker.New(broker.Options{Addresses: []string{f.addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	err = sinks.NewKafka(sinks.KafkaOptions{Broker: b, Topic: "other", Logger: slog.New(slog.DiscardHandler)}).Deliver(t.Context(), numbered(1, 1))
	if !errors.Is(err, sitemon.ErrNotFound) || !strings.Contains(err.Error(), "topic other") {
		t.Errorf("got %v", err)
	}
}

// A request under way when the context ends may still be answered: else each stop
// would publish a batch twice.
func TestKafkaAtTheEndOfTheContext(t *testing.T) {
	t.Run("answered soon", func(t *testing.T) {
		f, k := newFake(t, 1)
		ended := make(chan struct{})
		f.answer = func(int, int) kafka.Error { <-ended; return 0 }
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			f.asked(0, 1)
			cancel()
			close(ended)
		}()
		if err := k.Deliver(ctx, numbered(1, 1)); err != nil {
			t.Error(err)
		}
	})
	t.Run("never answered", func(t *testing.T) {
		f, k := newFake(t, 1)
		ended := make(chan struct{})
		f.answer = func(int, int) kafka.Error { <-ended; return 0 }
		defer close(ended)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			f.asked(0, 1)
			cancel()
		}()
		if err := k.Deliver(ctx, numbered(1, 1)); !errors.Is(err, context.Canceled) { // not the request's own time limit
			t.Errorf("got %v", err)
		}
	})
	t.Run("ended before", func(t *testing.T) {
		f, k := newFake(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.Deliver(ctx, numbered(1, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if all := f.all(); len(all) > 0 {
			t.Errorf("taken: %v", all)
		}
	})
}

// A broker that is away is told of as by the check, whatever the client makes of
// it that it knows no broker any more.
func TestKafkaTellsTheCause(t *testing.T) {
	f, k := newFake(t, 3)
	f.answer = func(int, int) kafka.Error { return kafka.NotLeaderForPartition }
	check := func(want string) {
		t.Helper()
		if err := k.Deliver(t.Context(), numbered(1, 1)); err == nil || !strings.Contains(err.Error(), "topic reports: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check("[6] Not Leader")
	f.stop()
	check("nothing listens there: dial tcp " + f.addr)
	check("nothing listens there: dial tcp " + f.addr)
}
