package shards_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"sitemon/broker"
	"sitemon/internal/testkit"
	"sitemon/shards"
)

// location is the monitors of one location, and what each of them probes.
type location struct {
	t      *testing.T
	addr   string
	topic  string
	shards int

	mu      sync.Mutex
	probed  map[string]shards.Share
	watched bool     // every shard must be some monitor's, at every moment
	faults  []string // when one was not
	calls   map[string]int
}

func newLocation(t *testing.T, addr string) *location {
	t.Helper()
	return &location{
		t: t, addr: addr, topic: testkit.Unique("shards"), shards: 64,
		probed: map[string]shards.Share{}, calls: map[string]int{},
	}
}

// probes takes note of what a monitor probes from now on.
func (l *location) probes(name string, share shards.Share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probed[name] = share
	l.calls[name]++
	l.judge(name)
}

// stops takes note that a monitor probes nothing any more.
func (l *location) stops(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.probed, name)
	l.judge(name)
}

// judge looks for shards that nobody has.
func (l *location) judge(name string) {
	if !l.watched {
		return
	}
	owned := map[int]bool{}
	for _, s := range l.probed {
		for _, p := range s.Shards() {
			owned[p] = true
		}
	}
	if len(owned) < l.shards {
		l.faults = append(l.faults, name+" leaves shards to nobody: "+l.probed[name].String())
	}
}

// watch says that from now on every shard must be some monitor's.
func (l *location) watch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched = true
}

// unwatched returns the faults that were seen, and looks for no more.
func (l *location) unwatched() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watched = false
	return l.faults
}

// shared reports whether the named monitors have all shards, evenly, and each
// shard is one's only.
func (l *location) shared(names ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []int
	for _, n := range names {
		ps := l.probed[n].Shards()
		if _, of := l.probed[n].Count(); of != l.shards {
			return false
		}
		if low := l.shards / len(names); len(ps) < low || len(ps) > (l.shards+len(names)-1)/len(names) {
			return false
		}
		all = append(all, ps...)
	}
	slices.Sort(all)
	return len(all) == l.shards && len(slices.Compact(all)) == l.shards
}

// has reports whether a monitor probes a share.
func (l *location) has(name string, share shards.Share) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.probed[name]
	return ok && s == share
}

// awaitShared waits for [location.shared] and returns how long that took.
func (l *location) awaitShared(names ...string) time.Duration {
	l.t.Helper()
	return await(l.t, func() bool { return l.shared(names...) }, "%v do not share the shards: %v", names, l)
}

// String returns who probes what.
func (l *location) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ""
	for n, s := range l.probed {
		text += n + ": " + s.String() + "; "
	}
	return text
}

// moved returns how many shards are another's than before.
func (l *location) moved(before map[int]string) int {
	n := 0
	for p, name := range l.owners() {
		if before[p] != name {
			n++
		}
	}
	return n
}

func (l *location) owners() map[int]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := map[int]string{}
	for n, s := range l.probed {
		for _, p := range s.Shards() {
			of[p] = n
		}
	}
	return of
}

// await waits until something is so, which may take much longer than it should.
func await(t *testing.T, so func() bool, format string, args ...any) time.Duration {
	t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > 45*time.Second {
			t.Fatalf(format, args...)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began).Round(time.Millisecond)
}

// monitor is a sharer that runs within the test.
type monitor struct {
	*shards.Sharer
	l    *location
	name string
	file string
	reg  *prometheus.Registry
	end  func() error // without a word to the others
}

// start makes a monitor of the location.
func (l *location) start(name string, change ...func(*shards.Options)) *monitor {
	l.t.Helper()
	m := &monitor{l: l, name: name, file: filepath.Join(l.t.TempDir(), "share.json")}
	m.start(change...)
	return m
}

func (m *monitor) start(change ...func(*shards.Options)) {
	m.l.t.Helper()
	m.reg = prometheus.NewRegistry()
	opts := options(m.l.t, m.l.addr, m.l.topic, m.file)
	opts.Registerer = m.reg
	opts.Own = func(s shards.Share) { m.l.probes(m.name, s) }
	for _, c := range change {
		c(&opts)
	}
	m.Sharer = shards.New(opts)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	m.end = sync.OnceValue(func() error { cancel(); return <-done })
	m.l.t.Cleanup(func() {
		if err := m.end(); err != nil {
			m.l.t.Errorf("monitor %s: %v", m.name, err)
		}
	})
}

// leave hands the monitor's share over, stops it, and returns how long that took.
func (m *monitor) leave() time.Duration {
	m.l.t.Helper()
	began := time.Now()
	if err := m.Leave(context.Background()); err != nil {
		m.l.t.Errorf("monitor %s leaves: %v", m.name, err)
	}
	took := time.Since(began).Round(time.Millisecond)
	m.l.stops(m.name)
	if err := m.end(); err != nil {
		m.l.t.Errorf("monitor %s: %v", m.name, err)
	}
	return took
}

// joined reports whether the monitor is a member of the group.
func (m *monitor) joined() bool { return m.metric("sitemon_shards_joined") == 1 }

// metric returns the value of a metric of the monitor.
func (m *monitor) metric(name string) float64 {
	m.l.t.Helper()
	families, err := m.reg.Gather()
	if err != nil {
		m.l.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			v := f.GetMetric()[0]
			return v.GetGauge().GetValue() + v.GetCounter().GetValue()
		}
	}
	m.l.t.Fatalf("there is no metric %s", name)
	return 0
}

// at has a monitor speak to another address than the location's.
func at(t testing.TB, addr string) func(*shards.Options) {
	return func(o *shards.Options) { o.Broker = connect(t, addr, o.Logger) }
}

func connect(t testing.TB, addr string, log *slog.Logger) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Options{Addresses: []string{addr}, ClientID: "test", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func options(t testing.TB, addr, topic, file string) shards.Options {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return shards.Options{Broker: connect(t, addr, log), Topic: topic, Group: topic + ".monitors", File: file, Logger: log}
}

// newcomer has a monitor begin with nothing, and need a moment to follow each
// change of its share.
func (l *location) newcomer(name string) func(*shards.Options) {
	return func(o *shards.Options) {
		content := fmt.Sprintf(`{"topic":%q,"group":%q,"generation":0,"shards":[],"of":64}`, o.Topic, o.Group)
		if err := os.WriteFile(o.File, []byte(content), 0o600); err != nil {
			l.t.Fatal(err)
		}
		o.Own = func(s shards.Share) {
			time.Sleep(200 * time.Millisecond)
			l.probes(name, s)
		}
	}
}

func TestMonitorsComeAndLeave(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	a := l.start("a")
	t.Logf("1 monitor: joined after %s", await(t, a.joined, "it does not join"))
	if owned, of := a.Share().Count(); owned != 64 || of != 64 {
		t.Errorf("alone it has %s", a.Share())
	}
	l.watch()
	before := l.owners()
	b := l.start("b", l.newcomer("b"))
	t.Logf("2 monitors: shared after %s", l.awaitShared("a", "b"))
	if n := l.moved(before); n != 32 {
		t.Errorf("%d shards moved to the second one, want 32", n)
	}
	before = l.owners()
	c := l.start("c", l.newcomer("c"))
	t.Logf("3 monitors: shared after %s", l.awaitShared("a", "b", "c"))
	if n := l.moved(before); n != 21 {
		t.Errorf("%d shards moved to the third one, want 21", n)
	}
	before = l.owners()
	t.Logf("a has left after %s", a.leave())
	l.awaitShared("b", "c")
	if n := l.moved(before); n < 21 || n > 22 {
		t.Errorf("%d shards moved from the first one, want its own", n)
	}
	t.Logf("b has left after %s", b.leave())
	l.awaitShared("c")
	for _, f := range l.unwatched() {
		t.Error(f)
	}
	t.Logf("c has left after %s", c.leave())
}

func TestTopicWithAnotherCount(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	l.shards = 7
	createTopic(t, l.addr, l.topic, 7)
	l.start("a")
	l.start("b")
	l.awaitShared("a", "b")
	admin := &kafka.Client{Addr: kafka.TCP(l.addr)}
	r, err := admin.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: l.topic, Count: 10}},
	})
	if err = errors.Join(err, r.Errors[l.topic]); err != nil {
		t.Fatal(err)
	}
	l.shards = 10
	t.Logf("10 partitions instead of 7: shared after %s", l.awaitShared("a", "b"))
}

// A topic that is deleted comes back, and until then everybody probes what it
// had.
func TestTopicIsMadeAgain(t *testing.T) {
	t.Parallel()
	l := newLocation(t, testkit.Kafka(t))
	var again atomic.Bool
	hear := func(o *shards.Options) { o.Logger = slog.New(listening{o.Logger.Handler(), "made again", &again}) }
	l.start("a", hear)
	l.start("b", hear)
	l.awaitShared("a", "b")
	l.watch()
	admin := &kafka.Client{Addr: kafka.TCP(l.addr)}
	r, err := admin.DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{l.topic}})
	if err = errors.Join(err, r.Errors[l.topic]); err != nil {
		t.Fatal(err)
	}
	// It may be back before anybody has seen it gone, so its being made again is looked
	// for where it is said.
	took := await(t, func() bool {
		return again.Load() && partitions(admin, l.topic) == l.shards
	}, "the topic is not made again")
	t.Logf("made again after %s", took)
	// And the group goes on. How many shards move is not looked at: one of the first two
	// may still be about to come back when the third one joins, which then has its shards
	// for a moment.
	l.start("c")
	l.awaitShared("a", "b", "c")
	for _, f := range l.unwatched() {
		t.Error(f)
	}
}

func createTopic(t *testing.T, addr, topic string, partitions int) {
	t.Helper()
	admin := &kafka.Client{Addr: kafka.TCP(addr)}
	r, err := admin.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err = errors.Join(err, r.Errors[topic]); err != nil {
		t.Fatal(err)
	}
}

// partitions counts those of a topic; 0 where it is not there.
func partitions(admin *kafka.Client, topic string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m, err := admin.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || len(m.Topics) == 0 || m.Topics[0].Error != nil {
		return 0
	}
	return len(m.Topics[0].Partitions)
}
