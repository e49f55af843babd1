package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"sitemon/internal/testkit"
)

// fault is one thing that goes wrong; it has passed when run returns.
type fault struct {
	name   string
	weight int
	run    func(ctx context.Context, random *rand.Rand)
}

// processFaults happen to one or two of our own processes.
func (c *cluster) processFaults(kills *int) []fault {
	pick := func(random *rand.Rand) *part { return c.parts[random.IntN(len(c.parts))] }
	return []fault{
		{"kill -9", 36, func(ctx context.Context, random *rand.Rand) {
			p := pick(random)
			p.kill()
			*kills++
			pause(ctx, time.Duration(random.IntN(1500))*time.Millisecond)
			p.start()
		}},
		{"kill -9 of two", 10, func(ctx context.Context, random *rand.Rand) {
			a, b := pick(random), pick(random)
			a.kill()
			b.kill()
			*kills += 2
			pause(ctx, time.Duration(random.IntN(1500))*time.Millisecond)
			a.start()
			if a != b {
				b.start()
			}
		}},
		{"SIGSTOP", 3, func(ctx context.Context, random *rand.Rand) {
			p := pick(random)
			p.signal(syscall.SIGSTOP)
			pause(ctx, time.Duration(500+random.IntN(9000))*time.Millisecond)
			p.signal(syscall.SIGCONT)
		}},
		{"SIGTERM and start", 3, func(_ context.Context, random *rand.Rand) {
			p := pick(random)
			if code := p.stop(); code != 0 {
				c.t.Errorf("%s ended with status %d after SIGTERM", p.name, code)
			}
			p.start()
		}},
	}
}

// serverFaults happen to broker and database.
func (c *cluster) serverFaults(kills *int) []fault {
	return []fault{
		{"kill -9 of the broker", 2, func(ctx context.Context, random *rand.Rand) {
			c.kafka.Kill()
			*kills++
			pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
			c.kafka.Start()
		}},
		{"kill -9 of the database", 2, func(ctx context.Context, random *rand.Rand) {
			c.postgres.Kill()
			*kills++
			pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
			c.postgres.Start()
		}},
		{"both away", 1, func(ctx context.Context, random *rand.Rand) {
			c.postgres.Kill()
			c.kafka.Kill()
			*kills += 2
			pause(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
			c.postgres.Start()
			c.kafka.Start()
		}},
	}
}

// networkFaults part our processes from broker or database. Connections are cut
// off silently, or reset and refused.
func (c *cluster) networkFaults() []fault {
	cut := func(p *testkit.Proxy) func(context.Context, *rand.Rand) {
		return func(ctx context.Context, random *rand.Rand) {
			if random.IntN(2) == 0 {
				p.Cut()
			} else {
				p.Refuse()
			}
			pause(ctx, time.Duration(500+random.IntN(9000))*time.Millisecond)
			p.Restore()
		}
	}
	return []fault{
		{"network cut to the broker", 1, cut(c.kafka.Proxy)},
		{"network cut to the database", 1, cut(c.postgres.Proxy)},
	}
}

// faultTopic is the topic of the reports.
const faultTopic = "monitor_reports"

// topicFaults are what people do to the topic of the reports. Messages that no
// writer has recorded yet are lost with a topic that is deleted, and their slots
// become gaps.
func (c *cluster) topicFaults() []fault {
	client := &kafka.Client{Addr: kafka.TCP(c.kafka.Direct), Timeout: 10 * time.Second}
	return []fault{
		{"partition added", 1, func(context.Context, *rand.Rand) {
			c.administer("add a partition", func(ctx context.Context) error {
				resp, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
					Topics: []kafka.TopicPartitionsConfig{{Name: faultTopic, Count: int32(c.partitions(ctx, client) + 1)}},
				})
				if err != nil {
					return err
				}
				return resp.Errors[faultTopic]
			})
		}},
		{"topic made anew", 1, func(ctx context.Context, random *rand.Rand) {
			topic := kafka.TopicConfig{Topic: faultTopic, ReplicationFactor: 1}
			c.administer("ask for the partitions", func(ctx context.Context) error {
				if topic.NumPartitions = c.partitions(ctx, client); topic.NumPartitions == 0 {
					return errors.New("it has none")
				}
				return nil
			})
			c.administer("delete the topic", func(ctx context.Context) error {
				c.deleted = append(c.deleted, time.Now())
				resp, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{faultTopic}})
				if err != nil {
					return err
				}
				return but(resp.Errors[faultTopic], kafka.UnknownTopicOrPartition)
			})
			pause(ctx, time.Duration(random.IntN(3000))*time.Millisecond)
			c.administer("make the topic anew", func(ctx context.Context) error {
				resp, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
				if err != nil {
					return err
				}
				return but(resp.Errors[faultTopic], kafka.TopicAlreadyExists)
			})
		}},
	}
}

// lostWithTopic reports whether reports of these slots may have been lost with a
// topic that was deleted: no writer had read them yet.
func (c *cluster) lostWithTopic(from, to time.Time) bool {
	return slices.ContainsFunc(c.deleted, func(at time.Time) bool {
		return from.After(at.Add(-45*time.Second)) && to.Before(at.Add(5*time.Second))
	})
}

// but is the error, unless it is the one that a second try gives after a first one
// whose answer was lost.
func but(err, done error) error {
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// partitions is how many the topic of the reports has; 0 where it can't be asked.
func (c *cluster) partitions(ctx context.Context, client *kafka.Client) int {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{faultTopic}})
	if err != nil || len(meta.Topics) == 0 {
		return 0
	}
	return len(meta.Topics[0].Partitions)
}

// administer does something to the broker, which may have been started just now.
func (c *cluster) administer(what string, do func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := do(ctx)
		if err == nil {
			return
		}
		if pause(ctx, 200*time.Millisecond); ctx.Err() != nil {
			c.t.Errorf("%s: %v", what, err)
			return
		}
	}
}
