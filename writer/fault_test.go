package writer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

// The variables that make this test binary the writer that is killed.
const (
	childAddr  = "WRITER_TEST_CHILD_ADDR"
	childTopic = "WRITER_TEST_CHILD_TOPIC"
)

// printer is a Store that prints what it records.
type printer struct{ *memory }

func (p printer) Record(ctx context.Context, reports []sitemon.Report) (sitemon.Recorded, error) {
	done, err := p.memory.Record(ctx, reports)
	var b strings.Builder
	for _, r := range done.New {
		fmt.Fprintf(&b, "%s %d\n", r.Site, r.Slot.UnixMilli())
	}
	_, _ = io.WriteString(os.Stdout, b.String()) // one write: it is there, or it is not
	return done, err
}

func TestMain(m *testing.M) {
	addr := os.Getenv(childAddr)
	if addr == "" {
		os.Exit(m.Run())
	}
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Options{Addresses: []string{addr}, Logger: log})
	if err != nil {
		panic(err)
	}
	topic := os.Getenv(childTopic)
	w := writer.New(writer.Options{Broker: b, Topic: topic, Group: writer.GroupName(topic), Store: printer{newMemory()}, Logger: log})
	_ = w.Run(context.Background())
}

// TestKilledWriter kills one of two writers: the other has all that it had not
// recorded.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 4)
	store := newMemory()
	k.start(store)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childAddr+"="+k.addr, childTopic+"="+k.topic)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	var mu sync.Mutex
	theirs := map[string]bool{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			mu.Lock()
			theirs[lines.Text()] = true
			mu.Unlock()
		}
	}()
	n, killed := 0, time.Time{}
	for ; n < 100 || killed.IsZero() || time.Since(killed) < 3*time.Second; n++ {
		for s := range 40 {
			k.publishLazily(message(report(fmt.Sprintf("site-%d", s), n)))
		}
		k.flush()
		mu.Lock()
		enough := len(theirs) > 500
		mu.Unlock()
		if enough && killed.IsZero() {
			killed = time.Now()
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	<-read
	_ = child.Wait()
	eventually(t, "all are recorded by one or the other", func() error {
		store.mu.Lock()
		defer store.mu.Unlock()
		both, missing := 0, 0
		for s := range 40 {
			for i := range n {
				r := report(fmt.Sprintf("site-%d", s), i)
				_, ours := store.reports[identityOf(r)]
				switch other := theirs[fmt.Sprintf("%s %d", r.Site, r.Slot.UnixMilli())]; {
				case ours && other:
					both++
				case !ours && !other:
					missing++
				}
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d are missing", missing, 40*n)
		}
		t.Logf("%d reports, %d of them by the killed one, %d by both, taken over %s after the kill", 40*n, len(theirs), both, time.Since(killed).Round(100*time.Millisecond))
		return nil
	})
}

// TestTopicMadeAnew deletes the topic under a writer, and while none runs; the
// new one has the same number of partitions.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 2)
	store := newMemory()
	_, stop := k.start(store)
	k.publish(reports(20, 20)...)
	has(t, store, 400)
	recreate := func() {
		if err := k.remove(k.topic); err != nil {
			t.Fatal(err)
		}
		k.create(k.topic, 2)
	}
	more := func(from, n int) {
		var all []kafka.Message
		for i := range n {
			all = append(all, message(report(fmt.Sprintf("site-%d", i%20), from+i)))
		}
		k.publish(all...)
	}
	recreate()
	more(1000, 100) // fewer than were there
	has(t, store, 500)
	recreate()
	more(3000, 1000) // more than were there
	has(t, store, 1500)
	stop()
	recreate()
	more(5000, 10)
	k.start(store)
	has(t, store, 1510)
}

// TestOffsetBehindTheEnd is what a group knows of a topic of the same name that
// was there before.
func TestOffsetBehindTheEnd(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	_, err := k.client().OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{
		GroupID: writer.GroupName(k.topic), GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{k.topic: {{Partition: 0, Offset: 5000}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k.publish(reports(10, 10)...)
	store := newMemory()
	k.start(store)
	has(t, store, 100)
}

// TestExpiredUnread lets Kafka drop messages before the writer reads them.
func TestExpiredUnread(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	store := newMemory()
	_, stop := k.start(store)
	k.publish(reports(1, 10)...)
	has(t, store, 10)
	stop()
	k.publish(reports(1, 50)...)
	k.deleteRecords(30)
	log := &strings.Builder{}
	k.start(store, func(o *writer.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	has(t, store, 10+30)
	if !strings.Contains(log.String(), "messages=20") {
		t.Errorf("the log does not speak of the 20 messages that are gone:\n%s", log)
	}
}

// TestPartitionsAdded makes a topic wider under a writer.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	store := newMemory()
	k.start(store)
	k.publish(reports(20, 1)...)
	has(t, store, 20)
	_, err := k.client().CreatePartitions(context.Background(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: k.topic, Count: 5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k.publish(reports(20, 10)...)
	has(t, store, 200)
	eventually(t, "all partitions are judged", func() error {
		store.mu.Lock()
		defer store.mu.Unlock()
		if store.of != 5 || len(store.read) != 5 {
			return fmt.Errorf("%d of %d", len(store.read), store.of)
		}
		return nil
	})
}

// TestTopicMissing starts a writer before its topic is there.
func TestTopicMissing(t *testing.T) {
	t.Parallel()
	k := newKit(t, testkit.Kafka(t), 1)
	k.topic = testkit.Unique("later")
	store := newMemory()
	w, _ := k.start(store)
	eventually(t, "said", func() error {
		if missing := w.Ready(); len(missing) == 0 || !strings.Contains(missing[0], "the topic is missing") {
			return fmt.Errorf("missing: %q", missing)
		}
		return nil
	})
	k.create(k.topic, 1)
	t.Cleanup(func() { _ = k.remove(k.topic) })
	k.publish(reports(5, 1)...)
	has(t, store, 5)
	ready(t, w)
}

// TestBrokerTrouble kills and freezes a broker, and cuts one of two writers off
// from it.
func TestBrokerTrouble(t *testing.T) {
	t.Parallel()
	server := testkit.StartKafka(t, testkit.KafkaOptions{Proxied: true})
	k := newKit(t, server.Addr, 4)
	direct := *k // does not come by the proxy
	direct.addr, direct.broker = server.Direct, newBroker(t, server.Direct)
	store := newMemory()
	w, stop := k.start(store)
	k.publish(reports(20, 10)...)
	has(t, store, 200)

	server.Kill()
	eventually(t, "said", func() error {
		if len(w.Ready()) == 0 {
			return errors.New("ready without a broker")
		}
		return nil
	})
	server.Start()
	k.publish(reports(20, 20)...)
	has(t, store, 400)
	ready(t, w)

	server.Freeze()
	time.Sleep(7 * time.Second) // longer than the session timeout
	server.Thaw()
	k.publish(reports(20, 30)...)
	has(t, store, 600)

	// Both may record the same for a while, and nothing is left out.
	other, _ := direct.start(store)
	ready(t, other)
	server.Proxy.Cut()
	direct.publish(reports(20, 40)...)
	has(t, store, 800)
	server.Proxy.Restore()
	direct.publish(reports(20, 50)...)
	has(t, store, 1000)
	ready(t, w)

	for i := range 3 { // while the readers of a new writer begin, and when they read
		w, stop := k.start(newMemory())
		ready(t, w)
		time.Sleep(time.Duration(i) * 4 * time.Millisecond)
		server.Freeze()
		stopInTime(t, stop)
		server.Thaw()
	}
	server.Freeze()
	stopInTime(t, stop)
	server.Thaw()
}

// stopInTime stops a writer whose broker is frozen. The program has 10 seconds for
// all of its stop.
func stopInTime(t *testing.T, stop func()) {
	t.Helper()
	begun := time.Now()
	stop()
	if d := time.Since(begun); d > 8*time.Second {
		t.Errorf("the stop took %s with a frozen broker", d)
	}
}
