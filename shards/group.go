package shards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon"
	"sitemon/broker"
)

// The group's times. A member that dies is noticed after the session time-out,
// the least that brokers allow by default. A small rebalance time-out makes the
// group whole soon after the broker's restart, when it waits for members that are
// no more; it must exceed the heartbeat, at which a member hears of a rebalance.
const (
	sessionTimeout    = 6 * time.Second
	heartbeatInterval = time.Second
	rebalanceTimeout  = 3 * time.Second
	joinBackoff       = 500 * time.Millisecond
	requestTimeout    = 2 * time.Second
)

// join makes sure that the topic is there, and is a member of the group until ctx
// ends or the others have its share.
func (s *Sharer) join(ctx context.Context) error {
	for {
		tried, cancel := context.WithTimeout(ctx, 5*requestTimeout)
		err := s.ensureTopic(tried)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			break
		}
		s.away(err)
		pause(ctx)
	}
	dialer := *s.opts.Broker.Dialer()
	dialer.Timeout = requestTimeout
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: s.opts.Group, Topics: []string{s.opts.Topic},
		Brokers: s.opts.Broker.Addresses(), Dialer: &dialer,
		GroupBalancers:    []kafka.GroupBalancer{s.balancer},
		HeartbeatInterval: heartbeatInterval, SessionTimeout: sessionTimeout, RebalanceTimeout: rebalanceTimeout,
		JoinGroupBackoff: joinBackoff, Timeout: requestTimeout,
		WatchPartitionChanges: true, ErrorLogger: s.opts.Broker.ErrorLogger(),
	})
	if err != nil {
		return fmt.Errorf("make a member of the group %s: %w", s.opts.Group, err)
	}
	s.follow(ctx, group)
	s.close(ctx, group)
	return nil
}

// ensureTopic makes the topic if it is missing.
func (s *Sharer) ensureTopic(ctx context.Context) error {
	if err := s.opts.Broker.Check(ctx); err != nil {
		return err
	}
	return s.opts.Broker.EnsureTopics(ctx, broker.Topic{Name: s.opts.Topic, Partitions: s.opts.Partitions})
}

// pause waits before another attempt.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(joinBackoff):
	}
}

// follow takes what the group decides until ctx ends or the others have this
// member's share. While nobody takes its next decision the member can't join
// again, and would be thrown out after the rebalance time-out: whatever happens
// in between is shorter.
func (s *Sharer) follow(ctx context.Context, group *kafka.ConsumerGroup) {
	for {
		generation, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, kafka.ErrGroupClosed):
			return
		case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.IllegalGeneration):
			s.evicted(err)
		case err != nil: // what we have, we keep; the library waits before it tries again
			s.away(err)
		default:
			if s.begin(ctx, generation) {
				close(s.left)
				return
			}
		}
	}
}

// begin takes this member's share of a generation. left reports that the others
// have all of it.
func (s *Sharer) begin(ctx context.Context, generation *kafka.Generation) (left bool) {
	shards := make([]int, 0, s.opts.Partitions)
	for _, a := range generation.Assignments[s.opts.Topic] {
		shards = append(shards, a.ID)
	}
	if len(shards) == 0 && s.isLeaving() {
		return true
	}
	of, ok := s.partitions(ctx)
	if ok {
		s.balancer.set(generation.ID, shards)
		s.joined(kept{Topic: s.opts.Topic, Group: s.opts.Group, Generation: generation.ID, Shards: shards, Of: of})
	} else {
		pause(ctx)
	}
	// It must end promptly: everybody's rebalance waits for it. Its end, too, makes
	// the member join again.
	generation.Start(func(generation context.Context) {
		if !ok {
			return
		}
		select {
		case <-generation.Done(): // another division, or a lost connection
		case <-s.leaving: // the mark is in the next claim
		}
	})
	return false
}

// partitions asks how many shards there are: a member is told only its own. ok
// is false where the topic was deleted, which is then made as it was, or where
// the broker does not say and never did. It takes no longer than one request.
func (s *Sharer) partitions(ctx context.Context) (n int, ok bool) {
	tried, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	n, err := s.count(tried)
	switch {
	case err == nil && n < s.of && s.extend(tried, s.of):
		return 0, false
	case err == nil && s.dividedBefore(tried, n):
		return 0, false
	case err == nil:
		s.of = n
	case ctx.Err() != nil:
		return 0, false
	case errors.Is(err, sitemon.ErrNotFound):
		err = s.ensureTopic(tried)
		s.log.Warn("the topic by which the monitors share the sites was gone, and is made again", "topic", s.opts.Topic, "err", err)
		return 0, false
	default:
		s.log.Warn("the partitions of a topic can't be counted", "topic", s.opts.Topic, "partitions", s.of, "err", err)
	}
	return s.of, s.of > 0
}

// count asks the broker itself how many partitions the topic has: what the
// shared connections remember may be seconds old, and a member that counted
// otherwise than the others would leave sites to nobody.
func (s *Sharer) count(ctx context.Context) (int, error) {
	shared := s.opts.Broker.Transport()
	own := &kafka.Transport{
		DialTimeout: requestTimeout, ClientID: shared.ClientID, TLS: shared.TLS, SASL: shared.SASL,
		MetadataTopics: []string{s.opts.Topic},
	}
	defer own.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(s.opts.Broker.Addresses()...), Timeout: requestTimeout, Transport: own}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.opts.Topic}})
	if err != nil {
		return 0, err
	}
	for _, t := range answer.Topics {
		switch {
		case t.Name != s.opts.Topic || errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil:
			return 0, t.Error
		default:
			return len(t.Partitions), nil
		}
	}
	return 0, sitemon.ErrNotFound
}

// dividedBefore reports whether the group has divided fewer shards than there are:
// another member has given the topic its partitions back since. Where the group
// does not say, it has not.
func (s *Sharer) dividedBefore(ctx context.Context, partitions int) bool {
	r, err := s.opts.Broker.Client().DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{s.opts.Group}})
	if err != nil || len(r.Groups) != 1 || r.Groups[0].Error != nil || r.Groups[0].GroupState != "Stable" {
		return false
	}
	divided := 0
	for _, m := range r.Groups[0].Members {
		for _, t := range m.MemberAssignments.Topics {
			if t.Topic == s.opts.Topic {
				divided += len(t.Partitions)
			}
		}
	}
	return divided > 0 && divided < partitions
}

// extend gives the topic its partitions back: it was deleted, and a broker that
// makes topics by itself has made it with fewer.
func (s *Sharer) extend(ctx context.Context, partitions int) bool {
	r, err := s.opts.Broker.Client().CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: s.opts.Topic, Count: int32(partitions)}},
	})
	if err == nil {
		err = r.Errors[s.opts.Topic]
	}
	if err != nil && !errors.Is(err, kafka.InvalidPartitionNumber) { // another member was first
		s.log.Warn("the topic by which the monitors share the sites was made again with fewer partitions", "topic", s.opts.Topic, "err", err)
		return false
	}
	s.log.Warn("the topic by which the monitors share the sites was made again, and has its partitions back", "topic", s.opts.Topic, "partitions", partitions)
	return true
}

// joined makes what the group gave to this member its share.
func (s *Sharer) joined(k kept) {
	s.metrics.divisions.Inc()
	s.metrics.joined.Set(1)
	s.mu.Lock()
	failures, rejoined := s.failures, s.member
	s.failures, s.member = 0, true
	s.mu.Unlock()
	if failures > 1 {
		s.log.Info("the monitors of this location share the sites again", "topic", k.Topic)
	}
	hold := grace
	switch {
	case len(k.Shards) == 0:
		// More members than shards; or the topic was made anew while they were
		// divided, and another generation follows.
		hold = sessionTimeout
	case !rejoined && failures == 0:
		hold = 0 // all went well before this member came: the others have theirs
	}
	s.give(order{share: k.share(), keep: k, hold: hold})
}

// evicted drops the share: the others have got it while this member stood still.
func (s *Sharer) evicted(err error) {
	s.metrics.evictions.Inc()
	s.metrics.joined.Set(0)
	s.mu.Lock()
	_, of := s.share.Count()
	s.member = false
	s.mu.Unlock()
	s.log.Warn("the other monitors have thrown this one out, because it stood still: they have its sites until it has a share again", "err", err)
	s.give(order{share: None(of)})
}

// away takes note that the group does not answer, which is said once. The first
// failure in a row is nothing yet: a group that is being made has some, too.
func (s *Sharer) away(err error) {
	if errors.Is(err, kafka.RebalanceInProgress) {
		return // it does answer
	}
	s.metrics.joined.Set(0)
	s.mu.Lock()
	s.failures++
	failures := s.failures
	s.mu.Unlock()
	if failures == 2 {
		s.log.Warn("the other monitors can't be reached: this one goes on with the share it has", "share", s.Share().String(), "err", err)
	} else {
		s.log.Debug("the group does not answer", "group", s.opts.Group, "err", err)
	}
}

func (s *Sharer) isLeaving() bool {
	select {
	case <-s.leaving:
		return true
	default:
		return false
	}
}

// close signs the member off. Kafka's client can't be interrupted in this: with a
// broker that does not answer it ends by itself, a few seconds later.
func (s *Sharer) close(ctx context.Context, group *kafka.ConsumerGroup) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = group.Close() // it has no error but nil
	}()
	select {
	case <-closed:
		return
	case <-ctx.Done():
	}
	select {
	case <-closed:
	case <-time.After(closeTimeout):
		s.log.Debug("the member was not signed off in time: the group notices by itself", "group", s.opts.Group)
	}
}
