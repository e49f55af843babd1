package writer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/writer"
)

// identity is what makes a report the same.
type identity struct {
	site, location string
	slot           int64
}

func identityOf(r sitemon.Report) identity {
	return identity{r.Site, r.Location, r.Slot.UnixMilli()}
}

// memory is a Store that keeps reports by their identity.
type memory struct {
	mu      sync.Mutex
	reports map[identity]sitemon.Report
	calls   int
	given   int // reports, repeated ones too
	away    error
	refuse  func(sitemon.Report) bool
	pause   time.Duration
	seeds   map[int64]string
	read    map[int]time.Time
	of      int // partitions
}

func newMemory() *memory {
	return &memory{reports: map[identity]sitemon.Report{}, read: map[int]time.Time{}, seeds: map[int64]string{}}
}

func (m *memory) Record(ctx context.Context, reports []sitemon.Report) (done sitemon.Recorded, err error) {
	m.mu.Lock()
	pause := m.pause
	m.mu.Unlock()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return done, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.away != nil {
		return done, m.away
	}
	for _, r := range reports {
		if m.refuse != nil && m.refuse(r) {
			return done, fmt.Errorf("record %d reports: %w: one is refused", len(reports), sitemon.ErrInvalid)
		}
	}
	m.given += len(reports)
	for _, r := range reports {
		if _, ok := m.reports[identityOf(r)]; ok {
			done.Duplicates++
			continue
		}
		m.reports[identityOf(r)] = r
		done.New = append(done.New, r)
	}
	return done, nil
}

func (m *memory) ReadTo(_ context.Context, _ string, partitions int, read map[int]time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of = partitions
	maps.Copy(m.read, read)
	return m.away
}

func (m *memory) SeedSite(_ context.Context, id int64) (string, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name, ok := m.seeds[id]; ok {
		return name, 10 * time.Second, m.away
	}
	return "", 0, errors.Join(m.away, fmt.Errorf("site %d: %w", id, sitemon.ErrNotFound))
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.reports)
}

// kit is a topic with its dead letters, on the broker of the tests.
type kit struct {
	t      testing.TB
	addr   string
	topic  string
	broker *broker.Broker
	lazy   []kafka.Message
}

func newBroker(t testing.TB, addr string) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Options{Addresses: []string{addr}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newKit(t testing.TB, addr string, partitions int) *kit {
	t.Helper()
	k := &kit{t: t, addr: addr, topic: testkit.Unique("writer"), broker: newBroker(t, addr)}
	k.create(k.topic, partitions)
	k.create(broker.DeadTopic(k.topic), 1)
	t.Cleanup(func() { _ = k.remove(k.topic, broker.DeadTopic(k.topic)) })
	return k
}

func (k *kit) client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(k.addr), Timeout: 10 * time.Second}
}

func (k *kit) create(topic string, partitions int) {
	k.t.Helper()
	eventually(k.t, "create topic "+topic, func() error {
		resp, err := k.client().CreateTopics(context.Background(), &kafka.CreateTopicsRequest{
			Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
		})
		if err != nil {
			return err
		}
		return resp.Errors[topic]
	})
}

// deleteRecords drops the messages of partition 0 before an offset, by a request
// that the library does not have.
func (k *kit) deleteRecords(before int64) {
	k.t.Helper()
	conn, err := net.Dial("tcp", k.addr)
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	text := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	const deleteRecords, version = 21, 1
	b := binary.BigEndian.AppendUint32(nil, deleteRecords<<16|version)
	b = text(binary.BigEndian.AppendUint32(b, 1), "test")
	b = text(binary.BigEndian.AppendUint32(b, 1), k.topic)
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 1), 0)
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, uint64(before)), 10_000)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		k.t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil {
		k.t.Fatal(err)
	}
	answer = make([]byte, binary.BigEndian.Uint32(answer))
	if _, err := io.ReadFull(conn, answer); err != nil || binary.BigEndian.Uint16(answer[len(answer)-2:]) != 0 {
		k.t.Fatalf("delete records: %v, %x", err, answer)
	}
}

// configure sets a property of a topic.
func (k *kit) configure(topic, name, value string) {
	k.t.Helper()
	resp, err := k.client().IncrementalAlterConfigs(context.Background(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = resp.Resources[0].Error
	}
	if err != nil {
		k.t.Fatalf("set %s of %s: %v", name, topic, err)
	}
}

func (k *kit) remove(topics ...string) error {
	_, err := k.client().DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: topics})
	return err
}

// publish writes messages and waits until Kafka has them.
func (k *kit) publish(messages ...kafka.Message) {
	k.t.Helper()
	k.publishTo(k.topic, messages...)
}

// publishLazily gathers messages for flush.
func (k *kit) publishLazily(m kafka.Message) { k.lazy = append(k.lazy, m) }

func (k *kit) flush() {
	k.t.Helper()
	k.publish(k.lazy...)
	k.lazy = k.lazy[:0]
}

func (k *kit) publishTo(topic string, messages ...kafka.Message) {
	k.t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(k.addr), Topic: topic, Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 5000, BatchTimeout: 5 * time.Millisecond, Compression: kafka.Snappy, BatchBytes: 4 << 20,
	}
	defer w.Close()
	eventually(k.t, "publish", func() error { return w.WriteMessages(context.Background(), messages...) })
}

// start runs a Writer until the test ends, or the function that it returns is
// called.
func (k *kit) start(store writer.Store, change ...func(*writer.Options)) (*writer.Writer, func()) {
	k.t.Helper()
	opts := writer.Options{
		Broker: k.broker, Topic: k.topic, Group: writer.GroupName(k.topic), Store: store, Zone: time.UTC,
		Logger: slog.New(slog.NewTextHandler(testOutput{k.t}, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: prometheus.NewRegistry(),
	}
	for _, c := range change {
		c(&opts)
	}
	w := writer.New(opts)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				k.t.Errorf("Run: %v", err)
			}
		case <-time.After(30 * time.Second):
			k.t.Error("Run did not end")
		}
	})
	k.t.Cleanup(stop)
	return w, stop
}

// testOutput writes a log into that of a test.
type testOutput struct{ t testing.TB }

func (o testOutput) Write(b []byte) (int, error) {
	o.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

// letters returns what the topic of dead letters holds.
func (k *kit) letters() []writer.Letter {
	k.t.Helper()
	var all []writer.Letter
	err := writer.DeadLetters(context.Background(), k.broker, k.topic, func(l writer.Letter) error {
		all = append(all, l)
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return all
}

// firstSlot is the moment from which the slots of tests count.
var firstSlot = time.Date(2024, 11, 24, 10, 0, 0, 0, time.UTC)

// report returns the n-th report of a site.
func report(site string, n int) sitemon.Report {
	return sitemon.Report{
		Site: site, Location: "default", Slot: firstSlot.Add(time.Duration(n) * 30 * time.Second),
		Interval: 30 * time.Second, Outcome: sitemon.OutcomeUp, StatusCode: 200, Duration: 12 * time.Millisecond, Monitor: "host-1",
	}
}

func message(r sitemon.Report) kafka.Message {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return kafka.Message{Key: []byte(r.Site), Value: b}
}

// reports returns messages of n reports of each of some sites.
func reports(sites, n int) []kafka.Message {
	var all []kafka.Message
	for i := range n {
		for s := range sites {
			all = append(all, message(report(fmt.Sprintf("site-%d", s), i)))
		}
	}
	return all
}

// patience is how long tests wait for what is to come.
const patience = 60 * time.Second

// eventually waits until try succeeds.
func eventually(t testing.TB, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// has waits until the store has so many reports.
func has(t testing.TB, m *memory, n int) {
	t.Helper()
	eventually(t, "reports recorded", func() error {
		if got := m.count(); got != n {
			return fmt.Errorf("%d reports, want %d", got, n)
		}
		return nil
	})
}

// ready waits until the writer is ready.
func ready(t testing.TB, w *writer.Writer) {
	t.Helper()
	eventually(t, "ready", func() error {
		if missing := w.Ready(); len(missing) > 0 {
			return fmt.Errorf("missing: %q", missing)
		}
		return nil
	})
}
