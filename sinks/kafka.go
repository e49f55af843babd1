package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/broker"
)

const (
	// kafkaGather is how long the client waits for more messages of a partition.
	kafkaGather = 5 * time.Millisecond
	// kafkaTimeout bounds one request. The library does not look at the context
	// while it waits, so this bounds how long a stop may take, too.
	kafkaTimeout = 5 * time.Second
	// kafkaAttempts is small: the spool tries again by itself, and its waits end with
	// their context.
	kafkaAttempts = 2
)

// KafkaOptions is what a [Kafka] is made of; all are required.
type KafkaOptions struct {
	Broker *broker.Broker
	Topic  string
	Logger *slog.Logger
}

// Kafka is a [Deliverer] that publishes to a topic. Messages of one key go to one
// partition, in their order; a message counts as delivered when all replicas that
// are in sync have it.
type Kafka struct {
	writer *kafka.Writer
	log    *slog.Logger
}

// NewKafka returns a Kafka, which connects when it is used first.
func NewKafka(o KafkaOptions) *Kafka {
	return &Kafka{
		log: o.Logger.With("component", "kafka"),
		writer: &kafka.Writer{
			Addr: kafka.TCP(o.Broker.Addresses()...), Topic: o.Topic, Transport: o.Broker.Transport(),
			Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, Compression: kafka.Snappy,
			BatchSize: maxBatch, BatchBytes: 1 << 20, BatchTimeout: kafkaGather,
			MaxAttempts: kafkaAttempts, WriteBackoffMin: retryMin, WriteBackoffMax: time.Second,
			ReadTimeout: kafkaTimeout, WriteTimeout: kafkaTimeout,
		},
	}
}

// Deliver implements [Deliverer]. A message that is larger than the topic takes is
// logged and left out, as it would hold up all others for ever.
func (k *Kafka) Deliver(ctx context.Context, messages []Message) error {
	list := make([]kafka.Message, len(messages))
	for i, m := range messages {
		list[i] = kafka.Message{Key: m.Key, Value: m.Value}
	}
	return k.write(ctx, list)
}

func (k *Kafka) write(ctx context.Context, list []kafka.Message) error {
	for len(list) > 0 {
		err := k.writer.WriteMessages(ctx, list...)
		if err == nil {
			return nil
		}
		if large, ok := errors.AsType[kafka.MessageTooLargeError](err); ok { // nothing was sent yet
			k.leaveOut(large.Message)
			list = large.Remaining
			continue
		}
		if !errors.Is(cause(err), kafka.MessageSizeTooLarge) {
			return fmt.Errorf("publish %d reports: %w", len(list), cause(err))
		}
		list = failed(list, err)
		if len(list) == 1 { // larger than this topic takes
			k.leaveOut(list[0])
			return nil
		}
		half := len(list) / 2
		if err := k.write(ctx, list[:half]); err != nil {
			return err
		}
		list = list[half:]
	}
	return nil
}

// failed returns the messages that an error is about.
func failed(list []kafka.Message, err error) []kafka.Message {
	each, ok := errors.AsType[kafka.WriteErrors](err)
	if !ok || len(each) != len(list) {
		return list
	}
	var rest []kafka.Message
	for i, e := range each {
		if e != nil {
			rest = append(rest, list[i])
		}
	}
	return rest
}

func (k *Kafka) leaveOut(m kafka.Message) {
	k.log.Error("a report is too large for Kafka, and is left out", "site", string(m.Key), "bytes", len(m.Value))
}

// cause reduces an error for each message to the first of them.
func cause(err error) error {
	each, ok := errors.AsType[kafka.WriteErrors](err)
	if !ok {
		return err
	}
	for _, e := range each {
		if e != nil {
			return e
		}
	}
	return err
}

// Close waits for what is being published and ends the connections.
func (k *Kafka) Close() error { return k.writer.Close() }
