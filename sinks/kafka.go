package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sitemon/broker"
)

const (
	// kafkaTimeout bounds one request.
	kafkaTimeout = 5 * time.Second
	// kafkaGrace is how long a request under way may still be answered after the
	// context has ended, so that a stop need not publish its reports twice.
	kafkaGrace = time.Second
	// kafkaAttempts and kafkaPause are for what passes at once: a connection that the
	// broker closed, a leader that moved. With all else the spool tries again.
	kafkaAttempts = 3
	kafkaPause    = 100 * time.Millisecond
	// kafkaRequest bounds the bytes of one request, below what brokers take unless
	// they are told otherwise.
	kafkaRequest = 1_000_000
	// kafkaOverhead is more than a message needs beside its key and value.
	kafkaOverhead = 32
)

// KafkaOptions is what a [Kafka] is made of. Broker, Topic and Logger are required.
type KafkaOptions struct {
	Broker     *broker.Broker
	Topic      string
	Logger     *slog.Logger
	Registerer prometheus.Registerer // may be nil
}

// Kafka is a [Deliverer] that publishes to a topic. Messages of one key go to one
// partition, in their order: what follows a failed message is not published
// before it, but given again by the spool. A message counts as delivered when all
// replicas that are in sync have it.
//
// It makes each request itself instead of using the library's Writer, for the
// reasons in docs/adr/0009.
type Kafka struct {
	opts    KafkaOptions
	log     *slog.Logger
	refused prometheus.Counter
	hash    kafka.Hash
}

// NewKafka returns a Kafka, which connects when it is used first.
func NewKafka(opts KafkaOptions) *Kafka {
	k := &Kafka{
		opts: opts, log: opts.Logger.With("component", "kafka", "topic", opts.Topic),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sitemon_kafka_refused_reports_total", Help: "Reports lost because they are larger than the topic takes.",
		}),
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(k.refused)
	}
	return k
}

// Deliver implements [Deliverer]. It returns within two seconds after ctx has
// ended. A message that is larger than the topic takes is logged, counted and left
// out, as it would hold up all others for ever.
func (k *Kafka) Deliver(ctx context.Context, messages []Message) error {
	if err := k.deliver(ctx, messages); err != nil {
		return fmt.Errorf("publish %d reports to the topic %s: %w", len(messages), k.opts.Topic, k.opts.Broker.Explain(err))
	}
	return nil
}

func (k *Kafka) deliver(ctx context.Context, messages []Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	late, cancel := grace(ctx, kafkaGrace)
	defer cancel()
	var lists [][]Message
	for attempt := 1; ; attempt++ {
		partitions, err := k.partitions(late)
		if err != nil {
			return err
		}
		if lists == nil {
			lists = k.divide(messages, partitions)
		}
		again, err := k.publishAll(late, lists)
		if err == nil || !again || attempt == kafkaAttempts || ctx.Err() != nil {
			return err
		}
		k.log.Debug("requests failed and are repeated", "err", err)
		pause(late, time.Duration(attempt)*kafkaPause)
		k.opts.Broker.Refresh()
	}
}

// partitions returns how many there are. Its error is the true cause, also where
// that of a request is only that nothing is known of the topic.
func (k *Kafka) partitions(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	n, err := k.opts.Broker.Partitions(ctx, k.opts.Topic)
	if err != nil {
		k.opts.Broker.Refresh()
	}
	return n, err
}

// divide returns the messages of each partition, in their order.
func (k *Kafka) divide(messages []Message, partitions int) [][]Message {
	numbers := make([]int, partitions)
	for p := range numbers {
		numbers[p] = p
	}
	lists := make([][]Message, partitions)
	for _, m := range messages {
		p := k.hash.Balance(kafka.Message{Key: m.Key}, numbers...)
		lists[p] = append(lists[p], m)
	}
	return lists
}

// publishAll publishes what is in the lists and takes out of them what is done. The
// error is one of them, as mostly all are the same; again says that all may be
// gone at once.
func (k *Kafka) publishAll(ctx context.Context, lists [][]Message) (again bool, err error) {
	errs := make([]error, len(lists))
	var wg sync.WaitGroup
	for p := range lists {
		if len(lists[p]) > 0 {
			wg.Go(func() { lists[p], errs[p] = k.publish(ctx, p, lists[p]) })
		}
	}
	wg.Wait()
	again = true
	for _, e := range errs {
		if e != nil {
			err, again = e, again && passes(e)
		}
	}
	return again, err
}

// publish sends messages to their partition, in requests that follow each other.
// It returns those that are left after an error.
func (k *Kafka) publish(ctx context.Context, partition int, list []Message) (rest []Message, err error) {
	for len(list) > 0 {
		n := fitting(list)
		if err := k.send(ctx, partition, list[:n]); err != nil {
			return list, err
		}
		list = list[n:]
	}
	return nil, nil
}

// fitting returns how many messages go into one request: at least one.
func fitting(list []Message) int {
	size := 0
	for i, m := range list {
		if size += len(m.Key) + len(m.Value) + kafkaOverhead; size > kafkaRequest {
			return max(1, i)
		}
	}
	return len(list)
}

// send sends one request. One that is too large is divided.
func (k *Kafka) send(ctx context.Context, partition int, list []Message) error {
	err := k.produce(ctx, partition, list)
	switch {
	case !errors.Is(err, kafka.MessageSizeTooLarge) && !errors.Is(err, kafka.RecordListTooLarge):
		return err
	case len(list) == 1:
		k.refused.Inc()
		k.log.Error("a report is larger than the topic takes, and is left out", "site", string(list[0].Key), "bytes", len(list[0].Value), "err", err)
		return nil
	}
	half := len(list) / 2
	if err := k.send(ctx, partition, list[:half]); err != nil {
		return err
	}
	return k.send(ctx, partition, list[half:])
}

// produce makes one request.
func (k *Kafka) produce(ctx context.Context, partition int, list []Message) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaTimeout)
	defer cancel()
	resp, err := k.opts.Broker.Client().Produce(ctx, &kafka.ProduceRequest{
		Topic: k.opts.Topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Compression: kafka.Snappy, Records: &produced{list: list, now: time.Now()},
	})
	if err != nil {
		return err
	}
	return resp.Error
}

// passes reports whether an error may be gone at the next attempt.
func passes(err error) bool {
	if code, ok := errors.AsType[kafka.Error](err); ok {
		return code.Temporary() && code != kafka.RequestTimedOut || code == kafka.BrokerNotAvailable
	}
	if code, ok := errors.AsType[protocol.Error](err); ok { // from what the client knew of the topic
		return code == protocol.ErrNoTopic || code == protocol.ErrNoPartition || code == protocol.ErrNoLeader
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// grace returns a context that ends a while after ctx does.
func grace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		pause(late, d)
		cancel()
	})
	return late, func() { stop(); cancel() }
}

// produced reads messages as the library's records, all in the same memory.
type produced struct {
	list       []Message
	now        time.Time
	record     kafka.Record
	key, value recordBytes
}

// ReadRecord implements [kafka.RecordReader].
func (p *produced) ReadRecord() (*kafka.Record, error) {
	if len(p.list) == 0 {
		return nil, io.EOF
	}
	p.key.Reset(p.list[0].Key)
	p.value.Reset(p.list[0].Value)
	p.list = p.list[1:]
	p.record = kafka.Record{Key: &p.key, Value: &p.value, Time: p.now}
	return &p.record, nil
}

// recordBytes is a [kafka.Bytes] whose memory is somebody else's.
type recordBytes struct{ bytes.Reader }

// Close implements [kafka.Bytes].
func (*recordBytes) Close() error { return nil }

var _ Deliverer = (*Kafka)(nil)
