package writer

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/segmentio/kafka-go"
)

// watchEvery is how often the writer looks how far it is.
const watchEvery = time.Second

// watch looks each second how far the partitions are read and says so to the
// store, which judges silence by it.
func (g *generation) watch(ctx context.Context, cancel context.CancelFunc) {
	if len(g.assigns) == 0 {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	partitions, failures := 0, 0
	for {
		if g.moved() {
			cancel()
			return
		}
		if n, err := g.w.partitions(ctx); err == nil { // the client remembers it for some seconds
			partitions = n
		}
		if read, err := g.progress(ctx, cancel); ctx.Err() != nil {
			return
		} else if err != nil {
			if failures++; failures > 1 { // the first one may be a leader that has just moved
				g.w.kafka.begin(err)
			}
		} else {
			failures = 0
			g.w.kafka.end()
			g.readTo(ctx, partitions, read)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// progress compares what is recorded with what the partitions hold, and returns
// up to which time each is read: one whose end is reached, up to now.
func (g *generation) progress(ctx context.Context, cancel context.CancelFunc) (map[int]time.Time, error) {
	g.mu.Lock()
	marks := maps.Clone(g.marks)
	g.mu.Unlock()
	now := g.w.opts.Now() // what comes after the question is not in the answer
	logs, err := g.logs(ctx)
	if err != nil {
		return nil, err
	}
	read, lag := map[int]time.Time{}, int64(0)
	for _, log := range logs {
		m := marks[log.Partition]
		if m.next > log.LastOffset {
			g.madeAnew(cancel, log.Partition)
			return nil, nil
		}
		behind := log.LastOffset - max(m.next, log.FirstOffset)
		lag += behind
		if behind == 0 {
			read[log.Partition] = now
			g.troubled(log.Partition, nil)
		} else if m.at.Unix() > 0 {
			read[log.Partition] = earlier(m.at, now)
		}
	}
	g.w.lag.Store(lag)
	return read, nil
}

// logs asks Kafka for the first and the last offset of each partition.
func (g *generation) logs(ctx context.Context) ([]kafka.PartitionOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var ask []kafka.OffsetRequest
	for _, a := range g.assigns {
		ask = append(ask, kafka.FirstOffsetOf(a.ID), kafka.LastOffsetOf(a.ID))
	}
	topic := g.w.opts.Topic
	resp, err := g.w.opts.Broker.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("ask how long the partitions of %s are: %w", topic, err)
	}
	for _, p := range resp.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask how long partition %d of %s is: %w", p.Partition, topic, p.Error)
		}
	}
	return resp.Topics[topic], nil
}

// readTo tells the store. That it does not answer is not worth a second attempt:
// the next one comes within a second.
func (g *generation) readTo(ctx context.Context, partitions int, read map[int]time.Time) {
	if partitions == 0 || len(read) == 0 {
		return
	}
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	err := g.w.opts.Store.ReadTo(attempt, g.w.opts.Topic, partitions, read)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		g.w.told.begin(err)
	default:
		g.w.told.end()
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
