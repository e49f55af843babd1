package writer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/broker"
)

// Letter is a message that the writer could not use, as the topic of dead letters
// holds it.
type Letter struct {
	Partition int   // of the topic of dead letters
	Offset    int64 // the same
	Time      time.Time

	Key, Value []byte         // as they came; nil is not the same as empty
	Headers    []kafka.Header // those that the message had
	// Error says why the message could not be used.
	Error string
	// LeftOut is how many bytes the value had, if it was too large to be kept.
	LeftOut int
	// Where the message came from, if the letter says so.
	FromTopic     string
	FromPartition int
	FromOffset    int64

	// Replayed reports whether [Replay] sent the message again.
	Replayed bool
}

// DeadLetters calls each with the dead letters of a topic of reports, oldest
// first, up to those that are there when it is called. It ends at each's first
// error.
func DeadLetters(ctx context.Context, b *broker.Broker, topic string, each func(Letter) error) error {
	dead := broker.DeadTopic(topic)
	partitions, err := deadPartitions(ctx, b, dead)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := p.read(ctx, b, dead, each); err != nil {
			return err
		}
	}
	return nil
}

// ErrLeftOut is wrapped by the error of [Replay] about letters whose value was too
// large to be kept.
var ErrLeftOut = errors.New("the value was left out")

// replayBatch is how many messages are sent again before that is noted.
const replayBatch = 500

// Replay sends the messages of the dead letters that choose selects back to their
// topic, as they were, and returns how many. It remembers in Kafka which they are,
// so that a second call does not send them again. What still can't be used becomes
// a dead letter once more.
func Replay(ctx context.Context, b *broker.Broker, topic string, choose func(Letter) bool) (sent int, err error) {
	dead := broker.DeadTopic(topic)
	partitions, err := deadPartitions(ctx, b, dead)
	if err != nil {
		return 0, err
	}
	w := publisher(b, topic, maxRequest)
	defer func() { err = errors.Join(err, w.Close()) }()
	leftOut := 0
	for _, p := range partitions {
		r := replay{broker: b, dead: dead, partition: p, writer: w}
		err := p.read(ctx, b, dead, func(l Letter) error {
			switch {
			case l.Replayed || !choose(l):
				return nil
			case l.LeftOut > 0:
				leftOut++
				return nil
			}
			return r.send(ctx, l)
		})
		err = errors.Join(err, r.flush(ctx))
		if sent += r.sent; err != nil {
			return sent, err
		}
	}
	if leftOut > 0 {
		return sent, fmt.Errorf("send dead letters of %s again: %d of them: %w", topic, leftOut, ErrLeftOut)
	}
	return sent, nil
}

// replay sends the messages of one partition of dead letters again.
type replay struct {
	broker    *broker.Broker
	dead      string
	partition *deadPartition
	writer    *kafka.Writer
	messages  []kafka.Message
	offsets   []int64
	sent      int
}

func (r *replay) send(ctx context.Context, l Letter) error {
	r.messages = append(r.messages, kafka.Message{Key: l.Key, Value: l.Value, Headers: l.Headers})
	r.offsets = append(r.offsets, l.Offset)
	if len(r.messages) < replayBatch {
		return nil
	}
	return r.flush(ctx)
}

// flush writes what was gathered, and notes that it is done.
func (r *replay) flush(ctx context.Context) error {
	if len(r.messages) == 0 {
		return nil
	}
	w := r.writer
	if slices.ContainsFunc(r.messages, func(m kafka.Message) bool { return size(m) > maxRequest-10_000 }) {
		w = publisher(r.broker, r.writer.Topic, 1<<30)
		w.BatchSize = 1
		defer func() { _ = w.Close() }() // each write was waited for
	}
	if err := w.WriteMessages(ctx, r.messages...); err != nil {
		return fmt.Errorf("send %d dead letters to %s again: %w", len(r.messages), w.Topic, firstOf(err))
	}
	r.sent += len(r.messages)
	for _, o := range r.offsets {
		r.partition.done.add(o)
	}
	r.messages, r.offsets = r.messages[:0], r.offsets[:0]
	return r.partition.commit(ctx, r.broker, r.dead)
}

// readLetter turns a message of the topic of dead letters into a Letter.
func readLetter(m kafka.Message) Letter {
	l := Letter{Partition: m.Partition, Offset: m.Offset, Time: m.Time, Key: m.Key, Value: m.Value, Headers: m.Headers}
	if n := len(l.Headers); n > 0 && l.Headers[n-1].Key == headerLeftOut {
		l.LeftOut, _ = strconv.Atoi(string(l.Headers[n-1].Value))
		l.Headers = l.Headers[:n-1]
	}
	n := len(l.Headers) - ownHeaders
	if n < 0 || l.Headers[n].Key != headerError {
		return l
	}
	own := l.Headers[n:]
	l.Headers = l.Headers[:n:n]
	l.Error, l.FromTopic = string(own[0].Value), string(own[1].Value)
	l.FromPartition, _ = strconv.Atoi(string(own[2].Value))
	l.FromOffset, _ = strconv.ParseInt(string(own[3].Value), 10, 64)
	return l
}
