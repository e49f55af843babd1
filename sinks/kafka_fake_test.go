package sinks_test

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// fakeTopic is the only topic of a fakeKafka.
const fakeTopic = "reports"

// fakeKafka is a broker that takes messages, and fails as it is told: what a real
// one does only by chance.
type fakeKafka struct {
	addr       string
	partitions int
	// answer decides on a request to a partition, the first of them being request 1;
	// 0 takes its messages. nil: takes all.
	answer func(partition, request int) kafka.Error

	t        testing.TB
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	requests map[int]int
	taken    map[int][]string // values by partition
}

func startFakeKafka(t testing.TB, partitions int) *fakeKafka {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeKafka{
		addr: l.Addr().String(), partitions: partitions, t: t, listener: l,
		conns: map[net.Conn]struct{}{}, requests: map[int]int{}, taken: map[int][]string{},
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		f.stop()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[c] = struct{}{}
			f.mu.Unlock()
			wg.Go(func() { f.serve(c) })
		}
	})
	return f
}

// hangUp ends all connections.
func (f *fakeKafka) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

// stop ends all connections and takes no more.
func (f *fakeKafka) stop() {
	f.listener.Close()
	f.hangUp()
}

func (f *fakeKafka) serve(c net.Conn) {
	defer c.Close()
	for {
		version, id, _, request, err := protocol.ReadRequest(c)
		if err != nil {
			return
		}
		var answer protocol.Message
		switch r := request.(type) {
		case *apiversions.Request:
			answer = &apiversions.Response{ApiKeys: []apiversions.ApiKeyResponse{
				{ApiKey: int16(protocol.ApiVersions), MaxVersion: 2},
				{ApiKey: int16(protocol.Metadata), MaxVersion: 8},
				{ApiKey: int16(protocol.Produce), MaxVersion: 8},
			}}
		case *metadata.Request:
			answer = f.metadata()
		case *produce.Request:
			answer = f.produce(r)
		}
		if protocol.WriteResponse(c, version, id, answer) != nil {
			return
		}
	}
}

func (f *fakeKafka) metadata() *metadata.Response {
	host, port, _ := net.SplitHostPort(f.addr)
	number, err := strconv.Atoi(port)
	if err != nil {
		f.t.Error(err)
	}
	topic := metadata.ResponseTopic{Name: fakeTopic}
	for p := range f.partitions {
		topic.Partitions = append(topic.Partitions, metadata.ResponsePartition{PartitionIndex: int32(p), LeaderID: 1})
	}
	return &metadata.Response{
		Brokers:      []metadata.ResponseBroker{{NodeID: 1, Host: host, Port: int32(number)}},
		ControllerID: 1, Topics: []metadata.ResponseTopic{topic},
	}
}

func (f *fakeKafka) produce(r *produce.Request) *produce.Response {
	asked := r.Topics[0].Partitions[0]
	p := int(asked.Partition)
	var values []string
	for {
		record, err := asked.RecordSet.Records.ReadRecord()
		if err != nil {
			break
		}
		value, err := protocol.ReadAll(record.Value)
		if err != nil {
			f.t.Error(err)
		}
		values = append(values, string(value))
	}
	f.mu.Lock()
	f.requests[p]++
	n := f.requests[p]
	f.mu.Unlock()
	var code kafka.Error
	if f.answer != nil {
		code = f.answer(p, n)
	}
	if code == 0 {
		f.mu.Lock()
		f.taken[p] = append(f.taken[p], values...)
		f.mu.Unlock()
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{
		Topic: fakeTopic, Partitions: []produce.ResponsePartition{{Partition: asked.Partition, ErrorCode: int16(code)}},
	}}}
}

// all returns what was taken, by partition.
func (f *fakeKafka) all() map[int][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[int][]string{}
	for p, values := range f.taken {
		all[p] = append(all[p], values...)
	}
	return all
}

// asked waits until a partition has had so many requests.
func (f *fakeKafka) asked(partition, requests int) {
	for {
		f.mu.Lock()
		n := f.requests[partition]
		f.mu.Unlock()
		if n >= requests {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
