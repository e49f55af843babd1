package writer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
)

// replayGroup is the consumer group whose offsets say which dead letters were sent
// again.
const replayGroup = "sitemon-replay"

// maxMetadata is what a broker keeps beside an offset, in bytes.
const maxMetadata = 4000

// deadPartition is a partition of dead letters: where it begins and ends, and
// which of its letters were sent again.
type deadPartition struct {
	id          int
	first, last int64 // offsets; last is exclusive
	done        done
}

// deadPartitions asks for all partitions of dead letters. A topic that does not
// exist has none.
func deadPartitions(ctx context.Context, b *broker.Broker, dead string) ([]*deadPartition, error) {
	n, err := b.Partitions(ctx, dead)
	if errors.Is(err, sitemon.ErrNotFound) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the partitions of %s: %w", dead, err)
	}
	var ends []kafka.OffsetRequest
	var ids []int
	for p := range n {
		ids = append(ids, p)
		ends = append(ends, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	logs, err := b.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{dead: ends}})
	if err != nil {
		return nil, fmt.Errorf("ask how long %s is: %w", dead, err)
	}
	var noted *kafka.OffsetFetchResponse
	err = patiently(ctx, b, func() (err error) {
		noted, err = b.Client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: replayGroup, Topics: map[string][]int{dead: ids}})
		if err != nil {
			return err
		}
		return noted.Error
	})
	if err != nil {
		return nil, fmt.Errorf("ask which letters of %s were sent again: %w", dead, err)
	}
	byID := map[int]*deadPartition{}
	for _, l := range logs.Topics[dead] {
		if l.Error != nil {
			return nil, fmt.Errorf("ask how long partition %d of %s is: %w", l.Partition, dead, l.Error)
		}
		byID[l.Partition] = &deadPartition{id: l.Partition, first: l.FirstOffset, last: l.LastOffset}
	}
	var all []*deadPartition
	for _, o := range noted.Topics[dead] {
		if p := byID[o.Partition]; p != nil && o.Error == nil {
			p.done = readDone(max(o.CommittedOffset, p.first), o.Metadata)
			all = append(all, p)
		} else if o.Error != nil {
			return nil, fmt.Errorf("ask which letters of partition %d of %s were sent again: %w", o.Partition, dead, o.Error)
		}
	}
	slices.SortFunc(all, func(a, b *deadPartition) int { return a.id - b.id })
	return all, nil
}

// How often, and with which pauses, a group is asked again that has no coordinator
// at this moment: a new broker makes the topic of all groups when the first of them
// is asked for.
const (
	groupAttempts = 40
	groupPause    = 250 * time.Millisecond
)

// patiently asks about a group again while its coordinator is being found.
func patiently(ctx context.Context, b *broker.Broker, ask func() error) error {
	for n := 1; ; n++ {
		err := ask()
		code, ok := errors.AsType[kafka.Error](err)
		if err == nil || n == groupAttempts || !ok ||
			code != kafka.NotCoordinatorForGroup && code != kafka.GroupCoordinatorNotAvailable && code != kafka.GroupLoadInProgress {
			return err
		}
		b.Refresh()
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(groupPause):
		}
	}
}

// read calls each with the letters of the partition, in their order.
func (p *deadPartition) read(ctx context.Context, b *broker.Broker, dead string, each func(Letter) error) error {
	if p.first >= p.last {
		return nil
	}
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: b.Addresses(), Dialer: dialerUntil(ctx, b.Dialer()), Topic: dead, Partition: p.id,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond, ReadLagInterval: -1, OffsetOutOfRangeError: true,
		ErrorLogger: b.ErrorLogger(),
	})
	defer func() { _ = r.Close() }() // always nil
	_ = r.SetOffset(p.first)         // it fails for a closed Reader only
	for {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return fmt.Errorf("read dead letters from partition %d of %s: %w", p.id, dead, err)
		}
		l := readLetter(m)
		l.Replayed = p.done.has(m.Offset)
		if err := each(l); err != nil {
			return err
		}
		if m.Offset+1 >= p.last {
			return nil
		}
	}
}

// commit notes in Kafka which letters were sent again.
func (p *deadPartition) commit(ctx context.Context, b *broker.Broker, dead string) error {
	next, metadata := p.done.write()
	err := patiently(ctx, b, func() error {
		resp, err := b.Client().OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: replayGroup, GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{dead: {{Partition: p.id, Offset: next, Metadata: metadata}}},
		})
		if err != nil {
			return err
		}
		for _, o := range resp.Topics[dead] {
			err = errors.Join(err, o.Error)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note which letters of %s were sent again: %w", dead, err)
	}
	return nil
}

// done is a set of offsets: all below next, and those in more.
type done struct {
	next int64
	more []span // sorted, apart from each other and from next
}

// span is the offsets from one to another, which is not in it.
type span struct{ from, to int64 }

func (d *done) has(offset int64) bool {
	return offset < d.next || slices.ContainsFunc(d.more, func(s span) bool { return s.from <= offset && offset < s.to })
}

func (d *done) add(offset int64) { d.addSpan(span{offset, offset + 1}) }

func (d *done) addSpan(s span) {
	i := 0
	for ; i < len(d.more) && d.more[i].to < s.from; i++ {
	}
	j := i
	for ; j < len(d.more) && d.more[j].from <= s.to; j++ {
		s.from, s.to = min(s.from, d.more[j].from), max(s.to, d.more[j].to)
	}
	d.more = slices.Replace(d.more, i, j, s)
	for len(d.more) > 0 && d.more[0].from <= d.next {
		d.next = max(d.next, d.more[0].to)
		d.more = d.more[1:]
	}
}

// write returns the set as an offset and a text. What does not fit is forgotten:
// a message that is sent twice is recorded once.
func (d *done) write() (next int64, more string) {
	var b strings.Builder
	for _, s := range d.more {
		text := fmt.Sprintf("%d-%d,", s.from, s.to-1)
		if b.Len()+len(text) > maxMetadata {
			break
		}
		b.WriteString(text)
	}
	return d.next, strings.TrimSuffix(b.String(), ",")
}

// readDone reads what write wrote.
func readDone(next int64, more string) done {
	d := done{next: next}
	for part := range strings.SplitSeq(more, ",") {
		from, to, ok := strings.Cut(part, "-")
		first, err := strconv.ParseInt(from, 10, 64)
		last, err2 := strconv.ParseInt(to, 10, 64)
		if ok && err == nil && err2 == nil && first <= last {
			d.addSpan(span{first, last + 1})
		}
	}
	return d
}
