package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

// deadLetters runs the command against a broker and topic.
func deadLetters(t *testing.T, addr, topic string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	environ := []string{"KAFKA_BROKER=kafka://" + addr, "KAFKA_TOPIC=" + topic, "POSTGRES_DSN=postgres://nobody@127.0.0.1:1/none"}
	code := run(t.Context(), append([]string{"dead-letters"}, args...), environ, &out, &err)
	return result{out.String(), err.String(), code}
}

// newLetters makes a topic with dead letters.
func newLetters(t *testing.T, addr string, letters ...kafka.Message) (topic string) {
	t.Helper()
	topic = testkit.Unique("letters")
	b, err := broker.New(broker.Options{Addresses: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureTopics(t.Context(), broker.Topic{Name: topic, Partitions: 1}, broker.Topic{Name: broker.DeadTopic(topic), Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: broker.DeadTopic(topic), RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond}
	defer func() { _ = w.Close() }()
	for range 200 {
		if err = w.WriteMessages(t.Context(), letters...); err == nil {
			return topic
		}
		time.Sleep(100 * time.Millisecond) // the topic is just being made
	}
	t.Fatal(err)
	return ""
}

func deadLetter(key, value []byte, reason string, offset int) kafka.Message {
	header := func(k, v string) kafka.Header { return kafka.Header{Key: k, Value: []byte(v)} }
	return kafka.Message{Key: key, Value: value, Headers: []kafka.Header{
		header("error", reason), header("topic", "t"), header("partition", "3"), header("offset", fmt.Sprint(offset)),
	}}
}

func TestDeadLetters(t *testing.T) {
	addr := testkit.Kafka(t)
	topic := newLetters(t, addr,
		deadLetter([]byte("docs"), []byte(`{"version":2}`), "version 2, want 1", 41),
		deadLetter([]byte("bin\x00"), []byte("\xff\n"), "invalid UTF-8", 42),
		deadLetter(nil, nil, "the message is empty", 43))

	got := deadLetters(t, addr, topic, "list")
	for _, line := range []string{
		`0:0 .* 3:41 .* docs .* version 2, want 1 .* {"version":2}`, `0:1 .* bin\x00 .* invalid UTF-8 .* \xff\n`, `0:2 .* 3:43 .* the message is empty`,
	} {
		if !hasLine(got.out, strings.Split(line, " .* ")) {
			t.Errorf("status %d, %s\n%s\nhas no line like %s", got.code, got.err, got.out, line)
		}
	}

	var list struct {
		DeadLetters []letterJSON `json:"dead_letters"`
	}
	got = deadLetters(t, addr, topic, "list", "--json", "--error", "UTF-8")
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list.DeadLetters) != 1 {
		t.Fatalf("%v: %s", err, got.out)
	}
	if l := list.DeadLetters[0]; l.Letter != "0:1" || l.ValueBase64 != "/wo=" || l.Value != nil || *l.Key != "bin\x00" || l.Partition != 3 || l.Offset != 42 || l.Replayed {
		t.Errorf("letter %+v", l)
	}

	deadLetters(t, addr, topic, "replay", "1", "0:2").want(t, 0, "2 sent to "+topic+" again\n", "")
	deadLetters(t, addr, topic, "replay", "1").want(t, 0, "0 sent to ", "")
	got = deadLetters(t, addr, topic, "list", "--json")
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || len(list.DeadLetters) != 3 || list.DeadLetters[0].Replayed || !list.DeadLetters[2].Replayed {
		t.Errorf("%v: %s", err, got.out)
	}
	deadLetters(t, addr, topic, "replay", "--error", "version").want(t, 0, "1 sent to ", "")
	deadLetters(t, addr, topic, "replay", "first").want(t, 1, "", `"first" is no number of a dead letter`)
}

// hasLine reports whether a line of text has all parts, in their order.
func hasLine(text string, parts []string) bool {
	for line := range strings.Lines(text) {
		found := true
		for _, p := range parts {
			var ok bool
			if _, line, ok = strings.Cut(line, p); !ok {
				found = false
			}
		}
		if found {
			return true
		}
	}
	return false
}

func TestDeadLettersWithoutAny(t *testing.T) {
	var out, err bytes.Buffer
	if code := run(t.Context(), []string{"dead-letters", "list"}, nil, &out, &err); code != 1 || !strings.Contains(err.String(), "KAFKA_BROKER is not set") {
		t.Errorf("status %d, %s", code, err.String())
	}
	addr := testkit.Kafka(t)
	deadLetters(t, addr, testkit.Unique("nothing"), "list", "--json").want(t, 0, "{\"dead_letters\":[\n]}\n", "")
	deadLetters(t, addr, testkit.Unique("nothing"), "replay").want(t, 0, "0 sent to ", "")
	deadLetters(t, "127.0.0.1:1", "t", "list").want(t, 1, "", "reach Kafka at 127.0.0.1:1")
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", `say "hi"`: `say "hi"`, "a\nb\x1b[31m": `a\nb\x1b[31m`, "äöü": "äöü",
		strings.Repeat("ä", 30): strings.Repeat("ä", 19) + "…", "\xff": `\xff`, "": "",
	} {
		if got := printable([]byte(in), 20); got != want {
			t.Errorf("%q is printed as %q, want %q", in, got, want)
		}
	}
	if got := printable(bytes.Repeat([]byte("x"), 1<<20), 20); got != strings.Repeat("x", 19)+"…" {
		t.Errorf("got %q", got)
	}
	l := writer.Letter{LeftOut: 7}
	var b bytes.Buffer
	row, finish := printLetters(&b)
	if err := row(l); err != nil || finish() != nil || !strings.Contains(b.String(), "7 bytes, too large") {
		t.Errorf("%v: %s", err, b.String())
	}
}
