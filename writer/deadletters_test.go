package writer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

func all(writer.Letter) bool { return true }

func TestReplay(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 2)
	ctx := context.Background()
	store := newMemory()
	store.refuse = func(sitemon.Report) bool { return true }
	k.start(store)
	k.publish(reports(10, 1)...)
	k.publish(kafka.Message{Key: []byte("tomb"), Headers: []kafka.Header{{Key: "own", Value: []byte("1")}}})
	waitLetters(t, k, 11)
	store.set(func() { store.refuse = nil })

	var chosen []int64
	n, err := writer.Replay(ctx, k.broker, k.topic, func(l writer.Letter) bool {
		if l.Offset%2 == 1 || l.Offset == 4 {
			chosen = append(chosen, l.Offset)
			return true
		}
		return false
	})
	if err != nil || n != 6 || len(chosen) != 6 {
		t.Fatalf("%d sent, %v", n, err)
	}
	isTomb := func(l writer.Letter) bool { return string(l.Key) == "tomb" }
	letters := k.letters()
	for _, l := range letters[:11] {
		if l.Replayed != slices.Contains(chosen, l.Offset) {
			t.Errorf("letter %d: replayed %t", l.Offset, l.Replayed)
		}
	}
	if n, err = writer.Replay(ctx, k.broker, k.topic, func(l writer.Letter) bool { return slices.Contains(chosen, l.Offset) }); n != 0 || err != nil {
		t.Errorf("%d sent a second time, %v", n, err)
	}
	if n, err = writer.Replay(ctx, k.broker, k.topic, func(l writer.Letter) bool { return l.Offset < 11 }); n != 5 || err != nil {
		t.Errorf("%d of the rest sent, %v", n, err)
	}
	has(t, store, 10)
	eventually(t, "the message without value is dead again", func() error {
		tombs := slices.DeleteFunc(k.letters(), func(l writer.Letter) bool { return !isTomb(l) })
		if len(tombs) != 2 {
			return fmt.Errorf("%d letters", len(tombs))
		}
		l := tombs[1]
		if l.Value != nil || len(l.Headers) != 1 || l.Headers[0].Key != "own" || l.Replayed || !tombs[0].Replayed {
			return fmt.Errorf("letter %+v", l)
		}
		return nil
	})
	if n, err = writer.Replay(ctx, k.broker, k.topic, func(l writer.Letter) bool { return !isTomb(l) }); n != 0 || err != nil {
		t.Errorf("%d sent again, %v", n, err)
	}
}

func TestDeadLettersOfNothing(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	if got := k.letters(); len(got) != 0 {
		t.Errorf("letters %v of an empty topic", got)
	}
	if n, err := writer.Replay(context.Background(), k.broker, testkit.Unique("none"), all); n != 0 || err != nil {
		t.Errorf("a topic that does not exist: %d, %v", n, err)
	}
	k.publishTo(broker.DeadTopic(k.topic), kafka.Message{Key: []byte("by hand"), Value: []byte("x")})
	got := k.letters()
	if len(got) != 1 || got[0].Error != "" || string(got[0].Key) != "by hand" {
		t.Errorf("a letter that somebody put there: %+v", got)
	}
	stop := errors.New("enough")
	err := writer.DeadLetters(context.Background(), k.broker, k.topic, func(writer.Letter) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

func waitLetters(t *testing.T, k *kit, n int) {
	t.Helper()
	eventually(t, "dead letters", func() error {
		if got := len(k.letters()); got != n {
			return fmt.Errorf("%d letters, want %d", got, n)
		}
		return nil
	})
}
