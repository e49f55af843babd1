package writer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/broker"
)

// The headers of a dead letter, which follow those that the message had.
const (
	headerError     = "error"
	headerTopic     = "topic"
	headerPartition = "partition"
	headerOffset    = "offset"
	ownHeaders      = 4
	// headerLeftOut is a fifth one, of a letter whose value did not fit: how many
	// bytes it had.
	headerLeftOut = "value_left_out"
)

const (
	// maxWhy is the length of a reason in bytes; what is wrong stands at its start.
	maxWhy = 1000
	// maxRequest is what a broker takes in one piece unless it is told otherwise.
	maxRequest = 1 << 20
)

// letter is a message that can't be used, and why.
type letter struct {
	message kafka.Message
	why     string
}

// dead returns the message as it goes into the topic of dead letters: its key and
// value as they came.
func (l letter) dead() kafka.Message {
	m := l.message
	return kafka.Message{Key: m.Key, Value: m.Value, Headers: append(slices.Clone(m.Headers),
		header(headerError, cut(l.why, maxWhy)),
		header(headerTopic, m.Topic),
		header(headerPartition, strconv.Itoa(m.Partition)),
		header(headerOffset, strconv.FormatInt(m.Offset, 10)),
	)}
}

func header(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }

// cut returns the first n bytes of s, or a little less so as not to cut through a
// character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// letterbox writes into the topic of dead letters. It is used by one goroutine at
// a time.
type letterbox struct {
	broker *broker.Broker
	topic  string // whose letters these are
	writer *kafka.Writer
}

// publisher returns a Writer that waits until all replicas have what it writes.
func publisher(b *broker.Broker, topic string, request int64) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(b.Addresses()...), Transport: b.Transport(), Topic: topic,
		Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, Compression: kafka.Snappy,
		BatchSize: 1000, BatchBytes: request, BatchTimeout: 5 * time.Millisecond,
		MaxAttempts: 2, WriteBackoffMax: time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		ErrorLogger: b.ErrorLogger(),
	}
}

// write writes letters in their order, and returns those that it could not write.
func (x *letterbox) write(ctx context.Context, letters []letter) ([]letter, error) {
	if x.writer == nil {
		x.writer = publisher(x.broker, broker.DeadTopic(x.topic), maxRequest)
	}
	for len(letters) > 0 {
		n := 0
		var messages []kafka.Message
		for ; n < len(letters) && size(letters[n].message) < maxRequest-10_000; n++ {
			messages = append(messages, letters[n].dead())
		}
		var err error
		if n == 0 {
			n, err = 1, x.writeLarge(ctx, letters[0])
		} else if err = x.writer.WriteMessages(ctx, messages...); err != nil {
			return failed(letters, n, err), fmt.Errorf("write %d dead letters to %s: %w", n, x.writer.Topic, firstOf(err))
		}
		if err != nil {
			return letters, err
		}
		letters = letters[n:]
	}
	return nil, nil
}

// failed returns the letters that are still to be written after an error with the
// first n of them.
func failed(letters []letter, n int, err error) []letter {
	each, ok := errors.AsType[kafka.WriteErrors](err)
	if !ok || len(each) != n {
		return letters
	}
	var left []letter
	for i, err := range each {
		if err != nil {
			left = append(left, letters[i])
		}
	}
	return append(left, letters[n:]...)
}

// firstOf returns the first of the errors that a Writer gives for many messages.
func firstOf(err error) error {
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

// size is about how many bytes a message takes in a request.
func size(m kafka.Message) int {
	n := len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// writeLarge writes a letter that is near to what a broker takes, or above it. If
// it is too large, the letter says where its value is to be found.
func (x *letterbox) writeLarge(ctx context.Context, l letter) (err error) {
	w := publisher(x.broker, broker.DeadTopic(x.topic), 1<<30)
	w.BatchSize = 1
	defer func() { err = errors.Join(err, w.Close()) }()
	err = w.WriteMessages(ctx, l.dead())
	if errors.Is(firstOf(err), kafka.MessageSizeTooLarge) {
		m := l.dead()
		m.Headers = append(m.Headers, header(headerLeftOut, strconv.Itoa(len(m.Value))))
		m.Value = nil
		err = w.WriteMessages(ctx, m)
	}
	if err != nil {
		return fmt.Errorf("write a dead letter of %d bytes to %s: %w", len(l.message.Value), w.Topic, firstOf(err))
	}
	return nil
}

// close ends the connections.
func (x *letterbox) close() {
	if x.writer != nil {
		_ = x.writer.Close() // nothing waits in it: each write was waited for
		x.writer = nil
	}
}

// sayEvery is how often dead letters are spoken of in the log.
const sayEvery = 10 * time.Second

// burials speaks of dead letters in the log, at once and then no more often than
// somebody may want to read. It is used by one goroutine at a time.
type burials struct {
	log    *slog.Logger
	said   time.Time
	unsaid int
}

func (b *burials) say(n int, why string) {
	b.unsaid += n
	if time.Since(b.said) < sayEvery {
		return
	}
	b.log.Warn("messages could not be used: they are dead letters now", "messages", b.unsaid, "first", cut(why, 200))
	b.said, b.unsaid = time.Now(), 0
}
